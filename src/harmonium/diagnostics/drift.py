"""Have chains reached their model?  What must not change when they run on is tested for change."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.models.machine.machine import Machine

__all__ = ["FEWEST", "LIMIT", "DriftTest", "drift_test", "statistics"]

LIMIT = 4.5  # standard errors; with ten statistics a chain at equilibrium fails once in 15,000 tests
FEWEST = 20  # chains: with fewer the standard error itself is noise


class DriftTest(NamedTuple):
    """The chains after the lag, whether they passed, a sentence about it, and the largest drift in standard errors."""

    chains: Tensor
    passed: bool
    why: str
    drift: float


@torch.no_grad()
def drift_test(model: Machine, chains: Tensor, stream: Stream, sweeps: int = 200, copies: int = 1) -> DriftTest:
    """Run packed chains (chains, columns) for some sweeps and compare where they were with where they are.

    At equilibrium the mean of any function of the state stays where it was.  Tested, as paired differences in units of
    their standard error, are the free energy and the projections on the principal directions of the chains.  Passing
    shows that nothing drifts within the lag; it cannot show a mode that no chain has ever seen.  ``copies`` rows belong
    to each independent chain (all chains of the first copy first), and their mean counts once.
    """
    moved = model.pack(model.sweep(model.unpack(chains), stream, sweeps))
    before, after = (statistics(model, v, chains) for v in (chains, moved))
    steps = after - before
    difference = steps.view(copies, -1, steps.shape[-1]).mean(0)
    independent = len(difference)
    error = difference.std(0) / independent**0.5
    # A statistic that never moves (a constant unit, a frozen chain) has no error to compare with; one that moves by the
    # same step in every chain has none either, but drifts.
    z = torch.where(difference.mean(0) != 0, difference.mean(0) / error, 0.0)
    frozen = bool((steps == 0).all())
    worst = float(z.abs().max())
    passed = independent >= FEWEST and worst < LIMIT and not frozen
    if independent < FEWEST:
        why = f"only {independent} chains: at least {FEWEST} are needed to see a drift"
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
            f"{worst:.1f} standard errors): they have not reached the model; run them longer"
        )
    return DriftTest(moved, passed, why, worst)


def statistics(model: Machine, chains: Tensor, reference: Tensor, weight: Tensor | None = None) -> Tensor:
    """Free energy and nine principal projections of each packed chain, (chains, 10), float64.

    The directions are those of the packed ``reference`` (cases, columns), whose cases may have weights (cases,).
    """
    reference = reference.double()
    share = torch.ones(len(reference), dtype=torch.float64, device=reference.device) if weight is None else weight
    share = share / share.sum()
    centre = share @ reference
    scaled = (reference - centre) * share.sqrt().unsqueeze(-1)
    directions = torch.linalg.svd(scaled, full_matrices=False).Vh[:9]
    free_energy = -model.log_weight(model.unpack(chains))
    return torch.cat((free_energy.unsqueeze(-1), (chains.double() - centre) @ directions.T), -1)
