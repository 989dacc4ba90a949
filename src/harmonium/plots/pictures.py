"""Pictures of models and runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.core.errors import DamagedFileError
from harmonium.data import as_cases
from harmonium.data.table import Table
from harmonium.models.arrays import Array
from harmonium.models.directed import Directed
from harmonium.models.first_weights import first_weights
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model
from harmonium.plots import panels
from harmonium.plots.canvas import MARK, blank, write
from harmonium.plots.images import colours_of, heat_map, height_of, mosaic, signed, some
from harmonium.plots.tables import fits, table_filters, table_samples
from harmonium.runs.folder import Run, open_run
from harmonium.runs.names import CURVES, FILTERS, SAMPLES
from harmonium.sampling.sample import affordable_sweeps, sample

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from harmonium.diagnostics.diagnose import Diagnosis

__all__ = ["curves", "diagnosis", "filters", "pictures", "samples"]

_SHOWN = 64  # samples, and cases beside them
_TABLE_ROWS = 500  # of a table, of which shares and histograms are drawn
_CHAINS = 8  # whose traces can be told apart


def filters(model: Model, count: int = 100) -> Figure:
    """Draw the weights of the hidden units in the shape of the visible units, largest norm first.

    If the visible units have a shape of two dimensions, such as ``hm.Bernoulli((28, 28))``, every hidden unit is an
    image; otherwise the weights are one heat map.  The colours are symmetric about zero.

    Args:
        model: a machine, or a directed model whose first layer has a weight for every visible unit.  For a DBM
            these are the weights of the first hidden layer; without hidden units, the couplings of the visible units.
        count: largest number of hidden units drawn.

    Raises:
        TypeError: for a model without such weights.

    >>> import harmonium as hm
    >>> filters(hm.RBM(hm.Bernoulli((4, 4)), 9)).axes[0].get_title()
    'Weights of all 9 hidden units, largest norm first'
    """
    found = first_weights(model, count)
    if found is None:
        raise TypeError(
            f"a {type(model).__name__} has no weights between its visible units and others: look at samples"
        )
    kind, total, shown = found
    limit = found.limit()
    which = f"all {total}" if len(shown) == total else f"{len(shown)} of {total}"
    title = f"Weights of {which} {kind} units, largest norm first"
    shape = model.visible.shape
    if len(shape) == 2 and model.visible.size == model.visible.columns:
        figure, (axes,) = blank(7.2, 6.6)
        image = mosaic(axes, shown.reshape(-1, *shape), signed(limit))
        axes.set_xlabel(f"each image: the {shape[0]} x {shape[1]} weights of one {kind} unit")
    else:
        figure, (axes,) = blank(9.0, height_of(len(shown)))
        image = heat_map(axes, shown, signed(limit))
        axes.set(xlabel="visible unit", ylabel=f"{kind} unit (rank by norm)")
    axes.set_title(title)
    figure.colorbar(
        image,
        ax=axes,
        label="weight",
        extend="both" if np.abs(shown).max() > limit else "neither",
        fraction=0.046,
        pad=0.03,
    )
    return figure


def samples(
    model_samples: Array, data: Array | None, shape: Sequence[int], *, count: int = _SHOWN, data_name: str = "data"
) -> Figure:
    """Draw samples of a model beside cases of the data, in the same colours.

    Args:
        model_samples: visible states (n, n_visible).
        data: cases (n, n_visible), or None for samples alone.
        shape: shape of one case; with two dimensions it is drawn as an image, otherwise as a row of a heat map.
        count: largest number of each.
        data_name: name of the data in the title.

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


def curves(rows: Iterable[Mapping[str, Any]], best: int | None = None) -> Figure:
    """Draw learning curves from the rows of a history (or of ``metrics.jsonl``).

    Log-likelihood with its bracket as a band, pseudo-likelihood and free-energy gap if they were measured, and the
    learning rate, over epochs.

    Args:
        rows: dicts as in `harmonium.training.History.rows`.
        best: the epoch whose model was kept; it is marked.

    >>> curves([{"epoch": 1, "learning_rate": 0.1}, {"epoch": 2, "learning_rate": 0.05}]).axes[0].get_ylabel()
    'learning rate'
    """
    rows = list(rows)
    if not rows:
        raise ValueError("there are no rows to draw: train for an epoch at least")
    measured = [key for key in panels.CURVES if panels.column(rows, key)[0]]
    lonely = len(measured) == 1
    across = 1 if lonely else 2
    down = math.ceil(len(measured) / across)
    figure, axes = blank(5.2 * across, 3.2 * down + 0.4, columns=across, rows=down, sharex=True)
    for ax, key in zip(axes, measured, strict=False):
        panels.curve(ax, rows, key, None if lonely else best)
        more = "\n(no validation cases, so nothing else was measured)" if lonely else ""
        ax.set_title(panels.CURVES[key][0] + more, fontsize=10.5)
        ax.tick_params(labelbottom=True)
    if axes[0].get_legend_handles_labels()[1]:
        axes[0].legend(loc="best", fontsize=8.5, frameon=False)
    for ax in axes[len(measured) :]:
        ax.set_visible(False)
    return figure


def diagnosis(found: Diagnosis) -> Figure:
    """Draw the chains of a `harmonium.diagnose`: traces, autocorrelations, free energies.

    Panels: the free energy and the first principal direction along a few chains, with the thresholds of mode jumps
    if there are two modes; the autocorrelation of every observable; the distribution of free energies, beside that of
    the data if they were given.

    >>> import harmonium as hm
    >>> diagnosis(hm.diagnose(hm.RBM(4, 2), sweeps=50)).axes[0].get_ylabel()
    'free energy (nats)'
    """
    from harmonium.diagnostics.convergence import autocorrelation

    traces, named = found.traces.numpy(), found.observables
    figure, axes = blank(10.4, 6.8, rows=2, columns=2)
    panels.traces(axes[0], traces[0], _CHAINS, "free energy (nats)")
    if len(named) > 1:
        panels.traces(axes[1], traces[1], _CHAINS, f"projection on {named[1].name}")
    if found.jumps is not None:
        for threshold in (found.jumps.modes.low, found.jumps.modes.high):
            axes[1].axhline(threshold, color=MARK, linestyle="--", linewidth=1.2)
        axes[1].set_title(f"{axes[1].get_title()}; all made {found.jumps.total} jumps")
    axes[1].set_visible(len(named) > 1)
    lags = int(min(max(20.0, 5 * max(observable.tau for observable in named)), found.sweeps / 2))
    for trace, observable in zip(found.traces, named, strict=True):
        label = f"{observable.name} (tau {observable.tau:.3g})"
        axes[2].plot(autocorrelation(trace)[: lags + 1], linewidth=1.4, label=label)
    axes[2].axhline(0.0, color="0.6", linewidth=0.8)
    axes[2].set(xlabel="lag (sweeps)", ylabel="autocorrelation", title="Autocorrelation along a chain")
    axes[2].legend(loc="best", fontsize=8.5, frameon=False)
    panels.plain(axes[2])
    alike = found.resemblance
    energies = {"chains": traces[0].ravel()}
    if alike is not None:
        energies = {name: v.cpu().numpy() for name, v in zip(("chains", "data"), alike.free_energies, strict=True)}
    panels.histogram(axes[3], energies, "free energy (nats)")
    axes[3].set_title("Free energies")
    return figure


def pictures(run: str | Path, data: Array | None = None, *, data_name: str | None = None, seed: int = 0) -> list[Path]:
    """Draw ``filters.png``, ``samples.png`` and ``curves.png`` of a finished run into its folder.

    Of a table that was read column by column, `table_filters` and `table_samples` are drawn.
    Filters are left out if the model has no weights to draw, curves if training ended within the first epoch.

    Args:
        run: a run folder.
        data: cases to show beside samples.  Default: the training cases, if they were loaded by name or file.
        data_name: their name in the title.
        seed: seed of the samples.

    Returns:
        the files, in this order.

    Raises:
        FileNotFoundError: if the folder holds no finished run.
    """
    opened = open_run(run)
    model = opened.load()
    if not isinstance(model, (Machine, Directed)):
        raise TypeError(f"pictures are drawn of one machine or directed model, {run} holds a {type(model).__name__}")
    if data is None and opened.source is not None:
        data, data_name = opened.data().train, data_name or "the training data"
    rows = opened.rows
    table = _table_of(opened, model)
    count = _SHOWN if table is None else _TABLE_ROWS
    drawn = sample(model, count, sweeps=affordable_sweeps(model, count), seed=seed, progress=False)
    name = data_name or "the data"
    figures = {}
    if first_weights(model) is not None:
        figures[FILTERS] = filters(model) if table is None else table_filters(model, table)
    if table is None:
        figures[SAMPLES] = samples(drawn, data, model.visible.shape, data_name=name)
    else:
        cases = None if data is None else table.to_frame(some(as_cases(data), _TABLE_ROWS))
        figures[SAMPLES] = table_samples(table.to_frame(drawn), cases, data_name=name)
    if rows:
        figures[CURVES] = curves(rows, opened.best_epoch)
    return [write(figure, opened.folder / name) for name, figure in figures.items()]


def _table_of(run: Run, model: Model) -> Table | None:
    """What the columns are, if the data were a table; None if they were not, or nothing says it."""
    try:
        table = run.table()
    except DamagedFileError:
        raise
    except (ValueError, OSError):
        return None
    return table if table is not None and fits(table, model) else None
