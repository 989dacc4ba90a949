"""Numeric tables as text, with or without a header, whatever their delimiter."""

from __future__ import annotations

import csv
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .raw import Array, RawData

__all__ = ["Layout", "NotNumbersError", "read_csv", "read_header", "read_layout"]

_SAMPLE_CHARACTERS = 2**16
_DELIMITERS = ",;\t |"


class NotNumbersError(ValueError):
    """A table holds something else than numbers, which only a table of columns (``table=True``) can take."""


@dataclass(frozen=True)
class Layout:
    """How a text file is a table."""

    delimiter: str
    header: bool


def read_layout(path: Path) -> Layout:
    """The delimiter of a text file, and whether its first line is a header: if none of its cells is a number.

    Raises:
        ValueError: where the file is no text in UTF-8.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            sample = file.read(_SAMPLE_CHARACTERS)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8 ({error}): save it as UTF-8") from error
    lines = sample.splitlines()
    delimiter = _delimiter(lines)
    first = next(csv.reader(lines[:1], delimiter=delimiter), [])
    if delimiter == ";":  # goes with decimal commas
        first = [cell.replace(",", ".") for cell in first]
    return Layout(delimiter, header=bool(lines) and not any(map(_is_number, first)))


def read_csv(path: Path) -> RawData:
    """A table of numbers, one case per line.

    The first line is a header if none of its cells is a number.  Values are float64, or bytes if all are 0 or 1.

    Raises:
        NotNumbersError: a cell that is no number, named by row and column.
        ValueError: lines of unequal length, no case at all, or no text in UTF-8.
    """
    layout = read_layout(path)
    delimiter, header = layout.delimiter, layout.header
    try:
        with warnings.catch_warnings(), path.open(newline="", encoding="utf-8-sig") as file:
            warnings.simplefilter("ignore")  # of empty input, which is an error below
            table: Array = np.loadtxt(
                file, delimiter=delimiter, skiprows=int(header), ndmin=2, quotechar='"', comments=None
            )
    except ValueError as error:
        raise _locate(path, delimiter, header, error) from error
    if table.size == 0:
        raise ValueError(f"{path} holds no cases{' below its header' if header else ''}: give at least one line")
    if ((table == 0) | (table == 1)).all():
        table = table.astype(np.uint8)
    return RawData({"train": table})


def read_header(path: Path) -> list[str] | None:
    """The names of the columns, where the first line of a table holds names; None where it holds numbers."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = file.read(_SAMPLE_CHARACTERS).splitlines()
    cells = next(csv.reader(lines[:1], delimiter=_delimiter(lines)), [])
    return None if not cells or any(map(_is_number, cells)) else cells


def _delimiter(lines: list[str]) -> str:
    # Only whole lines, and few: the sniffer's patience ends where its cost begins.
    sample = "\n".join(lines[:20])
    try:
        found = csv.Sniffer().sniff(sample, delimiters=_DELIMITERS).delimiter
    except csv.Error:
        found = ","
    if lines and found not in lines[0]:
        # The sniffer gives up on short tables, and may take a letter of the header for a delimiter.
        found = next((mark for mark in _DELIMITERS if mark in lines[0]), ",")
    return found


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _locate(path: Path, delimiter: str, header: bool, error: Exception) -> ValueError:
    """The first cell that is to blame, numbered from 1 as in a spreadsheet, header included."""
    width = None
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row, cells in enumerate(csv.reader(file, delimiter=delimiter), start=1):
            if not cells or (row == 1 and header):
                continue
            for column, cell in enumerate(cells, start=1):
                if not _is_number(cell):
                    what = f"{cell!r}" if cell.strip() else "nothing"
                    return NotNumbersError(
                        f"{path}, row {row}, column {column} holds {what}, not a number: remove the column or write "
                        "its values as numbers"
                        + (" (or remove the line, if it is a header)" if row == 1 else "")
                        + ", or read every column by its values with table=True"
                    )
            width = width or len(cells)
            if len(cells) != width:
                return ValueError(f"{path}, row {row} has {len(cells)} cells where row 1 has {width}: mend the line")
    return ValueError(f"{path} is no table of numbers: {error}")
