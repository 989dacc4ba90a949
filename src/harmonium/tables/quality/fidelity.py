"""Fidelity and usefulness of one table: the synthetic one, or real rows in its place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harmonium.core.random import Stream
from harmonium.data.raw import Frame
from harmonium.tables.quality.c2st import c2st
from harmonium.tables.quality.columns import columns
from harmonium.tables.quality.draws import draw, seed_of
from harmonium.tables.quality.encoding import Encoded
from harmonium.tables.quality.trends import trends
from harmonium.tables.quality.utility import Target, usefulness

__all__ = ["Fidelity", "fidelity"]


class Fidelity(NamedTuple):
    """Scores of a table against real rows; see `Scores`."""

    c2st: float
    trend: float
    tstr: float
    by_column: Frame
    by_pair: Frame

    @property
    def columns(self) -> float:
        """Mean over columns."""
        return float(self.by_column.mean())


def fidelity(
    reference: Encoded, table: Encoded, *, target: Target | None, compared: int, trained: int, stream: Stream
) -> Fidelity:
    """Score a table against real rows.

    Args:
        reference: the real rows.
        table: the rows to score.
        target: the column to predict.
        compared: number of rows of each that are compared.
        trained: number of rows of ``table`` that are trained on for the usefulness.
        stream: of the choice of rows and of the classifiers; the same for all tables that are scored.
    """
    real = draw(reference, compared, stream.child("reference"))
    other = draw(table, compared, stream.child("table"))
    pairs = trends(real, other)
    upper = pairs.to_numpy()[np.triu_indices(len(pairs), 1)]
    return Fidelity(
        c2st=c2st(real, other, seed_of(stream.child("c2st"))),
        trend=float(upper.mean()) if len(upper) else float("nan"),
        tstr=float("nan")
        if target is None
        else usefulness(draw(table, trained, stream.child("table")), reference, target, seed_of(stream.child("tstr"))),
        by_column=columns(real, other),
        by_pair=pairs,
    )
