"""The likelihood protocol: nats per case, with kind, error bar and bracket."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import torch

from harmonium.core import notebook
from harmonium.core.checks import check_int
from harmonium.core.numbers import nats
from harmonium.core.random import Stream, stream_of
from harmonium.core.shards import divided, in_turn
from harmonium.data import Cases, as_cases
from harmonium.likelihood.exact import cheapest_enumeration, exact_log_marginal, hidden_bits
from harmonium.likelihood.independent import Gain, independent_log_prob
from harmonium.likelihood.log_z import NORMALISED, LogPartition
from harmonium.likelihood.partition import EXACT_BITS, LogPartitionOptions
from harmonium.likelihood.partition import log_partition as estimate_log_z
from harmonium.models.arrays import CHUNK, Array, check_columns, checked_rows
from harmonium.models.machine.documents import at_length
from harmonium.models.machine.machine import Machine
from harmonium.models.machine.mean_field import mean_field, variational_bound
from harmonium.models.model import Model, as_model
from harmonium.sampling.sample import affordable_sweeps

__all__ = ["Evaluation", "affordable", "evaluate"]

MOST_LENGTHS = 100  # of documents, each of which needs a log Z
EXACT_HIDDEN_BITS = 10.0  # log2 of the hidden states that are enumerated for every case rather than sampled


@dataclass(frozen=True)
class Evaluation:
    """Mean log-likelihood of cases, in nats per case.

    Attributes:
        mean: the estimate (exact if ``method`` is "exact"; by importance sampling for deep models, see `evaluate`).
        stderr: standard error of the mean over cases (not of log Z).
        lower: with the upper bound of log Z, at most the mean; minus infinity if there is none.
        upper: with the lower bound of log Z, at least the mean.
        method: how log Z was found, such as "exact" or "ais"; "importance, exact" or "importance, ais" for deep
            models; "importance" for directed models with latent variables.
        reliable: whether log Z is reliable: no reason for doubt was found.  It says nothing about the quality of the
            model.
        why: the reasons in words.
        cases: number of cases.
        log_partition: the log Z that was used; None for models that need none.
        bound: for deep models, the variational bound with the upper log Z; None if log p* is known in closed form.
        log_jacobian: for standardised data, the term in all of these that makes them log-densities of the original
            values, in nats per case; 0 otherwise.
        gain: what the mean is above that of independent columns (`harmonium.likelihood.Gain`), and in words as ``str``;
            None for a model that does not store the means of its training data.
    """

    mean: float
    stderr: float
    lower: float
    upper: float
    method: str
    reliable: bool
    why: str
    cases: int
    log_partition: LogPartition | None
    bound: float | None = None
    log_jacobian: float = 0.0
    gain: Gain | None = None

    @property
    def independent(self) -> float | None:
        """Mean log-likelihood of the same cases under independent columns, in nats per case; None if unknown."""
        return None if self.gain is None else self.gain.independent

    @property
    def gained(self) -> float | None:
        """The mean less that of independent columns, in nats per case; None if that is unknown."""
        return None if self.gain is None else self.gain.nats

    @property
    def learned(self) -> str | None:
        """What was gained, in words; None if it is unknown."""
        if self.gain is None:
            return None
        return f"{self.gain}{'' if self.reliable else ', if log Z is right'}"

    @property
    def kind(self) -> str:
        """The kind of estimate: "exact", "bracketed" (log Z is estimated) or "bound".

        "bound" is an estimate from below by importance sampling; if log Z is estimated too, ``lower`` and ``upper`` are
        its bracket.
        """
        if self.method == "exact":
            return "exact"
        return "bound" if self.method.startswith("importance") else "bracketed"

    def text(self, value: float) -> str:
        """Write the mean, an end of its bracket or its error: all with the same decimals."""
        return nats(value, self.stderr)

    def __str__(self) -> str:
        return "\n".join([self._likelihood(), *([] if self.learned is None else [self.learned])])

    def _repr_html_(self) -> str:
        """Show the numbers with their kinds."""
        bracketed = self.method != "exact" and self.log_partition is not None
        return notebook.rows(
            "Log-likelihood, nats per case",
            [
                (
                    "mean",
                    f"{self.text(self.mean)} \N{PLUS-MINUS SIGN} {self.text(self.stderr)} over {self.cases:,} cases",
                ),
                ("kind", self.kind),
                (
                    "bracket",
                    f"[{self.text(self.lower)}, {self.text(self.upper)}] by {self.method}" if bracketed else None,
                ),
                ("variational bound", None if self.bound is None else self.text(self.bound)),
                ("of the standardised values", self.text(self.mean - self.log_jacobian) if self.log_jacobian else None),
                ("log Z", None if self.method == "exact" else "reliable" if self.reliable else "NOT reliable"),
                ("why", None if self.method == "exact" else self.why),
                ("learned", self.learned),
            ],
        )

    def _likelihood(self) -> str:
        head = f"{self.text(self.mean)} nats per case (+- {self.text(self.stderr)} over {self.cases} cases)"
        if self.log_jacobian:
            head += f" of the original values ({self.text(self.mean - self.log_jacobian)} of the standardised ones)"
        if self.method == "exact":
            return f"log-likelihood {head}, exact"
        flag = "" if self.reliable else "; log Z NOT reliable"
        bound = "" if self.bound is None else f"; variational bound {self.text(self.bound)}"
        if self.log_partition is None:
            return f"log-likelihood {head}, an estimate from below by importance sampling{bound}: {self.why}"
        of = "bracket" if self.bound is None else "bracket of log Z"
        bracket = f"[{self.text(self.lower)}, {self.text(self.upper)}] by {self.method}"
        return f"log-likelihood {head}, {of} {bracket}{bound}{flag}: {self.why}"


def _over_lengths(model: Machine, cases: Cases, seed: int | Stream, options: LogPartitionOptions) -> LogPartition:
    """The mean of log Z over documents of different lengths."""
    totals = torch.cat([v.sum(-1) for _, v in cases.chunks(1024, dtype=torch.float64)])
    lengths, counts = torch.unique(totals, return_counts=True)
    if len(lengths) > MOST_LENGTHS:
        raise ValueError(
            f"data has documents of {len(lengths)} lengths, each with its own log Z, and at most {MOST_LENGTHS} are "
            "computed: evaluate a sample of the documents, or documents of selected lengths"
        )
    each = [estimate_log_z(at_length(model, length), seed=seed, **options) for length in lengths.tolist()]
    if len(each) == 1:
        return each[0]
    share = counts.double() / counts.sum()

    def mean(values: list[float]) -> float:
        return float(share @ torch.tensor(values, dtype=torch.float64))

    sampled = [z for z in each if z.method != "exact"]
    weakest = min(each, key=lambda z: (z.reliable, z.ess))
    return LogPartition(
        mean([z.value for z in each]), mean([z.lower for z in each]), mean([z.upper for z in each]), weakest.ess,
        sampled[0].method if sampled else "exact", weakest.reliable,
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

    If hidden layers depend on each other given v (DBN, DBM, lateral hidden couplings), log p(v) is estimated by
    importance sampling: log mean_k p*(v, h_k) / q(h_k | v) - log Z with h_k drawn from q, the recognition model or the
    mean field (Salakhutdinov & Murray 2008, section 5).  It is too low on average, so it is an estimate from below if
    log Z is right; ``lower`` and ``upper`` contain the uncertainty of log Z only.  ``bound`` is the variational bound
    minus the upper log Z (for a DBN the mean of the log-weights: a bound in expectation).  For a VAE, the mean and the
    bound are both estimates from below, and ``upper`` is infinite unless its prior is a machine.  Up to 2^10 hidden
    states are summed instead: then only log Z can be an estimate.

    Densities of data that ``harmonium.data`` has standardised (`load`, `from_frame`) include the Jacobian of the
    standardisation: they are densities of the original values.  For arrays that you standardised yourself, add
    -sum of log scale.

    Args:
        model: the model.
        data: cases (n, n_visible) in the domain of the visible units; grey values under Bernoulli units are refused.
        log_partition: log Z from an earlier call (of the top machine of a DBN, of the prior of a VAE).  Default: it is
            computed; for documents at each of their lengths, at most 100, and its mean over cases is used.
        samples: draws of the hidden units per case, for models that need importance sampling.
        seed: an int or a stream.
        **options: arguments of `harmonium.log_partition`, such as ``chains`` and ``temperatures``.

    Returns:
        an `Evaluation`: mean (nats per case), its standard error over cases, lower and upper bound, kind, method.

    Raises:
        ValueError: for data of another width or outside the domain, or options that do not apply to this model.

    >>> import harmonium as hm
    >>> print(hm.evaluate(hm.RBM.from_arrays([[0.0]], [0.0], [0.0]), [[0], [1]]))
    log-likelihood -0.69 nats per case (+- 0.00 over 2 cases), exact
    """
    samples = check_int("samples", samples)
    with divided(options.pop("shards", None)):
        return _evaluate(model, data, log_partition, samples, seed, options)


def _evaluate(
    model: Model,
    data: Array,
    log_partition: LogPartition | None,
    samples: int,
    seed: int | Stream,
    options: LogPartitionOptions,
) -> Evaluation:
    as_model(model, "evaluate")
    if log_partition is not None and not isinstance(log_partition, LogPartition):
        raise TypeError(f"log_partition must be what harmonium.log_partition returns, found {log_partition!r}")
    model.refuse_batched("evaluate")
    cases = as_cases(data)
    check_columns(cases, model.visible)
    if log_partition is not None and options:
        raise ValueError(f"log_partition is given, so {', '.join(options)} would have no effect: leave out one of them")
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
    chunks = range(0, len(cases), CHUNK)

    def of_chunk(number: int) -> list[torch.Tensor]:
        start = chunks[number]
        v = checked_rows(cases, slice(start, start + CHUNK), model.visible, "data", model.dtype, model.device)
        bound = torch.zeros(1, dtype=torch.float64)
        if model.likelihood_is_estimated and not deep:
            assert isinstance(model, Machine)
            log_weight = exact_log_marginal(model, v)
        else:
            log_w = model.log_weights(v, stream.child(start), samples)
            log_weight = torch.logsumexp(log_w, 0) - math.log(len(log_w))
            if deep:
                bound += float((_bound(model, v) if isinstance(model, Machine) else log_w.mean(0)).sum())
        independent = independent_log_prob(model, v)
        return [bound, log_weight - z.value, *([] if independent is None else [independent])]

    bounds, log_p, *known = in_turn(len(chunks), of_chunk)
    n, bound = len(cases), sum(bounds.tolist())
    mean = float(log_p.mean()) + cases.log_jacobian
    method = z.method
    if deep:
        method = "importance" if part is None else f"importance, {z.method}"
    return Evaluation(
        mean,
        float(log_p.std()) / math.sqrt(n) if n > 1 else 0.0,
        mean + (z.value - z.upper),  # in this order, rounding leaves the mean within its bracket
        math.inf if deep and part is None else mean + (z.value - z.lower),
        method,
        z.reliable,
        f"{samples} importance samples per case, on average too low" if deep and part is None else z.why,
        n,
        None if part is None else z,
        bound / n - z.upper + cases.log_jacobian if deep else None,
        cases.log_jacobian,
        Gain.of(log_p, known[0], cases.log_jacobian) if known else None,
    )


def _bound(model: Machine, v: torch.Tensor) -> torch.Tensor:
    return variational_bound(model, v, mean_field(model, v, iterations=100, tolerance=1e-5))


def affordable(model: Model) -> dict[str, Any]:
    """Options with which `evaluate` takes a minute or two for a model with tens of millions of couplings.

    Empty for smaller models.  The bracket is wider, since the annealing is shorter.
    """
    part = model.energy_part
    if part is None or cheapest_enumeration(part)[0] <= EXACT_BITS:
        return {}
    few = affordable_sweeps(model, 200)  # 100 chains in each direction
    return {} if few == 1000 else {"sweeps": few} | ({} if part.chains is None else {"temperatures": few})


def _log_z(
    part: Machine, cases: Cases, given: LogPartition | None, seed: int | Stream, options: LogPartitionOptions
) -> LogPartition:
    part.refuse_batched("evaluate")
    if given is not None:
        if part.visible.conditions_on_total and len(np.unique(np.asarray(cases[:].sum(-1)))) > 1:
            raise ValueError(
                "log_partition belongs to one length of documents, and data has several: leave it out, then the log Z "
                "of each length is computed"
            )
        return given
    if part.visible.conditions_on_total:
        return _over_lengths(part, cases, seed, options)
    return estimate_log_z(part, seed=seed, **options)
