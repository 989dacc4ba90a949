"""How to train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harmonium.core.random import Stream
from harmonium.objectives import Objective
from harmonium.training.average import Average
from harmonium.training.gaps import Gaps
from harmonium.training.metrics import Metric
from harmonium.training.optimizers import OptimizerFactory, check_optimizer
from harmonium.training.penalties import Penalty
from harmonium.training.schedules import Schedule

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """How to train: everything but the model and the data (see `harmonium.fit`).

    Attributes:
        missing: what training makes of missing values; None: there are none.
        hold_out: whether cases are set aside for the choice of the best model, unless validation cases are given.
        most: number of cases to train on at most, evenly spaced, where there is no time for all; None: all.
        shards: number of shards in which every update is computed; None: updates are not computed in shards.
        average: what of the parameters is judged and kept; None: the last ones.

    Raises:
        ValueError: for the name of an optimizer that is not known.
    """

    objective: Objective
    metric: Metric
    learning_rate: Schedule
    optimizer: str | OptimizerFactory = "sgd"
    penalties: Sequence[Penalty] = ()
    epochs: int = 10
    batch_size: int = 100
    seed: Stream = field(default_factory=lambda: Stream(0))
    missing: Gaps | None = None
    hold_out: bool = False
    most: int | None = None
    shards: int | None = None
    average: Average | None = None

    def __post_init__(self) -> None:
        check_optimizer(self.optimizer)

    def config(self) -> dict[str, Any]:
        """Describe the plan in JSON-able values; the description of your own optimizer is None."""
        return {
            "objective": self.objective.config(),
            "metric": self.metric.config(),
            "learning_rate": self.learning_rate.config(),
            "optimizer": self.optimizer if isinstance(self.optimizer, str) else None,
            "penalties": [penalty.config() for penalty in self.penalties],
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "missing": None if self.missing is None else self.missing.config(),
            "hold_out": self.hold_out,
            "most": self.most,
            "shards": self.shards,
            "average": None if self.average is None else self.average.config(),
            "seed": [self.seed.seed, *self.seed.path],
        }
