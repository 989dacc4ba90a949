"""What a network says of visible variables, as nodes of ONNX."""

from __future__ import annotations

from typing import Any

from harmonium.exchange.formulas import cumulant, exponent, mean
from harmonium.exchange.graph import Graph

__all__ = ["conditional_mean", "log_prob"]


def log_prob(graph: Graph, outputs: Any, x: str, s: str) -> str:
    """log p(s | x) = x . s + sum_k eta_k . T_k(s) - A(x), (batch,), of states inside."""
    _check(outputs)
    linear = graph("ReduceSum", graph("Mul", x, s), [1], keepdims=0)
    exponential = graph("Add", linear, exponent(graph, outputs.units, s))
    return graph("Sub", exponential, cumulant(graph, outputs.units, x))


def conditional_mean(graph: Graph, outputs: Any, x: str) -> str:
    """E[s | x], (batch, size)."""
    _check(outputs)
    return mean(graph, outputs.units, x)


def _check(outputs: Any) -> None:
    if type(outputs).__name__ != "UnitConditional":
        raise TypeError(
            f"outputs of {type(outputs).__name__} cannot be exported to ONNX: only those of a layer of units can"
        )
