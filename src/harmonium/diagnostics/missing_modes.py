"""Do chains miss a part of their model?  They are compared with annealed chains, which did not come from them."""

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

_ENOUGH = 30.0  # effective annealed chains: below, their own error bar is noise and alarms would be false
_NOBODY = 0.01  # a share of chains below which nobody is there


class MissingModeTest(NamedTuple):
    """Whether chains and annealed chains agree.

    Attributes:
        passed: False where they differ; None where that cannot be told: there are too few of either, annealing began
            without the means of the data, or the chains are where it does not come, so that one of the two is wrong and
            nobody knows which.
        difference: the largest, in standard errors.
        ess: effective number of annealed chains.
        visible: the probability that a mode must have for its absence from the chains to be noticed.
        why: a sentence.
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
    """Compare packed chains (chains, columns) with a batch annealed from the base rate (Neal 2001), by its weights w.

    Annealed states with normalised weights stand for the model however far its modes lie apart, as long as enough
    weights count: ESS = 1 / sum w^2.  Compared, in units of the standard error of the difference, are the weighted mean
    of the free energy and of nine principal projections of both samples, with those of the chains.  The squared error
    is the larger of var(f) (1/n + 1/ESS), var(f) being that of both samples together, and of
    var_chains(f) / n + sum w^2 (f - mean)^2: the first is right where both are samples of one distribution, the second
    where a few heavy weights make up the difference.

    A mode of probability p that no chain visits moves a mean by about sqrt(p ESS / (1 - p)) standard errors, so that
    modes below ``visible`` = LIMIT^2 / (ESS + LIMIT^2) stay unseen; and so does one that the annealed chains do not
    find either.  Annealing finds one mode alone where it begins in one, as it may at a mean field: so a model that does
    not know the means of its data, and has no ``base`` with them, passes no test.
    """
    if model.visible.conditions_on_total and model.visible.fixed_total is None:
        why = "documents of several lengths have weights that cannot be compared: ask at_length(model, length)"
        return MissingModeTest(None, 0.0, 0.0, 1.0, why)
    path = Path(model, base)
    t = torch.linspace(0, 1, temperatures, dtype=torch.float64)
    run = anneal(path, t, path.start(annealed, stream.child("start").advance()), stream.child("anneal"))
    return compare_with_annealed(model, chains, model.pack(run.state), run.log_weights, own_base=base is not None)


@torch.no_grad()
def compare_with_annealed(
    model: Machine, chains: Tensor, fresh: Tensor, log_weights: Tensor, *, own_base: bool = False
) -> MissingModeTest:
    """`missing_mode_test` with packed annealed states (annealed, columns) and their log-weights as they are.

    ``own_base`` says that annealing began elsewhere than the model would have it begin.
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
    # In a direction in which nothing varies there are differences by rounding alone.
    z = torch.where(apart.abs() > 1e-9 * (1 + mean_here.abs()), apart / error, 0.0)
    worst = int(z.abs().argmax())
    difference = float(z.abs()[worst])
    if n < FEWEST or ess < _ENOUGH:
        few = f"only {n} chains" if n < FEWEST else f"only {ess:.1f} of {annealed} annealed chains count"
        why = f"{few}: whether a mode is missed cannot be judged" + (
            "" if n < FEWEST else "; anneal through more temperatures"
        )
        return MissingModeTest(None, difference, ess, visible, why)
    if difference < LIMIT and not own_base and model.data_mean is None:
        why = (
            "annealed chains find nothing that these do not know, but began at the mean field of the model, which may "
            "know one mode alone: the means of its data would tell more (fit stores them; or pass data)"
        )
        return MissingModeTest(None, difference, ess, visible, why)
    if difference < LIMIT:
        why = (
            f"annealed chains ({ess:.0f} effective) find nothing that these do not know (largest difference "
            f"{difference:.1f} standard errors); a mode with a probability below {visible:.2g} could be missed"
        )
        return MissingModeTest(True, difference, ess, visible, why)
    # How much of both lies on the annealed side of the halfway point, along the statistic that differs most.
    side = math.copysign(1.0, float(apart[worst]))
    halfway = (mean_here + mean_there)[worst] / 2
    of_annealed = float(w @ (side * (there[:, worst] - halfway) > 0).double())
    of_chains = float((side * (here[:, worst] - halfway) > 0).double().mean())
    passed: bool | None = False
    if of_chains < _NOBODY:
        what = "the chains miss a part of the model"
    elif of_annealed > 1 - _NOBODY:
        passed = None
        what = "either annealing does not find what the other chains know, or they should not be where they are"
    else:
        what = "the shares of the modes differ"
    why = (
        f"annealed chains ({ess:.0f} effective) and these differ by {difference:.1f} standard errors: "
        f"{of_annealed:.0%} of the annealed weight lies where {of_chains:.0%} of the chains are; {what}"
    )
    return MissingModeTest(passed, difference, ess, visible, why)
