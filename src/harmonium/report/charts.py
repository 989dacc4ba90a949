"""Small charts as SVG, in the colours of the page: lines with bands, histograms, points."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from harmonium.report.markup import escape

__all__ = ["Line", "histogram", "lines", "points"]

Values = Any
"""A sequence of floats, or an array."""

_WIDTH, _HEIGHT = 460.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 68.0, 20.0, 10.0, 42.0
_COLOURS = ("one", "two", "three")
_MOST_POINTS = 300
_LONGEST = 10  # characters of a number beside an axis


class Line(NamedTuple):
    """A curve y(x), with a band from ``low`` to ``high`` where they are given."""

    x: Values
    y: Values
    low: Values | None = None
    high: Values | None = None


class _Axes(NamedTuple):
    """What is drawn of the plane: x from ``left`` to ``right``, y from ``bottom`` to ``top``."""

    left: float
    right: float
    bottom: float
    top: float

    @classmethod
    def around(cls, x: Values, y: Values, *, zero: bool = False) -> _Axes:
        """The least that holds all finite points, with some room above and below."""
        xs, ys = (np.asarray(values, dtype=np.float64) for values in (x, y))
        xs, ys = xs[np.isfinite(xs)], ys[np.isfinite(ys)]
        left, right = (float(xs.min()), float(xs.max())) if len(xs) else (0.0, 1.0)
        bottom, top = (float(ys.min()), float(ys.max())) if len(ys) else (0.0, 1.0)
        room = 0.06 * (top - bottom) or 0.5 * abs(top) or 1.0
        around = 0.0 if right > left else 0.5
        return cls(left - around, right + around, 0.0 if zero else bottom - room, top + room)

    def x(self, value: float) -> float:
        return _LEFT + (value - self.left) / (self.right - self.left) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - (value - self.bottom) / (self.top - self.bottom) * (_HEIGHT - _TOP - _BOTTOM)

    def path(self, x: Values, y: Values) -> str:
        return "M" + "L".join(f"{self.x(a):.1f} {self.y(b):.1f}" for a, b in zip(x, y, strict=True))

    def frame(self, x_label: str, y_label: str, y_ticks: bool = True) -> str:
        parts = []
        for value, text in _ticks(self.bottom, self.top) if y_ticks else []:
            y = self.y(value)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
        base = _HEIGHT - _BOTTOM
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>')
        for value, text in _ticks(self.left, self.right):
            parts.append(f'<text x="{self.x(value):.1f}" y="{base + 17}" text-anchor="middle">{text}</text>')
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        parts.append(f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>')
        height = (_TOP + base) / 2
        parts.append(
            f'<text transform="translate(11 {height}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>'
        )
        return "".join(parts)


def lines(curves: Sequence[Line], x_label: str, y_label: str, title: str, mark: float | None = None) -> str:
    """Curves over one axis, the first ones in colours of their own; ``mark`` is a place on the x axis.

    >>> "<svg" in lines([Line([1, 2], [0.5, 0.7])], "epoch", "nats", "LikelihoodMonitor")
    True
    """
    bands = [
        np.where(np.less_equal(curve.low, curve.high), values, np.nan)
        for curve in curves
        if curve.low is not None and curve.high is not None
        for values in (curve.low, curve.high)
    ]
    axes = _Axes.around(
        np.concatenate([curve.x for curve in curves]), np.concatenate([*(curve.y for curve in curves), *bands])
    )
    parts = [axes.frame(x_label, y_label)]
    for k, curve in enumerate(curves):
        colour = _COLOURS[k % len(_COLOURS)]
        if curve.low is not None and curve.high is not None:
            parts.append(f'<path class="area fill-{colour}" d="{_band(axes, curve.x, curve.low, curve.high)}"/>')
        keep = np.unique(np.linspace(0, len(curve.x) - 1, min(len(curve.x), _MOST_POINTS)).round().astype(int))
        x, y = np.asarray(curve.x)[keep], np.asarray(curve.y)[keep]
        parts.append(f'<path class="line {colour}" d="{axes.path(x, y)}"/>')
        if len(x) <= 30:
            dots = (f'<circle cx="{axes.x(a):.1f}" cy="{axes.y(b):.1f}" r="2.6"/>' for a, b in zip(x, y, strict=True))
            parts.append(f'<g class="fill-{colour}">{"".join(dots)}</g>')
    if mark is not None:
        x = axes.x(mark)
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
    return _svg(parts, title)


def histogram(groups: Mapping[str, Values], x_label: str, title: str, bins: int = 40) -> str:
    """Densities of up to three groups of values over one axis, with their names.

    >>> histogram({"data": [0.0, 1.0], "samples": [1.0, 2.0]}, "free energy (nats)", "Energies").count("<path")
    4
    """
    everything = np.concatenate([np.asarray(values, dtype=np.float64) for values in groups.values()])
    low, high = np.quantile(everything, [0.001, 0.999])  # a lonely outlier should not flatten the rest
    edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
    heights = [np.histogram(np.clip(values, edges[0], edges[-1]), edges, density=True)[0] for values in groups.values()]
    axes = _Axes.around(edges, np.concatenate(heights), zero=True)
    parts = [axes.frame(x_label, "density", y_ticks=False)]
    for colour, height in zip(_COLOURS, heights, strict=False):
        x, y = np.repeat(edges, 2), np.concatenate(([0.0], np.repeat(height, 2), [0.0]))
        parts.append(f'<path class="area fill-{colour}" d="{axes.path(x, y)}Z"/>')
        parts.append(f'<path class="line {colour}" d="{axes.path(x, y)}"/>')
    keys = (f'<li><i class="fill-{c}"></i>{escape(name)}</li>' for c, name in zip(_COLOURS, groups, strict=False))
    return f'{_svg(parts, title)}<ul class="legend">{"".join(keys)}</ul>'


def points(x: Values, y: Values, x_label: str, y_label: str, title: str) -> str:
    """Points, with the diagonal on which x = y.

    >>> points([0.1, 0.5], [0.2, 0.4], "data", "model", "Means").count("<circle")
    2
    """
    both = np.concatenate((x, y))
    axes = _Axes.around(both, both)
    parts = [axes.frame(x_label, y_label)]
    parts.append(f'<path class="mark" d="{axes.path((axes.left, axes.right), (axes.left, axes.right))}"/>')
    dots = (f'<circle cx="{axes.x(a):.1f}" cy="{axes.y(b):.1f}" r="3"/>' for a, b in zip(x, y, strict=True))
    parts.append(f'<g class="fill-one" fill-opacity="0.6">{"".join(dots)}</g>')
    return _svg(parts, title)


def _band(axes: _Axes, x: Values, low: Values, high: Values) -> str:
    """The area between two bounds, left open where they cross: there they bound nothing."""
    pieces = []
    for k in range(len(x) - 1):
        if low[k] <= high[k] and low[k + 1] <= high[k + 1]:
            corners = (low[k], low[k + 1], high[k + 1], high[k])
            pieces.append(axes.path((x[k], x[k + 1], x[k + 1], x[k]), corners) + "Z")
    return "".join(pieces)


def _svg(parts: Sequence[str], title: str) -> str:
    size = f"0 0 {_WIDTH:g} {_HEIGHT:g}"
    return f'<svg viewBox="{size}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'


def _ticks(low: float, high: float, about: int = 5) -> list[tuple[float, str]]:
    """Round numbers between two others, with how to write them."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) + (abs(step / power - 2.5) < 1e-9)
    first = math.ceil(low / step - 1e-9)
    values = [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]
    texts = [f"{value + 0.0:,.{digits}f}" for value in values]
    if max(map(len, texts), default=0) > _LONGEST:  # 3e+09: as many digits as tell neighbours apart
        largest = max(map(abs, values))
        more = max(0, math.floor(math.log10(largest) + 1e-9) - math.floor(math.log10(step) + 1e-9))
        more += abs(step / power - 2.5) < 1e-9
        texts = [f"{value:.{more}e}" if value else "0" for value in values]
    return [(value, text.replace("-", "\N{MINUS SIGN}")) for value, text in zip(values, texts, strict=True)]
