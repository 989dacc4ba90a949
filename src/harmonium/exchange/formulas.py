"""What units say, as nodes of ONNX: states inside, conditional means, cumulants, exponents.

Each formula takes the field, which is the input from the couplings plus the bias, (batch, size).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from harmonium.exchange.graph import Graph
from harmonium.exchange.positive import positive
from harmonium.units import (
    Bernoulli,
    Binomial,
    Categorical,
    DReLU,
    Gaussian,
    Mixed,
    Poisson,
    ReLU,
    ReplicatedSoftmax,
    Spin,
    Units,
)

__all__ = ["log_normalizer", "encode", "neg_energy", "mean"]

_HIGHEST = 16.0  # log of the highest rate of Poisson units


class _Formulas(NamedTuple):
    mean: Callable[[Graph, Any, str], str]
    log_normalizer: Callable[[Graph, Any, str], str]
    """Of each variable, (batch, variables)."""
    statistics: Callable[[Graph, str], list[str]] = lambda graph, s: [s]
    """T_1(s), T_2(s), ..."""
    measure: Callable[[Graph, Any, str], str] | None = None
    """log m(s) of each unit, where it is not 0."""


def encode(graph: Graph, units: Units, outside: str) -> str:
    """States inside, (batch, size), from states outside, (batch, columns)."""
    if isinstance(units, Mixed):
        return _joined(graph, units, outside, encode, outside=True)
    if not isinstance(units, Categorical):
        return outside
    codes = graph("Cast", outside, to=graph.onnx.TensorProto.INT64)
    hot = graph("OneHot", codes, [units.constant], graph("Cast", [0, 1], to=graph.onnx.TensorProto.FLOAT))
    return graph("Reshape", hot, [0, units.size])


def mean(graph: Graph, units: Units, x: str) -> str:
    """E[s | x], (batch, size)."""
    if isinstance(units, Mixed):
        return _joined(graph, units, x, mean)
    return _formulas(units).mean(graph, units, graph("Add", x, units.natural()[0]))


def log_normalizer(graph: Graph, units: Units, x: str) -> str:
    """A(x), summed over the units, (batch,)."""
    if isinstance(units, Mixed):
        return _added(graph, units, x, log_normalizer)
    each = _formulas(units).log_normalizer(graph, units, graph("Add", x, units.natural()[0]))
    return graph("ReduceSum", each, [1], keepdims=0)


def neg_energy(graph: Graph, units: Units, s: str) -> str:
    """log m(s) + sum_k eta_k . T_k(s), (batch,), of states inside."""
    if isinstance(units, Mixed):
        return _added(graph, units, s, neg_energy)
    formulas = _formulas(units)
    terms = [graph("Mul", T, eta) for T, eta in zip(formulas.statistics(graph, s), units.natural(), strict=True)]
    if formulas.measure is not None:
        terms.append(formulas.measure(graph, units, s))
    return graph("ReduceSum", graph("Sum", *terms), [1], keepdims=0)


def _formulas(units: Units) -> _Formulas:
    if type(units) not in _KNOWN:  # exactly: a subclass has formulas of its own
        known = ", ".join(kind.__name__ for kind in _KNOWN)
        raise TypeError(f"{units!r} cannot be exported to ONNX: only {known} and Mixed units can")
    return _KNOWN[type(units)]


# One layer of several types --------------------------------------------------------------------------------------


def _parts(graph: Graph, units: Mixed, value: str, outside: bool) -> list[tuple[Units, str]]:
    parts: list[Any] = list(units.parts)
    widths = [part.columns if outside else part.size for part in parts]
    stops = [sum(widths[: i + 1]) for i in range(len(widths))]
    return [
        (part, graph("Slice", value, [stop - width], [stop], [1]))
        for part, width, stop in zip(parts, widths, stops, strict=True)
    ]


def _joined(
    graph: Graph, units: Mixed, value: str, formula: Callable[[Graph, Units, str], str], outside: bool = False
) -> str:
    each = [formula(graph, part, own) for part, own in _parts(graph, units, value, outside)]
    return graph("Concat", *each, axis=1)


def _added(graph: Graph, units: Mixed, value: str, formula: Callable[[Graph, Units, str], str]) -> str:
    return graph("Sum", *(formula(graph, part, own) for part, own in _parts(graph, units, value, False)))


# Families --------------------------------------------------------------------------------------------------------


def _sigmoid(graph: Graph, units: Bernoulli, field: str) -> str:
    return graph("Sigmoid", field)


def _softplus(graph: Graph, units: Bernoulli, field: str) -> str:
    return graph("Softplus", field)


def _tanh(graph: Graph, units: Spin, field: str) -> str:
    return graph("Tanh", field)


def _spin_log_normalizer(graph: Graph, units: Spin, field: str) -> str:
    size = graph("Abs", field)
    return graph("Add", size, graph("Softplus", graph("Mul", size, -2.0)))


def _softmax(graph: Graph, units: Categorical, field: str) -> str:
    groups = graph("Reshape", field, [0, units.columns, units.constant])
    return graph("Reshape", graph("Softmax", groups, axis=2), [0, units.size])


def _logsumexp(graph: Graph, units: Categorical, field: str) -> str:
    groups = graph("Reshape", field, [0, units.columns, units.constant])
    largest = graph("ReduceMax", groups, [2], keepdims=1)
    rest = graph("ReduceSum", graph("Exp", graph("Sub", groups, largest)), [2], keepdims=0)
    return graph("Add", graph("Log", rest), graph("Squeeze", largest, [2]))


def _binomial_mean(graph: Graph, units: Binomial, field: str) -> str:
    return graph("Mul", graph("Sigmoid", field), float(units.constant))


def _binomial_log_normalizer(graph: Graph, units: Binomial, field: str) -> str:
    return graph("Mul", graph("Softplus", field), float(units.constant))


def _binomial_measure(graph: Graph, units: Binomial, s: str) -> str:
    failures = graph("Sub", float(units.constant), s)
    both = graph("Add", _log_factorial(graph, s), _log_factorial(graph, failures))
    return graph("Sub", math.lgamma(units.constant + 1), both)


def _gaussian_mean(graph: Graph, units: Gaussian, field: str) -> str:
    return graph("Mul", field, -0.5 / units.natural()[1])


def _gaussian_log_normalizer(graph: Graph, units: Gaussian, field: str) -> str:
    curvature = units.natural()[1]
    square = graph("Mul", graph("Mul", field, field), -0.25 / curvature)
    return graph("Add", square, 0.5 * (-math.pi / curvature).log())


def _poisson_mean(graph: Graph, units: Poisson, field: str) -> str:
    return graph("Exp", graph("Min", field, _HIGHEST))


def _poisson_log_normalizer(graph: Graph, units: Poisson, field: str) -> str:
    beyond = graph("Relu", graph("Sub", field, _HIGHEST))
    return graph("Mul", _poisson_mean(graph, units, field), graph("Add", beyond, 1.0))


def _poisson_measure(graph: Graph, units: Poisson, s: str) -> str:
    return graph("Neg", _log_factorial(graph, s))


def _log_factorial(graph: Graph, s: str) -> str:
    """log s! of counts s, which ONNX has no operator for: Stirling's series at z = s + 8, less log (s + 1) ... (s + 7).

    log Gamma(z) = (z - 1/2) log z - z + log(2 pi) / 2 + 1 / (12 z) - 1 / (360 z^3) + ..., exact to 1e-8 from z = 8 on.
    """
    z = graph("Add", s, 8.0)
    series = graph("Mul", graph("Sub", z, 0.5), graph("Log", z))
    inverse = graph("Reciprocal", z)
    cube = graph("Mul", inverse, graph("Mul", inverse, inverse))
    series = graph("Add", graph("Sub", series, z), 0.5 * math.log(2 * math.pi))
    series = graph("Sub", graph("Add", series, graph("Mul", inverse, 1 / 12)), graph("Mul", cube, 1 / 360))
    logs = [graph("Log", graph("Add", s, float(k))) for k in range(1, 8)]
    return graph("Sub", series, graph("Sum", *logs))


def _squares(graph: Graph, s: str) -> list[str]:
    return [s, graph("Mul", s, s)]


def _relu_mean(graph: Graph, units: ReLU, field: str) -> str:
    return positive(graph, field, -2 * units.natural()[1])[1]


def _relu_log_normalizer(graph: Graph, units: ReLU, field: str) -> str:
    return positive(graph, field, -2 * units.natural()[1])[0]


def _sides(graph: Graph, units: DReLU, field: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """(log integral, mean) of s on the positive side, of -s on the negative one."""
    _, curvature, kink, skew = units.natural()
    up = positive(graph, graph("Add", field, kink), -2 * (curvature + skew))
    return up, positive(graph, graph("Sub", kink, field), -2 * (curvature - skew))


def _drelu_mean(graph: Graph, units: DReLU, field: str) -> str:
    (log_up, up), (log_down, down) = _sides(graph, units, field)
    odds = graph("Sub", log_up, log_down)
    above, below = graph("Sigmoid", odds), graph("Sigmoid", graph("Neg", odds))
    return graph("Sub", graph("Mul", above, up), graph("Mul", below, down))


def _drelu_log_normalizer(graph: Graph, units: DReLU, field: str) -> str:
    (log_up, _), (log_down, _) = _sides(graph, units, field)
    apart = graph("Neg", graph("Abs", graph("Sub", log_up, log_down)))
    return graph("Add", graph("Max", log_up, log_down), graph("Softplus", apart))


def _drelu_statistics(graph: Graph, s: str) -> list[str]:
    size = graph("Abs", s)
    return [s, graph("Mul", s, s), size, graph("Mul", s, size)]


def _words_share(graph: Graph, units: ReplicatedSoftmax, field: str) -> str:
    """Of one word: a document's length is the caller's."""
    return graph("Softmax", field, axis=1)


def _words_measure(graph: Graph, units: ReplicatedSoftmax, s: str) -> str:
    """log D! / prod_k s_k!, the first in equal parts for each word of the vocabulary."""
    length = graph("ReduceSum", s, [1], keepdims=1)
    return graph("Sub", graph("Mul", _log_factorial(graph, length), 1 / units.size), _log_factorial(graph, s))


def _no_sum(graph: Graph, units: ReplicatedSoftmax, field: str) -> str:
    raise TypeError("documents cannot be summed out in an ONNX graph: ReplicatedSoftmax units are visible ones")


_KNOWN: dict[type[Units], _Formulas] = {
    Bernoulli: _Formulas(_sigmoid, _softplus),
    Spin: _Formulas(_tanh, _spin_log_normalizer),
    Categorical: _Formulas(_softmax, _logsumexp),
    Binomial: _Formulas(_binomial_mean, _binomial_log_normalizer, measure=_binomial_measure),
    Gaussian: _Formulas(_gaussian_mean, _gaussian_log_normalizer, _squares),
    Poisson: _Formulas(_poisson_mean, _poisson_log_normalizer, measure=_poisson_measure),
    ReLU: _Formulas(_relu_mean, _relu_log_normalizer, _squares),
    DReLU: _Formulas(_drelu_mean, _drelu_log_normalizer, _drelu_statistics),
    ReplicatedSoftmax: _Formulas(_words_share, _no_sum, measure=_words_measure),
}
