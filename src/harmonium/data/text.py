"""Delimited text files (CSV, TSV, numbers between blanks), read by pandas."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harmonium.data.header import counts_rows
from harmonium.data.layout import Layout, is_blank, open_text, read_layout, records
from harmonium.data.opening import open_bytes, plain_suffix
from harmonium.data.raw import Array, Frame, NotNumbersError
from harmonium.data.reading import Reading, ReadOptions, TwoReadingsError

__all__ = [
    "TEXTS", "check_width", "compact", "is_text", "names_of", "parsed_in_chunks", "read_frame", "read_wide",
    "read_words", "refuse_other_cells",
]  # fmt: skip

TEXTS = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat")

MOST_COLUMNS = 10_000
"""The most columns that pandas reads: each of them takes it some 15 microseconds, however few rows there are."""

_ZERO_FIRST = re.compile(rb"(?:^|[\n\r,;\t| ])\"?[ ]*0[0-9]")
_BLOCK = 2**22


def is_text(path: Path) -> bool:
    """Return whether the name of a file is that of a table in text, compressed or not."""
    return plain_suffix(path) in TEXTS


def read_frame(path: Path, options: ReadOptions, layout: Layout | None = None) -> tuple[Frame, Layout, Reading]:
    """Read a table with columns of any kind.

    Numbers that are written as text are numbers; empty cells, NA, NaN, null and "?" are missing values.  ``layout`` is
    that of the file, if it is known already.

    Returns:
        A pandas DataFrame, the layout, and what was guessed.  Columns of a file without a header are named "column 1",
        "column 2" and so on.

    Raises:
        ValueError: lines of unequal length, more than `MOST_COLUMNS` columns, no case at all, another encoding, or two
            likely readings.
    """
    import pandas as pd  # half a second, which data without tables need not wait for

    layout = read_layout(path, options) if layout is None else layout
    check_width(layout.width, path)
    frame, codes = _typed(path, layout, set(options.texts or ()))
    notes = list(layout.notes)
    empty = frame.isna().all(axis=1)
    if layout.width > 1 and empty.any() and not empty.all():
        notes.append(f"{int(empty.sum())} lines without a value are left out")
        frame = frame[~empty].reset_index(drop=True)
    columns: dict[str, Any] = {}
    for j, name in enumerate(_unique(layout.header, layout.width, notes)):
        if layout.header is not None and re.fullmatch(r"|Unnamed: \d+", layout.header[j]):
            if frame[j].isna().all():
                continue  # a delimiter at the end of every line
            if _is_index(frame[j], j):
                notes.append("the column without a name numbers the rows and is left out (name it to keep it)")
                continue
        try:
            columns[name], told = _read_column(name, frame[j], options, layout, j in codes)
        except TwoReadingsError as error:
            raise TwoReadingsError(f"{path}, {error}") from None
        notes += told
    if not columns:
        raise ValueError(f"{path} holds nothing but numbers of rows and empty columns: add a column")
    reading = Reading().add(*notes, header=layout.header is not None, skip_rows=list(layout.skip_rows))
    if layout.certain:
        reading = reading.add(decimal=layout.decimal)
    if options.missing_values is not None:
        reading = reading.add(missing_values=list(options.missing_values))
    return pd.DataFrame(columns), layout, reading


def read_words(path: Path, layout: Layout) -> tuple[Frame, list[str]]:
    """Read the cells of a file as they are written, with the rows that `read_frame` gives.

    Returns:
        A DataFrame of text, NaN where a cell is empty, with all columns of the file by their places; and the names that
        `read_frame` gives them.
    """
    words = _parse(path, layout, dtype=str)
    empty = words.isna().all(axis=1)
    if layout.width > 1 and empty.any() and not empty.all():
        words = words[~empty].reset_index(drop=True)
    return words, names_of(layout)


def names_of(layout: Layout) -> list[str]:
    """The names that `read_frame` gives to all columns of a file."""
    return _unique(layout.header, layout.width, [])


def parsed_in_chunks(path: Path, layout: Layout, rows: int) -> Iterator[Frame]:
    """The cells of a file as they are written, some rows at a time, with all columns by their places."""
    with layout.cases(path) as file:
        yield from _read_csv(file, layout, dtype=str, chunksize=rows)


def _typed(path: Path, layout: Layout, texts: set[str]) -> tuple[Frame, set[int]]:
    """Parse a file, and find the columns of codes with leading zeros, which stay text, as do those named ``texts``."""
    try:
        frame = _parse(path, layout)
    except (ValueError, Warning) as error:
        _check_lines(path, layout)
        raise ValueError(f"{path} cannot be read as a table: {error}") from error
    if not len(frame):
        raise ValueError(f"{path} holds no cases{' below its header' if layout.header else ''}: add at least one line")
    if frame.isna().any(axis=None):
        _check_lines(path, layout)  # pandas fills lines that are too short
    codes = _columns_with_zeros(path, layout) if _has_leading_zeros(path) else set()
    names = layout.header or [f"column {j + 1}" for j in range(layout.width)]
    codes |= {j for j, name in enumerate(names) if name in texts and frame[j].dtype.kind in "iuf"}
    if codes:
        as_text = _parse(path, layout, dtype=dict.fromkeys(codes, str))
        for j in codes:
            frame[j] = as_text[j]
    _refuse_doubtful_thousands(path, layout, frame)
    return frame, codes


def _is_index(values: Any, place: int) -> bool:
    """Whether a column without a name numbers the rows, or is the first one and names them."""
    names = place == 0 and (values.dtype.kind in "iu" or not _numeric(values)) and values.is_unique
    return bool(names) or counts_rows(values.astype(str).tolist())


def _read_column(name: str, values: Any, options: ReadOptions, layout: Layout, codes: bool) -> tuple[Any, list[str]]:
    """The values of a column, and what was guessed."""
    from harmonium.data.cells import as_dates, read_cells, sentinels, without_words

    notes: list[str] = []
    if not _numeric(values):
        values, notes = read_cells(name, values, options, layout.decimal, layout.certain, codes=codes)
    if _numeric(values):
        values = without_words(values, options)
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        notes = notes + as_dates(name, numbers)
        notes += sentinels(name, numbers) if options.missing_values is None else []
    return values, notes


def read_wide(path: Path, layout: Layout) -> Array:
    """Read a table of numbers with more columns than pandas can take, (cases, columns) float64.

    Raises:
        NotNumbersError: a cell is not a number; the message names its line and column.
        ValueError: lines of unequal length, no case at all.
    """
    try:
        with layout.cases(path) as file:
            return np.loadtxt(
                file, delimiter=None if layout.delimiter == " " else layout.delimiter, ndmin=2, quotechar='"',
                comments=None,
            )  # fmt: skip
    except ValueError as error:
        refuse_other_cells(path, layout)
        raise ValueError(f"{path} cannot be read as a table of numbers: {error}") from error


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


def refuse_other_cells(path: Path, layout: Layout, columns: set[int] | None = None) -> None:
    """Raise `NotNumbersError` for the first cell that is not a number.

    Args:
        path: the file.
        layout: its layout.
        columns: the columns to look at, from 0; None means all.
    """
    _check_lines(path, layout, range(layout.width) if columns is None else sorted(columns))


def _numeric(values: Any) -> bool:
    return values.dtype.kind in "iufb"


def _parse(path: Path, layout: Layout, **more: Any) -> Frame:
    import pandas as pd  # half a second, which data without tables need not wait for

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # cells beyond the header would be lost
        with layout.cases(path) as file:
            try:
                return _read_csv(file, layout, **more)
            except pd.errors.EmptyDataError:
                return pd.DataFrame(columns=list(range(layout.width)))


def _read_csv(file: Any, layout: Layout, **more: Any) -> Any:
    import pandas as pd

    return pd.read_csv(
        file, sep=r"\s+" if layout.delimiter == " " else layout.delimiter, decimal=layout.decimal,
        header=None, names=list(range(layout.width)), index_col=False, skipinitialspace=True,
        low_memory=False, keep_default_na=False, na_values=["", "nan", "NaN", "NAN"], **more,
    )  # fmt: skip


def _unique(header: list[str] | None, width: int, notes: list[str]) -> list[str]:
    """Names of all columns: those that are blank get a number, and repeated ones another ending."""
    header = [""] * width if header is None else header
    names: list[str] = []
    for j, name in enumerate(header):
        name = name or f"column {j + 1}"
        if name in names:
            ending = next(k for k in range(2, width + 2) if f"{name} ({k})" not in {*names, *header})
            notes.append(f"two columns are named {name!r}: the second is called '{name} ({ending})'")
            name = f"{name} ({ending})"
        names.append(name)
    return names


def _has_leading_zeros(path: Path) -> bool:
    """Whether some cell of a file may start with a 0 before other digits."""
    rest = b"\n"
    with open_bytes(path) as file:
        while block := file.read(_BLOCK):
            if _ZERO_FIRST.search(rest + block.replace(b"\0", b"")):
                return True
            rest = block[-8:]
    return False


def _columns_with_zeros(path: Path, layout: Layout) -> set[int]:
    """The columns in which whole numbers start with a 0 before other digits."""
    found = set()
    with layout.cases(path) as file:
        for cells in records(file, layout.delimiter):
            found |= {j for j, cell in enumerate(cells[: layout.width]) if re.fullmatch(r"\s*0\d+\s*", cell)}
    return found


def _refuse_doubtful_thousands(path: Path, layout: Layout, frame: Frame) -> None:
    """Refuse 1.200 or 1,200 between semicolons if it may be a thousand: three digits after every such character."""
    if layout.delimiter != ";" or layout.certain:
        return
    mark = layout.decimal
    suspects = {j for j in frame.columns if frame[j].dtype.kind == "f"}
    dotted: dict[int, list[str]] = {j: [] for j in suspects}
    with layout.cases(path) as file:
        for cells in records(file, layout.delimiter):
            for j in tuple(suspects):
                cell = cells[j].strip() if j < len(cells) else ""
                if re.fullmatch(rf"[1-9]\d{{0,2}}{re.escape(mark)}\d{{3}}", cell):
                    dotted[j].append(cell)
                elif cell and not re.fullmatch(r"\d{1,3}", cell):
                    suspects.discard(j)
    for j in sorted(suspects):
        if len(dotted[j]) > 2:
            name = layout.header[j] if layout.header else f"column {j + 1}"
            cell = dotted[j][0]
            here, otherwise = float(cell.replace(mark, ".")), cell.replace(mark, "")
            raise TwoReadingsError(
                f"{path}, column {name!r} holds {cell!r}, which is {here:g} or {otherwise}: say with decimal='.' or "
                "decimal=',' which character comes before decimals"
            )


def _check_lines(path: Path, layout: Layout, numbers: Iterable[int] = ()) -> None:
    """Raise for the first line of another length, or for the first cell of some columns that is not a number."""
    with open_text(path, layout.encoding) as file:
        now = 0

        def lines() -> Iterator[str]:
            nonlocal now
            for number, line in enumerate(file, 1):
                if number > layout.start and number not in layout.skipped:
                    now = number
                    yield line

        first = True
        try:
            for cells in records(lines(), layout.delimiter):
                if is_blank(cells):
                    continue
                where = f"{path}, line {now}"
                for column in numbers:
                    if column < len(cells):
                        _check_cell(cells[column], column, where, layout, first)
                first = False
                if len(cells) != layout.width and not (len(cells) == layout.width - 1 and _ends_empty(layout)):
                    raise ValueError(
                        f"{where} has {len(cells)} cells where line {layout.first} has {layout.width}: "
                        "correct the line (is a quotation mark not closed?), or skip lines above the table with "
                        "skip_rows=..."
                    )
        except csv.Error as error:
            raise ValueError(f"{path}, line {now} cannot be read ({error}): correct the line") from None


def _ends_empty(layout: Layout) -> bool:
    return layout.header is not None and not layout.header[-1]


def _check_cell(cell: str, column: int, where: str, layout: Layout, first: bool) -> None:
    if layout.is_number(cell):
        return
    name = layout.header[column] if layout.header and column < len(layout.header) else f"column {column + 1}"
    raise NotNumbersError(
        f"{where}, column {column + 1}{f' ({name!r})' if layout.header else ''} holds "
        f"{repr(cell) if cell.strip() else 'nothing'}, not a number: correct the cell, leave the column out "
        f"(drop=[{name!r}]), or read every column by its values (table=True)"
        + ("; or remove the line, if it is a header" if first and layout.header is None else "")
    )
