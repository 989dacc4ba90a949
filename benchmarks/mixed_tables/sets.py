"""Tables of numbers and texts that packages ship, each split once into rows to learn from and rows held out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from by_default.draws import generator, rows
from by_default.sources import shipped

__all__ = ["SETS", "Split", "split"]


class Split(NamedTuple):
    """A table in two halves.

    Attributes:
        train: rows that generators learn from.
        holdout: fresh rows of the same table.
        target: the column that is predicted from the others.
    """

    train: pd.DataFrame
    holdout: pd.DataFrame
    target: str

    @property
    def classes(self) -> bool:
        """Whether the target is a class rather than a number."""
        return not pd.api.types.is_numeric_dtype(self.train[self.target].dtype)


class _Source(NamedTuple):
    load: Callable[[], pd.DataFrame]
    target: str


def diamonds() -> pd.DataFrame:
    """Round-cut diamonds: weight, cut, colour, clarity, price and sizes."""
    return pd.read_csv(shipped("plotnine", "data/diamonds.csv"))


def bikes() -> pd.DataFrame:
    """Hours of a bike rental: season, hour, weather, and how many bikes were out.

    The number by kind of customer is left out: it adds up to that of all.
    """
    frame = pd.read_csv(shipped("ISLP", "data/Bikeshare.csv"))
    return frame.drop(columns=["casual", "registered"])


def wages() -> pd.DataFrame:
    """Wages of men in the Mid-Atlantic states, with age, education and others.

    The region, which is the same in all rows, and the logarithm of the wage are left out.
    """
    return pd.read_csv(shipped("ISLP", "data/Wage.csv")).drop(columns=["region", "logwage"])


SETS = {
    "diamonds": _Source(diamonds, "cut"),
    "bikes": _Source(bikes, "bikers"),
    "wages": _Source(wages, "health_ins"),
}


def split(name: str) -> Split:
    """The two halves of a set: the same for all generators and seeds."""
    frame = SETS[name].load()
    train, holdout = np.array_split(generator(name, 0).permutation(len(frame)), 2)
    return Split(rows(frame, train), rows(frame, holdout), SETS[name].target)
