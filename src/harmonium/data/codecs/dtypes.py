"""The types of columns: written in files, and given back to values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["dtype_config", "dtype_from_config", "with_dtype"]


def dtype_config(dtype: Any) -> Any:
    """Describe the type of a column in JSON.

    >>> dtype_config(np.dtype("int64")), dtype_config(pd.CategoricalDtype(["a", "b"]))
    ('int64', {'categories': ['a', 'b'], 'ordered': False})
    """
    if isinstance(dtype, pd.CategoricalDtype):
        labels = [] if dtype.categories is None else dtype.categories.tolist()
        if all(isinstance(label, (str, int, float, bool)) for label in labels):
            return {"categories": labels, "ordered": bool(dtype.ordered)}
        return "object"
    return str(dtype)


def dtype_from_config(config: Any) -> Any:
    """Return the type that `dtype_config` described; object if it is not known here, as without pyarrow."""
    if isinstance(config, dict):
        return pd.CategoricalDtype(config["categories"], config["ordered"])
    try:
        return pd.api.types.pandas_dtype(config)
    except (TypeError, ImportError):
        return np.dtype(object)


def with_dtype(values: Any, missing: Any, dtype: Any) -> Any:
    """Return values, an array, as a pandas column of a type, None where they are missing.

    A type that has no word for missing values, such as int64, gives way to float64 or object.
    """
    values = pd.Series(values, dtype=values.dtype)
    plain = dtype.kind if isinstance(dtype, np.dtype) else ""
    if bool(missing.any()):
        if plain in ("i", "u"):
            dtype = np.dtype("float64")
        elif plain == "b":
            dtype = np.dtype(object)
        if values.dtype.kind != "f":
            values = values.astype(object)
        values[missing] = np.nan if values.dtype.kind == "f" else None
    if getattr(dtype, "kind", "") in ("i", "u") and values.dtype.kind == "f":
        values = values.round()
    try:
        return values.astype(dtype)
    except (TypeError, ValueError, OverflowError):
        return values
