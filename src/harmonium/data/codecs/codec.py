"""What a codec is: the categorical variables that stand for a column, and the way back to its values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from harmonium.core.registry import Registered

__all__ = ["Array", "Codec"]

Array = np.ndarray[Any, Any]


class Codec(Registered, ABC):
    """A column of a table as categorical variables: none, one or several.

    Attributes:
        states: the number of states of each variable.
        ordered: for each variable, whether its states are in the order of the values.
        dtype: the type of the column.
        missing: whether an empty cell is a state of its own, the last one of each variable.  Otherwise the variables of
            an empty cell are NaN: missing at random.
    """

    states: tuple[int, ...] = ()
    ordered: tuple[bool, ...] = ()
    missing: bool = False
    dtype: Any = np.dtype(object)

    @property
    @abstractmethod
    def summary(self) -> str:
        """What the column is taken for, in a few words."""

    @abstractmethod
    def encode(self, values: Any, name: str) -> Array:
        """Turn a pandas column into states, (rows, variables) float64, NaN where a value is missing at random.

        Args:
            values: the column.
            name: the column in error messages.

        Raises:
            ValueError: for a value that the column cannot hold, such as text among numbers.
        """

    @abstractmethod
    def decode(self, states: Array, u: Array) -> Any:
        """Turn states into values.

        Args:
            states: (rows, variables), NaN where a value is missing.
            u: uniform numbers in (0, 1), (rows, variables), which choose among the values of a state.

        Returns:
            a pandas column, with the type that the column had.
        """

    @abstractmethod
    def log_density(self, values: Any, states: Array) -> Array:
        """log p(value | states) in nats, (rows,): 0 where a state has one value, or the value is missing."""

    @abstractmethod
    def shares(self) -> list[Array]:
        """How frequent each state of each variable was among the rows that the codec was made from."""

    def scores(self) -> list[Array | None]:
        """Standard normal scores of the states of ordered variables, None for the others.

        A state has the normal quantile of the middle of its share: a Gaussian model of the scores is a Gaussian copula.
        """
        return [
            _normal_scores(share) if order else None for share, order in zip(self.shares(), self.ordered, strict=True)
        ]

    def unseen(self, values: Any) -> Array:
        """Which values the codec cannot express, bool (rows,): labels that were not there when it was made."""
        return np.zeros(len(values), dtype=bool)


def _normal_scores(share: Array) -> Array:
    from scipy.special import ndtri  # loads slowly

    middle = (np.cumsum(share) - share / 2) / share.sum()
    return np.asarray(ndtri(np.clip(middle, 1e-6, 1 - 1e-6)))
