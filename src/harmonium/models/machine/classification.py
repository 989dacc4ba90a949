"""The classification RBM: inputs and a class label, both visible."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from harmonium.core.checks import check_int
from harmonium.core.random import Stream
from harmonium.models.arrays import Array, as_matrix
from harmonium.models.machine.conditional import variable_log_probs
from harmonium.models.machine.rbm import RBM
from harmonium.models.model import Model
from harmonium.units import Bernoulli, Categorical, Mixed, Units, as_units

__all__ = ["ClassificationRBM", "with_labels"]


class ClassificationRBM(RBM):
    """RBM over inputs and their class, p(x, y); p(y | x) is exact (Larochelle & Bengio 2008, equation 5).

    Cases are inputs with the class as the last column (see `with_labels`).  Train with `PCD` or `CD` for p(x, y), with
    `Discriminative` for p(y | x), or with `Hybrid` for both.

    A class without any training case starts with the prior probability of 1/classes of one case, and training lowers
    it further; `harmonium.fit` warns of it.

    Args:
        inputs: units of the inputs: an int or a shape (that many `Bernoulli`), or a unit type.
        hidden: hidden units, likewise.
        classes: number of classes.
        dtype: float32 or float64.
        seed: of the initial weights.

    >>> import harmonium as hm
    >>> model = hm.ClassificationRBM(4, 3, classes=2)
    >>> model.class_log_prob([[0, 1, 1, 0]]).exp().sum(1).round().tolist()
    [1.0]
    """

    title = "Classification RBM"

    def __init__(
        self,
        inputs: Units | int | tuple[int, ...],
        hidden: Units | int | tuple[int, ...],
        classes: int,
        *,
        dtype: torch.dtype = torch.float32,
        seed: int | Stream = 0,
    ) -> None:
        self._inputs = as_units(inputs, Bernoulli, "inputs").config()
        parts = [part for part, _ in as_units(inputs, Bernoulli, "inputs").by_type()]
        classes = check_int("classes", classes, least=2)
        super().__init__(Mixed([*parts, Categorical(1, classes)]), hidden, dtype=dtype, seed=seed)
        self.classes_count = classes

    @classmethod
    def from_arrays(  # type: ignore[override]  # a label has weights and biases of its own
        cls, weights: Array, visible_bias: Array, hidden_bias: Array, label_weights: Array, label_bias: Array
    ) -> Self:
        """Build a machine of binary inputs from its arrays: E = -x.W.h - b.x - c.h - U_y.h - d_y.

        Args:
            weights: W (inputs, hidden).
            visible_bias: b (inputs,).
            hidden_bias: c (hidden,).
            label_weights: U (classes, hidden).
            label_bias: d (classes,).

        Returns:
            a machine with copies of the arrays.

        Raises:
            ValueError: if shapes do not fit together, a value is not finite, or there is only one class.

        >>> import harmonium as hm
        >>> model = hm.ClassificationRBM.from_arrays([[0.0]], [0.0], [0.0], [[0.0], [0.0]], [0.0, 1.0])
        >>> model.predict([[1]]).tolist()
        [1]
        """
        inputs, labels = (
            RBM.from_arrays(*arrays)
            for arrays in ((weights, visible_bias, hidden_bias), (label_weights, label_bias, hidden_bias))
        )
        inputs.refuse_batched("ClassificationRBM.from_arrays")
        model = cls(inputs.visible.size, inputs.hidden.size, labels.visible.size, dtype=inputs.dtype)
        with torch.no_grad():
            model.weights.copy_(torch.cat((inputs.weights, labels.weights)))
            model.visible.set_natural((torch.cat((inputs.visible_bias, labels.visible_bias)),))
            model.hidden.set_natural((inputs.hidden_bias,))
        return model

    def to_arrays(self) -> tuple[np.ndarray, ...]:  # type: ignore[override]
        """Copies of (weights, visible_bias, hidden_bias, label_weights, label_bias) as NumPy arrays.

        Raises:
            ValueError: for units that are not binary.
        """
        kinds = [type(part) for part in self.visible.parts]  # type: ignore[union-attr]
        if kinds != [Bernoulli, Categorical] or type(self.hidden) is not Bernoulli:
            raise ValueError("to_arrays is for Bernoulli units only: use harmonium.save, or state_dict()")
        W, field, c = (
            p.detach().cpu().numpy().copy() for p in (self.weights, *self.visible.natural(), self.hidden_bias)
        )
        n = self.inputs_size
        return W[:n], field[:n], c, W[n:], field[n:]

    def advice(self, mean: Tensor, variance: Tensor) -> str | None:
        """Advice about classes without a case, and that of the units (see `Model.advice`)."""
        share = mean[-self.classes_count :]
        empty = (share == 0).nonzero().squeeze(-1).tolist()
        found = super().advice(mean, variance)
        if not empty:
            return found
        words = (
            f"no training case has the class {', '.join(map(str, empty))}: p(y | x) of such a class starts at the "
            f"probability of 1/{self.classes_count} of a case and only falls; add cases, or renumber the classes"
        )
        return words if found is None else f"{words}; {found}"

    @property
    def inputs_size(self) -> int:
        """Number of input columns."""
        return self.visible.columns - 1

    @torch.no_grad()
    def class_log_prob(self, x: Array) -> Tensor:
        """Compute log p(y | x) for every class.

        Args:
            x: inputs (batch, columns) without the label.

        Returns:
            nats, (batch, classes), float64.

        Raises:
            ValueError: for another width, or values outside the domain of the input units.
        """
        inputs = as_matrix(x, "x", self.dtype, self.device)
        inputs = inputs.flatten(1) if inputs.dim() > 2 else inputs
        if inputs.dim() != 2 or inputs.shape[1] != self.inputs_size or not len(inputs):
            raise ValueError(
                f"x has shape {tuple(inputs.shape)}; expected (batch, {self.inputs_size}), without the label"
            )
        v = self.visible.encode(torch.cat((inputs, inputs.new_zeros(len(inputs), 1)), 1), "x")
        self.visible.check(v, "x")
        return variable_log_probs(self, v, self.inputs_size)

    def predict(self, x: Array) -> Tensor:
        """Predict the most probable class of inputs (batch, columns): (batch,), int64."""
        return self.class_log_prob(x).argmax(-1)

    def __repr__(self) -> str:
        return f"Classification{super().__repr__()}"

    def config(self) -> dict[str, Any]:
        described = Model.config(self) | {"hidden": self.hidden.config()}
        return described | {"inputs": self._inputs, "classes": self.classes_count}


def with_labels(x: Array, y: Array) -> np.ndarray:
    """Append class labels to inputs: cases of a `ClassificationRBM`.

    Args:
        x: inputs (n, columns).
        y: classes 0, 1, ..., (n,).

    Returns:
        a float32 array (n, columns + 1).

    Raises:
        ValueError: if the numbers of inputs and labels differ.

    >>> with_labels([[0, 1], [1, 1]], [0, 1]).tolist()
    [[0.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    """
    given = as_matrix(x, "x", torch.float32)
    inputs = (given.flatten(1) if given.dim() > 2 else given).numpy()
    labels = as_matrix(y, "y", torch.float32).numpy()
    if inputs.ndim != 2 or labels.shape != inputs.shape[:1]:
        raise ValueError(f"x has shape {inputs.shape} and y {labels.shape}; expected (n, columns) and (n,)")
    return np.concatenate((inputs, labels[:, None]), 1)
