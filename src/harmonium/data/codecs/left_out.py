"""Columns that are no variables: constants, identifiers, empty columns."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from harmonium.data.codecs.codec import Array, Codec
from harmonium.data.codecs.dtypes import dtype_config, dtype_from_config, with_dtype

__all__ = ["ConstantColumn", "LeftOut"]


class ConstantColumn(Codec):
    """A column with one value: drawn rows have it, too."""

    def __init__(self, value: Any, dtype: Any) -> None:
        self.value, self.dtype = value, dtype

    @property
    def summary(self) -> str:
        return "empty" if self.value is None else f"constant: {str(self.value)[:40]}"

    def encode(self, values: Any, name: str) -> Array:
        return np.zeros((len(values), 0))

    def decode(self, states: Array, u: Array) -> Any:
        values = np.empty(len(states), dtype=object)
        values[:] = [self.value] * len(states)
        return with_dtype(values, np.full(len(states), self.value is None), self.dtype)

    def log_density(self, values: Any, states: Array) -> Array:
        other = ~values.isna().to_numpy() & ~np.array([value == self.value for value in values], dtype=bool)
        return np.where(other, -np.inf, 0.0)

    def shares(self) -> list[Array]:
        return []

    def config(self) -> dict[str, Any]:
        return super().config() | {"value": self.value, "dtype": dtype_config(self.dtype)}

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        return cls(arguments["value"], dtype_from_config(arguments["dtype"]))


class LeftOut(Codec):
    """A column that nothing is learned from; drawn rows do not have it."""

    def __init__(self, why: str) -> None:
        self.why = why

    @property
    def summary(self) -> str:
        return f"left out: {self.why}"

    def encode(self, values: Any, name: str) -> Array:
        return np.zeros((len(values), 0))

    def decode(self, states: Array, u: Array) -> Any:
        return with_dtype(np.full(len(states), None, dtype=object), np.ones(len(states), bool), np.dtype(object))

    def log_density(self, values: Any, states: Array) -> Array:
        return np.zeros(len(values))

    def shares(self) -> list[Array]:
        return []

    def config(self) -> dict[str, Any]:
        return super().config() | {"why": self.why}
