"""To ONNX: what a model computes, for runtimes that know neither Python nor torch."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harmonium.core.files import write_atomically
from harmonium.core.version import __version__
from harmonium.exchange.formulas import encode, log_normalizer, mean, neg_energy
from harmonium.exchange.graph import OPSET, Graph
from harmonium.exchange.masked import made_graph, orderless_graph
from harmonium.exchange.nade import nade_graph
from harmonium.exchange.vae import vae_graph
from harmonium.models.machine.rbm import RBM
from harmonium.models.model import Model

__all__ = ["to_onnx"]


def to_onnx(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model as an ONNX graph (operators of version 18), float32.

    Inputs are (batch, columns), as users see states.  Of an `RBM`:

        inputs   "visible" (batch, n_visible), "hidden" (batch, n_hidden)
        outputs  "hidden_mean"  E[h | visible],
                 "visible_mean" E[v | hidden],
                 "free_energy"  F(visible) = -log sum_h exp(-E(v, h)), in nats, (batch,).

    With `ReplicatedSoftmax` visible units there is a third input, "length" (batch, 1): the words of the documents whose
    mean counts are asked for.

    Of a `NADE` or `MADE`: "visible", and "log_prob" (batch,) in nats.  Of an `OrderlessNADE`: "visible" and "observed"
    (1 where a variable is), and "visible_mean" E[v_i | the observed variables].  Of a `VAE`, its decoder: "latent"
    (batch, n), and "visible_mean" E[v | z].

    Both inputs of an RBM must be given, with batch sizes of their own: one row of zeros where nothing that depends on
    it is asked for.  Means have a column per unit: of categorical variables one for each state.  The file's metadata
    hold the version of harmonium, that of the operators, and the model's description.

    Args:
        model: an RBM, a NADE, a MADE, an OrderlessNADE of dense layers, or a VAE whose networks are its own.
        path: of the file.

    Raises:
        ImportError: without the extra ``onnx``.
        TypeError: for a model or units that have no export.
        ValueError: for a stack of models.

    Use it as ``hm.exchange.to_onnx(rbm, "digits.onnx")``.
    """
    export = _KINDS.get(type(model).__name__)
    if export is None:
        raise TypeError(f"to_onnx exports {', '.join(_KINDS)}, found {type(model).__name__}")
    model.refuse_batched("to_onnx")
    graph = Graph("to_onnx")
    export(graph, model)
    meta = {"harmonium": __version__, "opset": str(OPSET), "model": json.dumps(model.config())}
    write_atomically(Path(path), graph.to_bytes(meta))


def _rbm(graph: Graph, rbm: RBM) -> None:
    v = encode(graph, rbm.visible, graph.input("visible", rbm.visible.columns))
    h = encode(graph, rbm.hidden, graph.input("hidden", rbm.hidden.columns))
    x = graph("MatMul", v, rbm.weights)
    graph.output("hidden_mean", mean(graph, rbm.hidden, x), "visible", rbm.hidden.size)
    reconstructed = mean(graph, rbm.visible, graph("MatMul", h, rbm.weights.mT))
    if rbm.visible.conditions_on_total:
        reconstructed = graph("Mul", reconstructed, graph.input("length", 1))
    graph.output("visible_mean", reconstructed, "hidden", rbm.visible.size)
    log_weight = graph("Add", neg_energy(graph, rbm.visible, v), log_normalizer(graph, rbm.hidden, x))
    graph.output("free_energy", graph("Neg", log_weight), "visible")


# By name, so that exporting one kind of model imports no other.
_KINDS: dict[str, Callable[[Graph, Any], None]] = {
    "RBM": _rbm,
    "NADE": nade_graph,
    "MADE": made_graph,
    "OrderlessNADE": orderless_graph,
    "VAE": vae_graph,
}
