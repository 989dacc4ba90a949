"""The classification RBM: inputs and a label, both visible."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.models.batch import Array, as_matrix
from harmonium.models.rbm import RBM
from harmonium.random import Stream
from harmonium.units import Bernoulli, Categorical, Mixed, Units, as_units

__all__ = ["ClassificationRBM", "with_labels"]


class ClassificationRBM(RBM):
    """RBM over inputs and their class, p(x, y); p(y | x) is exact (Larochelle & Bengio 2008, equation 5).

    Args:
        inputs: units of the inputs: an int or a shape (that many `Bernoulli`), or a unit type.
        hidden: hidden units, likewise.
        classes: number of classes.
        dtype: float32 or float64.
        seed: of the initial weights.

    Cases are inputs with the class as the last column (see `with_labels`).  Train with `PCD` or `CD` for p(x, y), with
    `Discriminative` for p(y | x), or with `Hybrid` for both.

    >>> import harmonium as hm
    >>> model = hm.ClassificationRBM(4, 3, classes=2)
    >>> model.class_log_prob([[0, 1, 1, 0]]).exp().sum(1).round().tolist()
    [1.0]
    """

    def __init__(
        self,
        inputs: Units | int | tuple[int, ...],
        hidden: Units | int | tuple[int, ...],
        classes: int,
        *,
        dtype: torch.dtype = torch.float32,
        seed: int | Stream = 0,
    ) -> None:
        self._inputs = as_units(inputs, Bernoulli).config()
        super().__init__(Mixed([as_units(inputs, Bernoulli), Categorical(1, classes)]), hidden, dtype=dtype, seed=seed)
        self.classes_count = classes

    @property
    def inputs_size(self) -> int:
        """Columns of the inputs."""
        return self.visible.columns - 1

    def class_log_prob(self, x: Array) -> Tensor:
        """log p(y | x) for every class, (batch, classes), float64.

        Args:
            x: inputs (batch, columns) without the label.

        Raises:
            ValueError: for another width, or values outside the domain of the input units.
        """
        from harmonium.paths.conditional import variable_log_probs

        inputs = as_matrix(x, "x", self.dtype, self.device)
        if inputs.dim() != 2 or inputs.shape[1] != self.inputs_size or not len(inputs):
            raise ValueError(
                f"x has shape {tuple(inputs.shape)}; expected (batch, {self.inputs_size}), without the label"
            )
        v = self.visible.encode(torch.cat((inputs, inputs.new_zeros(len(inputs), 1)), 1), "x")
        self.visible.check(v, "x")
        return variable_log_probs(self, v, self.inputs_size)

    def predict(self, x: Array) -> Tensor:
        """The most probable class, (batch,), int64."""
        return self.class_log_prob(x).argmax(-1)

    def config(self) -> dict[str, Any]:
        dtype = str(self.dtype).removeprefix("torch.")
        return {
            "type": "ClassificationRBM", "inputs": self._inputs, "hidden": self.hidden.config(),
            "classes": self.classes_count, "dtype": dtype,
        }  # fmt: skip


def with_labels(x: Array, y: Array) -> np.ndarray:
    """Cases of a `ClassificationRBM`: inputs (n, columns) with the class 0, 1, ... as one more column.

    Raises:
        ValueError: where there are not as many labels as inputs.
    """
    inputs = as_matrix(x, "x", torch.float32).numpy()
    labels = as_matrix(y, "y", torch.float32).numpy()
    if inputs.ndim != 2 or labels.shape != inputs.shape[:1]:
        raise ValueError(f"x has shape {inputs.shape} and y {labels.shape}; expected (n, columns) and (n,)")
    return np.concatenate((inputs, labels[:, None]), 1)
