"""The result of `harmonium.quality`: scores of the synthetic table beside those of fresh real rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

import pandas as pd

from harmonium.core import notebook
from harmonium.core.numbers import fixed
from harmonium.data.raw import Frame

__all__ = ["Quality", "Scores"]

_WORST = 3  # columns and pairs that are shown


@dataclass(frozen=True)
class Scores:
    """Scores of one table. NaN is a score that could not be had, of which `Quality.notes` says why.

    Attributes:
        c2st: 2 (1 - AUC) of gradient boosting that tells real and synthetic rows apart; 1 = it cannot.
        trend: mean over pairs of columns of 1 - total variation distance; 1 = equal.
        columns: mean over columns of 1 - distance; 1 = equal. Independent columns reach it too: never judge by it
            alone.
        tstr: AUC (R² for numbers) on real rows of gradient boosting trained on the table.
        nearer: share of rows that are nearer to a training row than to one of as many fresh ones; 0.5 = nothing was
            memorised. A holdout that is smaller than the training table shows less of it.
        copies: share of rows that equal a training row in all columns.
        aats: accuracy of nearest neighbours against the training rows; 0.5 is best, below it rows were memorised.
        aats_fresh: the same against fresh rows; above 0.5 the tables can be told apart.
        privacy_loss: ``aats_fresh - aats``; 0 = training rows are no closer than fresh ones.
    """

    c2st: float
    trend: float
    columns: float
    tstr: float
    nearer: float
    copies: float
    aats: float
    aats_fresh: float
    privacy_loss: float


@dataclass(frozen=True)
class Quality(Scores):
    """Result of `harmonium.quality`: the scores of the synthetic table as attributes; ``print`` shows them.

    Attributes:
        fresh: what real rows score in the place of the synthetic ones; None without a holdout.
        target: the column that ``tstr`` predicts; None if there is none.
        measure: "AUC" or "R²".
        by_column: 1 - distance of every column, a DataFrame with the columns "synthetic" and, with a holdout, "real".
        by_pair: 1 - distance of every pair, a DataFrame with the columns on both sides.
        compared: number of rows of each table that were compared.
        notes: what else the reader has to know.
    """

    fresh: Scores | None
    target: Any
    measure: str
    by_column: Frame = field(repr=False, compare=False)
    by_pair: Frame = field(repr=False, compare=False)
    compared: int
    notes: tuple[str, ...]

    def to_frame(self) -> Frame:
        """Return a DataFrame with a row per score: "synthetic", "real" (fresh rows in their place), "meaning"."""
        names = [item.name for item in fields(Scores)]
        return pd.DataFrame(
            {
                "synthetic": [getattr(self, name) for name in names],
                "real": [getattr(self.fresh, name) if self.fresh else math.nan for name in names],
                "meaning": [self._meanings()[name] for name in names],
            },
            index=pd.Index(names, name="score"),
        )

    def __str__(self) -> str:
        body = self._cells()
        widths = [max(len(row[place]) for row in body) for place in range(3)]
        lines = [
            f"{name:{widths[0]}}  {synthetic:>{widths[1]}}  {real:>{widths[2]}}  {meaning}".rstrip()
            for name, synthetic, real, meaning in body
        ]
        return "\n".join([self._caption(), "", *lines, "", *self._below()])

    def _repr_html_(self) -> str:
        head, *body = self._cells()
        return notebook.table(head, body, self._caption(), self._below())

    def _caption(self) -> str:
        against = "training rows" if self.fresh is None else "rows of the holdout"
        return f"Quality of a synthetic table: {self.compared:,} of its rows against as many {against}"

    def _cells(self) -> list[tuple[str, str, str, str]]:
        rows = [
            (str(name), _text(synthetic), _text(real), meaning)
            for name, synthetic, real, meaning in self.to_frame().itertuples()
        ]
        return [("", "synthetic", "real", ""), *rows]

    def _below(self) -> list[str]:
        worst = self.by_column["synthetic"].sort_values()[:_WORST]
        columns = ", ".join(f"{name} {_text(value)}" for name, value in worst.items())
        return [f"Lowest columns: {columns}.", *(f"Note: {note}." for note in self.notes)]

    def _meanings(self) -> dict[str, str]:
        target = "the target" if self.target is None else str(self.target)
        return {
            "c2st": "boosting cannot tell the rows from real ones: 1 = not at all, 0 = it can tell every one",
            "trend": "pairs of columns, 1 - total variation: 1 = as in the real table",
            "columns": "single columns, 1 - distance: 1 = as in the real table (independent columns reach it)",
            "tstr": f"{self.measure} of {target} on real rows, by boosting trained on these rows: higher is better",
            "nearer": "rows nearer to a training row than to a fresh one: 0.5 = nothing memorised",
            "copies": "rows that equal a training row",
            "aats": "nearest neighbours of the own table, against training rows: 0.5 is best, lower = memorised",
            "aats_fresh": "the same against fresh rows: 0.5 is best, higher = can be told apart",
            "privacy_loss": "the difference of the two: 0 is best",
        }


def _text(value: float) -> str:
    return "-" if math.isnan(value) else fixed(value, 3)
