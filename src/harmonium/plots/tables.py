"""Pictures of tables: a panel for each column, and weights by column."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from harmonium.data.raw import Frame
from harmonium.data.table import Column, Table
from harmonium.models.first_weights import first_weights
from harmonium.models.model import Model
from harmonium.plots import panels
from harmonium.plots.canvas import COLOURS, blank
from harmonium.plots.images import signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["fits", "shared_bars", "table_filters", "table_samples", "weights_by_column"]

MOST_BARS = 10  # labels of their own; the rest are one bar
MOST_PANELS = 30
FEW_VALUES = 12  # different numbers, which are drawn as bars
ACROSS, WIDTH, HEIGHT = 3, 3.9, 2.7  # panels of a row, and their size in inches
UNITS, MOST_COLUMNS = 24, 40  # of weights
LABELLED = 16  # columns, up to which labels are written
_LONGEST, _LONGEST_IN_CELL = 24, 9  # letters
_THIS, _OTHER = "data", "samples"

Array = np.ndarray[Any, Any]


def table_samples(drawn: Frame, data: Frame | None = None, *, data_name: str = "data") -> Figure:
    """Draw each column of samples beside that of the data: histograms of numbers, bars of labels.

    Columns with many labels have bars for the ten most frequent ones in the data, and one for the rest.

    Args:
        drawn: samples, a DataFrame.
        data: cases, a DataFrame with the same columns, or None for samples alone.
        data_name: name of the data in the title.

    >>> import pandas as pd
    >>> figure = table_samples(pd.DataFrame({"age": [30.5, 41.0], "sex": ["f", "m"]}))
    >>> [axes.get_title() for axes in figure.axes]
    ['age', 'sex']
    """
    count = min(MOST_PANELS, drawn.shape[1])
    across = min(ACROSS, count)
    figure, axes = blank(WIDTH * across, HEIGHT * math.ceil(count / across) + 0.5, rows=math.ceil(count / across),
                         columns=across)  # fmt: skip
    for place, ax in enumerate(axes):
        if place >= count:
            figure.delaxes(ax)
            continue
        groups = {} if data is None else {_THIS: data.iloc[:, place].dropna()}
        _panel(ax, groups | {_OTHER: drawn.iloc[:, place].dropna()})
        ax.set_title(_cut(str(drawn.columns[place]), 2 * _LONGEST), fontsize=10.5, wrap=True)
    more = f"; {drawn.shape[1] - count} more columns" if drawn.shape[1] > count else ""
    cases = "" if data is None else f" beside {len(data)} cases of {data_name}"
    beside = f"{len(drawn)} samples of the model{cases}"
    figure.suptitle(beside + more, fontsize=11.5)
    if data is not None:
        from matplotlib.patches import Patch

        marks = [Patch(color=colour, label=name) for colour, name in zip(COLOURS, (_THIS, _OTHER), strict=False)]
        figure.legend(handles=marks, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _panel(axes: Axes, groups: dict[str, Any]) -> None:
    first = next(iter(groups.values()))
    number = pd.api.types.is_numeric_dtype(first.dtype) and not pd.api.types.is_bool_dtype(first.dtype)
    values = {name: np.asarray(each, dtype=np.float64) for name, each in groups.items()} if number else {}
    if number and len(np.unique(np.concatenate(list(values.values())))) > FEW_VALUES:
        panels.histogram(axes, values, "")
        axes.set_ylabel("")
        if (legend := axes.get_legend()) is not None:
            legend.remove()  # one for all panels is enough
        return
    names, shares = shared_bars(list(groups.values()), ordered=number)
    places = np.arange(len(names))
    height = 0.8 / len(shares)
    for k, (share, name) in enumerate(zip(shares, groups, strict=True)):
        axes.barh(places + (k - (len(shares) - 1) / 2) * height, share, height, color=COLOURS[k], label=name)
    axes.set_yticks(places, [_cut(name, _LONGEST) for name in names], fontsize=8.5)
    axes.set_ylim(max(len(names), 4) - 0.5, -0.5)  # a few bars are no walls
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    panels.plain(axes)
    axes.xaxis.set_major_locator(_few_ticks())


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=4)


def shared_bars(columns: list[Any], ordered: bool = False) -> tuple[list[str], list[Array]]:
    """Shares of the labels of columns: of the most frequent ones of the first column, and of the rest together.

    Args:
        columns: pandas columns without empty cells.
        ordered: whether bars are in the order of the values, not of their frequencies.

    Returns:
        a name for each bar, and for each column its shares.

    >>> import pandas as pd
    >>> shared_bars([pd.Series(list("aab")), pd.Series(list("bbbb"))])
    (['a', 'b'], [array([0.66..., 0.33...]), array([0., 1.])])
    """
    counts = [column.value_counts() for column in columns]
    labels = list(counts[0].index) + [label for label in counts[-1].index if label not in counts[0].index]
    kept = labels if len(labels) <= MOST_BARS + 1 else labels[:MOST_BARS]
    if ordered:
        kept = sorted(kept)
    shares = []
    for count in counts:
        own = np.array([float(count.get(label, 0)) for label in kept])
        rest = [float(count.sum()) - own.sum()] if len(kept) < len(labels) else []
        shares.append(np.concatenate([own, rest]) / max(1.0, float(count.sum())))
    others = [f"{len(labels) - len(kept)} others"] if len(kept) < len(labels) else []
    return [*(f"{label:g}" if ordered else str(label) for label in kept), *others], shares


# Weights ---------------------------------------------------------------------------------------------------------


def fits(table: Table, model: Model) -> bool:
    """Whether the visible units of a model are the columns of a table."""
    return sum(map(_units, table.columns)) == model.visible.size and len(table.columns) == model.visible.columns


def _units(column: Column) -> int:
    return len(column.labels) if len(column.labels) > 2 else 1


def weights_by_column(weights: Array, table: Table) -> tuple[Array, list[list[str]]]:
    """For each unit and column, its weight: of a column of labels that of the label which it moves most.

    Weights of labels are taken about their mean, since a number that is added to all of them changes nothing.

    Args:
        weights: (units, visible units).
        table: the columns, in the order of the visible units.

    Returns:
        weights (units, columns), and for each unit and column the label, "" for numbers.
    """
    found = np.zeros((len(weights), len(table.columns)))
    labels = [[""] * len(table.columns) for _ in weights]
    start = 0
    for place, column in enumerate(table.columns):
        size = _units(column)
        own = weights[:, start : start + size]
        start += size
        own = own - own.mean(1, keepdims=True) if size > 1 else own
        which = np.abs(own).argmax(1)
        found[:, place] = own[np.arange(len(own)), which]
        for unit, k in enumerate(which):
            labels[unit][place] = _label(column, int(k))
    return found, labels


def _label(column: Column, k: int) -> str:
    return "" if not column.labels else str(column.labels[1] if len(column.labels) == 2 else column.labels[k])


def table_filters(model: Model, table: Table, count: int = UNITS) -> Figure:
    """Draw the weights of hidden units by the columns of a table, largest norm first.

    A row is a hidden unit, a column that of the table.  Where there are few columns, the label that the unit moves most
    is written into the cell.

    Args:
        model: a machine, or a directed model whose first layer has a weight for every visible unit.
        table: its columns.
        count: largest number of hidden units drawn.

    Raises:
        TypeError: for a model without such weights.
    """
    found = first_weights(model, count)
    if found is None:
        raise TypeError(f"a {type(model).__name__} has no weights between its visible units and others")
    kind, total, shown = found
    values, labels = weights_by_column(shown, table)
    columns = min(MOST_COLUMNS, values.shape[1])
    values = values[:, :columns]
    limit = float(np.abs(values).max()) or 1.0
    figure, (axes,) = blank(max(5.5, 2.0 + 0.72 * columns), 2.2 + 0.24 * len(shown))
    image = axes.imshow(values, aspect="auto", interpolation="nearest", **signed(limit))
    names = [_cut(str(column.name), _LONGEST) for column in table.columns[:columns]]
    axes.set_xticks(range(columns), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=9)
    axes.set_yticks(range(len(shown)), [str(k + 1) for k in range(len(shown))], fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if columns <= LABELLED:
        for unit in range(len(shown)):
            for place in range(columns):
                strong = abs(values[unit, place]) > 0.6 * limit
                axes.text(place, unit, _cut(labels[unit][place], _LONGEST_IN_CELL), ha="center", va="center",
                          fontsize=6.5, color="white" if strong else "0.15")  # fmt: skip
    which = f"all {total}" if len(shown) == total else f"{len(shown)} of {total}"
    axes.set_title(f"Weights of {which} {kind} units by column, largest norm first", fontsize=11)
    axes.set_ylabel(f"{kind} unit (rank by norm)")
    figure.colorbar(image, ax=axes, label="weight; of labels, of the one that it moves most", fraction=0.04, pad=0.02)
    return figure


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
