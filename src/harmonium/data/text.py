"""Delimited text files (CSV, TSV): how they are laid out, and their content by pandas."""

from __future__ import annotations

import codecs
import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from harmonium.data.raw import Array, Frame, NotNumbersError

__all__ = [
    "MOST_COLUMNS",
    "Layout",
    "check_width",
    "compact",
    "read_frame",
    "read_header",
    "read_layout",
    "read_numbers",
]

MOST_COLUMNS = 10_000
"""The most columns that pandas reads: each of them takes it some 15 microseconds, however few rows there are."""

_SAMPLE_CHARACTERS = 2**16
# In order of preference where several fit: a comma may be a decimal comma, and a space may be padding.
_DELIMITERS = "\t;|, "


@dataclass(frozen=True)
class Layout:
    """How a text file holds a table.

    Attributes:
        encoding: UTF-8, or UTF-16 if the file starts with its byte order mark.
        delimiter: the character between cells; a space means one or more spaces.
        decimal: the character before the decimals of a number, a point or a comma.
        first: the cells of the first line.
    """

    encoding: str
    delimiter: str
    decimal: str
    first: list[str]

    @property
    def header(self) -> list[str] | None:
        """The names of the columns, or None if the first line holds a number."""
        return None if any(map(self.is_number, self.first)) else self.first

    def is_number(self, cell: str) -> bool:
        """Return whether a cell holds a number; "nan" and "inf" are numbers, an empty cell is not."""
        digits = rf"(\d+({re.escape(self.decimal)}\d*)?|{re.escape(self.decimal)}\d+)(e[+-]?\d+)?"
        return re.fullmatch(rf"\s*[+-]?({digits}|inf(inity)?|nan)\s*", cell, re.ASCII | re.IGNORECASE) is not None


def read_layout(path: Path) -> Layout:
    """Find the encoding, the delimiter and the decimal character of a text file from its first lines.

    The delimiter is the character that cuts most of these lines into the same number of cells.

    Returns:
        The layout.

    Raises:
        ValueError: the file has no lines, or is not text in UTF-8, or in UTF-16 with a byte order mark.
    """
    with path.open("rb") as file:
        start = file.read(2)
    encoding = "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    with _open(path, encoding) as text:
        sample = text.read(_SAMPLE_CHARACTERS)
        whole = len(sample) < _SAMPLE_CHARACTERS
        if not whole and "\n" not in sample and "\r" not in sample:
            sample += text.readline()
    if "\0" in sample:
        raise ValueError(f"{path} holds zero bytes, so it is not a text file: save the table as text in UTF-8")
    lines = list(io.StringIO(sample, newline=""))
    if not whole and len(lines) > 1:
        del lines[-1]  # may be cut
    delimiter = _delimiter(lines)
    rows = _rows(lines, delimiter)
    if not rows:
        raise ValueError(f"{path} holds no cases: add at least one line")
    return Layout(encoding, delimiter, _decimal(rows, delimiter), rows[0])


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


# Layout ----------------------------------------------------------------------------------------------------------


@contextmanager
def _open(path: Path, encoding: str) -> Iterator[TextIO]:
    try:
        with path.open(newline="", encoding=encoding) as file:
            yield file
    except UnicodeDecodeError:
        content = path.read_bytes()
        try:
            content.decode(encoding)
        except UnicodeDecodeError as exact:  # counted from the start of the file, not of what was read last
            error = exact
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path}, line {line} is not text in {encoding.removesuffix('-sig').upper()} (byte "
            f"0x{error.object[error.start]:02x}): save the table as text in UTF-8 (a file of Windows: iconv -f CP1252 "
            "-t UTF-8 OLD > NEW)"
        ) from None


def _records(lines: Iterable[str], delimiter: str) -> Any:
    """A `csv.reader`, for which several spaces are one delimiter too."""
    return csv.reader(map(str.strip, lines) if delimiter == " " else lines, delimiter=delimiter, skipinitialspace=True)


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    """The rows that are not blank, up to the first that cannot be read, which `_check_lines` reports with its line."""
    rows = []
    with suppress(csv.Error):
        for cells in _records(lines, delimiter):
            if not _is_blank(cells):
                rows.append(cells)
    return rows


def _is_blank(cells: list[str]) -> bool:
    return not cells or (len(cells) == 1 and not cells[0].strip())


def _delimiter(lines: list[str]) -> str:
    best, most = ",", 0.5  # at least half of the rows
    for mark in _DELIMITERS:
        if not any(mark in line for line in lines):
            continue
        widths = Counter(map(len, _rows(lines, mark)))
        width, rows = max(widths.items(), key=lambda item: item[1], default=(1, 0))
        share = rows / max(1, widths.total())
        if width > 1 and share > most:
            best, most = mark, share
    return best


def _decimal(rows: list[list[str]], delimiter: str) -> str:
    """A comma if cells such as 1,5 are found.  1,500 may be a thousand, except between semicolons."""
    pattern = r"\s*[+-]?\d+,\d+\s*" if delimiter == ";" else r"\s*[+-]?\d+,(\d\d?|\d{4,})\s*"
    return "," if delimiter != "," and any(re.fullmatch(pattern, cell) for row in rows for cell in row) else "."


# Content ---------------------------------------------------------------------------------------------------------


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
    with _open(path, layout.encoding) as file:
        return np.loadtxt(
            file, delimiter=None if layout.delimiter == " " else layout.delimiter,
            skiprows=int(layout.header is not None), ndmin=2, quotechar='"', comments=None,
        )  # fmt: skip


def _check_lines(path: Path, layout: Layout, numbers: bool = False) -> None:
    """Raise for the first line of another length, or, if ``numbers``, for the first cell that is not a number."""
    width, start = 0, 0
    with _open(path, layout.encoding) as file:
        records = _records(file, layout.delimiter)
        try:
            for cells in records:
                if _is_blank(cells):
                    continue
                if numbers and (start or layout.header is None):
                    _check_cells(cells, f"{path}, line {records.line_num}", layout, start == 0)
                if not start:
                    width, start = len(cells), records.line_num
                elif len(cells) != width:
                    raise ValueError(
                        f"{path}, line {records.line_num} has {len(cells)} cells where line {start} has {width}: "
                        "correct the line (is a quotation mark not closed?)"
                    )
        except csv.Error as error:
            raise ValueError(f"{path}, line {records.line_num} cannot be read ({error}): correct the line") from None


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
