"""Estimates from two directions of annealing: mean weights and Bennett's acceptance ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from scipy.optimize import brentq
from torch import Tensor

__all__ = ["Mean", "bennett", "bennett_ladder", "bennett_means", "log_mean_weight", "standard_error"]


class Mean(NamedTuple):
    """Log of a mean weight in one direction, its standard error (delta method) and the effective sample size."""

    value: float
    stderr: float
    ess: float


def log_mean_weight(log_weights: Tensor, copies: int = 1) -> Mean:
    """log of the mean of exp(log_weights), in nats.

    Args:
        log_weights: (copies * chains,), all chains of the first copy first.
        copies: number of weights of each independent chain; the standard error is that of the chains' means.
    """
    count = len(log_weights)
    value = float(torch.logsumexp(log_weights, 0)) - math.log(count)
    relative = torch.exp(log_weights - value)
    means = relative.view(copies, -1).mean(0)
    stderr = float(means.std()) / math.sqrt(len(means)) if len(means) > 1 else math.inf
    return Mean(value, stderr, float(relative.sum() ** 2 / (relative**2).sum()))


def bennett(forward: Tensor, reverse: Tensor) -> float:
    """log (Z_1 / Z_0) from log-weights of both directions (Bennett 1976; Crooks 2000).

    The root D of  sum_f sigmoid(a_f - D - M) = sum_r sigmoid(r_r + D + M),  M = log(n_f / n_r): the minimum-variance
    estimate if both ends are sampled from their own distributions.
    """
    balance = math.log(len(forward) / len(reverse))

    def excess(d: float) -> float:
        return float(torch.sigmoid(forward - d - balance).sum() - torch.sigmoid(reverse + d + balance).sum())

    low = min(float(forward.min()), float(-reverse.max())) - abs(balance) - 50
    high = max(float(forward.max()), float(-reverse.min())) + abs(balance) + 50
    return float(brentq(excess, low, high, xtol=1e-10))


def bennett_ladder(forward: Sequence[Tensor], reverse: Sequence[Tensor]) -> tuple[float, Tensor]:
    """log (Z_top / Z_bottom) as the sum of Bennett's ratios between neighbours, with the influence of each replica.

    Args:
        forward: for every pair of neighbours, log-weights of the upper model at states of the lower one, each (rounds,
            replicas).
        reverse: log-weights of the lower model at states of the upper one, in the same form.

    Returns:
        (value, influence): with independent replicas the variance of the value is about the sum of the squares of
        ``influence`` (replicas,), which sums to zero: the root D of G(D) = 0 of each pair moves by G_c(D) / |G'(D)|
        with the terms of replica c.
    """
    value, influence = 0.0, torch.zeros(forward[0].shape[-1], dtype=torch.float64)
    for up, down in zip(forward, reverse, strict=True):
        d = bennett(up.flatten(), down.flatten())
        rising, falling = torch.sigmoid(up - d), torch.sigmoid(down + d)
        slope = (rising * (1 - rising)).sum() + (falling * (1 - falling)).sum()
        value += d
        influence += (rising.sum(0) - falling.sum(0)) / slope
    return value, influence


def bennett_means(log_ratio: Tensor, forward: Tensor, reverse: Tensor) -> tuple[float, Tensor]:
    """`bennett_ladder` from running means instead of all weights: log (Z_top / Z_bottom) and its influence.

    For any constant D (Bennett 1976), with log-weights a of the upper model at states of the lower one, and r in the
    other direction,

        Z_1 / Z_0 = exp(D) <sigmoid(a - D)>_0 / <sigmoid(r + D)>_1.

    The variance is least if D is the log-ratio itself; an approximation is enough, and only means have to be stored.

    Args:
        log_ratio: D of every pair, (pairs,).
        forward: means (or sums) of sigmoid(a - D) over rounds, (pairs, replicas).
        reverse: those of sigmoid(r + D) over the same rounds, (pairs, replicas).
    """
    value = log_ratio.sum() + (forward.sum(-1).log() - reverse.sum(-1).log()).sum()
    influence = forward / forward.sum(-1, keepdim=True) - reverse / reverse.sum(-1, keepdim=True)
    return float(value), influence.sum(0)


def standard_error(influence: Tensor) -> float:
    """Standard error of an estimate, from its influence values per independent replica."""
    n = len(influence)
    return math.sqrt(float((influence - influence.mean()).square().sum()) * n / (n - 1)) if n > 1 else math.inf
