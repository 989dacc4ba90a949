"""Columns of labels: text, categories, booleans, codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from harmonium.data.codecs.codec import Array, Codec
from harmonium.data.codecs.dtypes import dtype_config, dtype_from_config, with_dtype

__all__ = ["Categories"]

MOST_STATES = 200  # labels of their own; the rest are pooled
RARE = 3  # rows; labels with fewer are pooled where there are several
FEW_RARE = 8
_SHOWN = 4


class Categories(Codec):
    """Labels as states, one for each; rare ones share a state, and are drawn from it by their frequencies.

    Args:
        labels: all labels, those with a state of their own first.
        counts: the rows with each label.
        own: how many labels have a state of their own.
        dtype: the type of the column.
        missing: whether an empty cell is a state.
        empty: the number of empty cells.
    """

    def __init__(
        self,
        labels: Sequence[Any],
        counts: Sequence[float],
        own: int,
        dtype: Any,
        missing: bool = False,
        empty: int = 0,
    ) -> None:
        self.labels, self.counts = tuple(labels), np.asarray(counts, dtype=np.float64)
        self.own, self.dtype, self.missing, self.empty = own, dtype, missing, empty
        self.pooled = len(self.labels) > own
        self.states = (max(2, own + self.pooled + missing),)
        self.ordered = (self.states[0] == 2,)
        self._place = {label: place for place, label in enumerate(self.labels)}

    @classmethod
    def of(cls, values: Any, missing: bool = False) -> Self:
        """Choose the states of a column by its values."""
        dtype = values.dtype
        found = values.dropna()
        counts = found.value_counts()
        if isinstance(dtype, pd.CategoricalDtype):
            order = {label: place for place, label in enumerate(dtype.categories)}
        elif pd.api.types.is_bool_dtype(dtype):
            order = {False: 0, True: 1}
        else:
            order = {}
        seen = {_plain(label): int(count) for label, count in counts.items() if count > 0}
        rank = {label: (order.get(label, 0), type(label).__name__, str(label)) for label in seen}
        by_count = sorted(seen, key=lambda label: (-seen[label], rank[label]))
        frequent = [label for label in by_count if seen[label] >= RARE]
        if len(by_count) - len(frequent) < FEW_RARE and len(by_count) <= MOST_STATES:
            frequent = by_count
        frequent = frequent[:MOST_STATES]
        rest = by_count[len(frequent) :]
        labels = sorted(frequent, key=rank.__getitem__) + rest
        return cls(labels, [seen[label] for label in labels], len(frequent), dtype, missing, int(values.isna().sum()))

    @property
    def summary(self) -> str:
        shown = ", ".join(str(label)[:24] for label in self.labels[:_SHOWN])
        more = f", ... ({len(self.labels)} in all)" if len(self.labels) > _SHOWN else ""
        pooled = f"; {len(self.labels) - self.own} rare ones share a state" if self.pooled else ""
        return f"categories: {shown}{more}{pooled}"

    def encode(self, values: Any, name: str) -> Array:
        gone = values.isna().to_numpy()
        places = np.where(gone, -1, self._places(values))
        states = np.minimum(places, self.own).astype(np.float64)
        states[places < 0] = np.nan
        if self.missing:
            states[gone] = self.states[0] - 1
        return np.asarray(states[:, None])

    def decode(self, states: Array, u: Array) -> Any:
        state = states[:, 0]
        gone = np.isnan(state) | (self.missing & (state == self.states[0] - 1))
        place = np.where(gone, 0, state).astype(int)
        if self.pooled:
            below = np.cumsum(self.counts[self.own :])
            rare = self.own + np.searchsorted(below, u[:, 0] * below[-1], side="right").clip(max=len(below) - 1)
            place = np.where(place >= self.own, rare, place)
        place = np.clip(place, 0, len(self.labels) - 1)  # of a second state that nothing has
        labels = np.empty(len(self.labels), dtype=object)
        labels[:] = self.labels
        return with_dtype(labels[place], gone, self.dtype)

    def log_density(self, values: Any, states: Array) -> Array:
        within = np.zeros(len(states))
        if self.pooled:
            rare = np.flatnonzero(states[:, 0] == self.own)
            places = np.array([self._find(value) for value in values.iloc[rare]], dtype=int)
            within[rare] = np.log(self.counts[places] / self.counts[self.own :].sum())
        return within

    def unseen(self, values: Any) -> Array:
        return np.asarray(~values.isna().to_numpy() & (self._places(values) < 0))

    def _places(self, values: Any) -> Array:
        """The place of each value among the labels, -1 if it is none of them or missing."""
        codes, different = pd.factorize(values)
        found = np.array([*(self._find(value) for value in different), -1], dtype=int)
        return np.asarray(found[codes])

    def shares(self) -> list[Array]:
        share = np.zeros(self.states[0])
        share[: self.own] = self.counts[: self.own]
        if self.pooled:
            share[self.own] = self.counts[self.own :].sum()
        if self.missing:
            share[-1] += self.empty
        return [share / max(1.0, share.sum())]

    def state_of(self, label: Any) -> int:
        """The state of a label, -1 if it was never seen."""
        return min(self._find(label), self.own)

    def names(self) -> list[str]:
        """A name for each state."""
        names = [str(label) for label in self.labels[: self.own]] + (["other"] if self.pooled else [])
        names += [""] * (self.states[0] - self.missing - len(names)) + (["missing"] if self.missing else [])
        return names

    def _find(self, value: Any) -> int:
        try:
            return self._place.get(_plain(value), -1)
        except TypeError:  # a list
            return -1

    def config(self) -> dict[str, Any]:
        return super().config() | {
            "labels": list(self.labels), "counts": self.counts.astype(int).tolist(), "own": self.own,
            "dtype": dtype_config(self.dtype), "missing": self.missing, "empty": self.empty,
        }  # fmt: skip

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        return cls(**arguments | {"dtype": dtype_from_config(arguments["dtype"])})


def _plain(label: Any) -> Any:
    """A label as Python has it, so that files can hold it."""
    label = label.item() if isinstance(label, np.generic) else label
    return label if isinstance(label, (str, int, float, bool)) else str(label)
