"""What the columns of a table are taken for, as a small file that people read and change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harmonium.core.files import read_json, write_json
from harmonium.data.codecs.categories import Categories
from harmonium.data.codecs.codec import Codec
from harmonium.data.codecs.dates import Dates
from harmonium.data.codecs.left_out import LeftOut
from harmonium.data.codecs.numbers import Numbers
from harmonium.data.codecs.propose import KINDS, ColumnOptions, as_options
from harmonium.data.codecs.table import TableCodec

__all__ = ["columns_of", "read_columns", "write_columns"]


def columns_of(codec: TableCodec, said: Any = None) -> dict[Any, dict[str, Any]]:
    """Describe what columns are taken for, so that `harmonium.TableModel` takes it again: ``columns=...``.

    Args:
        codec: of the table.
        said: what the user said about columns already.

    Returns:
        for each column a dict with "as" (one of "categories", "numbers", "log", "values", "dates", "drop"; None: by its
        values), "cells" (of numbers, at most; None: by the number of rows), "missing" ("value", "random", or None where
        nothing was missing) and "why".

    >>> import pandas as pd
    >>> codec = TableCodec.of(pd.DataFrame({"age": [30, 40, 50, 30], "town": ["a", "b", "a", "a"]}))
    >>> columns_of(codec)["town"]
    {'as': 'categories', 'cells': None, 'missing': None, 'why': 'categories: a, b'}
    """
    options = as_options(said, codec.names)
    return {
        name: _entry(each, gaps, options.get(name, ColumnOptions()))
        for name, each, gaps in zip(codec.names, codec.codecs, codec.gaps, strict=True)
    }


def _entry(codec: Codec, gaps: float, said: ColumnOptions) -> dict[str, Any]:
    kind = said.kind or _kind(codec)
    missing = None if not gaps or not codec.states else "value" if codec.missing else "random"
    why = codec.summary
    if gaps and codec.states:
        why += f"; {100 * gaps:.3g} % of the cells are empty, " + (
            "which depends on the other columns: a value of its own" if codec.missing else "at random"
        )
    return {"as": kind, "cells": said.cells, "missing": missing, "why": why}


def _kind(codec: Codec) -> str | None:
    if isinstance(codec, Numbers):
        return "log" if codec.cells.log else "numbers"
    if isinstance(codec, Categories):
        return "categories"
    return "dates" if isinstance(codec, Dates) else "drop" if isinstance(codec, LeftOut) else None


def write_columns(columns: Mapping[Any, Any], path: Path) -> None:
    """Write what columns are taken for.

    Raises:
        OSError: if the file cannot be written.
    """
    write_json(path, {"columns": {str(name): dict(entry) for name, entry in columns.items()}})


def read_columns(path: Path) -> dict[str, Any]:
    """Read what `write_columns` wrote, changed or not.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFileError: if it is no JSON.
        ValueError: if it is not of the form ``{"columns": {NAME: {"as": KIND}}}``.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}: `harmonium data describe DATA --write {path}` makes one")
    content = read_json(path)
    columns = content.get("columns") if isinstance(content, dict) else None
    if not isinstance(columns, dict):
        shape = '{"columns": {"amount": {"as": "log"}}}'
        raise ValueError(f"{path} is not of the form {shape}, where a column is one of {', '.join(KINDS)}")
    return columns
