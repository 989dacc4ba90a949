"""Equilibrium test of chains: drift, standstill, collapse, missing modes; with remedies."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.core.numbers import fixed
from harmonium.core.random import Stream
from harmonium.diagnostics.drift import FEWEST, LIMIT, DriftTest, drift_test
from harmonium.diagnostics.missing_modes import MissingModeTest, missing_mode_test
from harmonium.models.machine.machine import Machine
from harmonium.units import Natural

__all__ = ["EquilibriumTest", "Finding", "equilibrium_test"]

_MOVED = 0.5  # relative to independent draws; chains that sample at all reach nearly 1 within a few sweeps
_SPREAD = 0.1  # relative to the variance of the data; a trained model has about 1


class Finding(NamedTuple):
    """A problem of the chains.

    Attributes:
        name: "frozen", "drift", "collapsed" or "missing_mode".
        what: the problem, in words.
        remedy: what to do about it.
    """

    name: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}. {self.remedy[:1].upper()}{self.remedy[1:]}"


class EquilibriumTest(NamedTuple):
    """Result of `equilibrium_test`.

    Attributes:
        drift: whether the chains drift (see `harmonium.diagnostics.drift`).
        missing_modes: whether annealed chains find a mode that they miss (see `harmonium.diagnostics.missing_modes`).
        free_energy: change of their mean free energy during the sweeps, in nats.
        moved: share of the chains whose state changed, relative to independent draws (the share of pairs of chains in
            different states).
        spread: variance of their visible units relative to the training data, each summed over units; None if the model
            does not store the variance of its data.
        findings: the problems found.
    """

    drift: DriftTest
    missing_modes: MissingModeTest
    free_energy: float
    moved: float
    spread: float | None
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool | None:
        """Whether no problem was found; None if none was found but not everything could be judged.

        True is not a proof: a mode that neither the chains nor the annealed chains visit goes unnoticed.
        """
        if self.findings:
            return False
        return True if self.drift.passed and self.missing_modes.passed else None


@torch.no_grad()
def equilibrium_test(
    model: Machine,
    chains: Tensor,
    stream: Stream,
    *,
    sweeps: int = 200,
    annealed: int = 200,
    temperatures: int = 500,
    base: tuple[Natural, ...] | None = None,
) -> EquilibriumTest:
    """Test chains for drift, standstill, collapse and missing modes.

    Args:
        model: the model the chains belong to.
        chains: packed states of independent chains, (chains, columns); not changed.
        stream: random numbers of the sweeps and the annealing.
        sweeps: number of sweeps that copies of the chains run.
        annealed: number of annealed chains to compare with.
        temperatures: number of temperatures of the annealing.
        base: natural parameters at which annealing begins (default: means of the training data stored in the model).

    Returns:
        The results and the problems found.
    """
    drift = drift_test(model, chains, stream.child("lag"), sweeps)
    missing = missing_mode_test(model, drift.chains, stream.child("unseen"), annealed, temperatures, base)
    before, after = (-model.log_weight(model.unpack(c)).mean() for c in (chains, drift.chains))
    change = float(after - before)
    moved = _moved(chains, drift.chains)
    spread = _spread(model, chains)
    found = []
    if moved < _MOVED:
        found.append(
            Finding(
                "frozen",
                f"the chains are stuck: {1 - moved:.0%} of them are in exactly the same state after {sweeps} sweeps",
                "the weights are too large for Gibbs sweeps: use a lower learning rate or weight decay, or tempered "
                "chains (PT, PTT)",
            )
        )
    if len(chains) >= FEWEST and drift.difference >= LIMIT:
        found.append(
            Finding(
                "drift",
                f"the chains lag behind the model by {drift.difference:.1f} standard errors: during {sweeps} sweeps at "
                f"fixed weights their mean free energy changes by {'+' if change > 0 else ''}{fixed(change)} nats",
                "use more sweeps per update, PCD(k=10), a lower learning rate, or tempered chains (PT, PTT)",
            )
        )
    if spread is not None and spread < _SPREAD:
        found.append(
            Finding(
                "collapsed",
                f"the chains have collapsed: they have {spread:.1%} of the variance of the data",
                "lower the learning rate; if that does not help, start new chains or use tempered ones (PT, PTT)",
            )
        )
    if missing.passed is False:
        remedy = "Gibbs sweeps do not cross from mode to mode: use tempered chains (PT, PTT)"
        found.append(Finding("missing_mode", missing.why, remedy))
    return EquilibriumTest(drift, missing, change, moved, spread, tuple(found))


def _moved(before: Tensor, after: Tensor) -> float:
    n, counts = len(before), torch.unique(before, dim=0, return_counts=True)[1].double()
    apart = 1 - float((counts * (counts - 1)).sum()) / (n * max(1, n - 1))
    share = float((before != after).any(-1).double().mean())
    return share / apart if apart > 0 else 1.0  # all in one state, which is judged by the spread


def _spread(model: Machine, chains: Tensor) -> float | None:
    v = model.unpack(chains)[0]
    total = 0.0 if model.data_variance is None else float(model.data_variance.sum())
    if v is None or len(v) < 2 or total == 0 or model.visible.conditions_on_total:
        return None
    return float(v.double().var(0).sum()) / total
