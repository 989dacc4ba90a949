"""Input of the page: the model with real rows, and rows that it draws."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from harmonium.core.random import Stream
from harmonium.core.rows import some_rows
from harmonium.data.raw import Frame
from harmonium.tables.page.views import View, view_of

if TYPE_CHECKING:
    from harmonium.tables.model import TableModel

__all__ = ["JUDGED", "PageInput"]

JUDGED = 2000  # rows whose log p is computed, which takes longest


@dataclass(frozen=True)
class PageInput:
    """A model of tables, real rows, and drawn ones.

    Attributes:
        table: the fitted model.
        real: rows that it was trained on, all of them.
        holdout: rows that it has not seen, if there are any.
        rows: how many real rows are looked at, and how many are drawn, at most.
        seed: of everything random.
    """

    table: TableModel
    real: Frame
    holdout: Frame | None
    rows: int
    seed: Stream

    @cached_property
    def shown(self) -> Frame:
        """Those of the real rows that are looked at, with the columns of the model in its order."""
        some = some_rows(len(self.real), self.rows).numpy()
        return self.table.codec.matched(self.real.iloc[some])

    @cached_property
    def drawn(self) -> Frame:
        """Rows of the model, as many as real ones are looked at; columns that were left out are empty."""
        count = len(self.shown)
        drawn = self.table.sample(count, seed=self.seed.child("sample"), progress=False)
        places = self.table.codec.drawn()
        full = self.shown.copy()
        for place in range(full.shape[1]):
            values = drawn.iloc[:, places.index(place)] if place in places else None
            full.isetitem(place, None if values is None else values.set_axis(full.index))
        return full

    @cached_property
    def views(self) -> list[View]:
        """How each column is shown, in the order of the columns."""
        return [
            view_of(codec, str(name), self.shown.iloc[:, place])
            for place, (name, codec) in enumerate(zip(self.table.codec.names, self.table.codec.codecs, strict=True))
        ]

    @cached_property
    def judged(self) -> Frame:
        """Those of the real rows that are looked at whose log p is computed."""
        return self.shown.iloc[some_rows(len(self.shown), JUDGED).numpy()]

    @cached_property
    def log_prob(self) -> Any:
        """log p of these rows, a Series; NaN where the model cannot say it."""
        try:
            return self.table.log_prob(self.judged)
        except ValueError:  # rows with gaps that the model cannot sum out
            whole = ~self.judged.isna().any(axis=1).to_numpy()
            values = pd.Series(np.nan, index=self.judged.index, name="log_prob")
            if whole.any():
                values[whole] = self.table.log_prob(self.judged[whole]).to_numpy()
            return values
