"""The likelihood protocol: nats per case, with kind, error bar and bracket."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import torch

from harmonium.core.checks import check_int
from harmonium.core.random import Stream, stream_of
from harmonium.data import Cases, as_cases
from harmonium.likelihood.exact import cheapest_enumeration, exact_log_marginal, hidden_bits
from harmonium.likelihood.log_z import NORMALISED, LogPartition
from harmonium.likelihood.partition import EXACT_BITS, LogPartitionOptions, log_partition
from harmonium.models.arrays import Array
from harmonium.models.machine.documents import at_length
from harmonium.models.machine.machine import Machine
from harmonium.models.machine.mean_field import mean_field, variational_bound
from harmonium.models.model import Model
from harmonium.sampling.sample import affordable_sweeps

__all__ = ["Evaluation", "affordable", "evaluate"]

MOST_LENGTHS = 100  # of documents, each of which needs a log Z
EXACT_HIDDEN_BITS = 10.0  # of hidden states that are enumerated for every case rather than sampled


@dataclass(frozen=True)
class Evaluation:
    """Mean log-likelihood of cases, in nats per case.

    Attributes:
        mean: the estimate (exact where ``method`` is "exact"; of deep models by importance sampling, see `evaluate`).
        stderr: standard error of the mean over cases (not of log Z).
        lower: with the upper bound of log Z; minus infinity where there is none, or where the bounds cross.
        upper: with the lower bound of log Z.
        method: how log Z was found: "exact" or "ais"; "importance, exact" or "importance, ais" of
            deep models; "importance" of directed models with latent variables.
        trusted: whether the bracket may be believed.
        why: the reasons in words.
        cases: how many cases.
        log_partition: the log Z used; None of models that need none.
        bound: of deep models, the variational bound by the upper log Z; None where log p* is known in closed form.
        log_jacobian: of data that were standardised, what was added to all of these to make them log-densities of the
            values before, in nats per case; 0 of others.
    """

    mean: float
    stderr: float
    lower: float
    upper: float
    method: str
    trusted: bool
    why: str
    cases: int
    log_partition: LogPartition | None
    bound: float | None = None
    log_jacobian: float = 0.0

    @property
    def kind(self) -> str:
        """What the number is: "exact", "bracketed" (log Z is estimated) or "bound" (from below, by importance sampling:
        on top of that log Z may be estimated, whose bracket ``lower`` and ``upper`` then are).
        """
        if self.method == "exact":
            return "exact"
        return "bound" if self.method.startswith("importance") else "bracketed"

    def __str__(self) -> str:
        head = f"{self.mean:.2f} nats per case (+- {self.stderr:.2f} over {self.cases} cases)"
        if self.log_jacobian:
            head += f" of the original values ({self.mean - self.log_jacobian:.2f} of the standardised ones)"
        if self.method == "exact":
            return f"log-likelihood {head}, exact"
        flag = "" if self.trusted else "; NOT trusted"
        bound = "" if self.bound is None else f"; variational bound {self.bound:.2f}"
        if self.log_partition is None:
            return f"log-likelihood {head}, an estimate from below by importance sampling{bound}: {self.why}"
        of = "bracket" if self.bound is None else "bracket of log Z"
        bracket = f"[{self.lower:.2f}, {self.upper:.2f}] by {self.method}"
        return f"log-likelihood {head}, {of} {bracket}{bound}{flag}: {self.why}"


def _over_lengths(model: Machine, cases: Cases, seed: int | Stream, options: LogPartitionOptions) -> LogPartition:
    """The mean of log Z over documents, each by its own length."""
    totals = torch.cat([v.sum(-1) for _, v in cases.chunks(1024, dtype=torch.float64)])
    lengths, counts = torch.unique(totals, return_counts=True)
    if len(lengths) > MOST_LENGTHS:
        raise ValueError(
            f"data has documents of {len(lengths)} lengths, each with a log Z of its own, and at most {MOST_LENGTHS} "
            "are computed: judge a sample of the documents, or documents of chosen lengths"
        )
    each = [_log_partition(at_length(model, length), seed=seed, **options) for length in lengths.tolist()]
    if len(each) == 1:
        return each[0]
    share = counts.double() / counts.sum()

    def mean(values: list[float]) -> float:
        return float(share @ torch.tensor(values, dtype=torch.float64))

    upper = [z.upper if z.lower <= z.upper else math.inf for z in each]  # bounds that cross bound nothing
    sampled = [z for z in each if z.method != "exact"]
    weakest = min(each, key=lambda z: (z.trusted, z.ess))
    return LogPartition(
        mean([z.value for z in each]), mean([z.lower for z in each]), mean(upper), weakest.ess,
        sampled[0].method if sampled else "exact", weakest.trusted,
        f"mean over documents of {len(each)} lengths, the least certain: {weakest.why}",
    )  # fmt: skip


@torch.no_grad()
def evaluate(
    model: Model,
    data: Array,
    *,
    log_partition: LogPartition | None = None,
    samples: int = 100,
    seed: int | Stream = 0,
    **options: Unpack[LogPartitionOptions],
) -> Evaluation:
    """Estimate the mean log-likelihood of data, with its bracket.

    Args:
        model: the model.
        data: cases (n, n_visible) in the domain of the visible units; grey values under Bernoulli units are refused.
        log_partition: a log Z found before (of a DBN: of its top machine; of a VAE: of its prior); otherwise
            it is computed.  For documents it is computed at each of their lengths, at most 100, and the mean over cases
            is reported.
        samples: draws of the hidden units per case, for deep models (see below); others have no use for it.
        seed: an int or a stream.
        **options: arguments of `harmonium.log_partition`, such as ``chains`` and ``temperatures``.

    Returns:
        an `Evaluation`: mean (nats per case), its standard error over cases, lower and upper bound, kind, method.

    Raises:
        ValueError: for data of another width or outside the domain, and for options that this model has no use for.
        TypeError: for what is no model.

    Where hidden layers depend on each other given v (DBN, DBM, hidden units coupled laterally), log p(v) is estimated
    by importance sampling, log mean_k p*(v, h_k) / q(h_k | v) - log Z with h_k drawn from q, the recognition model or
    the mean field (Salakhutdinov & Murray 2008, section 5).  With finitely many samples it is too low on average, so
    that it is an estimate from below as far as log Z is right; ``lower`` and ``upper`` hold the uncertainty of log Z
    alone.  ``bound`` is the variational bound less the upper log Z (of a DBN the mean of the log weights: a bound in
    expectation).  Of a VAE the mean and the bound are both estimates from below, and ``upper`` is infinite unless its
    prior is a machine.  Up to 2^10 hidden states are summed instead: then nothing but log Z can be an estimate.

    Densities of data that were standardised by ``harmonium.data`` (`load`, `from_frame`) carry the Jacobian of the
    standardisation: they are densities of the original values.  Arrays that you standardised yourself know nothing of
    it: then add -sum of log scale.

    >>> import harmonium as hm
    >>> print(hm.evaluate(hm.RBM.from_arrays([[0.0]], [0.0], [0.0]), [[0], [1]]))
    log-likelihood -0.69 nats per case (+- 0.00 over 2 cases), exact
    """
    samples = check_int("samples", samples)
    model.refuse_batched("evaluate")
    cases = as_cases(data)
    if cases.shape[1] != model.visible.columns:
        raise ValueError(f"data has {cases.shape[1]} columns; the model has {model.visible.columns} visible units")
    if log_partition is not None and options:
        raise ValueError(f"log_partition is given, so {', '.join(options)} would do nothing: leave one of them out")
    part = model.energy_part
    if part is None:
        if log_partition is not None or options:
            name = "log_partition" if log_partition is not None else next(iter(options))
            raise ValueError(f"a {type(model).__name__} is normalised by construction: leave out {name}")
        z = NORMALISED
    else:
        z = _log_z(part, cases, log_partition, seed, options)
    stream = stream_of(seed, "evaluate")
    deep = model.likelihood_is_estimated
    if isinstance(model, Machine) and deep and hidden_bits(model) <= EXACT_HIDDEN_BITS:
        deep = False
    total = square = bound = 0.0
    for start, v in cases.chunks(1024, dtype=model.dtype, device=model.device):
        v = model.visible.encode(v, f"data (rows from {start})")
        model.visible.check(v, f"data (rows from {start})")
        if model.likelihood_is_estimated and not deep:
            assert isinstance(model, Machine)
            log_weight = exact_log_marginal(model, v)
        else:
            log_w = model.log_weights(v, stream.child(start), samples)
            log_weight = torch.logsumexp(log_w, 0) - math.log(len(log_w))
            if deep:
                bound += float((_bound(model, v) if isinstance(model, Machine) else log_w.mean(0)).sum())
        log_p = log_weight - z.value + cases.log_jacobian
        total += float(log_p.sum())
        square += float((log_p**2).sum())
    n = len(cases)
    mean = total / n
    stderr = math.sqrt(max(0.0, square / n - mean**2) / max(1, n - 1))
    highest = z.upper if z.lower <= z.upper else math.inf  # bounds that cross bound nothing
    method = z.method
    if deep:
        method = "importance" if part is None else f"importance, {z.method}"
    return Evaluation(
        mean,
        stderr,
        mean + z.value - highest,
        math.inf if deep and part is None else mean + z.value - z.lower,
        method,
        z.trusted,
        f"{samples} importance samples per case give too little on average" if deep and part is None else z.why,
        n,
        None if part is None else z,
        bound / n - highest + cases.log_jacobian if deep else None,
        cases.log_jacobian,
    )


def _bound(model: Machine, v: torch.Tensor) -> torch.Tensor:
    return variational_bound(model, v, mean_field(model, v, iterations=100, tolerance=1e-5))


def affordable(model: Model) -> dict[str, Any]:
    """Options of `evaluate` under which a model with tens of millions of couplings is judged within a minute or two.

    Of others there are none: the usual ones do.  The bracket is then as wide as so short an annealing leaves it.
    """
    part = model.energy_part
    if part is None or cheapest_enumeration(part)[0] <= EXACT_BITS:
        return {}
    few = affordable_sweeps(model, 200)  # 100 chains in each direction
    return {} if few == 1000 else {"sweeps" if part.chains is None else "temperatures": few}


def _log_z(
    part: Machine, cases: Cases, known: LogPartition | None, seed: int | Stream, options: LogPartitionOptions
) -> LogPartition:
    part.refuse_batched("evaluate")
    if known is not None:
        if part.visible.conditions_on_total and len(np.unique(np.asarray(cases[:].sum(-1)))) > 1:
            raise ValueError(
                "log_partition is of one length of documents, and data has several: leave it out, then each document "
                "is taken by the log Z of its own length"
            )
        return known
    if part.visible.conditions_on_total:
        return _over_lengths(part, cases, seed, options)
    return _log_partition(part, seed=seed, **options)


_log_partition = log_partition
