"""Arrays as pictures: images side by side, tables as heat maps, on axes or as a PNG of their own."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harmonium.core.rows import some_rows
from harmonium.data import Cases

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

__all__ = ["Table", "across", "colours_of", "heat_map", "height_of", "mosaic", "png", "signed", "some", "tile"]

Table = np.ndarray[Any, Any]

_LEVELS = 254  # of a PNG with a palette; one more colour is transparent


def tile(images: Table, wide: int, gap: int = 1) -> Table:
    """Put images (n, height, width) side by side, ``wide`` of them in a row, with NaN between them."""
    count, height, width = images.shape
    down = math.ceil(count / wide)
    grid = np.full((down * (height + gap) - gap, wide * (width + gap) - gap), np.nan)
    for i, image in enumerate(images):
        top, left = (i // wide) * (height + gap), (i % wide) * (width + gap)
        grid[top : top + height, left : left + width] = image
    return grid


def across(count: int, aspect: float) -> int:
    """Number of images in a row of a grid that looks square and leaves few places empty.

    Args:
        count: number of images.
        aspect: height of one by its width; twice that for a grid twice as wide as high.
    """
    square = min(math.sqrt(count * aspect), count)
    near = range(max(1, math.floor(0.75 * square)), min(count, math.ceil(1.34 * square)) + 1)
    return min(near, key=lambda across: (-count % across / count + 0.5 * abs(math.log(across / square)), across))


def mosaic(axes: Axes, images: Table, colours: Mapping[str, Any]) -> AxesImage:
    """Draw images (n, height, width) side by side on a grid as square as possible."""
    count, height, width = images.shape
    zoom = max(1, math.ceil(28 / min(height, width)))  # so that gaps are narrow beside small images, too
    large = images.repeat(zoom, axis=1).repeat(zoom, axis=2)
    grid = tile(large, across(count, height / width), max(1, round(zoom * min(height, width) / 14)))
    drawn = axes.imshow(np.ma.masked_invalid(grid), interpolation="nearest", **colours)
    axes.set_facecolor("0.72")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return drawn


def heat_map(axes: Axes, table: Table, colours: Mapping[str, Any]) -> AxesImage:
    """Draw a table as it is, one case a row."""
    from matplotlib.ticker import MaxNLocator

    rows, columns = table.shape
    image = axes.imshow(
        table, aspect="auto", interpolation="nearest", extent=(-0.5, columns - 0.5, rows + 0.5, 0.5), **colours
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return image


def height_of(rows: int) -> float:
    """Figure height in inches for a heat map of ``rows`` rows."""
    return min(8.0, max(3.2, 1.6 + 0.1 * rows))


def png(values: Table, colours: Mapping[str, Any]) -> bytes:
    """Draw a table as a PNG file, a pixel for each number; NaN is transparent."""
    import matplotlib
    from PIL import Image

    low, high = colours["vmin"], colours["vmax"]
    palette = (255 * matplotlib.colormaps[colours["cmap"]](np.linspace(0, 1, _LEVELS))[:, :3]).round()
    share = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
    codes = np.where(np.isnan(share), _LEVELS, (_LEVELS - 1) * np.nan_to_num(share)).round().astype(np.uint8)
    image = Image.frombytes("P", codes.shape[::-1], codes.tobytes())
    image.putpalette(palette.astype(np.uint8).tobytes() + bytes(3))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=_LEVELS, optimize=True)
    return buffer.getvalue()


def colours_of(tables: Sequence[Table]) -> dict[str, Any]:
    """Choose colours: grey from 0 to 1 for data in that range; otherwise a range that all tables share, without tails.

    >>> colours_of([np.array([[0.0, 1.0]])])["cmap"]
    'Greys'
    """
    low, high = (f(np.concatenate([table.ravel() for table in tables])) for f in (np.min, np.max))
    if low >= 0.0 and high <= 1.0:
        return {"cmap": "Greys", "vmin": 0.0, "vmax": 1.0}
    low, high = np.percentile(tables[0], (1, 99))
    return {"cmap": "viridis", "vmin": float(low), "vmax": float(high) if high > low else float(low) + 1.0}


def signed(limit: float) -> dict[str, Any]:
    """Colours for weights: blue below zero, red above, symmetric."""
    return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}


def some(cases: Cases, count: int) -> Table:
    """Take at most ``count`` cases, evenly spaced."""
    index = some_rows(len(cases), count).numpy()
    table: Table = cases.rows(index, dtype=torch.float64).numpy()
    return table
