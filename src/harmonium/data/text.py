"""Delimited text files (CSV, TSV), read by pandas."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from harmonium.data.layout import Layout, is_blank, open_text, read_layout, records
from harmonium.data.raw import Array, Frame, NotNumbersError

__all__ = ["check_width", "compact", "read_frame", "read_header", "read_numbers"]

MOST_COLUMNS = 10_000
"""The most columns that pandas reads: each of them takes it some 15 microseconds, however few rows there are."""


def read_header(path: Path) -> list[str] | None:
    """Return the names of the columns if the first line of a table holds names, None if it holds a number."""
    return read_layout(path).header


def read_numbers(path: Path) -> Array:
    """Read a table of numbers, one case per line.

    Returns:
        (cases, columns) float64, or uint8 if all values are 0 or 1.  A cell "nan" becomes NaN.

    Raises:
        NotNumbersError: a cell is not a number; the message names its line and column.
        ValueError: lines of unequal length, no case at all, or another encoding.
    """
    layout = read_layout(path)
    try:
        if len(layout.first) > MOST_COLUMNS:
            table = _load_wide(path, layout)
        else:
            frame = _parse(path, layout, keep_default_na=False, na_values=["nan", "NaN", "NAN"])
            if not all(kind.kind in "iuf" for kind in frame.dtypes):
                _check_lines(path, layout, numbers=True)
            table = frame.to_numpy()
    except NotNumbersError:
        raise
    except (ValueError, Warning) as error:
        _check_lines(path, layout, numbers=True)
        raise ValueError(f"{path} cannot be read as a table of numbers: {error}") from error
    if not table.size:
        raise ValueError(f"{path} holds no cases{' below its header' if layout.header else ''}: add at least one line")
    return compact(table)


def read_frame(path: Path) -> Frame:
    """Read a table with columns of any kind; empty cells, NA, NaN, null and "?" are missing values.

    Returns:
        A pandas DataFrame.  Columns of a file without a header are named "column 1", "column 2" and so on.

    Raises:
        ValueError: lines of unequal length, more than `MOST_COLUMNS` columns, no case at all, or another encoding.
    """
    layout = read_layout(path)
    check_width(len(layout.first), path)
    _check_lines(path, layout)  # pandas would fill lines that are too short
    frame = _parse(path, layout, na_values=["?"])
    if layout.header is None:
        frame.columns = [f"column {j + 1}" for j in range(len(layout.first))]
    return frame


def check_width(columns: int, path: Path) -> None:
    """Raise `ValueError` if a table has more than `MOST_COLUMNS` columns."""
    if columns > MOST_COLUMNS:
        raise ValueError(
            f"{path} has {columns} columns; columns of any kind are read from tables of at most {MOST_COLUMNS}: keep "
            "fewer columns, or write numbers only, without missing ones"
        )


def compact(table: Array) -> Array:
    """Return a table as bytes if all its values are 0 or 1, and as float64 otherwise."""
    return table.astype(np.uint8 if ((table == 0) | (table == 1)).all() else np.float64, copy=False)


def _parse(path: Path, layout: Layout, **missing: Any) -> Frame:
    import pandas as pd  # half a second, which data without tables need not wait for

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # cells beyond the header would be lost
        return pd.read_csv(
            path, sep=r"\s+" if layout.delimiter == " " else layout.delimiter, decimal=layout.decimal,
            encoding=layout.encoding, header=None if layout.header is None else 0, index_col=False,
            skipinitialspace=True, low_memory=False, **missing,
        )  # fmt: skip


def _load_wide(path: Path, layout: Layout) -> Array:
    with open_text(path, layout.encoding) as file:
        return np.loadtxt(
            file, delimiter=None if layout.delimiter == " " else layout.delimiter,
            skiprows=int(layout.header is not None), ndmin=2, quotechar='"', comments=None,
        )  # fmt: skip


def _check_lines(path: Path, layout: Layout, numbers: bool = False) -> None:
    """Raise for the first line of another length, or, if ``numbers``, for the first cell that is not a number."""
    width, start = 0, 0
    with open_text(path, layout.encoding) as file:
        lines = records(file, layout.delimiter)
        try:
            for cells in lines:
                if is_blank(cells):
                    continue
                if numbers and (start or layout.header is None):
                    _check_cells(cells, f"{path}, line {lines.line_num}", layout, start == 0)
                if not start:
                    width, start = len(cells), lines.line_num
                elif len(cells) != width:
                    raise ValueError(
                        f"{path}, line {lines.line_num} has {len(cells)} cells where line {start} has {width}: "
                        "correct the line (is a quotation mark not closed?)"
                    )
        except csv.Error as error:
            raise ValueError(f"{path}, line {lines.line_num} cannot be read ({error}): correct the line") from None


def _check_cells(cells: list[str], where: str, layout: Layout, first: bool) -> None:
    for column, cell in enumerate(cells):
        if not layout.is_number(cell):
            name = layout.header[column] if layout.header and column < len(layout.header) else f"column {column + 1}"
            raise NotNumbersError(
                f"{where}, column {column + 1}{f' ({name!r})' if layout.header else ''} holds "
                f"{repr(cell) if cell.strip() else 'nothing'}, not a number: correct the cell, leave the column out "
                f"(drop=[{name!r}]), or read every column by its values (table=True)"
                + ("; or remove the line, if it is a header" if first else "")
            )
