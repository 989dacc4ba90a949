"""Couplings with few entries: a vector of values over a list of (row, column), never a matrix.

On the CPU the loops of `edge_loops`, elsewhere plain torch.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.kernels.edge_loops import add_pairs, energies, send
from harmonium.kernels.graphs import Adjacency, adjacency, greedy_colours

__all__ = ["EdgeList", "EdgeMatrix", "edge_energy", "edge_product", "pair_moments_", "side_by_side"]


class EdgeList:
    """Which entries a sparse coupling has.  Immutable, and shared by copies of a model.

    Args:
        rows: first unit of each entry, (entries,).
        columns: second unit; entries are sorted by row and column, without duplicates.
        shape: units of the first layer and of the second.
        lateral: whether the layer is coupled to itself: each pair is one entry, the smaller unit first, that works both
            ways.
    """

    def __init__(self, rows: Any, columns: Any, shape: tuple[int, int], lateral: bool = False) -> None:
        self.rows, self.columns = rows.astype(np.int32), columns.astype(np.int32)
        self.shape, self.lateral = shape, lateral
        self._on: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def __deepcopy__(self, memo: dict[int, Any]) -> EdgeList:
        return self

    @cached_property
    def to_columns(self) -> Adjacency:
        """What the units of the second layer receive; of a lateral coupling, by colour."""
        numbers = np.arange(len(self), dtype=np.int32)
        if not self.lateral:
            return adjacency(self.columns, self.rows, numbers, self.shape[1])
        targets = np.concatenate((self.columns, self.rows))
        sources = np.concatenate((self.rows, self.columns))
        numbers = np.concatenate((numbers, numbers))
        plain = adjacency(targets, sources, numbers, self.shape[1])
        colour = greedy_colours(plain.starts, plain.neighbours)
        return adjacency(targets, sources, numbers, self.shape[1], colour)

    @cached_property
    def to_rows(self) -> Adjacency:
        """What the units of the first layer receive."""
        if self.lateral:
            return self.to_columns
        return adjacency(self.rows, self.columns, np.arange(len(self), dtype=np.int32), self.shape[0])

    def on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Rows and columns as int64 tensors on a device."""
        if device not in self._on:
            rows, columns = (torch.from_numpy(part.astype(np.int64)).to(device) for part in (self.rows, self.columns))
            self._on[device] = rows, columns
        return self._on[device]


class EdgeMatrix:
    """A sparse coupling as a matrix that states are multiplied with.

    Args:
        edges: which entries there are.
        values: theirs, (..., entries); leading dimensions are those of several models as one.
        turned: whether it is the transposed matrix.
    """

    def __init__(self, edges: EdgeList, values: Tensor, turned: bool = False) -> None:
        self.edges, self.values, self.turned = edges, values, turned

    @property
    def mT(self) -> EdgeMatrix:  # noqa: N802 - as of a tensor
        return EdgeMatrix(self.edges, self.values, not self.turned)

    def __getitem__(self, models: Any) -> EdgeMatrix:
        """The matrices of some of several models."""
        return EdgeMatrix(self.edges, self.values[models], self.turned)

    def detach(self) -> EdgeMatrix:
        return EdgeMatrix(self.edges, self.values.detach(), self.turned)

    def contiguous(self) -> EdgeMatrix:
        """The matrix itself: it is read by rows as well as by columns."""
        return self

    def double(self) -> EdgeMatrix:
        return EdgeMatrix(self.edges, self.values.double(), self.turned)

    @property
    def received(self) -> Adjacency:
        """What the units of the columns receive."""
        return self.edges.to_rows if self.turned else self.edges.to_columns

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.edges.shape[not self.turned]

    def dense(self) -> Tensor:
        """The whole matrix, (..., rows, columns), for small layers."""
        rows, columns = self.edges.on(self.values.device)
        out = self.values.new_zeros((*self.values.shape[:-1], *self.edges.shape))
        out[..., rows, columns] = self.values
        if self.edges.lateral:
            out[..., columns, rows] = self.values
        return out.mT if self.turned else out


def side_by_side(s: Tensor) -> Tensor:
    """States (..., n) as (n, rows), contiguous: chains side by side.  Not copied if they lie so in memory already."""
    flat = s.detach() if s.dim() == 2 else s.detach().reshape(-1, s.shape[-1])
    return flat.mT.contiguous()


def edge_product(s: Tensor, matrix: EdgeMatrix) -> Tensor:
    """s @ matrix for states s (..., batch, n): (..., batch, width)."""
    values = matrix.values
    if values.dim() > 1:
        models = values.flatten(0, -2)
        if not len(models):
            return s.new_zeros((*values.shape[:-1], s.shape[-2], matrix.width))
        parts = s.expand(*values.shape[:-1], *s.shape[-2:]).reshape(len(models), *s.shape[-2:])
        each = [
            edge_product(part, EdgeMatrix(matrix.edges, v, matrix.turned))
            for part, v in zip(parts, models, strict=True)
        ]
        return torch.stack(each).view(*values.shape[:-1], *each[0].shape)
    if torch.is_grad_enabled() and (s.requires_grad or values.requires_grad):
        product: Tensor = _Product.apply(s, values, matrix)  # type: ignore[no-untyped-call]
        return product
    return _product(s, values, matrix)


class _Product(torch.autograd.Function):
    """The product with its gradients, which are a product and a sum over pairs."""

    @staticmethod
    def forward(ctx: Any, s: Tensor, values: Tensor, matrix: EdgeMatrix) -> Tensor:
        ctx.save_for_backward(s, values)
        ctx.matrix = matrix
        return _product(s, values, matrix)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        s, values = ctx.saved_tensors
        matrix = ctx.matrix
        to_s = _product(gradient, values, matrix.mT) if ctx.needs_input_grad[0] else None
        to_values = None
        if ctx.needs_input_grad[1]:
            left, right = (gradient, s) if matrix.turned else (s, gradient)
            to_values = pair_moments_(torch.zeros_like(values), matrix.edges, left, right, 1.0, 0.0)
            if matrix.edges.lateral:
                to_values = pair_moments_(to_values, matrix.edges, right, left, 1.0, 1.0)
        return to_s, to_values, None


def _fused(*tensors: Tensor) -> bool:
    return all(x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) for x in tensors)


def _product(s: Tensor, values: Tensor, matrix: EdgeMatrix) -> Tensor:
    values = values.detach()
    shape = (*s.shape[:-1], matrix.width)
    if _fused(s, values):
        chains = side_by_side(s)
        out = chains.new_empty((matrix.width, chains.shape[1]))
        send(out.numpy(), chains.numpy(), values.to(s.dtype).numpy(), *matrix.received[:4])
        return out.mT.contiguous().view(shape)
    rows, columns = matrix.edges.on(s.device)
    rows, columns = (columns, rows) if matrix.turned else (rows, columns)
    total = s.new_zeros(shape).index_add_(-1, columns, s[..., rows] * values)
    return total.index_add_(-1, rows, s[..., columns] * values) if matrix.edges.lateral else total


def pair_moments_(
    out: Tensor, edges: EdgeList, left: Tensor, right: Tensor, scale: float = 1.0, keep: float = 1.0
) -> Tensor:
    """out (entries,) = keep * out + scale * sum over rows of left_i right_j for every entry (i, j), in place.

    ``keep`` 0 overwrites whatever was there.
    """
    if out.dim() > 1:  # several models as one
        lead = out.shape[:-1]
        lefts, rights = (s.expand(*lead, *s.shape[-2:]).reshape(-1, *s.shape[-2:]) for s in (left, right))
        for one, a, b in zip(out.view(-1, len(edges)), lefts, rights, strict=True):
            pair_moments_(one, edges, a, b, scale, keep)
        return out
    if _fused(out, left, right) and out.dtype == left.dtype == right.dtype:
        both = (side_by_side(s).numpy() for s in (left, right))
        add_pairs(out.detach().numpy(), edges.rows, edges.columns, *both, scale, keep)
        return out
    rows, columns = edges.on(out.device)
    left, right = (s.reshape(-1, s.shape[-1]) for s in (left, right))
    sums = scale * (left[:, rows] * right[:, columns]).sum(0)
    return out.copy_(sums) if keep == 0 else out.mul_(keep).add_(sums)


def edge_energy(s: Tensor, matrix: EdgeMatrix, other: Tensor) -> Tensor:
    """s . matrix . other, each pair of a lateral coupling counted once: (..., batch), float64."""
    values = matrix.values
    wants = torch.is_grad_enabled() and any(x.requires_grad for x in (s, values, other))
    if values.dim() == 1 and _fused(s, values, other) and not wants:
        left, right = (other, s) if matrix.turned else (s, other)
        out = torch.zeros(s.shape[:-1].numel(), dtype=torch.float64)
        edges = matrix.edges
        energies(
            side_by_side(left).numpy(), side_by_side(right).numpy(), values.detach().numpy(), edges.rows, edges.columns,
            out.numpy(),
        )  # fmt: skip
        return out.view(s.shape[:-1])
    product: Tensor = (edge_product(s.double(), matrix.double()) * other).sum(-1)
    return product / 2 if matrix.edges.lateral else product
