"""The section of odd rows: the least probable real rows, and the cells to blame."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd

from harmonium.core.numbers import nats
from harmonium.data.codecs.dates import Dates
from harmonium.report.markup import Section, breakable, escape, paragraph, typeset
from harmonium.tables.page.gathered import PageInput
from harmonium.tables.page.views import View, label_text, number_text

__all__ = ["odd_rows"]

SHOWN = 10
LEAST, MOST = 1.0, 8.0  # nats, from which a cell is marked, and of full colour
BLAMED = 3  # columns that are named
MOST_COLUMNS = 40  # with the most surprising cells


def odd_rows(page: PageInput) -> Section:
    """Show the real rows with the lowest log p, with colours by how surprising each cell is given the others."""
    values = page.log_prob.to_numpy()
    known = np.flatnonzero(~np.isnan(values))
    title = "Odd rows"
    if not len(known):
        return Section("odd", title, paragraph("log p of rows with empty cells is not known for this kind of model."))
    least = known[np.argsort(values[known], kind="stable")][:SHOWN]
    rows = page.judged.iloc[least]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels never seen: they are shown as what they are
        surprise = page.table.explain(rows, seed=page.seed.child("explain")).to_numpy(dtype=np.float64)
    learned = [place for place, view in enumerate(page.views) if view.size]
    order = sorted(learned, key=lambda place: -np.nanmax(np.nan_to_num(surprise[:, place], nan=0.0, posinf=99.0)))
    more = len(order) - MOST_COLUMNS
    order = order[:MOST_COLUMNS]
    lead = paragraph(
        f"The {len(least)} least probable of {len(known):,} real rows. The colour of a cell says how surprising it is "
        "given the rest of its row, in nats: 1 is e times less probable than expected, 5 is 150 times. Columns with "
        "the most surprising cells come first" + (f"; {more:,} more are not shown." if more > 0 else ".")
    )  # fmt: skip
    head = "".join(f'<th scope="col">{breakable(label_text(page.views[place].name))}</th>' for place in order)
    body = "".join(
        _row(page, rows.iloc[k], rows.index[k], float(values[i]), surprise[k], order) for k, i in enumerate(least)
    )
    return Section(
        "odd",
        title,
        f'{lead}<div class="scroll pinned"><table class="odd"><thead><tr><th scope="col">Row</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>",
    )


def _row(page: PageInput, row: Any, index: Any, log_p: float, surprise: Any, order: list[int]) -> str:
    blamed = [place for place in order if surprise[place] >= LEAST]
    blamed = sorted(blamed, key=lambda place: -surprise[place])[:BLAMED]
    names = ", ".join(breakable(label_text(page.views[place].name)) for place in blamed) or "no single cell"
    cells = "".join(_cell(page.views[place], row.iloc[place], float(surprise[place])) for place in order)
    value = "impossible" if log_p == -math.inf else f"{typeset(nats(log_p))} nats"
    return (
        f'<tr><th scope="row"><b>{escape(index)}</b><small>{escape(value)}</small>'
        f"<small>to blame: {names}</small></th>{cells}</tr>"
    )


def _cell(view: View, value: Any, surprise: float) -> str:
    text = cell_text(view, value)
    if math.isnan(surprise) or surprise < LEAST:
        return f"<td>{escape(text)}</td>"
    share = min(1.0, surprise / MOST)
    words = "never seen" if math.isinf(surprise) else f"{typeset(f'{surprise:.1f}')} nats"
    style = f"background:color-mix(in srgb,var(--bad) {10 + 45 * share:.0f}%,var(--paper))"
    return f'<td class="blamed" style="{style}">{escape(text)}<small>{words}</small></td>'


def cell_text(view: View, value: Any) -> str:
    """A cell of the table as text."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return "(empty)"
    if isinstance(value, (pd.Timestamp, np.datetime64)):
        stamp = pd.Timestamp(value)
        whole = isinstance(view.codec, Dates) and view.codec.clock is None
        return stamp.date().isoformat() if whole else str(stamp)
    if isinstance(value, (float, np.floating)) and view.ordered:
        cells = getattr(view.codec, "cells", None)
        return number_text(float(value), None if cells is None else cells.decimals)
    return label_text(value)
