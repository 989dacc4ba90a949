"""Pictures of models and runs.

Every function returns a matplotlib `Figure` of its own: no window, no global state, nothing to close.  Matplotlib is
imported when the first picture is made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.data import as_cases
from harmonium.models.arrays import Array
from harmonium.models.directed import Directed
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model
from harmonium.plots.drawing import blank, colours_of, heat_map, height_of, mosaic, some, write
from harmonium.plots.weights import first_weights
from harmonium.runs.folder import open_run
from harmonium.runs.names import CURVES, FILTERS, SAMPLES
from harmonium.sampling.sample import affordable_sweeps, sample

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from harmonium.diagnostics.diagnose import Diagnosis

__all__ = ["curves", "diagnosis", "filters", "pictures", "samples"]

_SHOWN = 64  # samples, and cases beside them
_CHAINS = 8  # whose traces can be told apart
_LINE, _BAND, _MARK = "#1f4e8c", "#9db8d9", "#c0392b"

Row = Mapping[str, Any]


def filters(model: Model, count: int = 100) -> Figure:
    """The weights of the hidden units, each drawn in the shape of the visible units, largest norm first.

    Where the visible units have a shape of two dimensions, such as ``hm.Bernoulli((28, 28))``, every hidden unit is an
    image; otherwise the weights are one heat map.  The colours are symmetric about zero.

    Args:
        model: a machine, or a directed model whose first layer has a weight for every visible unit.  Of a DBM these
            are the first hidden layer's; without hidden units, each image is the couplings of one visible unit.
        count: at most so many hidden units.

    Raises:
        TypeError: for a model without such weights.

    >>> import harmonium as hm
    >>> filters(hm.RBM(hm.Bernoulli((4, 4)), 9)).axes[0].get_title()
    'Weights of all 9 hidden units, largest norm first'
    """
    found = first_weights(model)
    if found is None:
        raise TypeError(
            f"a {type(model).__name__} has no weights between its visible units and others: look at samples"
        )
    kind, weights = found
    total = len(weights)
    order = np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")[:count]
    shown = weights[order]
    largest = float(np.abs(shown).max())
    limit = float(np.percentile(np.abs(shown), 99.8)) or largest or 1.0  # a single weight should not pale the rest
    colours = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    which = f"all {total}" if len(shown) == total else f"{len(shown)} of {total}"
    title = f"Weights of {which} {kind} units, largest norm first"
    shape = model.visible.shape
    if len(shape) == 2 and model.visible.size == model.visible.columns:
        figure, (axes,) = blank(7.2, 6.6)
        image = mosaic(axes, shown.reshape(-1, *shape), colours)
        axes.set_xlabel(f"each image: the {shape[0]} x {shape[1]} weights of one {kind} unit")
    else:
        figure, (axes,) = blank(9.0, height_of(len(shown)))
        image = heat_map(axes, shown, colours)
        axes.set(xlabel="visible unit", ylabel=f"{kind} unit (rank by norm)")
    axes.set_title(title)
    figure.colorbar(
        image, ax=axes, label="weight", extend="both" if largest > limit else "neither", fraction=0.046, pad=0.03
    )
    return figure


def samples(
    model_samples: Array, data: Array | None, shape: Sequence[int], *, count: int = _SHOWN, data_name: str = "data"
) -> Figure:
    """Samples of a model beside cases of the data, in the same colours.

    Args:
        model_samples: visible states (n, n_visible).
        data: cases (n, n_visible), or None for samples alone.
        shape: of one case; with two dimensions it is drawn as an image, otherwise as a row of a heat map.
        count: at most so many of each.
        data_name: what the data are, for the title.

    >>> samples(np.zeros((9, 16)), np.ones((9, 16)), (4, 4)).axes[1].get_title()
    '9 samples of the model'
    """
    drawn = some(as_cases(model_samples, "model_samples"), count)
    tables = [drawn] if data is None else [some(as_cases(data), count), drawn]
    titles = [f"{len(drawn)} samples of the model"]
    if data is not None:
        titles.insert(0, f"{len(tables[0])} cases of {data_name}")
    colours = colours_of(tables)
    image_like = len(shape) == 2
    # Pairs of heat maps are read from left to right, too: row by row against each other.
    height = 5.2 if image_like else height_of(max(map(len, tables)))
    figure, panels = blank(5.0 * len(tables) + 0.6, height, columns=len(tables))
    image: AxesImage | None = None
    for axes, table, title in zip(panels, tables, titles, strict=True):
        if image_like:
            image = mosaic(axes, table.reshape(-1, *shape), colours)
        else:
            image = heat_map(axes, table, colours)
            axes.set(xlabel="feature (visible unit)", ylabel="case" if table is not drawn else "sample")
        axes.set_title(title)
    assert image is not None
    bar = figure.colorbar(image, ax=panels, label="value", fraction=0.046 / len(tables), pad=0.02)
    if all(np.isin(table, (0.0, 1.0)).all() for table in tables):
        bar.set_ticks([0, 1])
    return figure


def curves(rows: Iterable[Row], best: int | None = None) -> Figure:
    """Learning curves from the rows of a history (or of ``metrics.jsonl``).

    Log-likelihood with its bracket as a band, pseudo-likelihood and free-energy gap where they were measured, and the
    learning rate, over epochs.

    Args:
        rows: dicts as in `harmonium.training.History.rows`.
        best: the epoch whose model was kept, to be marked.

    >>> curves([{"epoch": 1, "learning_rate": 0.1}, {"epoch": 2, "learning_rate": 0.05}]).axes[0].get_ylabel()
    'learning rate'
    """
    from matplotlib.ticker import MaxNLocator

    rows = list(rows)
    if not rows:
        raise ValueError("there are no rows to draw: train for an epoch at least")
    panels = [(key, title, unit) for key, title, unit in _PANELS if _column(rows, key)[0]]
    across = 2 if len(panels) > 1 else 1
    down = math.ceil(len(panels) / across)
    figure, axes = blank(5.2 * across, 3.2 * down + 0.4, columns=across, rows=down, sharex=True)
    for ax, (key, title, unit) in zip(axes, panels, strict=False):
        epochs, values = _column(rows, key)
        if key == "log_likelihood":
            _bracket(ax, rows)
        ax.plot(epochs, values, color=_LINE, marker="o" if len(epochs) < 40 else None, markersize=3.5, linewidth=1.6)
        if key == "free_energy_gap":
            ax.axhline(0.0, color="0.6", linewidth=0.8)
        if key == "learning_rate":
            ax.set_ylim(bottom=0.0)
        if best is not None and len(panels) > 1:
            ax.axvline(best, color=_MARK, linestyle="--", linewidth=1.2, label=f"epoch {best}: best, kept")
        lonely = "\n(no validation cases, so nothing else was measured)" if len(panels) == 1 else ""
        ax.set_title(title + lonely, fontsize=10.5)
        ax.set_ylabel(unit)
        ax.grid(color="0.9", linewidth=0.7)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7, steps=[1, 2, 5, 10], min_n_ticks=1))
        ax.tick_params(labelbottom=True)
        if rows[0]["epoch"] == rows[-1]["epoch"]:
            ax.set_xlim(rows[0]["epoch"] - 1, rows[0]["epoch"] + 1)
        ax.set_xlabel("epoch")
    if axes[0].get_legend_handles_labels()[1]:
        axes[0].legend(loc="best", fontsize=8.5, frameon=False)
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    return figure


_PANELS = (
    ("log_likelihood", "Log-likelihood of validation cases", "nats per case"),
    ("pseudo_log_likelihood", "Pseudo-log-likelihood of validation cases", "nats per case"),
    ("free_energy_gap", "Free energy, validation minus training\n(growing: overfitting)", "nats per case"),
    ("learning_rate", "Learning rate", "learning rate"),
)


def diagnosis(found: Diagnosis) -> Figure:
    """The chains of a `harmonium.diagnose`: traces, autocorrelations, free energies.

    Panels: the free energy and the first principal direction along a few chains, with the thresholds of mode jumps
    where there are two modes; the autocorrelation of every observable; the distribution of free energies, beside that
    of the data where they were given.

    >>> import harmonium as hm
    >>> diagnosis(hm.diagnose(hm.RBM(4, 2), sweeps=50)).axes[0].get_ylabel()
    'free energy (nats)'
    """
    from harmonium.diagnostics.convergence import autocorrelation

    traces, named = found.traces.numpy(), found.observables
    figure, panels = blank(10.4, 6.8, rows=2, columns=2)
    sweeps = np.arange(1, found.sweeps + 1)
    shown = np.linspace(0, found.chains - 1, min(_CHAINS, found.chains)).round().astype(np.int64)
    for ax, trace, observable in zip(panels, traces[:2], named[:2], strict=False):
        for chain in shown:
            ax.plot(sweeps, trace[chain], linewidth=0.8, alpha=0.8)
        label = "free energy (nats)" if observable is named[0] else f"projection on {observable.name}"
        ax.set(xlabel="sweep", ylabel=label, title=f"{len(shown)} of {found.chains} chains")
    if found.jumps is not None:
        for threshold in (found.jumps.modes.low, found.jumps.modes.high):
            panels[1].axhline(threshold, color=_MARK, linestyle="--", linewidth=1.2)
        panels[1].set_title(f"{len(shown)} of {found.chains} chains; all made {found.jumps.total} jumps")
    panels[1].set_visible(len(named) > 1)
    slowest = max(observable.tau for observable in named)
    lags = int(min(max(20.0, 5 * slowest), found.sweeps / 2))
    for trace, observable in zip(found.traces, named, strict=True):
        label = f"{observable.name} (tau {observable.tau:.3g})"
        panels[2].plot(autocorrelation(trace)[: lags + 1], linewidth=1.4, label=label)
    panels[2].axhline(0.0, color="0.6", linewidth=0.8)
    panels[2].set(xlabel="lag (sweeps)", ylabel="autocorrelation", title="What chains remember")
    panels[2].legend(loc="best", fontsize=8.5, frameon=False)
    alike = found.resemblance
    chains = traces[0].ravel() if alike is None else alike.free_energies[0].cpu().numpy()
    drawn = [(chains, "chains", _LINE)]
    if alike is not None:
        drawn.append((alike.free_energies[1].cpu().numpy(), "data", _MARK))
    edges = np.histogram_bin_edges(np.concatenate([values for values, *_ in drawn]), bins=40)
    for values, label, colour in drawn:
        panels[3].hist(values, list(edges), density=True, histtype="step", linewidth=1.6, color=colour, label=label)
    panels[3].set(xlabel="free energy (nats)", ylabel="density", title="Free energies")
    panels[3].legend(loc="best", fontsize=8.5, frameon=False)
    for ax in panels:
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def pictures(run: str | Path, data: Array | None = None, *, data_name: str | None = None, seed: int = 0) -> list[Path]:
    """Draw ``filters.png``, ``samples.png`` and ``curves.png`` of a finished run into its folder.

    There are no filters where the model has no weights to draw, and no curves where training ended within an epoch.

    Args:
        run: a run folder.
        data: cases to show beside samples.  Default: the training cases of the run, where they can be loaded again.
        data_name: what to call them.
        seed: of the samples.

    Returns:
        the files, in this order.

    Raises:
        FileNotFoundError: where the folder holds no finished run.
    """
    opened = open_run(run)
    model = opened.load()
    if not isinstance(model, (Machine, Directed)):
        raise TypeError(f"pictures are drawn of one machine or directed model, {run} holds a {type(model).__name__}")
    if data is None and opened.source is not None:
        data, data_name = opened.data().train, data_name or "the training data"
    rows = opened.rows
    drawn = sample(model, _SHOWN, sweeps=affordable_sweeps(model, _SHOWN), seed=seed)
    figures = {} if first_weights(model) is None else {FILTERS: filters(model)}
    figures[SAMPLES] = samples(drawn, data, model.visible.shape, data_name=data_name or "the data")
    if rows:
        figures[CURVES] = curves(rows, opened.best_epoch)
    return [write(figure, opened.folder / name) for name, figure in figures.items()]


def _column(rows: Sequence[Row], key: str) -> tuple[list[int], list[float]]:
    pairs = [(int(row["epoch"]), float(row[key])) for row in rows if row.get(key) is not None]
    return [epoch for epoch, _ in pairs], [value for _, value in pairs]


def _bracket(axes: Axes, rows: Sequence[Row]) -> None:
    """The band between both bounds; where only one is known, that one alone."""
    measured = [row for row in rows if row.get("log_likelihood_upper") is not None]
    both = [row for row in measured if row.get("log_likelihood_lower") is not None]
    if both:
        epochs, low = _column(both, "log_likelihood_lower")
        _, high = _column(both, "log_likelihood_upper")
        label = "bracket of the estimate"
        if len(epochs) > 1:
            axes.fill_between(epochs, low, high, color=_BAND, linewidth=0, label=label)
        else:
            axes.vlines(epochs, low, high, color=_BAND, linewidth=7, label=label)
    if measured and not both:
        epochs, high = _column(measured, "log_likelihood_upper")
        axes.plot(epochs, high, color=_BAND, linestyle=":", label="upper bound (there is no lower one)")
