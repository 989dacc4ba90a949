"""The page: all sections in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harmonium.core.checks import check_int
from harmonium.core.files import as_path, write_atomically
from harmonium.core.random import Stream, stream_of
from harmonium.data.plain import as_pandas
from harmonium.data.raw import Frame
from harmonium.report.markup import Section, paragraph, tiles
from harmonium.report.shell import page as whole_page
from harmonium.tables.page import columns, head, hidden, odd, scores
from harmonium.tables.page.gathered import PageInput
from harmonium.tables.page.payload import payload

if TYPE_CHECKING:
    from harmonium.tables.model import TableModel

__all__ = ["MODULES", "table_page"]

MODULES = (
    "random", "units", "machine", "session", "floats", "dom", "ink", "bins", "answers", "search", "pairs",
    "conditions", "table",
)  # fmt: skip
"""Scripts of the page, each after those that it imports."""


def table_page(
    table: TableModel,
    real: Frame,
    path: str | Path,
    *,
    holdout: Frame | None = None,
    seed: int | Stream = 0,
    rows: int = 5_000,
) -> Path:
    """Write what a model of tables learned as one HTML file that needs no network.

    The page shows every column and pairs of columns, real beside sampled, a playground with the distribution of all
    columns given some, odd rows, scores of sampled rows, and what hidden units do.  It contains the model and real
    rows: share it only with people who may see both.

    Args:
        table: a fitted model.
        real: the rows that it was trained on, a DataFrame.
        path: the file to write.
        holdout: rows that the model has not seen, for scores beside what fresh real rows score.
        seed: of sampled rows, an int or a stream.
        rows: how many real rows are looked at, and how many are sampled, at most.

    Returns:
        the path of the file.

    Raises:
        ValueError: before `fit`; for frames without the columns of the model.
        OSError: if the file cannot be written.

    >>> import pandas as pd, harmonium as hm, tempfile
    >>> frame = pd.DataFrame({"city": ["Bern", "Bonn", "Bonn", "Bern"] * 10, "rent": [900, 700, 710, 920] * 10})
    >>> table = hm.TableModel(model="mixture").fit(frame)
    >>> table_page(table, frame, f"{tempfile.mkdtemp()}/rents.html").name
    'rents.html'
    """
    page = PageInput(
        table,
        as_pandas(real),
        None if holdout is None else as_pandas(holdout),
        check_int("rows", rows, least=2),
        stream_of(seed, "table_page"),
    )
    where = as_path(path, "path")
    write_atomically(where, render(page).encode())
    return where


def render(page: PageInput) -> str:
    """Write the whole page as HTML."""
    live, why = payload(page)
    sections = [
        columns.columns(page),
        _pairs(page),
        _playground(why),
        hidden.hidden_units(page),
        odd.odd_rows(page),
        scores.scores(page),
        head.trained(page),
    ]
    return whole_page(
        f"Table of {len(page.table.codec.names)} columns",
        kind=f"harmonium \N{MIDDLE DOT} {head.model_words(page)}",
        lead=head.lead(page),
        facts=tiles(head.facts(page)),
        sections=[section for section in sections if section is not None],
        payload=live,
        modules=MODULES,
        styles=("style.css", "table.css"),
    )


_SCRIPT = "<noscript>This part needs JavaScript; the others do not.</noscript>"


def _pairs(page: PageInput) -> Section | None:
    if sum(view.size > 0 for view in page.views) < 2:
        return None
    lead = paragraph("Two columns against each other, in real rows and in sampled ones.")
    return Section("pairs", "Pairs of columns", f'{lead}{columns.key()}<div id="pair">{_SCRIPT}</div>')


def _playground(why: str) -> Section:
    if why:
        return Section("play", "Playground", paragraph(f"This page does not run the model: {why}."))
    lead = paragraph(
        "Set columns to values; the others show what follows from them. A thin mark is the probability when nothing is "
        "known."
    )  # fmt: skip
    return Section("play", "Playground", f'{lead}<div id="playground">{_SCRIPT}</div>')
