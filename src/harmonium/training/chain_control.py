"""A callback that keeps persistent chains close to the model: more sweeps, or a smaller step, where they lag behind."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from harmonium.core.checks import check_int_fields, finite_or_none
from harmonium.core.rows import some_rows
from harmonium.diagnostics.drift import FEWEST, drift_test
from harmonium.models.machine.machine import Machine
from harmonium.objectives.negative import SampledNegative
from harmonium.training.callbacks import Callback, is_due

if TYPE_CHECKING:
    from harmonium.training.history import Row
    from harmonium.training.loop import Training

__all__ = ["ChainControl"]

_SLOWER = 0.5  # factor of the learning rate, where more sweeps than these are too many


@dataclass
class ChainControl(Callback):
    """Test whether persistent chains keep up with the model, and help them where they do not.

    Copies of the chains take ``test`` sweeps at fixed weights.  If their free energy or a principal projection drifts
    by 4.5 standard errors or more, the chains lag behind the model: from then on every update takes twice as many
    sweeps, and where these are ``most`` already, the learning rate is halved instead.  A training that plans itself
    does this at the ends of its cycles; within ``minutes`` it takes smaller steps only.  Adds to the row:

    * "chain_drift": the largest drift in standard errors (one of 4.5 occurs by chance once in 15,000 tests);
    * "sweeps": Gibbs sweeps of every update from now on.

    Args:
        every: epochs between tests; None: where cycles of `harmonium.training.schedules.Cycles` end.
        most: sweeps per update at most.
        test: sweeps of a test.
        chains: largest number of chains to test, evenly spaced.

    Raises:
        ValueError: for numbers below 1.

    Warns:
        UserWarning: if the chains still lag at the last test.

    >>> import harmonium as hm
    >>> bars = hm.data.load("bars-and-stripes").train
    >>> history = hm.fit(hm.RBM(16, 4), bars, epochs=4, callbacks=[hm.training.ChainControl(every=2)])
    >>> history["sweeps"]
    [None, 1, None, 1]
    """

    every: int | None = None
    most: int = 32
    test: int = 100
    chains: int = 256
    lagging: str | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        check_int_fields(self, most=1, test=1, chains=1)
        if self.every is not None:
            check_int_fields(self, every=1)

    def on_begin(self, training: Training) -> None:
        if training.position.update == 0:
            self.lagging = None

    @torch.no_grad()
    def on_measure(self, training: Training, row: Row) -> None:
        objective, state = training.plan.objective, training.objective_state
        if not is_due(self.every, row["epoch"], training.plan) or not _has_chains(training):
            return
        assert isinstance(objective, SampledNegative) and isinstance(training.model, Machine)
        chains = objective.model_chains(state)
        assert chains is not None
        stream = training.root.child("chain control", row["epoch"])
        with training.last_parameters():  # the chains are theirs, not those of an average
            test = drift_test(training.model, chains[some_rows(len(chains), self.chains)], stream, self.test)
        lags = f"lag behind the model by {test.difference:.1f} standard errors" if test.difference else "do not move"
        self.lagging = None if test.passed else lags
        sweeps = objective.sweeps(state)
        if not test.passed and sweeps < self.most:
            sweeps = min(self.most, 2 * sweeps)
            training.set_sweeps(sweeps)
        elif not test.passed:
            training.go_slower(_SLOWER)
        row["chain_drift"], row["sweeps"] = finite_or_none(test.difference), sweeps

    def on_end(self, training: Training) -> None:
        if self.lagging is not None:
            warnings.warn(
                f"the chains {self.lagging} at the end of training, although updates took more sweeps or smaller "
                "steps: its likelihood is uncertain. Lower the learning rate, or use objective=hm.PTT() if modes are "
                "far from each other",
                UserWarning,
                stacklevel=2,
            )

    def columns(self, training: Training) -> set[str] | None:
        if type(self).on_measure is not ChainControl.on_measure:
            return None
        return {"chain_drift", "sweeps"} if _has_chains(training) else set()

    def state(self) -> dict[str, Any]:
        return {"lagging": self.lagging}

    def restore(self, state: dict[str, Any]) -> None:
        self.lagging = state["lagging"]

    def config(self) -> dict[str, Any]:
        own = {"every": self.every, "most": self.most, "test": self.test, "chains": self.chains}
        return super().config() | own


def _has_chains(training: Training) -> bool:
    objective, model = training.plan.objective, training.model
    if not isinstance(objective, SampledNegative) or not isinstance(model, Machine) or model.batched:
        return False
    chains = objective.model_chains(training.objective_state)
    return chains is not None and len(chains) >= FEWEST
