"""Do chains stand for their model?  All that can be said about it, and what to do."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.diagnostics.drift import FEWEST, LIMIT, DriftTest, drift_test
from harmonium.diagnostics.missing_modes import MissingModeTest, missing_mode_test
from harmonium.models.machine.machine import Machine
from harmonium.units import Natural

__all__ = ["EquilibriumTest", "Finding", "equilibrium_test"]

_MOVED = 0.5  # of those that would move at independence; of chains that sample anything, nearly all do in a few sweeps
_SPREAD = 0.1  # of the variance of the data; a model that has learned them has about all of it


class Finding(NamedTuple):
    """Something that is wrong, by a name for it, in words, and what to do about it."""

    name: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}. {self.remedy[:1].upper()}{self.remedy[1:]}"


class EquilibriumTest(NamedTuple):
    """What was seen of chains at fixed parameters.

    Attributes:
        lag: whether they drift (see `harmonium.diagnostics.drift`).
        unseen: whether they miss what annealed chains find (see `harmonium.diagnostics.missing_modes`).
        free_energy: by how much their mean free energy changed within the lag, in nats.
        moved: the share of the chains that are not where they were before the lag, over the share of pairs of chains
            that are not in the same state, which is what independent draws would give.
        spread: the variance of their visible units over that of the training data, both summed over units; None where
            the model does not know its data.
        findings: what is wrong; empty where nothing was found.
    """

    lag: DriftTest
    unseen: MissingModeTest
    free_energy: float
    moved: float
    spread: float | None
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool | None:
        """False where something is wrong; None where nothing was found that could be judged; True otherwise.

        True is no proof: a mode that neither the chains nor the annealed ones visit is not seen.
        """
        if self.findings:
            return False
        return True if self.lag.passed and self.unseen.passed else None


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
    """Test packed chains (chains, columns) for drift, standstill, collapse and unseen modes; they are not changed.

    Args:
        model: the model.
        chains: independent of each other.
        stream: of the sweeps and the annealing.
        sweeps: for which copies of the chains run on.
        annealed: number of annealed chains they are compared with.
        temperatures: of the annealing.
        base: natural parameters from which it begins (default: means of the training data stored in the model).
    """
    lag = drift_test(model, chains, stream.child("lag"), sweeps)
    unseen = missing_mode_test(model, lag.chains, stream.child("unseen"), annealed, temperatures, base)
    before, after = (-model.log_weight(model.unpack(c)).mean() for c in (chains, lag.chains))
    fell = float(after - before)
    moved = _moved(chains, lag.chains)
    spread = _spread(model, chains)
    found = []
    if moved < _MOVED:
        found.append(
            Finding(
                "frozen",
                f"the chains are stuck: of those that should have moved, {1 - moved:.0%} are after {sweeps} sweeps "
                "exactly where they were before",
                "the weights are too large to be sampled by Gibbs sweeps: use a lower learning rate or weight decay, "
                "or tempered chains (PT, PTT)",
            )
        )
    if len(chains) >= FEWEST and lag.drift >= LIMIT:
        found.append(
            Finding(
                "drift",
                f"the chains lag the model by {lag.drift:.1f} standard errors: within {sweeps} sweeps at fixed weights "
                f"their mean free energy changes by {fell:+.2f} nats",
                "use more sweeps per update, PCD(k=10), a lower learning rate, or tempered chains (PT, PTT)",
            )
        )
    if spread is not None and spread < _SPREAD:
        found.append(
            Finding(
                "collapsed",
                f"the chains have collapsed: they have {spread:.1%} of the variance of the data",
                "lower the learning rate; if they stay where they are, start new chains or temper them (PT, PTT)",
            )
        )
    if unseen.passed is False:
        found.append(
            Finding(
                "unseen",
                unseen.why,
                "Gibbs sweeps do not cross from mode to mode: use tempered chains (PT, PTT)",
            )
        )
    return EquilibriumTest(lag, unseen, fell, moved, spread, tuple(found))


def _moved(before: Tensor, after: Tensor) -> float:
    n, counts = len(before), torch.unique(before, dim=0, return_counts=True)[1].double()
    apart = 1 - float((counts * (counts - 1)).sum()) / (n * max(1, n - 1))
    share = float((before != after).any(-1).double().mean())
    return share / apart if apart > 0 else 1.0  # all in one state: a collapse, if the data are not


def _spread(model: Machine, chains: Tensor) -> float | None:
    v = model.unpack(chains)[0]
    total = 0.0 if model.data_variance is None else float(model.data_variance.sum())
    if v is None or len(v) < 2 or total == 0 or model.visible.conditions_on_total:
        return None
    return float(v.double().var(0).sum()) / total
