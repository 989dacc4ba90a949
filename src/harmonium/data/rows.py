"""Tables from files as people have them, and rows written like those of the file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from harmonium.core.files import write_atomically
from harmonium.core.optional import need
from harmonium.data.cells import PLAUSIBLE
from harmonium.data.frames import read_frames, stray_number, unlike_numbers
from harmonium.data.header import DATE
from harmonium.data.layout import Layout
from harmonium.data.raw import Frame
from harmonium.data.reading import PLAIN, Reading, ReadOptions
from harmonium.data.text import is_text, read_words
from harmonium.data.written import PLAINLY, Written

__all__ = ["OUTPUTS", "Rows", "check_output", "read_rows", "readable", "text_of", "without_doubtful", "write_rows"]

OUTPUTS = (".csv", ".tsv", ".txt", ".parquet", ".feather", ".xlsx")
"""Suffixes of files that rows are written to."""

_SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}


@dataclass(frozen=True)
class Rows:
    """The rows of a file.

    Attributes:
        frame: the rows: numbers as numbers, all else as it is.
        reading: what was guessed.
        styles: how numbers are written, by column.
        delimiter: between cells of a text file; None for other files.
        words: the cells of a text file as they are written, with all of its columns by their places; otherwise None.
        places: the place in ``words`` of each column of the frame.
        header: the names in the file; None if it has none.
    """

    frame: Frame
    reading: Reading = PLAIN
    styles: Mapping[str, Written] = field(default_factory=dict)
    delimiter: str | None = None
    words: Frame | None = field(default=None, repr=False)
    places: Mapping[str, int] = field(default_factory=dict, repr=False)
    header: tuple[str, ...] | None = None

    def with_filled(self, filled: Frame) -> Frame:
        """Return the rows of the file with what ``filled`` has in empty cells; all other cells are as they were."""
        if self.words is None:
            return filled
        out = self.words.copy()
        known = list(self.frame.columns)
        for name, values in filled.items():
            texts = _texts(values, self.styles.get(str(name), PLAINLY))
            if name in known:
                gone = self.frame[name].isna().to_numpy()
                place = self.places[str(name)]
                out.loc[gone, place] = texts[gone]
            else:
                out[len(out.columns)] = texts
        names = [*self._names(), *(str(name) for name in filled.columns if name not in known)]
        return out.set_axis(names, axis=1)

    def with_columns(self, more: Frame) -> Frame:
        """Return the rows of the file with more columns behind those that it has."""
        left = self.frame if self.words is None else self.words.set_axis(self._names(), axis=1)
        taken = set(map(str, left.columns))
        names = [next(f"{name}{end}" for end in ("", *(f"_{k}" for k in range(2, 999))) if f"{name}{end}" not in taken)
                 for name in more.columns]  # fmt: skip
        more = more.set_axis(names, axis=1).set_axis(left.index, axis=0)
        return pd.concat([left, more], axis=1)

    def _names(self) -> list[str]:
        assert self.words is not None
        return list(self.header) if self.header is not None else [f"column {j + 1}" for j in self.words.columns]


def read_rows(path: Path, options: ReadOptions | None = None, kinds: Mapping[str, str | None] | None = None) -> Rows:
    """Read a table with columns of any kind: numbers as numbers, and dates, codes and identifiers as they are.

    Args:
        path: a table in any format of `harmonium.data.load`.
        options: what the caller says about the file.
        kinds: what columns are taken for, by name, where this is known: columns of numbers must hold numbers then.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a damaged file, two likely readings, or a column of numbers with a text among them.
    """
    options = ReadOptions() if options is None else options
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}: check the path (now in {Path.cwd()})")
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"{path} is empty: write or fetch it again")
    source = read_frames(path, options)
    frame, reading = source.frames["train"], source.reading
    columns = {name: readable(path, name, values, (kinds or {}).get(name)) for name, values in frame.items()}
    frame = frame.assign(**{name: values for name, (values, _) in columns.items() if values is not frame[name]})
    for name, (_, note) in columns.items():
        reading = reading.without(f"column {name!r}: ").add(note) if note else reading
    if source.layout is None or not is_text(path):
        return Rows(frame, reading)
    words, names = read_words(path, source.layout)
    places = {name: place for place, name in enumerate(names) if name in frame.columns}
    styles = {name: _style(frame[name], words[place], source.layout) for name, place in places.items()}
    header = None if source.layout.header is None else tuple(names)
    delimiter = source.layout.delimiter
    return Rows(frame, reading, styles, delimiter, words, places, header)


def readable(path: Path, name: Any, values: Any, kind: str | None) -> tuple[Any, str]:
    """A column, and what was guessed; numbers among which there is a text are refused."""
    if types.is_numeric_dtype(values.dtype) or values.dtype.kind == "M" or kind in ("categories", "drop"):
        return values, ""
    present = values.dropna()
    if not len(present) or not all(isinstance(value, str) for value in present.head(100)):
        return values, ""
    if kind == "dates" or all(DATE.match(word) for word in present.unique() if word.lower() not in PLAUSIBLE):
        doubtful = present[present.str.lower().isin(PLAUSIBLE)]
        if len(doubtful) == len(present):
            return values, ""
        found = ", ".join(f"{count} cells {word!r}" for word, count in doubtful.value_counts().items())
        told = f"column {name!r} holds dates, and {found} are read as missing" if found else ""
        return without_doubtful(values) if found else values, told
    stray = stray_number(present)
    if stray is not None:
        raise ValueError(
            f"{path}, column {name!r} holds numbers and {stray!r} among them: write such cells as numbers, or empty "
            f"them" + ("" if any(map(str.isdigit, stray)) else f"; missing_values=[{stray!r}] if it means missing")
            + f"; or take the column for categories (columns={{{name!r}: 'categories'}})"
        )  # fmt: skip
    unlike = unlike_numbers(present)
    if unlike is not None:
        raise ValueError(
            f"{path}, column {name!r} holds numbers that are written in different ways ({unlike}): write them alike, "
            f"or take the column for categories (columns={{{name!r}: 'categories'}})"
        )
    return values, ""


def without_doubtful(values: Any) -> Any:
    """A column of text without the words that may mean that a value is missing."""
    return values.mask(values.str.lower().isin(PLAUSIBLE))


def _style(values: Any, words: Any, layout: Layout) -> Written:
    gone = values.isna().to_numpy()
    missing = words[gone].fillna("").str.strip().mode().tolist()
    return replace(_style_of_cells(values, words, layout), missing=missing[0] if missing else "")


def _style_of_cells(values: Any, words: Any, layout: Layout) -> Written:
    there = values.notna().to_numpy() & words.notna().to_numpy()
    if types.is_bool_dtype(values.dtype) or all(isinstance(value, bool) for value in values[there].head(1000)):
        return Written.of_truth(values[there].tolist(), words[there].tolist())
    if types.is_numeric_dtype(values.dtype):
        return Written.of(words[there].head(1000).tolist(), layout.decimal)
    cells = words[there].head(1000).tolist()
    return Written.of_dates(cells) if all(DATE.match(cell) for cell in cells) else PLAINLY


def _texts(values: Any, style: Written) -> Any:
    if values.dtype.kind == "M" or isinstance(values.dtype, pd.DatetimeTZDtype):
        whole = bool((values.dropna() == values.dropna().dt.normalize()).all())
        return (
            values.dt.strftime("%Y-%m-%d" if whole else "%Y-%m-%d %H:%M:%S")
            .fillna(style.missing)
            .to_numpy(dtype=object)
        )
    return np.array([style.text(value) for value in values], dtype=object)


def check_output(path: Path, *inputs: Path) -> None:
    """Refuse a file that rows cannot be written to.

    Raises:
        ValueError: an unknown suffix, or one of the inputs.
    """
    if path.suffix.lower() not in OUTPUTS:
        raise ValueError(f"--out {path}: name a {', '.join(OUTPUTS[:-1])} or {OUTPUTS[-1]} file")
    if any(path.exists() and each.exists() and path.samefile(each) for each in inputs):
        raise ValueError(f"--out {path} is the file that is read: choose another name, so that it is kept")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"--out {path}: there is no folder {path.parent}: make it first")


def write_rows(
    frame: Frame, path: Path, styles: Mapping[str, Written] | None = None, delimiter: str | None = None,
    header: bool = True,
) -> None:  # fmt: skip
    """Write rows to a file, whole or not at all.

    Args:
        frame: the rows.
        path: the file; the suffix says its format.
        styles: how numbers are written, by column.
        delimiter: between cells of .csv and .txt files.  Default: a comma; a tab in .txt files.
        header: whether to write names.
    """
    suffix = path.suffix.lower()
    if suffix in _SEPARATORS:
        separator = _SEPARATORS[suffix] if delimiter is None or suffix == ".tsv" else delimiter
        write_atomically(path, text_of(frame, styles, separator, header).encode())
        return
    buffer = io.BytesIO()
    if suffix == ".xlsx":
        need("openpyxl", "excel", ".xlsx files")
        frame.to_excel(buffer, index=False)
    else:
        need("pyarrow", "arrow", f"{suffix} files")
        plain = frame.reset_index(drop=True)
        plain.to_parquet(buffer, index=False) if suffix == ".parquet" else plain.to_feather(buffer)
    write_atomically(path, buffer.getvalue())


def text_of(
    frame: Frame, styles: Mapping[str, Written] | None = None, delimiter: str = ",", header: bool = True
) -> str:
    """Rows as text with a delimiter; missing cells are empty."""
    styles = {} if styles is None else styles
    cells = {place: _texts(frame.iloc[:, place], styles.get(str(name), PLAINLY)) for place, name in
             enumerate(frame.columns)}  # fmt: skip
    text: str = pd.DataFrame(cells).to_csv(
        index=False, header=list(map(str, frame.columns)) if header else False, sep=delimiter, lineterminator="\n"
    )
    return text
