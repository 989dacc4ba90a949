"""How a text file holds a table: its encoding, delimiter, decimal character, header, and what is no case."""

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

from harmonium.data.header import counts_rows, guess_header
from harmonium.data.number_words import looks_like_number
from harmonium.data.opening import open_bytes, refuse_other_content
from harmonium.data.reading import ReadOptions
from harmonium.data.structure import Row, footers, is_comment, names_of_comment, title_lines, units_line

__all__ = ["Layout", "is_blank", "open_text", "read_layout", "records"]

_SAMPLE_CHARACTERS = 2**18
# In order of preference where several fit: a comma may be a decimal comma, and a space may be padding.
_DELIMITERS = "\t;|,~: "
_PADDED = re.compile(r"\d {2,}-?\d.*\t")
_CLOCK = re.compile(r"\s*\d{1,2}:\d\d(:\d\d)?\s*")
_USUAL = "\t;|, "


@dataclass(frozen=True)
class Layout:
    """How a text file holds a table.

    Attributes:
        encoding: UTF-8, or UTF-16 if the file starts with its byte order mark.
        delimiter: the character between cells; a space means one or more spaces.
        decimal: the character before the decimals of a number, a point or a comma.
        certain: whether the file shows which of them it is.
        header: the names of the columns, or None if no line holds them.
        width: the number of cells of a line.
        first: the number of the line with the names, or of the first case.
        start: how many lines come before the first case.
        skipped: the numbers of later lines that are left out, counted from 1.
        skip_rows: the numbers of all lines that are left out, but for the one with the names.
        notes: what was guessed, see `harmonium.data.reading.Reading`.
    """

    encoding: str
    delimiter: str
    decimal: str
    certain: bool
    header: list[str] | None
    width: int
    first: int
    start: int
    skipped: frozenset[int] = frozenset()
    skip_rows: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def is_number(self, cell: str) -> bool:
        """Return whether a cell holds a number; "nan" and "inf" are numbers, an empty cell is not."""
        digits = rf"(\d+({re.escape(self.decimal)}\d*)?|{re.escape(self.decimal)}\d+)(e[+-]?\d+)?"
        return re.fullmatch(rf"\s*[+-]?({digits}|inf(inity)?|nan)\s*", cell, re.ASCII | re.IGNORECASE) is not None

    @contextmanager
    def cases(self, path: Path) -> Iterator[TextIO]:
        """Open the file behind the lines that are no cases."""
        with open_text(path, self.encoding) as file:
            for _ in range(self.start):
                file.readline()
            if not self.skipped:
                yield file
                return
            kept = (line for number, line in enumerate(file, self.start + 1) if number not in self.skipped)
            yield io.StringIO("".join(kept), newline="")


def read_layout(path: Path, options: ReadOptions | None = None) -> Layout:
    """Find the layout of a text file from its first and last lines.

    The delimiter is the character that cuts most of the first lines into the same number of cells.

    Returns:
        The layout.

    Raises:
        ValueError: the file has no lines, is not text in UTF-8, or in UTF-16 with a byte order mark, or two readings
            are likely; the message names the options that choose.
    """
    options = ReadOptions() if options is None else options
    with open_bytes(path) as file:
        start = file.read(64)
    refuse_other_content(path, start)
    encoding = "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    lines, whole = _sample(path, encoding)
    skip, separator, notes = _skipped(lines, options, path)
    comments = [] if options.skip_rows is not None else _leading_comments(lines, skip)
    skip |= {number for number, _ in comments}
    kept = [line for number, line in enumerate(lines, 1) if number not in skip]
    delimiter = separator or _delimiter(kept)
    rows = _rows(lines, delimiter, skip)
    if not rows:
        raise ValueError(f"{path} holds no cases: add at least one line")
    decimal, certain = (options.decimal, True) if options.decimal else _decimal(rows, delimiter)
    width = _width(rows)
    if options.header is None:
        titles = [] if options.skip_rows is not None else title_lines(rows, width, path)
        skip |= {row.line for row in titles}
        rows = rows[len(titles) :]
        notes += [_note_lines(titles, "a title", "skip_rows=0: no line is skipped")] if titles else []
    named_by = names_of_comment(comments, rows, width, delimiter) if options.header is not False else None
    names: list[str] | None
    if named_by is not None:
        first, names = named_by
        skip -= {first}
        notes.append(f"the names of the columns are in the comment in line {first} (header=False: it is no header)")
    else:
        first, (names, told) = rows[0].line, _names(rows, _header(rows, options), width, path)
        notes += told
        rows = rows if names is None else rows[1:]
    if comments and named_by is None:
        count = "1 line" if len(comments) == 1 else f"{len(comments)} lines"
        notes.append(f"{count} of comments left out (skip_rows=0: no line is skipped)")
    before = rows[0].before if rows else len(lines)
    tail: frozenset[int] = frozenset()
    if options.skip_rows is None:
        units = units_line(rows) if names is not None else None
        if units is not None:
            skip |= {units.line}
            notes.append(_note_lines([units], "units below the names", "skip_rows=0: no line is skipped"))
            rows = rows[1:]
            before = units.line
        tail, told = footers(path, encoding, delimiter, rows, whole)
        notes += told
    if names is not None and rows:
        names = _fitted(names, rows, _width(rows), notes)
    skipped = frozenset(number for number in skip if number > before) | tail
    if options.skip_rows is not None and not isinstance(options.skip_rows, int):
        skipped |= frozenset(number for number in options.skip_rows if number > before)
    if delimiter not in _USUAL:
        notes.append(f"cells are separated by {delimiter!r}")
    return Layout(encoding, delimiter, decimal, certain, names, len(names or rows[0].cells), first, before, skipped,
                  tuple(sorted(skip | tail)), tuple(notes))  # fmt: skip


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[TextIO]:
    """Open a text file, compressed or not.

    Raises:
        ValueError: on reading a byte that is not text in this encoding; the message names its line.
    """
    try:
        with open_bytes(path) as raw, io.TextIOWrapper(raw, newline="", encoding=encoding) as file:
            yield file
    except UnicodeDecodeError as found:
        error = found
        with open_bytes(path) as raw:
            content = raw.read()
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
    if delimiter == " ":
        lines = (line.strip().replace("\t", " ") for line in lines)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def is_blank(cells: list[str]) -> bool:
    """Return whether a line is blank; pandas skips such lines."""
    return not cells or (len(cells) == 1 and not cells[0].strip())


def _sample(path: Path, encoding: str) -> tuple[list[str], bool]:
    """The first lines of a file, three at least, and whether these are all."""
    with open_text(path, encoding) as text:
        sample = text.read(_SAMPLE_CHARACTERS)
        whole = len(sample) < _SAMPLE_CHARACTERS
        if not whole:
            sample += text.readline()
            for _ in range(2 - sample.count("\n")):
                sample += text.readline()
    if "\0" in sample:
        raise ValueError(f"{path} holds zero bytes, so it is not a text file: save the table as text in UTF-8")
    return list(io.StringIO(sample, newline="")), whole


def _skipped(lines: list[str], options: ReadOptions, path: Path) -> tuple[set[int], str | None, list[str]]:
    """The lines that the caller skips, and the delimiter in a first line such as ``sep=;``."""
    skip: set[int] = set()
    if options.skip_rows is not None:
        asked = options.skip_rows
        skip = set(range(1, asked + 1)) if isinstance(asked, int) else set(asked)
        if isinstance(asked, int) and asked >= len(lines):
            raise ValueError(f"{path} has {len(lines)} lines: skip_rows={asked} leaves none, skip fewer")
    separator = re.fullmatch(r'"?sep=(.)"?\s*', lines[0], re.IGNORECASE) if lines else None
    if separator is None:
        return skip, None, []
    return skip | {1}, separator[1], []


def _leading_comments(lines: list[str], skip: set[int]) -> list[tuple[int, str]]:
    comments = []
    for number, line in enumerate(lines, 1):
        if number in skip or not line.strip():
            continue
        if not is_comment(line):
            break
        comments.append((number, line))
    return comments if len(comments) < len(lines) - len(skip) else []


def _rows(lines: list[str], delimiter: str, skip: set[int]) -> list[Row]:
    """The rows that are not blank, up to the first that cannot be read (which reading the table reports)."""
    rows = []
    numbers = [number for number in range(1, len(lines) + 1) if number not in skip]
    reader = records((lines[number - 1] for number in numbers), delimiter)
    before = 0
    with suppress(csv.Error):
        for cells in reader:
            line = numbers[reader.line_num - 1]
            if any(cell.strip() for cell in cells):
                rows.append(Row(cells, line, numbers[before] - 1))
            before = reader.line_num
    return rows


def _delimiter(lines: list[str]) -> str:
    best, most = ",", 0.5  # at least half of the rows
    for mark in _DELIMITERS:
        if not any(mark in line for line in lines) or (mark == ":" and any(map(_CLOCK.fullmatch, lines[1:]))):
            continue
        if mark == "\t" and 2 * sum(map(bool, map(_PADDED.search, lines))) > len(lines):
            continue  # a tab among numbers that are set apart by blanks
        widths = Counter(len(row.cells) for row in _rows(lines, mark, set()))
        width, rows = max(widths.items(), key=lambda item: item[1], default=(1, 0))
        share = rows / max(1, widths.total())
        if width > 1 and share > most:
            best, most = mark, share
    return best


def _width(rows: list[Row]) -> int:
    return Counter(len(row.cells) for row in rows).most_common(1)[0][0]


def _decimal(rows: list[Row], delimiter: str) -> tuple[str, bool]:
    """A comma if cells such as 1,5 are found, and whether that is certain.

    1,500 may be a thousand; between commas, decimals follow a point, and between semicolons rather a comma.
    """
    if delimiter == ",":
        return ".", True
    comma = r"\s*[+-]?(0?,\d+|\d+,(\d\d?|\d{4,})|\d{4,},\d+)\s*"
    cells = [cell for row in rows for cell in row.cells]
    if any(re.fullmatch(rf"{comma}|\s*[+-]?\d{{1,3}}(\.\d\d\d)+,\d+\s*", cell) for cell in cells):
        return ",", True
    if any(re.fullmatch(r"\s*[+-]?(0?\.\d+|\d+\.(\d\d?|\d{4,}))(e[+-]?\d+)?\s*", cell, re.I) for cell in cells):
        return ".", True
    doubtful = delimiter == ";" and any(re.fullmatch(r"\s*[+-]?\d+,\d+\s*", cell) for cell in cells)
    return "," if doubtful else ".", False


def _header(rows: list[Row], options: ReadOptions) -> bool | None:
    """Whether the first row holds names: as the caller said, or because the columns that are looked for are there."""
    if options.header is None and options.columns and set(options.columns) <= {cell.strip() for cell in rows[0].cells}:
        return True
    return options.header


def _names(rows: list[Row], header: bool | None, width: int, path: Path) -> tuple[list[str] | None, list[str]]:
    """The names in the first row, or None if it is a case, and what was guessed."""
    first = rows[0].cells
    if header is None:
        _refuse_repeated_names(rows, path)
        guess = guess_header(first, [row.cells for row in rows[1:]])
        where = f"line {rows[0].line} ({_shown(first)})"
        if guess.holds is None:
            raise ValueError(
                f"{path}, {where} may be a header or the first case: say which with header=True or header=False"
            )
        header = guess.holds
        other = "header=False: it is a case" if header else "header=True: it holds names"
        told = (
            [] if guess.sure else [f"{where} {'holds the names of the columns' if header else 'is a case'} ({other})"]
        )
    else:
        told = []
    if not header:
        return None, told
    names = [cell.strip() for cell in first]
    if all(re.fullmatch(r"'[^']*'", name) for name in names):
        names = [name[1:-1] for name in names]
    if names[0].startswith("#"):  # of a comment that holds the names
        names[0] = names[0].lstrip("# ")
        names = names[1:] if not names[0] and len(names) == width + 1 else names
    return names, told


def _refuse_repeated_names(rows: list[Row], path: Path) -> None:
    """Refuse a file whose first row comes again among others for which it holds names, as in tables joined by hand."""
    first = rows[0].cells
    again = [row.line for row in rows[1:] if row.cells == first]
    others = [row.cells for row in rows[1:] if row.cells != first]
    if not again or len(others) < 2 * len(again) or any(map(looks_like_number, first)):
        return
    numbers = [j for j in range(len(first)) if all(j < len(row) and looks_like_number(row[j]) for row in others)]
    if numbers and guess_header(first, others).holds:
        raise ValueError(
            f"{path}, line {again[0]} repeats the names in line {rows[0].line}, as when tables are joined: remove it"
        )


def _fitted(names: list[str], rows: list[Row], width: int, notes: list[str]) -> list[str]:
    """Names for lines that are longer than the header by one cell: an empty one at the end, or a row name before it."""
    if len(names) != width - 1:
        return names
    long = [row.cells for row in rows if len(row.cells) == width]
    if all(not cells[-1].strip() for cells in long):
        return [*names, ""]
    labels = [cells[0] for cells in long]
    if len(set(labels)) == len(labels) and (counts_rows(labels) or not any(map(looks_like_number, labels))):
        notes.append("the header has a name less than the lines below have cells: they start with names of the rows")
        return ["", *names]
    return names


def _note_lines(rows: list[Row], what: str, otherwise: str) -> str:
    return "; ".join(f"line {row.line} ({_shown(row.cells)}) is left out as {what}" for row in rows) + f" ({otherwise})"


def _shown(cells: list[str]) -> str:
    text = ", ".join(cell for cell in cells[:4])
    return f"{text[:60]}{', ...' if len(cells) > 4 or len(text) > 60 else ''}"
