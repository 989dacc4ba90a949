"""What two directions of annealing say together: means of weights, Bennett's acceptance ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from scipy.optimize import brentq
from torch import Tensor

__all__ = ["Mean", "bennett", "bennett_ladder", "log_mean_weight"]


class Mean(NamedTuple):
    """log of a mean weight, its standard error (delta method) and the effective sample size, all for one direction."""

    value: float
    stderr: float
    ess: float


def log_mean_weight(log_weights: Tensor, copies: int = 1) -> Mean:
    """log of the mean of exp(log_weights), in nats.

    Args:
        log_weights: (copies * chains,), all chains of the first copy first.
        copies: how many weights belong to each independent chain; the standard error is that of the chains' means.
    """
    count = len(log_weights)
    value = float(torch.logsumexp(log_weights, 0)) - math.log(count)
    relative = torch.exp(log_weights - value)
    means = relative.view(copies, -1).mean(0)
    stderr = float(means.std()) / math.sqrt(len(means)) if len(means) > 1 else math.inf
    return Mean(value, stderr, float(relative.sum() ** 2 / (relative**2).sum()))


def bennett(forward: Tensor, reverse: Tensor) -> float:
    """log (Z_1 / Z_0) from log-weights of both directions (Bennett 1976; Crooks 2000).

    The root D of  sum_f sigmoid(a_f - D - M) = sum_r sigmoid(r_r + D + M),  M = log(n_f / n_r): the estimate of least
    variance when both ends are sampled from their own distributions.
    """
    balance = math.log(len(forward) / len(reverse))

    def excess(d: float) -> float:
        return float(torch.sigmoid(forward - d - balance).sum() - torch.sigmoid(reverse + d + balance).sum())

    low = min(float(forward.min()), float(-reverse.max())) - abs(balance) - 50
    high = max(float(forward.max()), float(-reverse.min())) + abs(balance) + 50
    return float(brentq(excess, low, high, xtol=1e-10))


def bennett_ladder(forward: Sequence[Tensor], reverse: Sequence[Tensor]) -> tuple[float, Tensor]:
    """log (Z_top / Z_bottom), the sum of Bennett's ratios between neighbours, and what each replica adds to its error.

    Args:
        forward: for every pair of neighbours, log-weights of the upper model at states of the lower one, each (rounds,
            replicas).
        reverse: likewise of the lower model at states of the upper one.

    Returns:
        (value, influence): with independent replicas the variance of the value is about the sum of the squares of
        ``influence`` (replicas,), which sums to zero: each pair's root D of G(D) = 0 moves by G_c(D) / |G'(D)| with the
        terms of replica c.
    """
    value, influence = 0.0, torch.zeros(forward[0].shape[-1], dtype=torch.float64)
    for up, down in zip(forward, reverse, strict=True):
        d = bennett(up.flatten(), down.flatten())
        to, fro = torch.sigmoid(up - d), torch.sigmoid(down + d)
        slope = (to * (1 - to)).sum() + (fro * (1 - fro)).sum()
        value += d
        influence += (to.sum(0) - fro.sum(0)) / slope
    return value, influence
