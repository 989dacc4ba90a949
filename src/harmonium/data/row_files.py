"""Rows in several arrays, one after the other: files that together are one table, and are mapped, not read."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from harmonium.data.mapped import find_mapping

__all__ = ["RowFiles"]

Array = np.ndarray[Any, Any]
Index = np.ndarray[Any, np.dtype[np.int64]]


class RowFiles:
    """One table, (rows, ...features), whose rows are in several arrays.

    Args:
        tables: the arrays, (rows, ...features), of one type and with the same features.

    Attributes:
        tables: the arrays.
        mappings: the mapped files among them.
        shape: that of all rows together.
        dtype: of the values.

    >>> table = RowFiles([np.zeros((2, 3)), np.ones((1, 3))])
    >>> table.shape, table[np.array([2, 0])].tolist()
    ((3, 3), [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    """

    def __init__(self, tables: Sequence[Array]) -> None:
        self.mappings: list[mmap.mmap] = [each for each in map(find_mapping, tables) if each is not None]
        self.tables = [np.asarray(table) for table in tables]  # indexing a memmap is slow
        self.shape: tuple[int, ...] = (sum(map(len, self.tables)), *self.tables[0].shape[1:])
        self.dtype: np.dtype[Any] = self.tables[0].dtype
        self._starts = np.cumsum([0, *map(len, self.tables)])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Index) -> Array:
        """Rows by number, copied."""
        out = np.empty((len(index), *self.shape[1:]), self.dtype)
        for table, places, rows in self.split(index):
            out[places] = table[rows]
        return out

    def flat(self) -> RowFiles:
        """The same rows as (rows, features)."""
        if len(self.shape) == 2:
            return self
        found = RowFiles([table.reshape(len(table), -1) for table in self.tables])
        found.mappings = self.mappings
        return found

    def split(self, index: Index) -> Iterator[tuple[Array, Index, Index]]:
        """Divide rows among the arrays that have them.

        Args:
            index: (rows,) numbers of rows, from 0 to ``len(self) - 1``.

        Returns:
            An iterator over an array, the places in ``index`` of its rows, and their numbers in the array.
        """
        owner = np.searchsorted(self._starts, index, side="right") - 1
        for number in np.unique(owner):
            places = np.flatnonzero(owner == number)
            yield self.tables[number], places, index[places] - self._starts[number]
