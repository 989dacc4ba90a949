"""How a text file holds a table: its encoding, delimiter, decimal character and header."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

__all__ = ["Layout", "is_blank", "open_text", "read_layout", "records"]

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
    with open_text(path, encoding) as text:
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


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[TextIO]:
    """Open a text file.

    Raises:
        ValueError: on reading a byte that is not text in this encoding; the message names its line.
    """
    try:
        with path.open(newline="", encoding=encoding) as file:
            yield file
    except UnicodeDecodeError as found:
        error, content = found, path.read_bytes()
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


def records(lines: Iterable[str], delimiter: str) -> Any:
    """Return a `csv.reader`; several spaces count as one delimiter."""
    return csv.reader(map(str.strip, lines) if delimiter == " " else lines, delimiter=delimiter, skipinitialspace=True)


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    """The rows that are not blank, up to the first that cannot be read (which reading the table reports)."""
    rows = []
    with suppress(csv.Error):
        for cells in records(lines, delimiter):
            if not is_blank(cells):
                rows.append(cells)
    return rows


def is_blank(cells: list[str]) -> bool:
    """Return whether a line is blank; pandas skips such lines."""
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
