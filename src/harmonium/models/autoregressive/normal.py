"""The normal distribution of cases with gaps: its likelihood, and its covariance by expectation maximisation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["log_normal", "normal_covariance", "regression"]

RIDGE = 1e-6
LEAST_VARIANCE = 1e-4  # of any direction
STEPS, TOLERANCE = 30, 1e-3
_ENTRIES = 1 << 24  # of the matrices of all sets at a time


def regression(seen: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """How a normal distribution around 0 predicts what is not observed from what is.

    Args:
        seen: sets of observed variables, 0 or 1, float64 (sets, n).
        covariance: (n, n), float64.

    Returns:
        weights (sets, n, n): the mean of variable j given the observed x is sum_i x_i weights_ij; and the covariance of
        all variables given the observed ones, (sets, n, n), about 0 for these.
    """
    of = covariance * seen.unsqueeze(-1)  # rows of observed variables
    weights = torch.cholesky_solve(of, torch.linalg.cholesky(_observed(seen, covariance)))
    return weights, covariance - of.mT @ weights


def log_normal(z: Tensor, there: Tensor, covariance: Tensor) -> Tensor:
    """log p of what is there of each case under a normal distribution around 0, (batch,), float64.

    Args:
        z: cases (batch, n).
        there: where they are observed, bool (batch, n).
        covariance: (n, n), float64.
    """
    found = []
    for part, seen in _chunks(z, there):
        root, x = _whitened(part, seen, covariance)
        log_determinant = root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        found.append(-0.5 * (x * x).sum(-1) - log_determinant - 0.5 * math.log(2 * math.pi) * seen.sum(-1))
    return torch.cat(found)


def normal_covariance(z: Tensor, there: Tensor) -> Tensor:
    """The covariance of a normal distribution around 0 that makes cases with gaps most probable.

    It is found by expectation maximisation (Dempster, Laird & Rubin 1977), from the moments of pairs that are there.

    Args:
        z: cases (batch, n).
        there: where they are observed, bool (batch, n).

    Returns:
        (n, n), float64, positive definite.
    """
    z = torch.where(there, z.double(), 0.0)
    seen = there.double()
    covariance = _positive((z.mT @ z) / (seen.mT @ seen).clamp(min=1.0))
    if bool(there.all()):
        return covariance
    sets, which = torch.unique(seen, dim=0, return_inverse=True)
    for _ in range(STEPS):
        total = torch.zeros_like(covariance)
        for chosen in torch.split(torch.arange(len(sets)), max(1, _ENTRIES // z.shape[1] ** 2)):
            weights, spread = regression(sets[chosen], covariance)
            hidden = 1 - sets[chosen]
            spread = spread * hidden.unsqueeze(-1) * hidden.unsqueeze(1)
            rows = (which >= chosen[0]) & (which <= chosen[-1])
            own = which[rows] - chosen[0]
            total += (torch.bincount(own, minlength=len(chosen)).double().view(-1, 1, 1) * spread).sum(0)
            for part, each in _chunks(z[rows], own):
                mean = (weights[each] * part.unsqueeze(-1)).sum(1)
                filled = torch.where(sets[chosen][each] > 0, part, mean)
                total += filled.mT @ filled
        new = _positive(total / len(z))
        change = float((new - covariance).abs().max())
        covariance = new
        if change < TOLERANCE:
            break
    return covariance


def _chunks(z: Tensor, there: Tensor) -> list[tuple[Tensor, Tensor]]:
    rows = max(1, _ENTRIES // max(1, z.shape[1] ** 2))
    return list(zip(torch.split(z.double(), rows), torch.split(there, rows), strict=True))


def _observed(seen: Tensor, covariance: Tensor) -> Tensor:
    """The covariance of what is there of each case, (batch, n, n), with independent standard normal gaps."""
    return covariance * seen.unsqueeze(-1) * seen.unsqueeze(1) + torch.diag_embed(1 - seen + RIDGE)


def _whitened(z: Tensor, there: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    root = torch.linalg.cholesky(_observed(there.double(), covariance))
    x = torch.linalg.solve_triangular(root, torch.where(there, z, 0.0).unsqueeze(-1), upper=False)
    return root, x.squeeze(-1)


def _positive(matrix: Tensor) -> Tensor:
    """The nearest covariance without directions of no variance."""
    values, vectors = torch.linalg.eigh(matrix)
    positive: Tensor = (vectors * values.clamp(min=LEAST_VARIANCE)) @ vectors.mT
    return positive
