"""Philox-4x32-10 for the fused loops: four 32-bit words from a 64-bit key and a 128-bit counter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from harmonium.kernels.compiled import OPTIONS, compiled
from harmonium.kernels.scalar import uniform

__all__ = ["binarise", "fill_pairs", "fill_rows", "fill_words", "number_of_row", "parts", "philox", "split"]

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_32 = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


def parts(key: int, step: Any, site: int) -> tuple[int, int, Any, Any]:
    """(key low, key high, counter word 2, counter word 3) of a draw; counter words 0 and 1 are unit // 4 and row.

    Word 3 holds 16 high bits of the step, 8 bits of site and 8 bits left for rejection samplers' attempts.  Words 2 and
    3 are ints, or tensors if the step is one.
    """
    high = ((step >> 32) & 0xFFFF) << 16 | (site & 0xFF) << 8
    return key & 0xFFFFFFFF, key >> 32, step & 0xFFFFFFFF, high


def split(key: int, step: Any, site: int) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """`parts` as the fused loops take them."""
    k0, k1, c2, c3 = parts(key, step, site)
    return np.uint64(k0), np.uint64(k1), np.uint64(int(c2)), np.uint64(int(c3))


@register_jitable
def philox(c0, c1, c2, c3, k0, k1):
    # 64-bit lanes throughout, their upper halves left dirty and masked where a product reads them: compilers turn
    # this into packed 32x32 -> 64 multiplications without shuffling between widths.
    for _ in range(10):
        p0 = _M0 * (c0 & _LOW)
        p1 = _M1 * (c2 & _LOW)
        c0 = (p1 >> _32) ^ c1 ^ k0
        c2 = (p0 >> _32) ^ c3 ^ k1
        c1 = p1
        c3 = p0
        k0 = (k0 + _W0) & _LOW
        k1 = (k1 + _W1) & _LOW
    return np.uint32(c0), np.uint32(c1), np.uint32(c2), np.uint32(c3)


def number_of_row(first, r):
    """The global index of row r: counted from ``first``, or looked up there where it is an array."""
    return first[r] if isinstance(first, np.ndarray) else first + r


@overload(number_of_row, jit_options=OPTIONS)  # type: ignore[arg-type]
def _number_of_row(first, r):
    if isinstance(first, types.Array):
        return lambda first, r: first[r]
    return lambda first, r: first + r


@register_jitable
def fill_words(words, row, c2, c3, k0, k1):
    """Fill ``words`` (length a multiple of 4): unit j of this row gets word j % 4 of counter block j // 4."""
    for block in range(words.shape[0] // 4):
        w0, w1, w2, w3 = philox(np.uint64(block), np.uint64(row), c2, c3, k0, k1)
        words[4 * block] = w0
        words[4 * block + 1] = w1
        words[4 * block + 2] = w2
        words[4 * block + 3] = w3


@compiled
def fill_rows(words, first, k0, k1, c2, c3):
    """Fill the words of several rows, numbered from ``first``, or by the array ``first``."""
    for r in range(words.shape[0]):
        fill_words(words[r], number_of_row(first, r), c2, c3, k0, k1)


@compiled
def fill_pairs(words, rows, units, first, k0, k1, c2, c3):
    """Fill the words of single (row, unit), rows numbered from ``first``."""
    for e in range(words.shape[0]):
        four = philox(np.uint64(units[e] // 4), np.uint64(number_of_row(first, rows[e])), c2, c3, k0, k1)
        place = units[e] % 4
        words[e] = four[0] if place == 0 else four[1] if place == 1 else four[2] if place == 2 else four[3]


@compiled
def binarise(p, rows, k0, k1, c2, c3):
    """Overwrite probabilities p (rows, units) with draws; row r uses the words of global row ``rows[r]``."""
    words = np.empty(4 * ((p.shape[1] + 3) // 4), np.uint32)
    for r in range(p.shape[0]):
        fill_words(words, rows[r], c2, c3, k0, k1)
        _binarise_row(p[r], words)


@register_jitable(**OPTIONS)
def _binarise_row(p, words):
    for j in range(p.shape[0]):
        p[j] = uniform(p[j], words[j]) < p[j]
