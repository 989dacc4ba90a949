"""Conversion of users' arrays into (batch, features) tensors, with checks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from harmonium.data.cases import as_array

if TYPE_CHECKING:
    from harmonium.data import Cases
    from harmonium.models.machine.machine import Machine
    from harmonium.models.model import Model
    from harmonium.units import Units

__all__ = [
    "CHUNK", "Array", "as_batch", "as_clamp", "as_mask", "as_matrix", "as_packed", "as_raw", "as_weights",
    "check_columns", "checked_chunks", "checked_rows",
]  # fmt: skip

CHUNK = 1024  # cases that are read at once

Array = Any
"""NumPy array (bool, integer or float), SciPy sparse matrix, torch tensor, `Cases`, DataFrame or nested list."""


def as_matrix(data: Array, name: str, dtype: torch.dtype, device: torch.device | str = "cpu") -> Tensor:
    """Convert ``data`` to a dense tensor.

    Raises:
        TypeError: if it is not numeric.
    """
    if isinstance(data, Tensor):
        return data.detach().to(device, dtype)
    array = as_array(data.toarray() if hasattr(data, "toarray") else data, name)
    # torch takes no read-only, big-endian or negatively strided memory; products of other orders round otherwise.
    plain = np.array(array, dtype=np.float64 if dtype == torch.float64 else np.float32, order="C")
    return torch.from_numpy(plain).to(device, dtype)


def as_raw(data: Array, model: Model, name: str) -> Tensor:
    """Raw visible states, (batch, columns), in which values may be missing (NaN) and are not checked.

    Raises:
        ValueError: for another width, or without a row.
    """
    units = model.visible
    x = _flat(as_matrix(data, name, model.dtype, model.device), (units.columns,))
    if x.dim() != 2 or x.shape[1] != units.columns or not len(x):
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected (batch, {units.columns}) with at least one row")
    return x


def as_mask(mask: Array, name: str, units: Units) -> Tensor:
    """A mask over the variables, bool (columns,).

    Raises:
        ValueError: for another shape than that, or that of the units.
    """
    columns = as_matrix(mask, name, torch.float64) != 0
    if columns.shape == units.shape:
        columns = columns.reshape(-1)
    if columns.shape != (units.columns,):
        raise ValueError(
            f"{name} has shape {tuple(columns.shape)}; expected ({units.columns},), one entry per variable"
        )
    return columns


def as_batch(data: Array, model: Model, name: str, layer: int = 0, domain: bool = False) -> Tensor:
    """Encoded states of one layer, (batch, size), in the model's precision and on its device.

    Args:
        data: raw states, such as codes of categorical variables (batch, columns), or encoded ones (batch, size);
            images (batch, height, width) are flattened as in `harmonium.data.as_cases`.
        model: the model.
        name: of the argument, for messages.
        layer: index of the layer.
        domain: whether values outside the domain of the units are refused; codes out of range always are.

    Raises:
        ValueError: for another width, values that are not finite, or values outside the domain.
    """
    x = as_matrix(data, name, model.dtype, model.device)
    units: Units = model.visible if layer == 0 else model.units(layer)  # type: ignore[operator]
    widths = (units.columns, units.size)
    if not units.natural()[0].dim() > 1:  # several models as one take (models, batch, columns)
        x = _flat(x, widths)
    expected = f"(batch, {units.columns})" + (
        "" if units.columns == units.size else f", or (batch, {units.size}) encoded"
    )
    one_case = tuple(x.shape) in ((units.columns,), (units.size,), units.shape)
    if one_case and (x.dim() == 1 or x.shape[-1] not in widths):
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected {expected}: pass {name}[None] for one case")
    if x.dim() < 2 or x.shape[-1] not in widths:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected {expected}, one column per unit")
    if x.shape[-2] == 0:
        raise ValueError(f"{name} is empty: give at least one row")
    if not bool(torch.isfinite(x.sum())) and not bool(torch.isfinite(x).all()):  # the sum may overflow by itself
        row, column = (int(i) for i in (~torch.isfinite(x)).nonzero()[0][-2:])
        raise ValueError(f"{name} is not finite in row {row}, column {column}: remove or impute such values first")
    if x.shape[-1] != units.size:
        return units.encode(x, name)
    if domain:
        units.check(x, name)
    return x


def _flat(x: Tensor, widths: tuple[int, ...]) -> Tensor:
    """Images (batch, height, width, ...) as (batch, pixels), if that has a width that is expected."""
    return x.flatten(1) if x.dim() > 2 and math.prod(x.shape[1:]) in widths else x


def check_columns(cases: Cases, units: Units, name: str = "data") -> None:
    """Raise ValueError if cases have another number of columns than the visible units."""
    if cases.shape[1] != units.columns:
        raise ValueError(f"{name} has {cases.shape[1]} columns; the model has {units.columns} visible units")


def checked_chunks(
    cases: Cases, units: Units, name: str, dtype: torch.dtype, device: torch.device | str = "cpu"
) -> Iterator[tuple[int, Tensor]]:
    """Read all cases in chunks: the number of the first case, and encoded states (at most CHUNK, size) of the domain.

    Raises:
        ValueError: for values outside the domain.
    """
    for start in range(0, len(cases), CHUNK):
        yield start, checked_rows(cases, slice(start, start + CHUNK), units, name, dtype, device)


def checked_rows(
    cases: Cases, rows: slice, units: Units, name: str, dtype: torch.dtype, device: torch.device | str = "cpu"
) -> Tensor:
    """Read some cases: encoded states (rows, size) of the domain.

    Raises:
        ValueError: for values outside the domain.
    """
    index = np.arange(len(cases))[rows]
    row = partial(cases.row_name, start=rows.start)
    v = units.encode(cases.rows(index, dtype=dtype, device=device), name, row)
    units.check(v, name, row)
    return v


def as_packed(chains: Array, model: Machine, name: str) -> Tensor:
    """Packed states of a machine (see `Structure.pack`), checked layer by layer.

    Raises:
        ValueError: see `as_batch`.
    """
    if model.sampled_layers == [0]:
        return as_batch(chains, model, name, domain=True)
    packed = as_matrix(chains, name, model.dtype, model.device)
    if packed.dim() != 2 or packed.shape[1] != model.packed_size:
        layers = " and ".join(f"{model.names[layer]!r} ({model.units(layer).size})" for layer in model.sampled_layers)
        raise ValueError(
            f"{name} has shape {tuple(packed.shape)}; expected (chains, {model.packed_size}): the states of the layers "
            f"{layers} side by side, such as the chains that training leaves in the model, or visible states alone"
        )
    parts = model.unpack(packed)
    return torch.cat([as_batch(parts[layer], model, name, layer, domain=True) for layer in model.sampled_layers], -1)


def as_clamp(clamp: tuple[Array, Array], v: Tensor, model: Model) -> tuple[Tensor, Tensor]:
    """Turn a clamp over variables into (mask, values) over units, each (size,) or (batch, size).

    Args:
        clamp: mask and values over the visible variables, (columns,) or (batch, columns), or both encoded.  Values
            where the mask is false are ignored (they may be NaN).
        v: encoded states (batch, size), which provide the values that are not held.
        model: the model.

    Raises:
        ValueError: for another shape, or values outside the domain.
    """
    units = model.visible
    units.require_independent_columns("clamp")
    if not isinstance(clamp, (tuple, list)) or len(clamp) != 2:
        raise TypeError(f"clamp must be a pair (mask, values), found {clamp!r}")
    mask = as_matrix(clamp[0], "the mask of clamp", model.dtype, model.device) != 0
    values = as_matrix(clamp[1], "the values of clamp", model.dtype, model.device)
    mask, values = (_one_row_each(given, units, v.dim()) for given in (mask, values))
    width = units.size if values.shape[-1:] == v.shape[-1:] else units.columns
    for what, given in (("mask", mask), ("values", values)):
        if given.shape not in ((width,), (*v.shape[:-1], width)):
            raise ValueError(
                f"the {what} of clamp has shape {tuple(given.shape)}; expected ({units.columns},) or "
                f"{(*v.shape[:-1], units.columns)}"
            )
    if width != units.size:
        values = units.encode(torch.where(mask, values, 0.0), "the values of clamp")
        mask = units.repeat_per_column(mask)
    values = torch.where(mask, values, v)
    units.check(values, "the values of clamp")
    return mask, values


def _one_row_each(given: Tensor, units: Units, dimensions: int) -> Tensor:
    """A clamp in the shape of the units, for all cases or each, as (columns,) or (batch, columns)."""
    if given.shape == units.shape:
        return given.reshape(-1)
    return given.flatten(1) if given.dim() > dimensions else given


def as_weights(sample_weight: Array, cases: int) -> Tensor:
    """Check weights of cases; they become float64 (cases,).

    Raises:
        ValueError: for another shape, negative or infinite weights, or no positive one.
    """
    weight = as_matrix(sample_weight, "sample_weight", torch.float64)
    if weight.shape != (cases,):
        raise ValueError(f"sample_weight has shape {tuple(weight.shape)}; expected ({cases},), one weight per case")
    if not bool(torch.isfinite(weight).all()) or bool((weight < 0).any()) or not bool((weight > 0).any()):
        raise ValueError("sample_weight must be finite and non-negative, with at least one positive weight")
    return weight
