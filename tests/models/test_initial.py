"""Initial parameters: their moments, from as many draws as make the tolerance five standard errors."""

from __future__ import annotations

import math

import pytest
import torch

import harmonium as hm
from harmonium.models.initial import glorot_, he_deviation, normal_


def variance(weight: torch.Tensor) -> float:
    return float(weight.double().square().mean())


def test_normal_has_the_deviation_it_is_given() -> None:
    weight = torch.empty(200, 150)
    normal_(weight, 0.3, hm.Stream(1))
    # The relative standard error of a variance is sqrt(2 / 30,000) = 0.8 %, of a mean 0.3 / sqrt(30,000).
    assert variance(weight) == pytest.approx(0.09, rel=0.041)
    assert abs(float(weight.mean())) < 5 * 0.3 / math.sqrt(weight.numel())


@pytest.mark.parametrize("gain", [1.0, 1.7])
def test_all_pixels_of_a_kernel_count_as_inputs(gain: float) -> None:
    """Glorot's variance, 2 gain^2 / (fan in + fan out), of a convolution."""
    weight = torch.empty(60, 20, 5, 5)
    glorot_(weight, hm.Stream(2), gain)
    expected = 2 * gain**2 / ((60 + 20) * 25)
    # Of squares of uniforms the relative standard error is sqrt(0.8 / 30,000) = 0.5 %.
    assert variance(weight) == pytest.approx(expected, rel=0.026)
    assert 0.99 < float(weight.abs().max()) / math.sqrt(3 * expected) <= 1 + 1e-6  # a uniform distribution ends there


def test_he_keeps_the_scale_of_rectified_units() -> None:
    """The mean square of max(0, x) is half that of x: weights of variance 2 / n restore it."""
    x, weight = torch.empty(1000, 200), torch.empty(1000, 1000)
    normal_(x, 1.0, hm.Stream(3))
    normal_(weight, he_deviation(1000), hm.Stream(4))
    # If all cases were alike, the 1,000 units would leave a standard error of sqrt(2 / 1000) = 0.045.
    assert variance(weight @ torch.relu(x)) == pytest.approx(1.0, abs=5 * 0.045)
