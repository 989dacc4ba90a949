"""Products of binary states with a matrix by tables of sums: no multiplications, and a quarter of the additions.

Of four rows of W there are only 16 sums.  They are written down once, and every state then adds the sum that its four
units name, in place of four products: the method of the four Russians (Arlazarov, Dinic, Kronrod & Faradzev 1970).  The
states are packed into bits, 16 units a word.  The tables of a block of columns stay in the first cache, and the sums of
a state in registers while those of 16 units are added to them.

The time does not depend on how many units are on.  A row of the result depends on its own states alone, to the bit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numba.extending import overload, register_jitable
from torch import Tensor

from harmonium.kernels.compiled import OPTIONS, compiled
from harmonium.kernels.lanes import BYTES, UNITS, add_sums, count_bits, is_on, store_sums, transpose
from harmonium.kernels.workers import WORTH, divided

__all__ = [
    "FEWEST_ROWS",
    "SMALLEST",
    "Packed",
    "list_on",
    "multiply",
    "multiply_rows",
    "pack",
    "pack_rows",
    "threads_for",
]

FEWEST_ROWS = 32
"""States that are worth a table."""

SMALLEST = 64
"""Units, and columns of the weights, that are worth one."""

_ROWS = 256  # states that share tables, at most
_LINE = 64  # bytes of a line of the cache
_SPEED = 150  # products of a unit and a weight that tables replace in a nanosecond, about


class Packed(NamedTuple):
    """Binary states (rows, units) in words of 16 bits: (parts, units / 16, rows of a part), both rounded up.

    ``on`` is the number of units that are on, or -1 where a state is neither 0 nor 1.
    """

    words: Any
    on: int
    rows: int
    units: int


def pack(s: Tensor) -> Packed:
    """Pack states (rows, units) of a CPU tensor."""
    rows, units = s.shape
    parts = max(1, -(-rows // _ROWS))
    words = np.empty((parts, -(-units // UNITS), -(-rows // parts)), np.uint16)
    return Packed(words, _pack(s.detach().contiguous().numpy(), words), rows, units)


def list_on(states: Packed) -> tuple[Any, Any]:
    """List the units that are on: those of row r are ``index[starts[r] : starts[r + 1]]``, int32."""
    index, starts = np.empty(states.on + UNITS, np.int32), np.zeros(states.rows + 1, np.int32)
    _list(states.words, index, starts)
    return index[: states.on], starts


def multiply(states: Packed, weights: Tensor) -> Tensor:
    """The states (rows, n) @ weights (n, width), where either the rows or the columns of the weights are contiguous."""
    out = weights.new_empty(states.rows, weights.shape[1])
    words, factors, sums = states.words, weights.detach().numpy(), out.numpy()
    most = words.shape[2]

    def parts(low: int, high: int) -> None:
        _multiply(words[low:high], factors, sums[low * most : high * most])

    divided(parts, len(words), _nanoseconds(states.rows, *weights.shape))
    return out


def threads_for(rows: int, units: int, width: int) -> int:
    """The number of threads that `multiply` takes."""
    worth = _nanoseconds(rows, units, width) >= WORTH
    return min(torch.get_num_threads(), -(-rows // _ROWS)) if worth else 1


def _nanoseconds(rows: int, units: int, width: int) -> float:
    return rows * units * width / _SPEED


@compiled
def _pack(s, words):
    return pack_rows(s, words)


@register_jitable(**OPTIONS)
def pack_rows(s, words):
    """Pack states s (rows, units) into the ``words`` of a `Packed`, and return its ``on``."""
    rows, units = s.shape
    count, strange = np.int64(0), np.uint32(0)
    for r in range(rows):
        part, k = r // words.shape[2], r % words.shape[2]
        for p in range(units // UNITS):
            found = is_on(s, r, p * UNITS)
            strange |= found >> np.uint32(UNITS)
            words[part, p, k] = np.uint16(found)
            count += count_bits(np.uint16(found))
        if units % UNITS:
            word = np.uint32(0)
            for j in range(units // UNITS * UNITS, units):
                on = np.uint32(s[r, j] != 0)
                strange |= on & np.uint32(s[r, j] != 1)
                word |= on << np.uint32(j % UNITS)
                count += np.int64(on)
            words[part, -1, k] = np.uint16(word)
    return np.int64(-1) if strange else count


@compiled
def _list(words, index, starts):
    n = 0
    for r in range(starts.shape[0] - 1):
        part, k = r // words.shape[2], r % words.shape[2]
        for p in range(words.shape[1]):
            word = np.uint32(words[part, p, k])
            while word:
                index[n] = p * UNITS + count_bits((word & (~word + np.uint32(1))) - np.uint32(1))  # the lowest bit
                n += 1
                word &= word - np.uint32(1)
        starts[r + 1] = n


@register_jitable(**OPTIONS)
def _aligned(count, like):
    """An array of ``count`` numbers that begins a line of the cache."""
    whole = np.empty(count + _LINE // like.itemsize, like.dtype)
    first = (-whole.ctypes.data // like.itemsize) % (_LINE // like.itemsize)
    return whole[first : first + count]


def _tables(table, weights, i, j, rows):
    """Write the four tables of the rows i ... i + 15 and a block of columns; ``rows`` is scratch for these rows."""
    raise NotImplementedError


@overload(_tables, jit_options=OPTIONS)  # type: ignore[arg-type]
def _tables_of(table, weights, i, j, rows):
    if weights.layout not in "CF":
        raise TypeError(f"weights must be contiguous by rows or by columns, found {weights}")
    across = weights.layout == "F"

    def tables(table, weights, i, j, rows):
        width = BYTES // weights.itemsize
        if i + UNITS <= weights.shape[0] and j + width <= weights.shape[1]:
            if not across:
                for q in range(4):
                    store_sums(table, q, weights, i + 4 * q, j)
                return
            transpose(rows, weights, i, j)
        else:  # at the edges; what is beyond them is never read from the tables
            for k in range(min(UNITS, weights.shape[0] - i)):
                for c in range(min(width, weights.shape[1] - j)):
                    rows[k, c] = weights[i + k, j + c]
        for q in range(4):
            store_sums(table, q, rows, 4 * q, 0)

    return tables


@compiled
def _multiply(words, weights, out):
    multiply_rows(words, weights, out)


@register_jitable(**OPTIONS)
def multiply_rows(words, weights, out):
    """out = the states in ``words`` @ weights (n, width), whose rows or columns are contiguous."""
    parts, passes, most = words.shape
    width = BYTES // weights.itemsize
    table, total = _aligned(4 * 16 * width, weights), _aligned(most * width, weights)
    rows = _aligned(UNITS * width, weights).reshape(UNITS, width)
    rows[:] = 0
    for part in range(parts):
        first = part * most
        here = min(most, out.shape[0] - first)
        for j in range(0, out.shape[1], width):
            total[:] = 0
            for p in range(passes):
                _tables(table, weights, p * UNITS, j, rows)
                for r in range(here):
                    add_sums(total, r, table, words[part, p, r])
            for r in range(here):
                for c in range(min(width, out.shape[1] - j)):
                    out[first + r, j + c] = total[r * width + c]
