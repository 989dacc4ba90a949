"""Triton kernels for CUDA devices, with the random words of the fused loops.

A program draws a part of one row; each lane computes the four words of a Philox block in 32-bit registers.  Only
`harmonium.kernels.devices` imports this file, where Triton is present (the extra ``gpu``).
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from harmonium.core.random import RandomAddress

__all__ = ["PRECISIONS", "fill", "two_states_"]

PRECISIONS = (torch.float32, torch.float64)

_WIDEST = 256  # Philox blocks of a program, of four units each
_OPTIONS = {"enable_fp_fusion": False}  # rounded as in plain torch, so that hardly a draw differs
# Numbers that differ from call to call: kernels are not compiled again for special values of them.
_ADDRESS = ("n", "per", "key", "step", "site", "first")


def fill(out: Tensor, draw: RandomAddress) -> Tensor:
    """Fill out (rows, units), contiguous, with the uniforms of a draw, or with its words if it is int64."""
    rows, units = out.shape
    block, grid = _programs(rows, units)
    with torch.cuda.device_of(out):
        _fill[grid](out, units, *_address(draw, out), BLOCK=block, **_OPTIONS)
    return out


def two_states_(
    x: Tensor,
    slope: Tensor,
    t: Tensor | None,
    start: Tensor | None,
    low: float,
    high: float,
    log_odds: float,
    draw: RandomAddress,
) -> Tensor:
    """Draw units of two states, into the memory of x (..., batch, n) if autograd does not need it.

    Args:
        x: input from the couplings.
        slope: natural parameters (..., n), one row per model.
        t: where each row lies on the line of natural parameters, (..., batch), or None for 1.
        start: where the line starts, (..., n), or None for 0.
        low: a state.
        high: the other; its log-odds are ``log_odds`` times the field.
        log_odds: this factor.
        draw: address of the words.
    """
    x = x.detach().clone(memory_format=torch.contiguous_format) if x.requires_grad else x.contiguous()
    n = x.shape[-1]
    rows = x.numel() // n
    shape = slope.shape if start is None else torch.broadcast_shapes(slope.shape, start.shape)
    models = shape.numel() // n
    lines = _like(x, t, x.shape[:-1]), _like(x, slope, shape), _like(x, start, shape)
    block, grid = _programs(rows, n)
    with torch.cuda.device_of(x):
        numbers = (n, rows // models, low, high, log_odds, *_address(draw, x))
        _two_states[grid](x, *lines, *numbers, BLOCK=block, **_OPTIONS)
    return x


def _like(x: Tensor, values: Tensor | None, shape: torch.Size) -> Tensor | None:
    return None if values is None else values.detach().to(x.dtype).expand(shape).contiguous()


def _programs(rows: int, units: int) -> tuple[int, tuple[int, int]]:
    """Philox blocks of a program, and the grid of programs."""
    blocks = -(-units // 4)
    block = min(_WIDEST, triton.next_power_of_2(blocks))
    return block, (rows, -(-blocks // block))


def _address(draw: RandomAddress, like: Tensor) -> tuple[object, ...]:
    """Key, step, site and first row: numbers, or tensors on the device."""
    key = draw.key - (1 << 64) if draw.key >> 63 else draw.key  # as a signed number: always of one type
    first = draw.first if isinstance(draw.first, int) else torch.as_tensor(draw.first, device=like.device)
    return key, draw.step, draw.site, first


@triton.jit
def _row_words(block, row, key, step, site, first, BLOCK: tl.constexpr):
    """The words of the units 4 block ... 4 block + 3 of a row, (4 BLOCK,), uint32 (see `philox.parts`)."""
    # Rows and steps are numbers, or lie on the device.
    number = tl.load(first + row) if first.dtype.is_ptr() else first + row
    at = (tl.load(step) if step.dtype.is_ptr() else step).to(tl.int64)
    high = ((at >> 32) & 0xFFFF) << 16 | (site & 0xFF) << 8
    zero = tl.zeros((BLOCK,), tl.uint32)
    w0, w1, w2, w3 = tl.philox(
        key, block.to(tl.uint32), zero + number.to(tl.uint32), zero + at.to(tl.uint32), zero + high.to(tl.uint32)
    )
    return tl.interleave(tl.interleave(w0, w2), tl.interleave(w1, w3))


@triton.jit
def _uniform(word, precision: tl.constexpr):
    """(word + 0.5) / 2^32, rounded below 1."""
    u = (word.to(precision) + 0.5) * 2.3283064365386963e-10
    if precision == tl.float32:
        u = tl.minimum(u, 0.999999940395355224609375)
    return u


@triton.jit(do_not_specialize=_ADDRESS)
def _fill(out, n, key, step, site, first, BLOCK: tl.constexpr):
    row, part = tl.program_id(0), tl.program_id(1) * BLOCK
    word = _row_words(part + tl.arange(0, BLOCK), row, key, step, site, first, BLOCK)
    unit = 4 * part + tl.arange(0, 4 * BLOCK)
    kind: tl.constexpr = out.dtype.element_ty
    value = word.to(tl.int64) if kind == tl.int64 else _uniform(word, kind)
    tl.store(out + row.to(tl.int64) * n + unit, value, mask=unit < n)


@triton.jit(do_not_specialize=_ADDRESS)
def _two_states(
    x, t, slope, start, n, per, low, high, log_odds, key, step, site, first, BLOCK: tl.constexpr
):  # fmt: skip
    row, part = tl.program_id(0), tl.program_id(1) * BLOCK
    word = _row_words(part + tl.arange(0, BLOCK), row, key, step, site, first, BLOCK)
    unit = 4 * part + tl.arange(0, 4 * BLOCK)
    inside = unit < n
    here = x + row.to(tl.int64) * n + unit
    model = (row // per).to(tl.int64) * n + unit
    field = tl.load(here, mask=inside, other=0.0) + tl.load(slope + model, mask=inside, other=0.0)
    if t is not None:
        field = tl.load(t + row) * field
    if start is not None:
        field += tl.load(start + model, mask=inside, other=0.0)
    u = _uniform(word, x.dtype.element_ty)
    # The formula of `portable.two_states`.
    p = tl.exp(-log_odds * tl.abs(field))
    state = tl.where((u * (1.0 + p) < p) ^ (field > 0), high, low)
    tl.store(here, state.to(x.dtype.element_ty), mask=inside)
