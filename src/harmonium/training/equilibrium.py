"""A watch on the persistent chains during training: do they still stand for the model?"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from harmonium.core.checks import check_int_fields
from harmonium.core.rows import evenly_spaced
from harmonium.diagnostics.equilibrium import equilibrium_test
from harmonium.training.callbacks import Callback

if TYPE_CHECKING:
    from harmonium.training.history import Row
    from harmonium.training.loop import Training

__all__ = ["EquilibriumMonitor"]

_COLUMNS = {"equilibrium", "lag", "spread", "unseen"}


@dataclass
class EquilibriumMonitor(Callback):
    """Tests every few epochs whether the objective's persistent chains stand for the model.

    Copies of the chains run on at fixed weights (do they drift?) and are compared with chains annealed from the base
    rate (is there a mode they never visit?).  Adds to the row:

    * "equilibrium": False where something is wrong, None where it cannot be judged, True otherwise;
    * "lag": the largest drift of the free energy and nine principal projections, in standard errors (above 4.5: drift);
    * "spread": the variance of the chains over that of the data (below 0.1: collapsed);
    * "unseen": the largest difference from the annealed chains, in standard errors (above 4.5: they differ); None where
      that cannot be judged, such as with fewer than 30 effective annealed chains.

    What is wrong is said as a warning, once of each kind, with what to do.  A mode that neither the chains nor the
    annealed ones visit is not seen, nor one of small probability (see `harmonium.diagnostics.missing_modes`).

    Args:
        every: epochs between measurements; the last epoch is always measured.
        sweeps: for which the copies run on.
        chains: at most so many of the persistent chains, evenly spaced.
        annealed: annealed chains.
        temperatures: of the annealing.

    Warns:
        UserWarning: for what is wrong, and where the objective keeps no chains.

    >>> import harmonium as hm
    >>> bars, watch = hm.data.load("bars-and-stripes").train, EquilibriumMonitor(every=2)
    >>> hm.fit(hm.RBM(16, 4), bars, epochs=2, learning_rate=0.01, callbacks=[watch])["equilibrium"]
    [None, True]
    """

    former_names: ClassVar[tuple[str, ...]] = ("Equilibrium",)

    every: int = 10
    sweeps: int = 200
    chains: int = 256
    annealed: int = 200
    temperatures: int = 500
    said: list[str] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        check_int_fields(self, every=1, sweeps=1, chains=1, annealed=1, temperatures=2)

    def on_begin(self, training: Training) -> None:
        if training.position.update == 0:  # an object that has served an earlier training starts anew
            self.said = []
        objective = training.plan.objective
        if objective.model_chains(training.objective_state) is None:
            name = type(objective).__name__
            self._say("none", f"{name} keeps no persistent chains, so EquilibriumMonitor has nothing to watch: use PCD")

    @torch.no_grad()
    def on_measure(self, training: Training, row: Row) -> None:
        if row["epoch"] % self.every and row["epoch"] != training.plan.epochs:
            return
        chains = training.plan.objective.model_chains(training.objective_state)
        if chains is None:
            return
        index = evenly_spaced(len(chains), min(self.chains, len(chains)))
        assert training.model.energy_part is not None
        test = equilibrium_test(
            training.model.energy_part,
            chains[index],
            training.root.child("equilibrium", row["epoch"]),
            sweeps=self.sweeps,
            annealed=self.annealed,
            temperatures=self.temperatures,
        )
        row["equilibrium"] = test.passed
        row["lag"] = _finite(test.lag.drift)
        row["spread"] = test.spread
        row["unseen"] = None if test.unseen.passed is None else _finite(test.unseen.difference)
        for finding in test.findings:
            self._say(finding.name, f"epoch {row['epoch']}: {finding}")

    def _say(self, name: str, text: str) -> None:
        if name not in self.said:
            self.said.append(name)
            warnings.warn(text, stacklevel=2)

    def _settings(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "said"}

    def columns(self, training: Training) -> set[str] | None:
        if type(self).on_measure is not EquilibriumMonitor.on_measure:
            return None
        return _COLUMNS if training.plan.objective.model_chains(training.objective_state) is not None else set()

    def state(self) -> dict[str, Any]:
        return {"said": self.said}

    def restore(self, state: dict[str, Any]) -> None:
        self.said = list(state["said"])

    def config(self) -> dict[str, Any]:
        return super().config() | self._settings()


def _finite(value: float) -> float | None:
    """JSON has no infinity: chains that all make the same step drift by infinitely many standard errors."""
    return value if math.isfinite(value) else None
