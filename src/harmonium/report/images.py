"""Pictures of arrays as PNG: one byte per pixel and a palette, so that a page of them stays small."""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any

import numpy as np

__all__ = ["Palette", "diverging", "grey", "heat_map", "mosaic"]

Array = np.ndarray[Any, Any]
Palette = Array
"""Colours (254, 3), uint8, from low to high."""

_LEVELS = 254
_GAP = 254  # this index is drawn transparent


def grey() -> Palette:
    """From paper to ink."""
    return _between([(0xFD, 0xFC, 0xF8), (0x1D, 0x27, 0x33)])


def diverging() -> Palette:
    """Blue below zero, paper at zero, red above (ColorBrewer's RdBu)."""
    return _between(
        [(0x21, 0x66, 0xAC), (0x92, 0xC5, 0xDE), (0xFB, 0xFA, 0xF6), (0xF4, 0xA5, 0x82), (0xB2, 0x18, 0x2B)]
    )


def _between(stops: list[tuple[int, int, int]]) -> Palette:
    place = np.linspace(0, len(stops) - 1, _LEVELS)
    columns = [np.interp(place, range(len(stops)), channel) for channel in zip(*stops, strict=True)]
    return np.stack(columns, 1).round().astype(np.uint8)


def mosaic(images: Array, low: float, high: float, palette: Palette, aspect: float = 1.0) -> bytes:
    """Images (n, height, width) side by side, a pixel apart, on a grid about ``aspect`` times as wide as high."""
    count, height, width = images.shape
    across = max(1, math.ceil(math.sqrt(count * aspect * height / width)))
    down = -(-count // across)
    grid = np.full((down * (height + 1) - 1, across * (width + 1) - 1), _GAP, np.uint8)
    codes = _codes(images, low, high)
    for k in range(count):
        top, left = (k // across) * (height + 1), (k % across) * (width + 1)
        grid[top : top + height, left : left + width] = codes[k]
    return _png(grid, palette)


def heat_map(table: Array, low: float, high: float, palette: Palette) -> bytes:
    """A matrix as one picture, a pixel per entry."""
    return _png(_codes(table, low, high), palette)


def _codes(values: Array, low: float, high: float) -> Array:
    share = (np.asarray(values, dtype=np.float64) - low) / ((high - low) or 1.0)
    codes: Array = (np.nan_to_num(share).clip(0, 1) * (_LEVELS - 1)).round().astype(np.uint8)
    return codes


def _png(codes: Array, palette: Palette) -> bytes:
    """A PNG file of palette indices (height, width) (W3C PNG specification, colour type 3)."""
    height, width = codes.shape
    rows = np.concatenate((np.zeros((height, 1), np.uint8), codes), 1)  # each begins with its filter: none

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    colours = np.concatenate((palette, np.zeros((1, 3), np.uint8)))
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            chunk(b"PLTE", colours.tobytes()),
            chunk(b"tRNS", bytes([255] * _LEVELS + [0])),
            chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
            chunk(b"IEND", b""),
        )
    )
