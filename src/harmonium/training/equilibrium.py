"""A callback that tests the persistent chains for equilibrium during training."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from harmonium.core.checks import check_int_fields, finite_or_none
from harmonium.core.rows import some_rows
from harmonium.diagnostics.equilibrium import equilibrium_test
from harmonium.training.callbacks import Callback

if TYPE_CHECKING:
    from harmonium.training.history import Row
    from harmonium.training.loop import Training

__all__ = ["EquilibriumMonitor"]

_COLUMNS = {"equilibrium", "drift", "spread", "missing_mode"}


@dataclass
class EquilibriumMonitor(Callback):
    """Test every few epochs whether the objective's persistent chains are at equilibrium.

    Copies of the chains run on at fixed weights (do they drift?) and are compared with chains annealed from the base
    rate (do they miss a mode?). Adds to the row:

    * "equilibrium": False if a problem was found, None if it cannot be judged, True otherwise;
    * "drift": largest change of the free energy and of nine principal projections, in standard errors (limit 4.5);
    * "spread": variance of the chains relative to the data (below 0.1: collapsed);
    * "missing_mode": largest difference from the annealed chains, in standard errors (limit 4.5); None if it cannot be
      judged, as with fewer than 30 effective annealed chains.

    Each kind of problem is reported once, as a warning with a remedy. A mode that neither the chains nor the annealed
    chains visit goes unnoticed, as does one of small probability (see `harmonium.diagnostics.missing_modes`).

    Args:
        every: epochs between measurements; the last epoch is always measured.
        sweeps: number of sweeps that the copies run.
        chains: largest number of persistent chains to test, evenly spaced.
        annealed: number of annealed chains.
        temperatures: number of temperatures of the annealing.

    Warns:
        UserWarning: if a problem is found, or if the objective has no persistent chains.

    >>> import harmonium as hm
    >>> bars, monitor = hm.data.load("bars-and-stripes").train, EquilibriumMonitor(every=2)
    >>> hm.fit(hm.RBM(16, 4), bars, epochs=2, learning_rate=0.01, callbacks=[monitor])["equilibrium"]
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
        if training.position.update == 0:  # the object may have been used by an earlier training
            self.said = []
        if training.model_chains() is None:
            name = type(training.plan.objective).__name__
            self._say("none", f"{name} has no persistent chains for EquilibriumMonitor to test: use PCD")

    @torch.no_grad()
    def on_measure(self, training: Training, row: Row) -> None:
        if row["epoch"] % self.every and row["epoch"] != training.plan.epochs:
            return
        chains = training.model_chains()
        if chains is None:
            return
        assert training.model.energy_part is not None
        test = equilibrium_test(
            training.model.energy_part,
            chains[some_rows(len(chains), self.chains)],
            training.root.child("equilibrium", row["epoch"]),
            sweeps=self.sweeps,
            annealed=self.annealed,
            temperatures=self.temperatures,
        )
        row["equilibrium"] = test.passed
        missing = test.missing_modes
        row["drift"] = finite_or_none(test.drift.difference)
        row["spread"] = test.spread
        row["missing_mode"] = None if missing.passed is None else finite_or_none(missing.difference)
        for finding in test.findings:
            self._say(finding.name, f"epoch {row['epoch']}: {finding}")

    def _say(self, name: str, text: str) -> None:
        if name not in self.said:
            self.said.append(name)
            warnings.warn(text, stacklevel=2)

    def columns(self, training: Training) -> set[str] | None:
        if type(self).on_measure is not EquilibriumMonitor.on_measure:
            return None
        return _COLUMNS if training.model_chains() is not None else set()

    def state(self) -> dict[str, Any]:
        return {"said": self.said}

    def restore(self, state: dict[str, Any]) -> None:
        self.said = ["missing_mode" if name == "unseen" else name for name in state["said"]]  # "unseen": its old name

    def config(self) -> dict[str, Any]:
        return super().config() | {name: value for name, value in vars(self).items() if name != "said"}
