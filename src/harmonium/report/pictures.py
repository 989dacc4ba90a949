"""Sections with pictures: filters, samples beside data, hidden activity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from harmonium.core.numbers import with_error
from harmonium.core.rows import some_rows
from harmonium.data.table import Table
from harmonium.models.deep.dbn import DBN
from harmonium.models.first_weights import first_weights
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model
from harmonium.plots import panels
from harmonium.plots.canvas import svg
from harmonium.plots.images import across, colours_of, png, signed, tile
from harmonium.plots.tables import UNITS, fits, weights_by_column
from harmonium.report.inputs import ReportInput
from harmonium.report.markup import (
    Section,
    breakable,
    data_uri,
    escape,
    figure,
    number,
    pair,
    paragraph,
    table,
    typeset,
)
from harmonium.units import Units

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["activity", "filters", "samples"]

SHOWN = 100  # pictures in a mosaic
MOST_COLUMNS = 40  # of a table of columns
ACTIVE_CASES, ACTIVE_UNITS = 40, 1000  # rows and columns of the picture of hidden activity
MOST_ENTRIES = 400_000  # of a heat map of weights
ENTRY = (10, 8)  # width and height of an entry of a heat map on the screen, in pixels; wider where they are few
NARROWEST = 480
MOST_STATES = 5  # of a column, whose shares are written
LONGEST_LABEL = 30
_NO_ACTIVITY = (
    "This picture is of the hidden units of Boltzmann machines, which are random given a case; those of this model are "
    "functions inside a network."
)

Array = np.ndarray[Any, Any]


def filters(report: ReportInput) -> Section | None:
    """Draw the weights of the first hidden layer, unit by unit, largest first; of a table by its columns."""
    if report.table is not None and fits(report.table, report.model):
        return _by_column(report.model, report.table)
    count = SHOWN if report.image_shape else max(1, MOST_ENTRIES // report.model.visible.size)
    found = first_weights(report.model, count)
    if found is None:
        return None
    kind, total, shown = found
    limit = found.limit()
    which = f"All {total}" if len(shown) == total else f"{len(shown)} of {total}"
    caption = f"{which} {kind} units, largest first. Red adds, blue takes away; full colour is {limit:.2f}."
    if report.image_shape is None:
        caption += " A row is a unit, a column a visible unit."
        return Section("filters", "Filters", _heat(shown, signed(limit), caption))
    picture = _mosaic(shown.reshape(-1, *report.image_shape), signed(limit), 2.0)
    return Section("filters", "Filters", _picture(picture, caption, "wide"))


def _by_column(model: Model, table: Table) -> Section | None:
    found = first_weights(model, UNITS)
    if found is None:
        return None
    kind, total, shown = found
    values, labels = weights_by_column(shown, table)
    limit = float(np.abs(values).max()) or 1.0
    names = "".join(f'<th scope="col">{breakable(column.name)}</th>' for column in table.columns[:MOST_COLUMNS])
    rows = "".join(
        f'<tr><th scope="row">{unit + 1}</th>'
        + "".join(_weight(value, label, limit) for value, label in zip(row[:MOST_COLUMNS], labels[unit], strict=False))
        + "</tr>"
        for unit, row in enumerate(values)
    )
    more = len(table.columns) - MOST_COLUMNS
    caption = (
        f"{f'All {total}' if len(shown) == total else f'{len(shown)} of {total}'} {kind} units (rows), largest first, "
        f"and what each adds to the columns: red adds, blue takes away; full colour is {limit:.2f}. Of a column of "
        "labels it is the weight of the label that the unit moves most, about their mean."
        + (f" {more:,} more columns." if more > 0 else "")
    )
    grid = (
        f'<div class="scroll pinned"><table class="weights"><thead><tr><th></th>{names}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
    return Section("filters", "Filters", figure(grid, caption, "wide"))


def _weight(value: float, label: str, limit: float) -> str:
    colour = "positive" if value > 0 else "negative"
    style = f"background:color-mix(in srgb,var(--{colour}) {60 * abs(value) / limit:.0f}%,var(--zero))"
    return f'<td style="{style}" title="{escape(label)} {number(value, 3)}">{breakable(_short(label))}</td>'


def samples(report: ReportInput) -> Section:
    """Draw samples of the model beside cases of the data."""
    drawn = report.samples.numpy()
    note = paragraph(
        f"Samples are independent draws of the {type(report.model).__name__}, without chains."
        if report.model.energy_part is None else
        f"Each sample is the end of an independent chain of {report.sweeps:,} sweeps from the base rate. If modes are "
        "far apart, such chains stay near their start.", "note"
    )  # fmt: skip
    judged = report.judged
    cases = None if judged is None else report.rows_of(judged[1])[0].numpy()
    name = "" if judged is None else f"{judged[0]} cases"
    if report.image_shape is not None:
        body = _images(report, drawn, cases, name)
    elif cases is None:
        body = paragraph(f"Samples cannot be compared with data: {report.unjudged}.")
    else:
        body = _columns(report, drawn, cases, name)
    return Section("samples", "Samples beside data", body + note)


def _images(report: ReportInput, drawn: Array, cases: Array | None, name: str) -> str:
    count, shape = SHOWN // 2 + 14, report.image_shape or (1, 1)
    tables = [(f"{min(count, len(drawn))} samples of the model", drawn[:count])]
    if cases is not None:
        some = cases[some_rows(len(cases), count).numpy()]
        tables.insert(0, (f"{len(some)} {name}", some))
    colours = colours_of([values for _, values in tables])
    return pair(*(_picture(_mosaic(values.reshape(-1, *shape), colours), caption) for caption, values in tables))


def _mosaic(images: Array, colours: dict[str, Any], aspect: float = 1.0) -> bytes:
    """Images side by side, a pixel apart, on a grid about ``aspect`` times as wide as high."""
    count, height, width = images.shape
    return png(tile(images, across(count, aspect * height / width)), colours)


def _columns(report: ReportInput, drawn: Array, cases: Array, name: str) -> str:
    """Compare data and samples: means of the units, and a table of the columns."""
    units = report.model.visible
    of_data, of_samples = (units.encode(torch.from_numpy(values)).double().mean(0).numpy() for values in (cases, drawn))

    def draw(axes: Axes) -> None:
        panels.points(axes, of_data, of_samples)
        axes.set(xlabel=f"mean over {name}", ylabel="mean over samples")

    rows = list(_rows(report, units, drawn, cases))
    more = units.columns - len(rows)
    words = table(("Column", name, "samples"), rows) + (paragraph(f"{more:,} more columns.", "note") if more else "")
    caption = "Means of the visible units: the closer to the diagonal the better"
    return pair(figure(svg(caption, draw), caption), words)


def _rows(report: ReportInput, units: Units, drawn: Array, cases: Array) -> Iterator[tuple[str, str, str]]:
    outside = [report.original(values) for values in (cases, drawn)]
    for j, name in enumerate(report.columns[:MOST_COLUMNS]):
        owner = units.units_of_column(j, encoded=False)
        columns = outside[0][:, j], outside[1][:, j]
        if owner.finite:
            yield str(name), *_shares(columns, report.labels(j))
        else:
            yield str(name), _spread(columns[0]), _spread(report.within(j, columns[1]))


def _shares(columns: tuple[Array, Array], labels: list[str] | None) -> tuple[str, str]:
    """Shares of the states of a column in data and samples: of the upper one of two, of the most frequent of many."""
    values, counts = np.unique(columns[0], return_counts=True)
    values = np.concatenate([values[np.argsort(-counts, kind="stable")], np.setdiff1d(columns[1], values)])
    shown = np.array([values.max()]) if len(values) == 2 else values[:MOST_STATES]
    names = [_short(labels[int(v)]) if labels else typeset(f"{v:g}") for v in shown]

    def cell(column: Array) -> str:
        shares = [f"{name}: {np.mean(column == v):.0%}" for v, name in zip(shown, names, strict=True)]
        if len(values) > max(2, len(shown)):
            shares.append(f"{len(values) - len(shown)} others: {1 - np.isin(column, shown).mean():.0%}")
        return "\n".join(shares)

    return cell(columns[0]), cell(columns[1])


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}\N{HORIZONTAL ELLIPSIS}"


def _spread(values: Array) -> str:
    """Mean and standard deviation of numbers, rounded alike."""
    mean, deviation = with_error(float(values.mean()), float(values.std()))
    return typeset(f"{mean} \N{PLUS-MINUS SIGN}\N{NO-BREAK SPACE}{deviation}")


@torch.no_grad()
def activity(report: ReportInput) -> Section | None:
    """Draw what the hidden units make of cases: their means, cases by units."""
    if not isinstance(report.model, (Machine, DBN)):
        return Section("activity", "Hidden activity", paragraph(_NO_ACTIVITY))
    if report.judged is None or len(report.layers) < 2:
        return None
    split, cases = report.judged
    outside, index = report.rows_of(cases)
    pictures = []
    labels = getattr(report.data.labels, split) if report.data is not None else None
    chosen = some_rows(len(index), ACTIVE_CASES).numpy()
    if labels is not None:
        chosen = chosen[np.argsort(np.asarray(labels)[index[chosen]], kind="stable")]
    means_of = _hidden_means(report.model, outside)
    for depth, (units, means) in enumerate(zip(report.layers[1:], means_of, strict=True), 1):
        p = means.cpu().double().numpy()
        low, high = (0.0, 1.0) if units.finite and p.min() >= 0 else (float(p.min()), float(p.max()))
        average = p.mean(0)
        order = np.argsort(-average, kind="stable")[:ACTIVE_UNITS]
        of = "" if len(report.layers) == 2 else f"Layer {depth}. "
        caption = f"{of}{len(chosen)} cases{', sorted by label' if labels is not None else ''} (rows), "
        caption += (
            f"{len(order)} units, busiest first (columns); dark: {'on' if (low, high) == (0, 1) else f'{high:.2g}'}."
        )
        if (low, high) == (0.0, 1.0):
            always, never = int((p.min(0) > 0.95).sum()), int((p.max(0) < 0.05).sum())
            caption += f" On in {average.mean():.0%} of cases on average; {always} units always on, {never} never."
        colours = {"cmap": "Greys", "vmin": low, "vmax": high}
        pictures.append(_heat(p[chosen][:, order], colours, caption))
    return Section(
        "activity",
        "Hidden activity",
        paragraph("Means of the hidden units, E[h | v], for cases of the data.") + "".join(pictures),
    )


def _hidden_means(model: Machine | DBN, outside: Tensor) -> list[Tensor]:
    v = model.visible.encode(outside)
    return model.hidden_means(outside) if isinstance(model, DBN) else list(model.infer(v).means[1:])


def _heat(values: Array, colours: dict[str, Any], caption: str) -> str:
    rows, columns = values.shape
    style = f"max-width: {max(NARROWEST, ENTRY[0] * columns)}px; height: {ENTRY[1] * rows}px"
    return _picture(png(values, colours), caption, "wide", style)


def _picture(png: bytes, caption: str, kind: str = "", style: str = "") -> str:
    return figure(f'<img class="picture" style="{style}" alt="{escape(caption)}" src="{data_uri(png)}">', caption, kind)
