"""Which code draws random numbers on which device: the one place where that is chosen.

The fused loops of the CPU take tensors that they can (`harmonium.kernels.is_fused`).  For all others there is an object
for each way of drawing, and `way` chooses by what is present: Triton kernels on CUDA devices where Triton can be
imported, and plain torch elsewhere.  All of them use the same random words; states may differ where rounding decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor

from harmonium.core.random import RandomAddress
from harmonium.kernels import portable
from harmonium.kernels.philox import parts

__all__ = ["Compiled", "Portable", "Triton", "TwoStates", "chosen", "using", "way"]


class TwoStates(NamedTuple):
    """A family of two states: ``high`` has log-odds ``slope`` times the field."""

    low: float
    high: float
    slope: float


class Field(NamedTuple):
    """Fields of a layer on a line of natural parameters: t (x + slope) + start (see `harmonium.units.Interpolation`).

    x has shape (..., batch, n), t (..., batch), slope and start (..., n); t None is 1, start None is 0.
    """

    x: Tensor
    slope: Tensor
    t: Tensor | None = None
    start: Tensor | None = None

    def values(self) -> Tensor:
        """The fields, (..., batch, n)."""
        field = self.x + self.slope.unsqueeze(-2)
        field = field if self.t is None else self.t.unsqueeze(-1) * field
        return field if self.start is None else field + self.start.unsqueeze(-2)


class Portable:
    """Plain torch, on any device."""

    def uniforms(self, draw: RandomAddress, rows: int, units: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Uniforms in (0, 1), (rows, units), one word each."""
        return portable.uniform(portable.words(draw, portable.rows_of(draw, rows, device), units), dtype)

    def two_states_(self, field: Field, states: TwoStates, draw: RandomAddress) -> Tensor:
        """Draw states of units that have two, (..., batch, n); may overwrite x."""
        x = field.x
        u = self.uniforms(draw, x.numel() // x.shape[-1], x.shape[-1], x.dtype, x.device)
        return portable.two_states(field.values(), u.view(x.shape), *states)


class Compiled(Portable):
    """The same code by `torch.compile`: one kernel for the words and what is made of them.

    The first call for a number of units takes seconds.
    """

    def uniforms(self, draw: RandomAddress, rows: int, units: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        index = portable.rows_of(draw, rows, device)
        return _compiled(_uniforms)(index, units, dtype, *_address(draw, device))  # type: ignore[no-any-return]

    def two_states_(self, field: Field, states: TwoStates, draw: RandomAddress) -> Tensor:
        x = field.x
        index = portable.rows_of(draw, x.numel() // x.shape[-1], x.device)
        return _compiled(_two_states)(field, states, index, *_address(draw, x.device))  # type: ignore[no-any-return]


class Triton(Portable):
    """Triton kernels: words in registers, and one pass over the inputs.  float32 and float64."""

    def uniforms(self, draw: RandomAddress, rows: int, units: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        from harmonium.kernels import triton_loops

        if dtype not in triton_loops.PRECISIONS:
            return super().uniforms(draw, rows, units, dtype, device)
        return triton_loops.fill(torch.empty((rows, units), dtype=dtype, device=device), draw)

    def two_states_(self, field: Field, states: TwoStates, draw: RandomAddress) -> Tensor:
        from harmonium.kernels import triton_loops

        if field.x.dtype not in triton_loops.PRECISIONS:
            return super().two_states_(field, states, draw)
        return triton_loops.two_states_(*field, *states, draw)


_CHOSEN: ContextVar[Portable | None] = ContextVar("harmonium_way", default=None)


def way(device: torch.device) -> Portable:
    """How random numbers are drawn on a device."""
    return chosen() or (_TRITON if device.type == "cuda" and has_triton() else _PORTABLE)


def chosen() -> Portable | None:
    """The way that `using` has set, which takes the place of the fused loops, too."""
    return _CHOSEN.get()


@contextmanager
def using(one: Portable) -> Iterator[None]:
    """In a block of code, draw in this way on every device, and without the fused loops: for measurements and tests."""
    token = _CHOSEN.set(one)
    try:
        yield
    finally:
        _CHOSEN.reset(token)


@cache
def has_triton() -> bool:
    """Whether Triton is installed."""
    return find_spec("triton") is not None


_PORTABLE, _TRITON = Portable(), Triton()


@cache
def _compiled(function: Any) -> Any:
    return torch.compile(function, dynamic=True)


def _address(draw: RandomAddress, device: torch.device) -> list[Tensor]:
    # Tensors on the device: a new int would have torch compile again, and a copy from the host would stop a recording.
    found = parts(draw.key, draw.step, draw.site)
    return [
        word if isinstance(word, Tensor) else torch.full((), word, dtype=torch.int64, device=device) for word in found
    ]


def _uniforms(rows: Tensor, units: int, dtype: torch.dtype, *address: Tensor) -> Tensor:
    return portable.uniform(portable.words_at(rows, units, *address), dtype)


def _two_states(field: Field, states: TwoStates, rows: Tensor, *address: Tensor) -> Tensor:
    u = _uniforms(rows, field.x.shape[-1], field.x.dtype, *address)
    return portable.two_states(field.values(), u.view(field.x.shape), *states)
