"""What a network says of visible variables, as nodes of ONNX."""

from __future__ import annotations

import math
from typing import Any

from harmonium.exchange.formulas import log_normalizer, mean, neg_energy
from harmonium.exchange.graph import Graph
from harmonium.models.autoregressive.conditionals import MixtureConditional, UnitConditional

__all__ = ["conditional_mean", "log_prob"]


def log_prob(graph: Graph, outputs: Any, x: str, s: str) -> str:
    """log p(s | x), (batch,), of states inside: of units x . s + sum_k eta_k . T_k(s) - A(x)."""
    if _is_mixture(outputs):
        return _mixture_log_prob(graph, outputs, x, s)
    linear = graph("ReduceSum", graph("Mul", x, s), [1], keepdims=0)
    exponential = graph("Add", linear, neg_energy(graph, outputs.units, s))
    return graph("Sub", exponential, log_normalizer(graph, outputs.units, x))


def conditional_mean(graph: Graph, outputs: Any, x: str) -> str:
    """E[s | x], (batch, size)."""
    if not _is_mixture(outputs):
        return mean(graph, outputs.units, x)
    logits, location, _ = _parts(graph, outputs, x)
    share = graph("Softmax", logits, axis=2)
    return graph("ReduceSum", graph("Mul", share, location), [2], keepdims=0)


def _mixture_log_prob(graph: Graph, outputs: MixtureConditional, x: str, s: str) -> str:
    """log sum_k softmax(a)_k f((s - m_k) / sigma_k) / sigma_k, summed over the variables."""
    logits, location, log_scale = _parts(graph, outputs, x)
    scale = graph("Add", graph("Exp", log_scale), outputs.floor)
    r = graph("Div", graph("Sub", graph("Unsqueeze", s, [2]), location), scale)
    if outputs.family == "gaussian":
        log_f = graph("Add", graph("Mul", graph("Mul", r, r), -0.5), -0.5 * math.log(2 * math.pi))
    else:
        log_f = graph("Add", graph("Neg", graph("Abs", r)), -math.log(2))
    log_density = graph("Sub", log_f, graph("Log", scale))
    each = graph("Add", graph("LogSoftmax", logits, axis=2), log_density)
    return graph("ReduceSum", graph("ReduceLogSumExp", each, [2], keepdims=0), [1], keepdims=0)


def _parts(graph: Graph, outputs: MixtureConditional, x: str) -> tuple[str, str, str]:
    """a, m, z of each mixture, (batch, variables, components)."""
    numbers = graph("Add", graph("Reshape", x, [0, *outputs.bias.shape]), outputs.bias)
    logits, location, log_scale = (graph("Gather", numbers, graph.index(i), axis=2) for i in range(3))
    return logits, location, log_scale


def _is_mixture(outputs: Any) -> bool:
    if type(outputs) not in (UnitConditional, MixtureConditional):
        raise TypeError(
            f"outputs of {type(outputs).__name__} cannot be exported to ONNX: only those of a layer of units and of "
            "MixtureConditional can"
        )
    return isinstance(outputs, MixtureConditional)
