"""How results show themselves in notebooks: small tables and curves, with every string escaped."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

__all__ = ["curve", "rows", "table"]

_WIDTH, _HEIGHT, _MARGIN = 260, 90, 4
_MOST_POINTS = 200  # as many as can be seen


def table(head: Sequence[str], body: Iterable[Sequence[object]], caption: str = "", notes: Sequence[str] = ()) -> str:
    """Write a table with a caption above it and notes below it.

    >>> table(["a"], [["<b>"]])
    '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    titles = "".join(f"<th>{_text(title)}</th>" for title in head)
    top = f"<thead><tr>{titles}</tr></thead>" if any(head) else ""
    lines = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in body)
    above = f"<caption>{_text(caption)}</caption>" if caption else ""
    below = "".join(f"<p>{_text(line)}</p>" for line in notes)
    return f"<table>{above}{top}<tbody>{lines}</tbody></table>{below}"


def rows(caption: str, pairs: Iterable[tuple[str, object]]) -> str:
    """Write a table of names and values; pairs whose value is None are left out."""
    return table((), ((name, value) for name, value in pairs if value is not None), caption)


def curve(title: str, x: Sequence[float], y: Sequence[float]) -> str:
    """Draw values over epochs as an SVG picture with its first and last value; empty with less than two.

    >>> curve("score", [1, 2], [0.0, 1.0]).startswith("<figure")
    True
    """
    points = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(b)]
    points = points[:: -(-len(points) // _MOST_POINTS)] + points[-1:] if len(points) > _MOST_POINTS else points
    if len(points) < 2:
        return ""
    across, up = ([point[axis] for point in points] for axis in (0, 1))
    left, low = min(across), min(up)
    wide, high = max(max(across) - left, 1e-300), max(max(up) - low, 1e-300)
    drawn = " ".join(
        f"{_MARGIN + (a - left) / wide * (_WIDTH - 2 * _MARGIN):.1f},"
        f"{_HEIGHT - _MARGIN - (b - low) / high * (_HEIGHT - 2 * _MARGIN):.1f}"
        for a, b in points
    )
    ends = f"{points[0][1]:.4g} \N{RIGHTWARDS ARROW} {points[-1][1]:.4g}, from {low:.4g} to {max(up):.4g}"
    return (
        '<figure style="display:inline-block;margin:0.5em">'
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{_text(title)}">'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#ccc"/>'
        f'<polyline points="{drawn}" fill="none" stroke="#3f51b5" stroke-width="1.5"/></svg>'
        f"<figcaption>{_text(title)}: {_text(ends)}</figcaption></figure>"
    )


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)
