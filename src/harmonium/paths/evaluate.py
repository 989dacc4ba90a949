"""The likelihood protocol: nats per case, with kind, error bar and bracket."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from harmonium.data import as_cases
from harmonium.models.batch import Array
from harmonium.models.machine import Machine
from harmonium.paths.partition import LogPartition, log_partition
from harmonium.random import Stream

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """Mean log-likelihood of cases, in nats per case.

    Attributes:
        mean: the estimate (exact where ``method`` is "exact").
        stderr: standard error of the mean over cases (not of log Z).
        lower: with the upper bound of log Z; minus infinity where there is none.
        upper: with the lower bound of log Z.
        method: how log Z was found: "exact" or "ais".
        trusted: whether the bracket may be believed.
        why: the reasons in words.
        cases: how many cases.
        log_partition: the log Z used.
    """

    mean: float
    stderr: float
    lower: float
    upper: float
    method: str
    trusted: bool
    why: str
    cases: int
    log_partition: LogPartition

    def __str__(self) -> str:
        head = f"{self.mean:.2f} nats per case (+- {self.stderr:.2f} over {self.cases} cases)"
        if self.method == "exact":
            return f"log-likelihood {head}, exact"
        flag = "" if self.trusted else "; NOT trusted"
        return f"log-likelihood {head}, bracket [{self.lower:.2f}, {self.upper:.2f}] by {self.method}{flag}: {self.why}"


@torch.no_grad()
def evaluate(
    machine: Machine,
    data: Array,
    *,
    log_partition: LogPartition | None = None,
    seed: int | Stream = 0,
    **options: Any,
) -> Evaluation:
    """Mean log-likelihood of data, with its bracket.

    Args:
        machine: the model.
        data: cases (n, n_visible) in the domain of the visible units; grey values under Bernoulli units are refused.
        log_partition: a log Z found before; otherwise it is computed.
        seed: an int or a stream.
        **options: passed to `harmonium.log_partition`.

    Densities of standardised data carry the Jacobian of the standardisation: they are densities of the original values.

    >>> import harmonium as hm
    >>> print(hm.evaluate(hm.RBM.from_arrays([[0.0]], [0.0], [0.0]), [[0], [1]]))
    log-likelihood -0.69 nats per case (+- 0.00 over 2 cases), exact
    """
    machine.refuse_stack("evaluate")
    cases = as_cases(data)
    if cases.shape[1] != machine.visible.columns:
        raise ValueError(f"data has {cases.shape[1]} columns; the model has {machine.visible.columns} visible units")
    if log_partition is not None and options:
        raise ValueError(f"log_partition is given, so {', '.join(options)} would do nothing: leave one of them out")
    z = log_partition if log_partition is not None else _log_partition(machine, seed=seed, **options)
    total = square = 0.0
    for start, v in cases.chunks(1024, dtype=machine.dtype, device=machine.device):
        v = machine.visible.encode(v, f"data (rows from {start})")
        machine.visible.check(v, f"data (rows from {start})")
        log_p = machine.log_weight(machine.clamped(v)) - z.value + cases.log_jacobian
        total += float(log_p.sum())
        square += float((log_p**2).sum())
    n = len(cases)
    mean = total / n
    stderr = math.sqrt(max(0.0, square / n - mean**2) / max(1, n - 1))
    return Evaluation(
        mean, stderr, mean + z.value - z.upper, mean + z.value - z.lower, z.method, z.trusted, z.why, n, z
    )


_log_partition = log_partition
