"""The section of quality: scores of sampled rows beside those of fresh real ones."""

from __future__ import annotations

import math

import pandas as pd

from harmonium.core.numbers import fixed
from harmonium.data.codecs.dates import Dates
from harmonium.data.raw import Frame
from harmonium.report.markup import Section, figure, pair, paragraph, signed, table, typeset
from harmonium.tables.page.gathered import PageInput
from harmonium.tables.quality.judge import quality

__all__ = ["scores"]

WORST = 8  # columns and pairs that are listed
NAMES = {
    "c2st": "Not told apart (C2ST)", "trend": "Pairs of columns", "columns": "Single columns",
    "tstr": "Usefulness (TSTR)", "nearer": "Nearer to training rows", "copies": "Copies", "aats": "AATS, training rows",
    "aats_fresh": "AATS, fresh rows", "privacy_loss": "Privacy loss",
}  # fmt: skip


def scores(page: PageInput) -> Section:
    """Score sampled rows, by `harmonium.quality`."""
    title = "Quality"
    try:
        match = page.table.codec.matched
        real, fresh = _scored(page, match(page.real)), None if page.holdout is None else match(page.holdout)
        fresh = None if fresh is None else _scored(page, fresh)
        found = quality(real, _scored(page, page.drawn), fresh, seed=page.seed.child("quality"), rows=page.rows)
    except ValueError as error:
        return Section("quality", title, paragraph(f"The sampled rows were not scored: {error}."))
    rows = []
    for name, row in found.to_frame().iterrows():
        if not math.isnan(row["synthetic"]):
            words = f"{NAMES.get(str(name), name)}\n{signed(str(row['meaning']))}"
            rows.append((words, _text(row["synthetic"]), *([] if found.fresh is None else [_text(row["real"])])))
    fresh_title = [] if found.fresh is None else ["fresh real rows"]
    what = (
        f"{found.compared:,} sampled rows against as many rows of the holdout. What real rows score in their place is "
        "the best that can be expected."
        if found.fresh is not None else
        f"{found.compared:,} sampled rows against as many of the real rows that the model was trained on: there is no "
        "holdout, so repeating them scores well, what fresh real rows score is not known, and nothing is said about "
        "privacy but copies. Give rows that the model has not seen as holdout to know more."
    )  # fmt: skip
    notes = "".join(paragraph(_sentence(note), "note") for note in found.notes if "without a holdout" not in note)
    lists = pair(_worst_columns(found.by_column), _worst_pairs(found.by_pair))
    return Section(
        "quality",
        title,
        paragraph(what)
        + f'<div class="scored">{table(["Score", "sampled", *fresh_title], rows)}</div>'
        + notes
        + lists,
    )


def _scored(page: PageInput, frame: Frame) -> Frame:
    """The columns that were learned; dates in text become dates, whose distance is that of times."""
    learned = page.table.codec.learned()
    out = frame.iloc[:, learned].copy()
    for place, column in enumerate(learned):
        codec = page.table.codec.codecs[column]
        if isinstance(codec, Dates) and codec.form is not None:
            out.isetitem(place, pd.to_datetime(out.iloc[:, place].astype(object), format=codec.form, errors="coerce"))
    return out


def _text(value: float) -> str:
    return "" if math.isnan(value) else typeset(fixed(value, 3))


def _sentence(note: str) -> str:
    return note[:1].upper() + note[1:] + "."


def _worst_columns(by_column: Frame) -> str:
    worst = by_column["synthetic"].sort_values()[:WORST]
    rows = [(str(name), _text(float(value))) for name, value in worst.items()]
    return figure(table(["Column", "score"], rows), "Single columns with the lowest scores")


def _worst_pairs(by_pair: Frame) -> str:
    values, names = by_pair.to_numpy(dtype=float), [str(name) for name in by_pair.columns]
    places = [(i, j) for i in range(len(values)) for j in range(i) if not math.isnan(values[i, j])]
    places.sort(key=lambda place: values[place])
    rows = [(f"{names[j]}, {names[i]}", _text(float(values[i, j]))) for i, j in places[:WORST]]
    return figure(table(["Columns", "score"], rows), "Pairs of columns with the lowest scores") if rows else ""
