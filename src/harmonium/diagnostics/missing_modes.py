"""Missing-mode test: comparison of chains with a sample annealed from the base rate, independent of them."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.diagnostics.drift import FEWEST, LIMIT, statistics
from harmonium.models.machine.machine import Machine
from harmonium.sampling.ais import anneal
from harmonium.sampling.path import Path
from harmonium.units import Natural

__all__ = ["MissingModeTest", "compare_with_annealed", "missing_mode_test"]

_ENOUGH = 30.0  # effective annealed chains; with fewer, the standard error is too noisy and alarms are false
_UNVISITED = 0.01  # a region that holds a smaller share of the chains counts as unvisited


class MissingModeTest(NamedTuple):
    """Result of `missing_mode_test`.

    Attributes:
        passed: whether chains and annealed chains agree. None if the test cannot tell: there are too few of either,
            annealing did not begin at the means of the data, or the two sets of chains do not overlap, so that one of
            them is wrong but it is unknown which.
        difference: the largest difference of a mean, in standard errors.
        ess: effective number of annealed chains.
        visible: smallest probability of a mode whose absence from the chains would be noticed.
        why: a sentence that explains `passed`.
    """

    passed: bool | None
    difference: float
    ess: float
    visible: float
    why: str


@torch.no_grad()
def missing_mode_test(
    model: Machine,
    chains: Tensor,
    stream: Stream,
    annealed: int = 200,
    temperatures: int = 500,
    base: tuple[Natural, ...] | None = None,
) -> MissingModeTest:
    """Compare chains with a sample annealed from the base rate (Neal 2001, Statistics and Computing 11:125-139).

    The annealed states, with normalised importance weights w, are a sample of the model however far apart its modes
    lie, as long as the effective sample size ESS = 1 / sum w^2 is large enough. The test compares the means of the free
    energy and of nine principal projections. The squared standard error of a difference is the larger of
    var(f) (1/n + 1/ESS), with var(f) over both samples together, and var_chains(f) / n + sum w^2 (f - mean)^2. The
    first is right if both are samples of one distribution, the second if a few heavy weights make up the difference.

    A mode of probability p that no chain visits moves a mean by about sqrt(p ESS / (1 - p)) standard errors. The test
    therefore misses modes of a probability below ``visible`` = LIMIT^2 / (ESS + LIMIT^2), and modes that annealing does
    not find either. Annealing from inside one mode (as a mean-field base may be) finds that mode only, so the test
    never passes if the means of the data are neither stored in the model nor given as ``base``.

    Args:
        model: the model the chains belong to.
        chains: packed states, (chains, columns).
        stream: random numbers of the annealing.
        annealed: number of annealed chains.
        temperatures: number of temperatures.
        base: natural parameters at which annealing begins, one entry per layer (default: the means of the training
            data stored in the model).

    Returns:
        The test.
    """
    if model.visible.conditions_on_total and model.visible.fixed_total is None:
        why = "the weights of documents of different lengths cannot be compared: use at_length(model, length)"
        return MissingModeTest(None, 0.0, 0.0, 1.0, why)
    path = Path(model, base)
    t = torch.linspace(0, 1, temperatures, dtype=torch.float64)
    run = anneal(path, t, path.start(annealed, stream.child("start").advance()), stream.child("anneal"))
    return compare_with_annealed(model, chains, model.pack(run.state), run.log_weights, own_base=base is not None)


@torch.no_grad()
def compare_with_annealed(
    model: Machine, chains: Tensor, fresh: Tensor, log_weights: Tensor, *, own_base: bool = False
) -> MissingModeTest:
    """Compare chains with annealed states that exist already, as `missing_mode_test` does.

    Args:
        model: the model the chains belong to.
        chains: packed states, (chains, columns).
        fresh: packed annealed states, (annealed, columns).
        log_weights: their log importance weights, (annealed,).
        own_base: whether annealing began at a base given by the caller instead of the model's own.

    Returns:
        The test.
    """
    w = torch.softmax(log_weights, 0)
    ess = float(1 / (w * w).sum())
    visible = LIMIT**2 / (ess + LIMIT**2)
    n, annealed = len(chains), len(fresh)
    both = torch.cat((chains, fresh))
    share = torch.cat((torch.full((n,), 0.5 / n, dtype=torch.float64, device=w.device), 0.5 * w))
    here, there = (statistics(model, states, both, share) for states in (chains, fresh))
    mean_here, mean_there = here.mean(0), w @ there
    apart = mean_there - mean_here
    variance_here, variance_there = here.var(0), w @ (there - mean_there) ** 2
    pooled = (n * variance_here + ess * variance_there) / (n + ess) + apart**2 * n * ess / (n + ess) ** 2
    heavy = variance_here / n + (w * w) @ (there - mean_there) ** 2
    error = torch.maximum(pooled * (1 / n + 1 / ess), heavy).sqrt()
    # In a direction without variance, differences are rounding errors.
    z = torch.where(apart.abs() > 1e-9 * (1 + mean_here.abs()), apart / error, 0.0)
    worst = int(z.abs().argmax())
    difference = float(z.abs()[worst])
    if n < FEWEST or ess < _ENOUGH:
        few = (
            f"{n} chains are too few (at least {FEWEST})"
            if n < FEWEST
            else f"the {annealed} annealed chains have an effective number of only {ess:.1f}; use more temperatures"
        )
        why = f"missing modes cannot be judged: {few}"
        return MissingModeTest(None, difference, ess, visible, why)
    if difference < LIMIT and not own_base and model.data_mean is None:
        why = (
            "annealed chains agree with these, but they began at the mean field of the model, which may cover a single "
            "mode: the means of the training data make a better start (fit stores them; or pass data)"
        )
        return MissingModeTest(None, difference, ess, visible, why)
    if difference < LIMIT:
        why = (
            f"annealed chains ({ess:.0f} effective) agree with these (largest difference {difference:.1f} standard "
            f"errors); a mode with a probability below {visible:.2g} could be missed"
        )
        return MissingModeTest(True, difference, ess, visible, why)
    # Share of each sample on the annealed side of the midpoint, along the statistic that differs most.
    side = math.copysign(1.0, float(apart[worst]))
    halfway = (mean_here + mean_there)[worst] / 2
    of_annealed = float(w @ (side * (there[:, worst] - halfway) > 0).double())
    of_chains = float((side * (here[:, worst] - halfway) > 0).double().mean())
    passed: bool | None = False
    if of_chains < _UNVISITED:
        what = "the chains miss a part of the model"
    elif of_annealed > 1 - _UNVISITED:
        passed = None
        what = "either annealing misses the region of the chains, or the chains are in a region of low probability"
    else:
        what = "the probabilities of the modes differ"
    why = (
        f"annealed chains ({ess:.0f} effective) and these differ by {difference:.1f} standard errors: "
        f"{of_annealed:.0%} of the annealed weight lies where {of_chains:.0%} of the chains are; {what}"
    )
    return MissingModeTest(passed, difference, ess, visible, why)
