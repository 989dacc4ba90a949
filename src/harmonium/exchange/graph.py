"""A graph of ONNX under construction."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.core.optional import need

__all__ = ["OPSET", "Graph", "Value"]

OPSET = 18
"""The version of ONNX's operators that exported graphs use."""
_IR = 8  # the file format that came with it

Value = str | float | list[int] | Tensor
"""The name of a value in a graph, or a constant: a number or tensor (float32), or integers (int64)."""


class Graph:
    """Nodes and constants.  ``graph("Add", x, 1.0)`` adds a node and returns the name of its output."""

    def __init__(self, what: str) -> None:
        self.onnx = need("onnx", "onnx", what)
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def __call__(self, operator: str, *inputs: Value, **attributes: Any) -> str:
        output = f"{operator}_{len(self._nodes)}"
        names = [self._name(value) for value in inputs]
        self._nodes.append(self.onnx.helper.make_node(operator, names, [output], **attributes))
        return output

    def input(self, name: str, columns: int) -> str:
        """A float32 input (batch, columns), each of a batch size of its own."""
        self._inputs.append(self._info(name, [f"{name}_batch", columns]))
        return name

    def output(self, name: str, value: str, of: str, columns: int | None = None) -> None:
        """Call a value an output: (batch, columns), or (batch,) without columns, with the batch of an input."""
        batch = f"{of}_batch"
        self._nodes.append(self.onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._info(name, [batch] if columns is None else [batch, columns]))

    def index(self, value: int) -> str:
        """A constant without dimensions, int64."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(self.onnx.numpy_helper.from_array(np.array(value, dtype=np.int64), name))
        return name

    def to_bytes(self, meta: dict[str, str]) -> bytes:
        """The checked model."""
        helper = self.onnx.helper
        graph = helper.make_graph(self._nodes, "harmonium", self._inputs, self._outputs, self._constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR,
            producer_name="harmonium",
            producer_version=meta["harmonium"],
        )
        helper.set_model_props(model, meta)
        self.onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString()
        return content

    def _name(self, value: Value) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            array = np.array(value, dtype=np.int64)
        else:
            array = torch.as_tensor(value).detach().cpu().numpy().astype(np.float32)
        name = f"constant_{len(self._constants)}"
        self._constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def _info(self, name: str, shape: list[Any]) -> Any:
        return self.onnx.helper.make_tensor_value_info(name, self.onnx.TensorProto.FLOAT, shape)
