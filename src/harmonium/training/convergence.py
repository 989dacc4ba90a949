"""The end of training by diminishing returns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harmonium.core.checks import check_int_fields, check_number
from harmonium.training.callbacks import Callback
from harmonium.training.schedules import ends_cycle

if TYPE_CHECKING:
    from harmonium.training.history import Row
    from harmonium.training.loop import Training

__all__ = ["Convergence"]


@dataclass
class Convergence(Callback):
    """Keep the best model by a validation measure, and stop when a measurement shows no gain over the best before it.

    Meant for measurements at the ends of `harmonium.training.schedules.Cycles`, where the updates between two of them
    are as many as all before.

    Args:
        metric: a column of the history, higher is better.
        gain: what counts as a gain, in units of the column.
        least: updates before which training does not stop.
        patience: measurements in a row without a gain after which training stops.
        at_cycles: whether only measurements where `harmonium.training.schedules.Cycles` end count: between them the
            learning rate is high, and no model is as good as it could be.
        slower: factor of the learning rate after a measurement without value, such as a bound of chains that have
            fallen out of equilibrium: training goes on from the best model so far.  None: it goes on as it is.
    """

    metric: str = "log_likelihood_lower"
    gain: float = 0.01
    least: int = 4000
    patience: int = 1
    at_cycles: bool = False
    slower: float | None = None
    best: float = field(default=-math.inf, init=False, repr=False)
    best_update: int = field(default=0, init=False, repr=False)
    failures: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        check_int_fields(self, least=0, patience=1)
        check_number("Convergence(gain=...)", self.gain, "a finite number", lambda gain: True)

    def on_begin(self, training: Training) -> None:
        if training.position.update == 0:  # forget an earlier training
            self.best, self.best_update, self.failures = -math.inf, 0, 0

    def on_epoch(self, training: Training, row: Row) -> None:
        if self.metric not in row or (
            self.at_cycles and not ends_cycle(row["epoch"], training.plan.epochs, training.plan.learning_rate)
        ):
            return
        value = row[self.metric]
        if value is None:
            if self.slower is not None and training.best is not None:
                training.go_back(self.slower)
            return
        gained = value - self.best
        self.failures = self.failures + 1 if gained < self.gain else 0
        if gained > 0:
            self.best = value
            training.keep_best(row)
        if gained >= self.gain:
            self.best_update = row["update"]
        if self.failures >= self.patience and row["update"] >= self.least:
            words = self.metric.replace("_", " ")
            training.stop = f"no gain of {self.gain:g} in {words} in {row['update'] - self.best_update:,} updates"

    def columns(self, training: Training) -> set[str] | None:
        return set()

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "best_update": self.best_update, "failures": self.failures}

    def restore(self, state: dict[str, Any]) -> None:
        self.best, self.best_update, self.failures = state["best"], state["best_update"], state["failures"]
