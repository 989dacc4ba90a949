"""The picture of a comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harmonium.data import as_cases
from harmonium.models.arrays import Array
from harmonium.plots.canvas import blank_grid
from harmonium.plots.images import colours_of, heat_map, mosaic, some
from harmonium.recipes.compare import samples_of
from harmonium.recipes.comparison import Comparison, Entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["comparison"]

# Okabe & Ito's colours, which the colour-blind can tell apart; families also differ by name.
_COLOURS = {"baseline": "#666666", "machine": "#0072B2", "autoregressive": "#D55E00", "latent": "#007F5F"}
_FAMILIES = {
    "baseline": "baselines",
    "machine": "Boltzmann machines",
    "autoregressive": "autoregressive networks",
    "latent": "latent-variable networks",
}
_MARKERS = {"exact": "o", "bracketed": "D", "bound": "^"}
_KINDS = {"exact": "exact", "bracketed": "estimate, with its bracket", "bound": "lower bound"}
_ACROSS = 6  # panels of samples
_FAR = 3.0  # times the distance of the median from the best: what lies below is drawn at the edge
_KEY = 6  # entries of the key that fit into a line
_LINE = 0.052  # height of a label, as a share of the axes


def comparison(found: Comparison, data: Array | None = None) -> Figure:
    """Draw test likelihoods against training seconds, with their kinds and brackets; below, samples of each model.

    Models that are far worse than the rest are drawn at the lower edge; the numbers beside the names are exact.

    Args:
        found: what `harmonium.compare` returned.
        data: cases to show beside the samples.

    >>> import harmonium as hm, tempfile
    >>> data = hm.data.load("digits")
    >>> figure = comparison(hm.compare(data, ["tree"], seconds=1, out=tempfile.mkdtemp()), data.test)
    >>> figure.axes[0].get_xlabel()
    'training (seconds)'
    """
    drawn = {entry.title: samples_of(found)[entry.name] for entry in found.ranked}
    tables = {title: some(as_cases(samples), 36) for title, samples in drawn.items()}
    if data is not None:
        tables = {"test cases": some(as_cases(data), 36), **tables}
    down = math.ceil(len(tables) / _ACROSS)
    figure, axes, panels = blank_grid(12.0, 5.4 + 2.25 * down, down, _ACROSS)
    _likelihoods(axes, found)
    colours = colours_of(list(tables.values()))
    for panel, (title, table) in zip(panels, tables.items(), strict=False):
        if len(found.shape) == 2:
            mosaic(panel, table.reshape(-1, *found.shape), colours)
        else:
            heat_map(panel, table, colours)
            panel.set(xticks=[], yticks=[])
        family = next((entry.family for entry in found.entries if entry.title == title), None)
        panel.set_title(title.split(",")[0], fontsize=9, color=_COLOURS.get(str(family), "black"))
    for panel in panels[len(tables) :]:
        panel.set_visible(False)
    return figure


def _likelihoods(axes: Axes, found: Comparison) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    entries = found.ranked
    values = [entry.mean for entry in entries]
    best, median = values[0], float(np.median(values))
    span = max(best - max(values[-1], best - _FAR * max(best - median, 0.5)), 1.0)
    low, high = best - 1.08 * span, best + 0.1 * span
    axes.set_ylim(low, high)
    axes.set_xscale("log")
    seconds = [max(entry.seconds, 0.1) for entry in entries]
    axes.set_xlim(min(seconds) / 1.6, max(seconds) * 1.6)
    for entry, x in zip(entries, seconds, strict=True):
        _point(axes, entry, x, low)
    _labels(axes, entries, seconds, low, high)
    axes.set_title(
        f"Test log-likelihood of {found.data}: each model within {found.seconds:g} s", loc="left", fontsize=12
    )
    axes.set(xlabel="training (seconds)", ylabel="nats per case")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda x, _: ""))
    axes.grid(color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    _key(axes, entries)


def _point(axes: Axes, entry: Entry, x: float, low: float) -> None:
    colour = _COLOURS[entry.family]
    y = max(entry.mean, low)
    if entry.mean >= low:
        # The error over cases as a thin line, the bracket as a broad one.
        axes.vlines(x, y - entry.stderr, y + entry.stderr, color=colour, linewidth=1.1, zorder=3)
        if entry.kind != "exact" and entry.lower is not None:
            top = entry.mean if entry.upper is None else entry.upper
            axes.vlines(x, max(low, min(entry.lower, top)), max(entry.lower, top), color=colour, alpha=0.35,
                        linewidth=7, zorder=2)  # fmt: skip
    axes.plot(
        x, y, marker=_MARKERS[entry.kind] if entry.mean >= low else "v", color=colour, markersize=8.5, zorder=4,
        markerfacecolor=colour if entry.reliable else "white", markeredgewidth=1.4, linestyle="none", clip_on=False,
    )  # fmt: skip


def _labels(axes: Axes, entries: Sequence[Entry], seconds: Sequence[float], low: float, high: float) -> None:
    """Write names and numbers in the right margin, kept apart, each with a line to its point."""
    places = _apart([(max(entry.mean, low) - low) / (high - low) for entry in entries], _LINE)
    for entry, x, place in zip(entries, seconds, places, strict=True):
        colour = _COLOURS[entry.family]
        flag = "" if entry.reliable else "  (log Z not reliable)"
        number = entry.number.replace("-", "\N{MINUS SIGN}")  # as on the axis
        far = "  ↓" if entry.mean < low else ""
        axes.annotate(
            f"{entry.title}  {number}{flag}{far}",
            xy=(x, max(entry.mean, low)), xycoords="data", xytext=(1.03, place), textcoords="axes fraction",
            color=colour, fontsize=9.5, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "alpha": 0.35, "linewidth": 0.8, "shrinkA": 2},
        )  # fmt: skip


def _apart(places: Sequence[float], gap: float) -> list[float]:
    """Move places as little as keeps neighbours ``gap`` apart (least squares, by pooling), and above the ticks at 0."""
    blocks: list[tuple[float, int]] = []  # mean of place + rank * gap over a block, and its length
    for rank, place in enumerate(places):
        blocks.append((place + rank * gap, 1))
        while len(blocks) > 1 and blocks[-1][0] > blocks[-2][0]:
            (a, m), (b, n) = blocks[-2], blocks[-1]
            blocks[-2:] = [((a * m + b * n) / (m + n), m + n)]
    flat = [value for value, length in blocks for _ in range(length)]
    lowest = len(places) - 1
    return [max(value - rank * gap, gap / 2 + (lowest - rank) * gap) for rank, value in enumerate(flat)]


def _key(axes: Axes, entries: Sequence[Entry]) -> None:
    """Draw a key of the markers and colours that occur."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker=marker, color="0.25", linestyle="none", markersize=7.5, label=_KINDS[kind])
        for kind, marker in _MARKERS.items()
        if any(entry.kind == kind for entry in entries)
    ]
    if not all(entry.reliable for entry in entries):
        handles.append(
            Line2D(
                [], [], marker="o", color="0.25", markerfacecolor="white", linestyle="none", label="log Z not reliable"
            )
        )
    handles += [
        Line2D([], [], color=colour, linewidth=4, label=_FAMILIES[family])
        for family, colour in _COLOURS.items()
        if any(entry.family == family for entry in entries)
    ]
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(-0.03, -0.13),
        ncols=len(handles) if len(handles) <= _KEY else math.ceil(len(handles) / 2), fontsize=8.5,
        frameon=False, handletextpad=0.5, columnspacing=1.3,
    )  # fmt: skip
