"""Densities on the positive numbers, as nodes of ONNX in float32 (`harmonium.kernels.portable.positive` is float64)."""

from __future__ import annotations

import math

from torch import Tensor

from harmonium.exchange.graph import Graph

__all__ = ["positive"]

# log(erfc(z) exp(z^2) / t) as a polynomial in t = 1 / (1 + z / 2), z >= 0, the highest power first: relative error of
# erfc below 1.2e-7 everywhere (Press et al. 1992, Numerical Recipes, section 6.2).
_ERFC = (
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
    -1.26551223,
)  # fmt: skip
_FAR = 2.0  # standard deviations from which on the mean is a continued fraction, whose terms do not cancel


def positive(graph: Graph, field: str, precision: Tensor) -> tuple[str, str]:
    """(log integral, mean) of the density exp(field s - precision s^2 / 2) on s >= 0."""
    scale = precision.rsqrt()
    alpha = graph("Mul", field, -scale)
    log_ratio = _log_ratio(graph, alpha)
    near = graph("Sub", graph("Exp", graph("Neg", log_ratio)), alpha)
    mean = graph("Where", graph("Greater", alpha, _FAR), _far_mean(graph, alpha), near)
    return graph("Add", log_ratio, scale.log()), graph("Mul", mean, scale)


def _log_ratio(graph: Graph, alpha: str) -> str:
    """log(P(Z > alpha) / density(alpha)) of a standard normal Z, which is log(sqrt(pi / 2) erfc(z) exp(z^2)) with
    z = alpha / sqrt(2); for negative z erfc(z) = 2 - erfc(-z)."""
    z = graph("Abs", graph("Mul", alpha, math.sqrt(0.5)))
    t = graph("Reciprocal", graph("Add", graph("Mul", z, 0.5), 1.0))
    polynomial = graph("Mul", t, _ERFC[0])
    for coefficient in _ERFC[1:-1]:
        polynomial = graph("Mul", t, graph("Add", polynomial, coefficient))
    scaled = graph("Add", graph("Add", polynomial, _ERFC[-1]), graph("Log", t))  # log(erfc(z) exp(z^2))
    square = graph("Mul", z, z)
    small = graph("Exp", graph("Sub", scaled, square))
    below = graph("Add", square, graph("Log", graph("Sub", 2.0, small)))
    return graph("Add", graph("Where", graph("Less", alpha, 0.0), below, scaled), 0.5 * math.log(0.5 * math.pi))


def _far_mean(graph: Graph, alpha: str) -> str:
    """E[Z - alpha | Z > alpha] = 1 / (alpha + 2 / (alpha + 3 / (alpha + ...))) (Laplace)."""
    far = graph("Max", alpha, _FAR)
    below = far
    for k in range(30, 1, -1):
        below = graph("Add", far, graph("Div", float(k), below))
    return graph("Reciprocal", below)
