"""Figures and how they are written: files for users, SVG for pages."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmonium.core.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ACCENT", "COLOURS", "MARK", "RULE", "blank", "blank_grid", "svg", "write"]

ACCENT, MARK, RULE = "#1f4e8c", "#a3361f", "#d9d5ca"
COLOURS = (ACCENT, "#b4531a", "#4d7c2f")

# A page has its own colours by day, by night and on paper.
_VARIABLES = {ACCENT: "accent", MARK: "bad", RULE: "rule", COLOURS[1]: "second", COLOURS[2]: "third"}

_DPI = 130
_PAGE: Any = {"svg.fonttype": "none", "font.size": 11.5, "axes.labelsize": 11.5}


def write(figure: Figure, path: str | Path) -> Path:
    """Write a figure, whole or not at all; the suffix names the format (.png, .pdf, .svg)."""
    path = Path(path)
    buffer = io.BytesIO()
    # Without the date and version that matplotlib would add: the same picture is the same file.
    undated = {".png": {"Software": None}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    figure.savefig(
        buffer, format=path.suffix.lstrip(".").lower(), dpi=_DPI, facecolor="white",
        metadata=undated.get(path.suffix.lower(), {}),
    )  # fmt: skip
    write_atomically(path, buffer.getvalue())
    return path


def svg(title: str, draw: Callable[[Axes], None]) -> str:
    """Draw one panel as an SVG element of a page, in the page's fonts and colours.

    Args:
        title: of the picture, read aloud by screen readers.
        draw: what draws on the axes; a title that it sets is left out.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(_PAGE | {"svg.hashsalt": title}):
        figure, (axes,) = blank(5.6, 3.1)
        draw(axes)
        axes.set_title("")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    # Without what the page has of its own (styles, fonts, ids), and with as many digits as can be seen.
    body = re.sub(r"<(metadata|style).*?</\1>\s*|<!--.*?-->\s*|font-family: [^;\"]*;? ?", "", text, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r' (d|x|y|transform)="[^"]*"', lambda attribute: _rounded(attribute.group()), body)
    for colour, name in _VARIABLES.items():
        body = body.replace(colour, f"var(--{name})")
    box = re.search(r'viewBox="([^"]*)"', text)
    assert box is not None
    inside = body[body.index(">", body.index("<svg")) + 1 :]
    return f'<svg viewBox="{box.group(1)}" role="img" aria-label="{html.escape(title)}">{inside}'


def _rounded(text: str) -> str:
    return re.sub(r"-?\d+\.\d{2,}", lambda number: f"{float(number.group()):.1f}".removesuffix(".0"), text)


def blank(
    width: float, height: float, *, rows: int = 1, columns: int = 1, sharex: bool = False
) -> tuple[Figure, list[Axes]]:
    """Make a figure of its own, without pyplot; return it with its axes, row by row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=sharex)
    return figure, list(axes.ravel())


def blank_grid(width: float, height: float, rows: int, columns: int) -> tuple[Figure, Axes, list[Axes]]:
    """Make a figure with a wide panel above, whose right third is margin, and a grid of small panels below."""
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
