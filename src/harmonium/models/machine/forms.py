"""How the entries of a coupling are kept: as a matrix, or as one value per edge.

A *form* knows which entries of W exist, and does with the parameter all that depends on where they lie.  Everything
else treats the parameter as a tensor: optimizers, decay, files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.random import Stream
from harmonium.kernels.edges import EdgeList, EdgeMatrix, edge_energy, pair_moments_
from harmonium.models.initial import normal_, normal_pairs

__all__ = ["Dense", "Form", "Matrix", "Sparse"]

Matrix = Tensor | EdgeMatrix
"""What states are multiplied with: ``kernels.product(s, matrix)``."""


class Form(ABC):
    """How a coupling is kept.

    Attributes:
        shape: n_first and n_second.
        lateral: whether it couples a layer to itself.
    """

    shape: tuple[int, int]
    lateral: bool

    @abstractmethod
    def zeros(self, dtype: torch.dtype) -> Tensor:
        """A parameter of this form."""

    @abstractmethod
    def matrix(self, W: Tensor) -> Matrix:
        """The coupling as a matrix (..., n_first, n_second)."""

    @abstractmethod
    def dense(self, W: Tensor) -> Tensor:
        """The whole matrix, (..., n_first, n_second), for small layers."""

    @abstractmethod
    def rows(self, W: Tensor, where: slice) -> Tensor:
        """Some rows of the matrix, (..., rows, n_second)."""

    @abstractmethod
    def energy(self, left: Tensor, W: Tensor, right: Tensor) -> Tensor:
        """s_a . W . s_b of states, halved if lateral: (..., batch), float64."""

    @abstractmethod
    def add_outer_(self, out: Tensor, left: Tensor, right: Tensor, scale: float = 1.0, keep: float = 1.0) -> Tensor:
        """out = keep * out + scale * left' right, in place.

        left is (..., rows, n_first), right (..., rows, n_second).  Entries that do not exist stay zero; ``keep`` 0
        overwrites whatever was there.
        """

    @abstractmethod
    def divide_(self, W: Tensor, left: Tensor, right: Tensor) -> Tensor:
        """W_ij /= left_i right_j for left (..., n_first) and right (..., n_second), in place."""

    @abstractmethod
    def settle_(self, W: Tensor) -> Tensor:
        """Set entries that do not exist to zero, and make a lateral coupling symmetric, in place."""

    @abstractmethod
    def initialise_(self, W: Tensor, deviation: float, stream: Stream) -> None:
        """Draw normal weights.  Both forms draw the same."""

    def difference(self, plus: tuple[Tensor, Tensor], minus: tuple[Tensor, Tensor]) -> Tensor | None:
        """left' right of the pair ``plus`` less that of ``minus``; None if two `add_outer_` are as fast."""
        return None


class Dense(Form):
    """A matrix (n_first, n_second).

    Args:
        shape: n_first and n_second.
        mask: which entries exist, bool; None: all.
        lateral: whether the layer is coupled to itself: the matrix is then symmetric, and its mask as well.
    """

    def __init__(self, shape: tuple[int, int], mask: Tensor | None, lateral: bool) -> None:
        self.shape, self.mask, self.lateral = shape, mask, lateral

    def zeros(self, dtype: torch.dtype) -> Tensor:
        return torch.zeros(self.shape, dtype=dtype)

    def matrix(self, W: Tensor) -> Matrix:
        return W

    def dense(self, W: Tensor) -> Tensor:
        return W

    def rows(self, W: Tensor, where: slice) -> Tensor:
        return W[..., where, :]

    def energy(self, left: Tensor, W: Tensor, right: Tensor) -> Tensor:
        product: Tensor = ((left.double() @ W.double()) * right).sum(-1)
        return product / 2 if self.lateral else product

    def add_outer_(self, out: Tensor, left: Tensor, right: Tensor, scale: float = 1.0, keep: float = 1.0) -> Tensor:
        if out.dim() == left.dim() == right.dim() == 2:
            return self._masked_(out.addmm_(left.mT, right, beta=keep, alpha=scale))
        product = (left.mT @ right).mul_(scale)
        return self._masked_(out.copy_(product) if keep == 0 else out.mul_(keep).add_(product))

    def divide_(self, W: Tensor, left: Tensor, right: Tensor) -> Tensor:
        return W.div_(left.unsqueeze(-1) * right.unsqueeze(-2))

    def settle_(self, W: Tensor) -> Tensor:
        self._masked_(W)
        if self.lateral:  # rounding alone would let the two halves drift apart
            W.copy_(0.5 * (W + W.mT))
        return W

    def initialise_(self, W: Tensor, deviation: float, stream: Stream) -> None:
        normal_(W, deviation, stream)

    def difference(self, plus: tuple[Tensor, Tensor], minus: tuple[Tensor, Tensor]) -> Tensor | None:
        found = kernels.difference_of_outers(plus, minus)
        return None if found is None else self._masked_(found)

    def _masked_(self, W: Tensor) -> Tensor:
        return W if self.mask is None else W.mul_(self.mask)


class Sparse(Form):
    """One value per edge, (entries,): memory and time by the number of edges.

    Args:
        edges: which entries exist.
    """

    def __init__(self, edges: EdgeList) -> None:
        self.edges = edges
        self.shape, self.lateral = edges.shape, edges.lateral

    def zeros(self, dtype: torch.dtype) -> Tensor:
        return torch.zeros(len(self.edges), dtype=dtype)

    def matrix(self, W: Tensor) -> Matrix:
        return EdgeMatrix(self.edges, W)

    def dense(self, W: Tensor) -> Tensor:
        return EdgeMatrix(self.edges, W).dense()

    def rows(self, W: Tensor, where: slice) -> Tensor:
        order, starts, columns, entries, _ = self.edges.to_rows
        assert not self.lateral  # whose rows are in another order
        first, last = starts[where.start], starts[where.stop]
        rows = np.repeat(order[where] - where.start, np.diff(starts[where.start : where.stop + 1]))
        out = W.new_zeros((*W.shape[:-1], where.stop - where.start, self.edges.shape[1]))
        place, column, entry = (
            torch.from_numpy(x.astype(np.int64)).to(W.device) for x in (rows, columns[first:last], entries[first:last])
        )
        out[..., place, column] = W[..., entry]
        return out

    def energy(self, left: Tensor, W: Tensor, right: Tensor) -> Tensor:
        return edge_energy(left, EdgeMatrix(self.edges, W), right)

    def add_outer_(self, out: Tensor, left: Tensor, right: Tensor, scale: float = 1.0, keep: float = 1.0) -> Tensor:
        return pair_moments_(out, self.edges, left, right, scale, keep)

    def divide_(self, W: Tensor, left: Tensor, right: Tensor) -> Tensor:
        rows, columns = self.edges.on(W.device)
        return W.div_(left[..., rows] * right[..., columns])

    def settle_(self, W: Tensor) -> Tensor:
        return W

    def initialise_(self, W: Tensor, deviation: float, stream: Stream) -> None:
        draw, ends = stream.advance(), (self.edges.rows, self.edges.columns)
        W.copy_(deviation * normal_pairs(draw, *ends))
        if self.lateral:  # the symmetric part of a matrix of draws, as `Dense.settle_` makes it
            W.add_((deviation * normal_pairs(draw, *ends[::-1])).to(W)).mul_(0.5)
