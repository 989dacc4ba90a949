"""What all pictures are drawn with."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harmonium.core.files import write_atomically
from harmonium.data import Cases

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

__all__ = ["Table", "across", "blank", "blank_grid", "colours_of", "heat_map", "height_of", "mosaic", "some", "write"]

_DPI = 130

Table = np.ndarray[Any, Any]


def write(figure: Figure, path: str | Path) -> Path:
    """Write a figure, whole or not at all; the ending says the format (.png, .pdf, .svg)."""
    path = Path(path)
    buffer = io.BytesIO()
    # Without the date and version that matplotlib would add: the same picture is the same file.
    figure.savefig(buffer, format=path.suffix.lstrip(".").lower(), dpi=_DPI, facecolor="white", metadata=_undated(path))
    write_atomically(path, buffer.getvalue())
    return path


def _undated(path: Path) -> dict[str, None]:
    dated = {".png": {"Software": None}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    return dated.get(path.suffix.lower(), {})


def blank(
    width: float, height: float, *, rows: int = 1, columns: int = 1, sharex: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of its own, and its axes row by row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=sharex)
    return figure, list(axes.ravel())


def blank_grid(width: float, height: float, rows: int, columns: int) -> tuple[Figure, Axes, list[Axes]]:
    """A figure with a wide panel above, of which the right third is margin, and a grid of small ones below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    inch = 1 / height
    above = figure.add_axes((0.065, 1 - 4.6 * inch, 0.6, 4.15 * inch))
    below = figure.add_gridspec(
        rows, columns, left=0.02, right=0.98, bottom=0.1 * inch, top=1 - 5.75 * inch, wspace=0.08, hspace=0.16
    )
    return figure, above, [figure.add_subplot(below[i, j]) for i in range(rows) for j in range(columns)]


def height_of(rows: int) -> float:
    """Of a heat map with so many rows, in inches."""
    return min(8.0, max(3.2, 1.6 + 0.1 * rows))


def mosaic(axes: Axes, images: Table, colours: Mapping[str, Any]) -> AxesImage:
    """Images (n, height, width) side by side on a grid as square as may be, one line apart."""
    count, height, width = images.shape
    wide = across(count, height / width)
    down = math.ceil(count / wide)
    zoom = max(1, math.ceil(28 / min(height, width)))  # so that gaps are fine beside small images, too
    height, width = height * zoom, width * zoom
    gap = max(1, round(min(height, width) / 14))
    grid = np.full((down * (height + gap) + gap, wide * (width + gap) + gap), np.nan)
    for i, image in enumerate(images):
        top, left = (gap + (i // wide) * (height + gap), gap + (i % wide) * (width + gap))
        grid[top : top + height, left : left + width] = image.repeat(zoom, axis=0).repeat(zoom, axis=1)
    drawn = axes.imshow(np.ma.masked_invalid(grid), interpolation="nearest", **colours)
    axes.set_facecolor("0.72")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return drawn


def across(count: int, aspect: float) -> int:
    """Columns of a grid of ``count`` images that looks square and leaves few places empty."""
    square = min(math.sqrt(count * aspect), count)
    near = range(max(1, math.floor(0.75 * square)), min(count, math.ceil(1.34 * square)) + 1)
    return min(near, key=lambda across: (-count % across / count + 0.5 * abs(math.log(across / square)), across))


def heat_map(axes: Axes, table: Table, colours: Mapping[str, Any]) -> AxesImage:
    """A table as it is, one case a row."""
    from matplotlib.ticker import MaxNLocator

    rows, columns = table.shape
    image = axes.imshow(
        table, aspect="auto", interpolation="nearest", extent=(-0.5, columns - 0.5, rows + 0.5, 0.5), **colours
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return image


def colours_of(tables: Sequence[Table]) -> dict[str, Any]:
    """Grey from 0 to 1 for data in that range; otherwise a range that both tables share, without its tails."""
    low, high = (f(np.concatenate([table.ravel() for table in tables])) for f in (np.min, np.max))
    if low >= 0.0 and high <= 1.0:
        return {"cmap": "Greys", "vmin": 0.0, "vmax": 1.0}
    low, high = np.percentile(tables[0], (1, 99))
    return {"cmap": "viridis", "vmin": float(low), "vmax": float(high) if high > low else float(low) + 1.0}


def some(cases: Cases, count: int) -> Table:
    """At most so many cases, evenly spaced."""
    index = np.linspace(0, len(cases) - 1, min(count, len(cases))).round().astype(np.int64)
    table: Table = cases.rows(index, dtype=torch.float64).numpy()
    return table
