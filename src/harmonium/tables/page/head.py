"""The head of the page, and what was trained."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from harmonium.core.numbers import nats
from harmonium.core.rows import some_rows
from harmonium.data.codecs.codec import Array
from harmonium.data.codecs.dates import Dates
from harmonium.data.codecs.left_out import LeftOut
from harmonium.data.codecs.numbers import Numbers
from harmonium.report.markup import Section, paragraph, table, typeset
from harmonium.tables.page.gathered import JUDGED, PageInput
from harmonium.tables.page.views import View

__all__ = ["facts", "lead", "trained"]

WORDS = {
    "OrderlessNADE": "order-agnostic network", "BernoulliMixture": "mixture of independent columns",
    "RBM": "restricted Boltzmann machine", "NADE": "NADE", "MADE": "MADE",
}  # fmt: skip


TRIED = {
    "orderless": WORDS["OrderlessNADE"], "mixture": WORDS["BernoulliMixture"], "rbm": WORDS["RBM"], "nade": "NADE",
    "made": "MADE",
}  # fmt: skip


def model_words(page: PageInput) -> str:
    """What kind of model it is."""
    kind = type(page.table.model).__name__
    return WORDS.get(kind, kind)


def lead(page: PageInput) -> str:
    """A sentence about the table."""
    count = len(page.table.codec.names)
    return (
        f"A model of a table of {page.table.rows:,} rows and {count} column{'s' if count != 1 else ''}: what it "
        "learned, beside the real rows."
    )


def facts(page: PageInput) -> Iterator[tuple[str, str, str]]:
    """Tiles: a name, a value and a remark each."""
    codec = page.table.codec
    yield "Rows", f"{page.table.rows:,}", f"{len(page.shown):,} are looked at in this page"
    learned = len(codec.learned())
    rest = len(codec.names) - learned
    remark = "all learned" if not rest else f"{learned} learned, {rest} left out or constant"
    yield "Columns", f"{len(codec.names)}", remark
    yield "Model", model_words(page), f"{sum(p.numel() for p in page.table.model.parameters()):,} parameters"
    yield from _likelihood("Mean log p of real rows", page.log_prob.to_numpy(), _kind(page))
    if page.holdout is not None:
        some = page.holdout.iloc[some_rows(len(page.holdout), JUDGED // 2).numpy()]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of labels never seen: such rows are counted
                values = page.table.log_prob(some).to_numpy()
        except ValueError:  # rows with gaps that the model cannot sum out
            return
        yield from _likelihood("The same of the holdout", values, "rows that the model has not seen")


def _likelihood(name: str, values: Array, remark: str) -> Iterator[tuple[str, str, str]]:
    """A tile of mean log p; rows of which it is not known, or which are impossible, are told."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return
    impossible, unknown = int(np.isneginf(values).sum()), int(np.isnan(values).sum())
    remark += f"; without {_rows(impossible)} with values never seen, whose log p is unbounded" if impossible else ""
    remark += f"; without {_rows(unknown)} with gaps" if unknown else ""
    yield name, f"{typeset(nats(float(finite.mean())))} nats", remark


def _kind(page: PageInput) -> str:
    """What log p counts."""
    has = {_counts(view) for view in page.views if view.size}
    if has == {"mass"}:
        return "probability: every cell is a label, or a value that repeats"
    if has == {"density"}:
        return "density of numbers, in the units of the columns"
    return "probability of labels and of values that repeat, density of other numbers in the units of the columns"


def _counts(view: View) -> str:
    """Whether the values of a column count by their probability, by their density, or some by each."""
    codec = view.codec
    cells = codec.cells if isinstance(codec, Numbers) else codec.clock if isinstance(codec, Dates) else None
    if cells is None or cells.point.all():
        return "mass"
    return "both" if cells.point.any() else "density"


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count != 1 else ''}"


def trained(page: PageInput) -> Section:
    """What was trained, and what was noticed about columns."""
    tried = [trial for trial in page.table.trials if not trial.note]
    named = any(trial.log_prob is not None for trial in tried)
    rows = [
        (
            _words_of(trial.word),
            *([typeset(nats(trial.log_prob))] if named and trial.log_prob is not None else [""] if named else []),
            f"{trial.seconds:.0f} s",
        )
        for trial in tried
    ]
    body = table(["Model", *(["nats per row set aside"] if named else []), "processor time"], rows)
    if len(rows) > 1:
        body += paragraph("The one with the better likelihood of rows set aside was kept.", "note")
    for trial in page.table.trials:
        if trial.note:
            body += paragraph(f"{_words_of(trial.word).capitalize()}: {trial.note}.", "note")
    for place, codec in enumerate(page.table.codec.codecs):
        if isinstance(codec, LeftOut):
            body += paragraph(f"Column {page.table.codec.names[place]} was left out: {codec.why}.", "note")
    return Section("trained", "What was trained", body)


def _words_of(word: str) -> str:
    return TRIED.get(word, word)
