"""What two directions of annealing say together: means of weights, Bennett's acceptance ratio."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from scipy.optimize import brentq
from torch import Tensor

__all__ = ["Mean", "bennett", "log_mean_weight"]


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
