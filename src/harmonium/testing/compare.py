"""Comparisons that say which identity failed, where and by how much."""

from __future__ import annotations

import torch
from scipy import stats
from torch import Tensor

__all__ = ["ALARM", "STANDARD_ERRORS", "assert_close", "assert_counts", "assert_mean", "assert_that"]

STANDARD_ERRORS = 5.0
"""Sampled means may lie this far from theirs: a true one fails once in 1.7 million comparisons."""

ALARM = 1e-6
"""Chi-square tests fail below this p-value, so that a correct kernel fails once in a million tests."""


def assert_that(condition: bool, identity: str) -> None:
    """Fail with the name of the identity."""
    if not condition:
        raise AssertionError(identity)


def assert_close(identity: str, found: Tensor, expected: Tensor, rtol: float, atol: float) -> None:
    """All |found - expected| <= atol + rtol |expected|."""
    found, expected = found.detach().double(), expected.detach().double()
    assert_that(found.shape == expected.shape, f"{identity}: shapes {tuple(found.shape)} and {tuple(expected.shape)}")
    allowed = atol + rtol * expected.abs()
    excess = torch.where(found == expected, 0.0, (found - expected).abs() / allowed)
    excess = torch.where(torch.isnan(excess), torch.inf, excess).reshape(-1)
    if excess.numel() and float(excess.max()) > 1:
        worst = int(excess.argmax())
        a, b = float(found.reshape(-1)[worst]), float(expected.reshape(-1)[worst])
        limit = float(allowed.reshape(-1)[worst])
        raise AssertionError(
            f"{identity}: found {a:.10g}, expected {b:.10g} (difference {a - b:.2g}, allowed {limit:.2g}; "
            f"{int((excess > 1).sum())} of {excess.numel()} values differ)"
        )


def assert_mean(identity: str, values: Tensor, expected: Tensor) -> None:
    """The mean of independent ``values`` (rows, ...) is ``expected`` within `STANDARD_ERRORS` standard errors."""
    values = values.detach().double()
    error = values.std(0) / len(values) ** 0.5
    # Values that do not vary must agree to rounding.
    error = error + 1e-6 / STANDARD_ERRORS * (1 + expected.double().abs())
    z = ((values.mean(0) - expected.double()) / error).reshape(-1)
    worst = int(z.abs().argmax())
    if not float(z.abs().max()) <= STANDARD_ERRORS:
        a, b, off = (float(what.reshape(-1)[worst]) for what in (values.mean(0), expected, z))
        raise AssertionError(
            f"{identity}: mean {a:.6g} of {len(values)} draws, expected {b:.6g}, {off:+.1f} standard errors "
            f"away (allowed {STANDARD_ERRORS:g})"
        )


def assert_counts(identity: str, index: Tensor, probability: Tensor) -> None:
    """Independent draws ``index`` (draws,) of states follow ``probability`` (states,): Pearson's chi-square.

    States expected fewer than five times are pooled, as the chi-square approximation asks.
    """
    draws = len(index)
    expected = probability.detach().double() / float(probability.detach().sum()) * draws
    counts = torch.bincount(index, minlength=len(probability)).double()
    rare = expected < 5
    if bool(rare.any()):
        pooled = torch.stack((counts[rare].sum(), expected[rare].sum()))
        counts = torch.cat((counts[~rare], pooled[:1]))
        expected = torch.cat((expected[~rare], pooled[1:]))
    chi = float(((counts - expected) ** 2 / expected.clamp(min=1.0)).sum())
    freedom = max(1, len(expected) - 1)
    p = float(stats.chi2.sf(chi, freedom))
    distance = 0.5 * float((counts - expected).abs().sum()) / draws
    if not p >= ALARM:
        raise AssertionError(
            f"{identity}: {draws} draws lie {distance:.4f} in total variation from the distribution, "
            f"chi-square {chi:.0f} at {freedom} degrees of freedom (p = {p:.1g}, alarm at {ALARM:g})"
        )
