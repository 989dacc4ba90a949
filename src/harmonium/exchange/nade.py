"""A NADE as a graph: all conditionals of a case at once."""

from __future__ import annotations

from typing import Any

import torch

from harmonium.exchange.conditional import log_prob
from harmonium.exchange.formulas import encode
from harmonium.exchange.graph import Graph

__all__ = ["nade_graph"]


def nade_graph(graph: Graph, nade: Any) -> None:
    """Input "visible", output "log_prob" (batch,).

    a_t = c + sum_{s < t} v_{o_s} W_{o_s} for all t is a cumulative sum along the ordering that leaves out its own term.
    Of a variable with several units, all of them see what came before the first.
    """
    units, steps = nade.visible, nade.steps
    inputs = torch.as_tensor(steps.inputs)  # all units, along the ordering
    v = encode(graph, units, graph.input("visible", units.columns))
    owner = units.repeat_per_column(torch.arange(units.columns))
    along = owner[inputs]
    first = [int((along == variable).nonzero()[0]) for variable in range(units.columns)]
    terms = graph("Mul", graph("Unsqueeze", graph("Gather", v, inputs.tolist(), axis=1), [2]), nade.weights[inputs])
    before = graph("CumSum", terms, graph.index(1), exclusive=1)
    a = graph("Add", graph("Gather", before, first, axis=1), nade.hidden_bias)  # (batch, variables, hidden)
    rho = nade.rescaling
    h = graph("Sigmoid", a) if rho is None else graph("Relu", graph("Mul", a, rho.unsqueeze(-1)))
    own = graph("Gather", h, nade.outputs.variable_of_column().tolist(), axis=1)  # (batch, outputs.width, hidden)
    x = graph("ReduceSum", graph("Mul", own, nade.output_weights), [2], keepdims=0)
    graph.output("log_prob", log_prob(graph, nade.outputs, x, v), "visible")
