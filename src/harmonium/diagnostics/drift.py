"""Drift test: at equilibrium, further sweeps do not change the mean of any statistic of the chains."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.models.machine.machine import Machine
from harmonium.sampling.chains import swept

__all__ = ["FEWEST", "LIMIT", "DriftTest", "drift_test", "statistics"]

LIMIT = 4.5  # standard errors; with ten statistics a chain at equilibrium fails once in 15,000 tests
FEWEST = 20  # chains; with fewer, the standard error itself is too noisy


class DriftTest(NamedTuple):
    """Result of `drift_test`.

    Attributes:
        chains: the packed chains after the sweeps.
        passed: whether no statistic drifts, the chains move, and there are enough of them to judge.
        why: a sentence that explains `passed`.
        difference: the largest change of a mean, in standard errors.
    """

    chains: Tensor
    passed: bool
    why: str
    difference: float


@torch.no_grad()
def drift_test(model: Machine, chains: Tensor, stream: Stream, sweeps: int = 200, copies: int = 1) -> DriftTest:
    """Run chains for some sweeps and test whether their statistics change.

    The statistics are the free energy and the projections onto the principal directions of the chains. Each mean change
    over paired states is divided by its standard error. A pass shows that nothing drifts over this many sweeps; it says
    nothing about modes that no chain has visited.

    Args:
        model: the model the chains belong to.
        chains: packed states, (chains, columns); not changed.
        stream: random numbers of the sweeps.
        sweeps: number of Gibbs sweeps.
        copies: rows per independent chain, whose mean counts once (all chains of the first copy come first).

    Returns:
        The test, with the chains after the sweeps.
    """
    moved = swept(model, model.unpack(chains), stream, sweeps)
    before, after = (statistics(model, v, chains) for v in (chains, moved))
    steps = after - before
    difference = steps.view(copies, -1, steps.shape[-1]).mean(0)
    independent = len(difference)
    error = difference.std(0) / independent**0.5
    # A statistic that never changes (a constant unit, a frozen chain) has no standard error; one that changes by the
    # same amount in every chain has none either, but it drifts.
    z = torch.where(difference.mean(0) != 0, difference.mean(0) / error, 0.0)
    frozen = bool((steps == 0).all())
    worst = float(z.abs().max())
    passed = independent >= FEWEST and worst < LIMIT and not frozen
    if independent < FEWEST:
        why = f"only {independent} chains: at least {FEWEST} are needed to detect a drift"
    elif frozen:
        why = f"the chains did not move at all in {sweeps} sweeps"
    elif passed:
        why = (
            f"the chains show no drift over {sweeps} sweeps "
            f"(largest of {len(z)} statistics {worst:.1f} standard errors)"
        )
    else:
        why = (
            f"the chains drift over {sweeps} sweeps ({'free energy' if int(z.abs().argmax()) == 0 else 'overlaps'} by "
            f"{worst:.1f} standard errors): they are not at equilibrium; run them longer"
        )
    return DriftTest(moved, passed, why, worst)


def statistics(model: Machine, chains: Tensor, reference: Tensor, weight: Tensor | None = None) -> Tensor:
    """Free energy and projections onto up to nine principal directions of each chain.

    Args:
        model: the model.
        chains: packed states, (chains, columns).
        reference: packed states that define the directions, (cases, columns).
        weight: weights of the reference states, (cases,); uniform by default.

    Returns:
        Statistics, (chains, 1 + directions), float64; the free energy is in nats.
    """
    reference = reference.double()
    share = torch.ones(len(reference), dtype=torch.float64, device=reference.device) if weight is None else weight
    share = share / share.sum()
    centre = share @ reference
    scaled = (reference - centre) * share.sqrt().unsqueeze(-1)
    directions = torch.linalg.svd(scaled, full_matrices=False).Vh[:9]
    free_energy = -model.log_weight(model.unpack(chains))
    return torch.cat((free_energy.unsqueeze(-1), (chains.double() - centre) @ directions.T), -1)
