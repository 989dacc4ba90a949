"""To ONNX: what a model computes, for runtimes that know neither Python nor torch."""

from __future__ import annotations

import copy
import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any

import torch

from harmonium.core.files import write_atomically
from harmonium.core.optional import need
from harmonium.core.version import __version__
from harmonium.exchange.graphs import Graph, graph
from harmonium.exchange.operators import DECOMPOSITIONS
from harmonium.models.model import Model

__all__ = ["to_onnx"]

_OPSET = 18  # version of the operators
_IR = 8  # version of the file format that came with them


def to_onnx(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model as an ONNX graph (operators of version 18) with float32 inputs and outputs.

    - `RBM`: "visible" (batch, n_visible) gives "hidden_mean" E[h | visible] and "free_energy"
      F(visible) = -log sum_h exp(-E(v, h)) in nats, (batch,); "hidden" (batch, n_hidden) gives "visible_mean"
      E[v | hidden].  With `ReplicatedSoftmax` visible units, a third input "length" (batch, 1) is the number of words
      of the documents whose mean counts "visible_mean" holds.
    - `NADE` and `MADE`: "visible" gives "log_prob" (batch,) in nats.
    - `OrderlessNADE`: "visible" and "observed" (1 where a variable is observed, else 0) give "visible_mean"
      E[v_i | the observed variables].
    - `VAE`: "latent" (batch, n) gives "visible_mean" E[v | z], the decoder.

    Inputs hold states as users see them, one column per variable.  Means have one column per unit: a categorical
    variable has one for each state.  A runtime wants all inputs of an RBM, each with a batch size of its own: pass one
    row of zeros for an input whose outputs you do not use.  The metadata of the file hold the versions of harmonium and
    of the operators, and the description of the model.

    The graph follows from the tensor code of the model and of its units, your own unit types included (see
    `harmonium.exchange.formulas`).  A model class of your own registers with `harmonium.exchange.graphs.graph`.
    Tracing takes a second or two, and some ten seconds for `ReLU` and `DReLU` units.

    Args:
        model: an RBM, NADE, MADE, OrderlessNADE or VAE, or a registered model of your own.
        path: file to write.

    Raises:
        ImportError: without the extra ``onnx``.
        TypeError: for a model without a graph, or formulas that torch cannot export.
        ValueError: for a stack of models, or a VAE with networks of your own.
        OSError: where the file cannot be written.

    >>> import os, tempfile, harmonium as hm
    >>> path = os.path.join(tempfile.mkdtemp(), "rbm.onnx")
    >>> hm.exchange.to_onnx(hm.RBM(4, 2), path)
    >>> import onnx
    >>> [output.name for output in onnx.load(path).graph.output]
    ['hidden_mean', 'visible_mean', 'free_energy']
    """
    onnx = need("onnx", "onnx", "to_onnx")
    need("onnxscript", "onnx", "to_onnx")  # which torch.onnx.export needs
    model.refuse_batched("to_onnx")
    metadata = {"harmonium": __version__, "opset": str(_OPSET), "model": json.dumps(model.config())}
    proto = _export(graph(copy.deepcopy(model).to("cpu", torch.float32)).eval())
    proto.ir_version, proto.producer_name, proto.producer_version = _IR, "harmonium", __version__
    onnx.helper.set_model_props(proto, metadata)
    # torch adds its own metadata, with the paths of source files on this machine.
    for part in (proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        part.ClearField("metadata_props")
    onnx.checker.check_model(proto, full_check=True)
    write_atomically(Path(path), proto.SerializeToString())


def _export(module: Graph) -> Any:
    """The module as a protocol buffer, by torch's exporter and without its remarks."""
    batches = {name: torch.export.Dim(f"{name}_batch") for name in module.inputs if name not in module.same_batch}
    batch_of = {name: batches[module.same_batch.get(name, name)] for name in module.inputs}
    rows = {batch: 2 + i for i, batch in enumerate(batches.values())}  # torch would take equal sizes for the same batch
    example = {name: torch.zeros(rows[batch_of[name]], columns) for name, columns in module.inputs.items()}
    outputs = list(module(**example))
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            shapes = {name: {0: batch} for name, batch in batch_of.items()}
            program = torch.export.export(module, (), example, dynamic_shapes=shapes)
            if any(node.target in DECOMPOSITIONS for node in program.graph.nodes):
                program = program.run_decompositions(DECOMPOSITIONS)
            exported = torch.onnx.export(
                program,
                input_names=list(example),
                output_names=outputs,
                opset_version=_OPSET,
                dynamo=True,
                verbose=False,
            )
    except RuntimeError as error:
        raise TypeError(
            f"to_onnx cannot export {module.model!r}, see the error above: write its formulas with operators that "
            "torch.onnx knows and without branches on values, or register others (see harmonium.exchange.formulas)"
        ) from error
    finally:
        logger.setLevel(level)
    assert exported is not None
    return exported.model_proto
