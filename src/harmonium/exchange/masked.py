"""Networks with masks as graphs: the order-agnostic NADE and the MADE."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from harmonium.exchange.conditional import conditional_mean, log_prob
from harmonium.exchange.formulas import encode
from harmonium.exchange.graph import Graph
from harmonium.models.autoregressive.observed_mask import DenseNetwork, linears

__all__ = ["made_graph", "orderless_graph"]


def orderless_graph(graph: Graph, model: Any) -> None:
    """Inputs "visible" and "observed" (0 or 1), output "visible_mean": E[v_i | the observed variables] of each i."""
    if not isinstance(model.network, DenseNetwork):
        raise TypeError(
            f"an OrderlessNADE with a {type(model.network).__name__} cannot be exported to ONNX: only one with dense "
            "layers can"
        )
    units = model.visible
    # A variable that is not observed may hold anything, NaN too.
    observed = graph("Greater", graph.input("observed", units.columns), 0.5)
    v = encode(graph, units, graph("Where", observed, graph.input("visible", units.columns), 0.0))
    mask = graph("Cast", observed, to=graph.onnx.TensorProto.FLOAT)
    owner = units.repeat_per_column(torch.arange(units.columns)).tolist()
    shown = graph("Mul", v, graph("Gather", mask, owner, axis=1))
    weights = [layer.weight for layer in linears(model.network.layers)]
    x = _rectified(graph, graph("Concat", shown, mask, axis=1), model.network.layers, weights)
    graph.output("visible_mean", conditional_mean(graph, model.outputs, x), "visible", units.size)


def made_graph(graph: Graph, made: Any) -> None:
    """Input "visible", output "log_prob" (batch,): of the mean of the probabilities under all sets of masks."""
    v = encode(graph, made.visible, graph.input("visible", made.visible.columns))
    each = []
    for k in range(made.masks):
        x = _rectified(graph, v, made.layers, made.masked_weights(k))
        each.append(graph("Unsqueeze", log_prob(graph, made.outputs, x, v), [1]))
    total = graph("ReduceLogSumExp", graph("Concat", *each, axis=1), [1], keepdims=0)
    graph.output("log_prob", graph("Sub", total, math.log(made.masks)), "visible")


def _rectified(graph: Graph, x: str, layers: Any, weights: list[Tensor]) -> str:
    """Layers with these weights and their own biases, rectified but for the last, which has none."""
    *rectified, _ = linears(layers)
    for layer, weight in zip(rectified, weights[:-1], strict=True):
        x = graph("Relu", graph("Add", graph("MatMul", x, weight.mT), layer.bias))
    return graph("MatMul", x, weights[-1].mT)
