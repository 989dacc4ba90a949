"""Panels that pictures and pages are made of: learning curves, traces, histograms, points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.core.rows import some_rows
from harmonium.plots.canvas import ACCENT, COLOURS, MARK, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CURVES", "column", "curve", "histogram", "plain", "points", "traces"]

Row = Mapping[str, Any]
Values = np.ndarray[Any, Any]

CURVES = {
    "log_likelihood": ("Log-likelihood of validation cases", "nats per case"),
    "pseudo_log_likelihood": ("Pseudo-log-likelihood of validation cases", "nats per case"),
    "free_energy_gap": ("Free energy, validation minus training\n(growing: overfitting)", "nats per case"),
    "learning_rate": ("Learning rate", "learning rate"),
}
"""Title and unit of each measurement that has a panel."""

_BAND = 0.22  # opacity
_MOST_POINTS = 400  # of a trace: as many as can be seen


def plain(axes: Axes) -> None:
    """Draw a light grid, and no box."""
    axes.grid(color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_color(RULE)
    axes.tick_params(length=0)


def column(rows: Sequence[Row], key: str) -> tuple[list[int], list[float]]:
    """Epochs at which something was measured, and its values."""
    pairs = [(int(row["epoch"]), float(row[key])) for row in rows if row.get(key) is not None]
    return [epoch for epoch, _ in pairs], [value for _, value in pairs]


def curve(axes: Axes, rows: Sequence[Row], key: str, best: int | None = None) -> None:
    """Draw a measurement over epochs, a likelihood with its bracket and independent columns; mark the epoch kept."""
    from matplotlib.ticker import MaxNLocator

    epochs, values = column(rows, key)
    if key == "log_likelihood":
        _bracket(axes, rows)
    axes.plot(epochs, values, color=ACCENT, marker="o" if len(epochs) < 40 else None, markersize=3.5, linewidth=1.6)
    if key == "log_likelihood":
        base = [row[key] - row["log_likelihood_gained"] for row in rows if row.get("log_likelihood_gained") is not None]
        if base:
            axes.axhline(base[-1], color="0.45", linewidth=1.0, linestyle="-.", label="independent columns")
    if key == "free_energy_gap":
        axes.axhline(0.0, color="0.6", linewidth=0.8)
    if key == "learning_rate":
        axes.set_ylim(0.0, 1.05 * max(values) or 1.0)
    if best is not None:
        axes.axvline(best, color=MARK, linestyle="--", linewidth=1.2, label=f"epoch {best}: best, kept")
    axes.set(xlabel="epoch", ylabel=CURVES[key][1])
    plain(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7, steps=[1, 2, 5, 10], min_n_ticks=1))
    if rows[0]["epoch"] == rows[-1]["epoch"]:
        axes.set_xlim(rows[0]["epoch"] - 1, rows[0]["epoch"] + 1)


def _bracket(axes: Axes, rows: Sequence[Row]) -> None:
    """The band between both bounds; if only the upper one is known, that one."""
    measured = [row for row in rows if row.get("log_likelihood_upper") is not None]
    both = [row for row in measured if row.get("log_likelihood_lower") is not None]
    if both:
        epochs, low = column(both, "log_likelihood_lower")
        _, high = column(both, "log_likelihood_upper")
        label = "bracket of the estimate"
        if len(epochs) > 1:
            axes.fill_between(epochs, low, high, color=ACCENT, alpha=_BAND, linewidth=0, label=label)
        else:
            axes.vlines(epochs, low, high, color=ACCENT, alpha=_BAND, linewidth=7, label=label)
    if measured and not both:
        epochs, high = column(measured, "log_likelihood_upper")
        axes.plot(epochs, high, color=ACCENT, alpha=0.6, linestyle=":", label="upper bound (there is no lower one)")


def traces(axes: Axes, values: Values, count: int, label: str) -> None:
    """Draw an observable (chains, sweeps) along ``count`` of the chains."""
    shown = some_rows(len(values), count).numpy()
    sweeps = some_rows(values.shape[1], _MOST_POINTS).numpy()
    for k, chain in enumerate(shown):
        axes.plot(sweeps + 1, values[chain, sweeps], color=COLOURS[k % len(COLOURS)], linewidth=0.8, alpha=0.8)
    axes.set(xlabel="sweep", ylabel=label, title=f"{len(shown)} of {len(values)} chains")
    plain(axes)


def histogram(axes: Axes, groups: Mapping[str, Values], label: str) -> None:
    """Draw the densities of up to three groups of values on common bins, without the outermost values."""
    from matplotlib.ticker import MaxNLocator

    everything = np.concatenate([np.asarray(values, dtype=np.float64) for values in groups.values()])
    low, high = np.quantile(everything, [0.001, 0.999])  # a few outliers should not flatten the rest
    edges = np.linspace(low, high if high > low else low + 1.0, 41)
    for (name, values), colour in zip(groups.items(), COLOURS, strict=False):
        density = np.histogram(np.clip(values, edges[0], edges[-1]), edges, density=True)[0]
        axes.stairs(density, edges, fill=True, color=colour, alpha=_BAND)
        axes.stairs(density, edges, color=colour, linewidth=1.6, label=name)
    axes.set(xlabel=label, ylabel="density", yticks=[])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))  # so many labels of six digits have room
    axes.legend(loc="best", fontsize="small", frameon=False)
    plain(axes)


def points(axes: Axes, x: Values, y: Values) -> None:
    """Draw points, with the diagonal on which x = y."""
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    axes.plot(ends, ends, color=MARK, linestyle="--", linewidth=1.2)
    axes.plot(x, y, "o", color=ACCENT, alpha=0.6, markersize=4)
    plain(axes)
