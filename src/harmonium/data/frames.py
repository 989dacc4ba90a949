"""Tables with columns of any kind, from files to numbers: text, Parquet, Arrow, folders of Hugging Face's datasets.

Columns from which nothing can be learned are named with the reason, all at once.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types
from scipy import sparse

from harmonium.core.optional import need
from harmonium.data.arrays import ARRAYS, read_array
from harmonium.data.arrow_files import open_parquet
from harmonium.data.bits import bits_of_words
from harmonium.data.cells import mixed_label, read_cells, sentinels, without_words
from harmonium.data.datasets_folder import is_datasets_folder, read_dataset_frames
from harmonium.data.folders import find_parts
from harmonium.data.formats import WORKBOOKS, read_arff, workbook_as_text
from harmonium.data.header import DATE
from harmonium.data.identifiers import identifiers
from harmonium.data.large import open_tables, read_large
from harmonium.data.layout import Layout, read_layout
from harmonium.data.number_words import looks_like_number
from harmonium.data.opening import plain_suffix
from harmonium.data.plain import plain_frame, why_not_labels
from harmonium.data.raw import Array, Frame, NotNumbersError, RawData
from harmonium.data.reading import PLAIN, Reading, ReadOptions, TwoReadingsError
from harmonium.data.summary import FEW_CODES
from harmonium.data.table import Table, from_frame
from harmonium.data.text import (
    MOST_COLUMNS,
    check_width,
    compact,
    is_text,
    read_frame,
    read_wide,
    refuse_other_cells,
)  # fmt: skip

__all__ = [
    "Frames", "are_codes", "as_codes", "choose", "read_frames", "read_table", "stray_number", "unfit", "unlike_numbers",
]  # fmt: skip
MOST_LABELS = 256  # different texts of a categorical column
FEW_LABELS = 12  # different texts that are labels, even if they look like numbers

_TIME = re.compile(r"\s*\d{1,2}:\d\d(:\d\d(\.\d+)?)?\s*([ap]m)?\s*$", re.IGNORECASE)


def read_table(path: Path, table: Table | bool, drop: Sequence[str], options: ReadOptions) -> RawData:
    """Read a table as numbers.

    Args:
        path: the file or folder.
        table: True reads every column by its values; a `Table` reads them as it says; False asks for numbers.
        drop: names of the columns to leave out.
        options: what the caller said about the file.

    Returns:
        The splits and, unless ``table=False``, the description of the columns.

    Raises:
        NotNumbersError: for ``table=False``, if a column holds anything else.
        ValueError: a name in ``drop`` that is not a column, columns from which nothing can be learned, damaged files.
    """
    if isinstance(table, Table):
        wanted: Sequence[Any] | None = [column.name for column in table.columns]
        named = tuple(str(column.name) for column in table.columns)
        options = replace(options, columns=named, texts=_texts(table))
    else:
        wanted = options.columns
    layout = read_layout(path, options) if is_text(path) else None
    if table is False and not drop and wanted is None and layout is not None and layout.width > MOST_COLUMNS:
        return RawData({"train": compact(read_wide(path, layout))})
    tables = open_tables(path) if table is False else {}
    if "train" in tables:
        known = pd.DataFrame(columns=[column.name for column in tables["train"].columns])
        chosen, notes = choose(known, wanted, drop, True, path)
        numbers_alone = read_large(path, tables, list(chosen.columns))
        if numbers_alone is not None:
            return replace(numbers_alone, reading=numbers_alone.reading.add(*notes))
    source = read_frames(path, options, layout)
    reading = source.reading
    frames = {}
    for split, frame in source.frames.items():
        frames[split], notes = choose(frame, wanted, drop, source.named, path)
        for name in frame.columns.difference(frames[split].columns):
            reading = reading.without(f"column {name!r}")  # of a column that is left out nothing need be said
        reading = reading.add(*notes)
    names = tuple(map(str, next(iter(frames.values())).columns)) if source.named else None
    if names is not None:
        reading = reading.add(columns=list(names))
    if table is False:
        counting = [name for name, values in frames["train"].items() if _counts_rows(values)]
        reading = reading.add(
            *(f"column {name!r} counts the rows (drop=[{name!r}] leaves it out)" for name in counting)
        )
        words = bits_of_words(frames["train"])
        if words is not None:
            column = frames["train"].columns[0]
            return RawData({"train": words[0]}, reading=reading.without(f"column {column!r}").add(words[1]))
        numbers = {split: _numbers(frame, path, source) for split, frame in frames.items()}
        return RawData({split: compact(values) for split, values in numbers.items()}, names=names, reading=reading)
    if table is True:
        whole = pd.concat(frames)
        bad = unfit(whole)
        if bad:
            reasons = "; ".join(f"{name!r} {reason}" for name, reason in bad.items())
            dropped = ", ".join(map(repr, bad))
            raise ValueError(f"{path} has columns that cannot be learned: {reasons}. Leave them out, drop=[{dropped}]")
        table = from_frame(as_codes(whole))[2]
    try:
        splits = {split: table.to_numbers(frame) for split, frame in frames.items()}
    except ValueError as error:
        raise ValueError(f"{path}, {error}") from None
    reading = reading.add(*_beyond(table, splits["train"]))
    return RawData(splits, table=table, names=names, reading=reading)


@dataclass(frozen=True)
class Frames:
    """The splits of a table as DataFrames.

    Attributes:
        frames: the DataFrames by split.
        reading: what was guessed.
        named: whether the columns have names in the file.
        layout: the layout of a text file, otherwise None.
    """

    frames: dict[str, Frame]
    reading: Reading = PLAIN
    named: bool = True
    layout: Layout | None = None


def read_frames(path: Path, options: ReadOptions | None = None, layout: Layout | None = None) -> Frames:
    """Read the splits of a table as DataFrames.

    Args:
        path: the file or folder.
        options: what the caller said about it.
        layout: the layout of a text file, if it is known already.

    Returns:
        The DataFrames by split; "train" alone if the file has no splits.

    Raises:
        ImportError: a package of the extra ``arrow``, ``excel`` or ``datasets`` is needed and not installed.
        ValueError: a damaged file, or one without cases.
    """
    options = ReadOptions() if options is None else options
    suffix = plain_suffix(path)
    if is_text(path):
        frame, layout, reading = read_frame(path, options, layout)
        source = Frames({"train": frame}, reading, layout.header is not None, layout)
    elif suffix in WORKBOOKS:
        with workbook_as_text(path) as (text, first):
            frame, layout, reading = read_frame(text, options)
        reading = first.add(*reading.notes, **reading.options)
        source = Frames({"train": frame}, reading, layout.header is not None)
    else:
        about_text = options.given.keys() & {"header", "skip_rows"}
        if about_text:
            raise ValueError(f"{min(about_text)}=... is for text files and workbooks: leave it out for {path.name}")
        if is_datasets_folder(path):
            source = Frames(read_dataset_frames(path))
        elif path.is_dir():
            source = Frames({split: _read_parts(path, files) for split, files in find_parts(path).items()})
        elif suffix == ".arff":
            source = Frames({"train": read_arff(path)})
        elif suffix in ARRAYS:
            source = Frames({"train": _array_frame(path)}, named=False)
        else:
            source = Frames({"train": _read_arrow(path)})
    for split, frame in source.frames.items():
        if not len(frame) or not len(frame.columns):
            raise ValueError(
                f"{path} holds no cases" + (f" in {split}" if len(source.frames) > 1 else "") + ": add some"
            )
        check_width(len(frame.columns), path)
        frame.columns = [str(name) for name in frame.columns]
        if not frame.columns.is_unique:
            repeated = frame.columns[frame.columns.duplicated()][0]
            raise ValueError(f"{path} has several columns named {repeated!r}: rename them")
    frames, reading = {}, source.reading
    for split, frame in source.frames.items():
        frames[split] = plain_frame(frame)
        if source.layout is None and suffix not in WORKBOOKS:  # those were read cell by cell
            try:
                frames[split], notes = _read_columns(frames[split], options)
            except TwoReadingsError as error:
                raise TwoReadingsError(f"{path}, {error}") from None
            reading = reading.add(*notes)
    if options.columns is None:  # nobody has chosen columns yet
        for name, values in frames["train"].items():
            if types.is_numeric_dtype(values.dtype) and not types.is_complex_dtype(values.dtype):
                reading = reading.add(*identifiers(name, values.to_numpy(dtype=np.float64, na_value=np.nan)))
    if options.missing_values is not None:
        reading = reading.add(missing_values=list(options.missing_values))
    if options.decimal is not None:
        reading = reading.add(decimal=options.decimal)
    return replace(source, frames=frames, reading=reading)


def _read_columns(frame: Frame, options: ReadOptions) -> tuple[Frame, list[str]]:
    """Read the columns of a typed table: text that is numbers, words for missing values, sentinels."""
    columns: dict[str, Any] = {}
    notes: list[str] = []
    for name, values in frame.items():
        if types.is_string_dtype(values.dtype):  # text, and objects that are all text
            values, told = read_cells(name, values, options, options.decimal or ".", options.decimal is not None)
            values = values.reindex(frame.index)
            notes += told
        columns[name] = values
        if types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype):
            columns[name] = values = without_words(values, options)
            if options.missing_values is None and not types.is_complex_dtype(values.dtype):
                notes += sentinels(name, values.to_numpy(dtype=np.float64, na_value=np.nan))
    return frame.assign(**columns), notes


def unfit(frame: Frame) -> dict[str, str]:
    """Return the columns from which nothing can be learned, each with the reason."""
    reasons = {}
    for name in frame.columns:
        values = frame[name]
        present = values.dropna()
        if not len(present):
            reasons[name] = "is empty"
        elif (odd := why_not_labels(values)) is not None and not _of_lists(present):
            reasons[name] = f"holds {odd}"
        elif _of_lists(present):
            reasons[name] = f"holds {type(present.iloc[0]).__name__}s, not single values"
        elif present.nunique() == 1:
            reasons[name] = f"is constant ({present.tolist()[0]!r})"
        elif types.is_numeric_dtype(values.dtype):
            numbers = present.to_numpy(dtype=np.float64)
            if not np.isfinite(numbers).all():
                reasons[name] = "holds infinities"
            elif _counts_rows(present):
                reasons[name] = "counts the rows"
        elif all(DATE.match(str(value)) for value in present.head(100)):
            reasons[name] = f"holds dates ({present.iloc[0]!r})"
        elif all(_TIME.match(str(value)) for value in present.head(100)):
            reasons[name] = f"holds times of day ({present.iloc[0]!r})"
        elif (unlike := unlike_numbers(present)) is not None:
            reasons[name] = f"holds numbers that are written in different ways ({unlike}): write them alike"
        elif (stray := stray_number(present)) is not None:
            reasons[name] = f"holds numbers and {stray!r} among them (write such cells as numbers, or empty them" + (
                ")" if any(map(str.isdigit, stray)) else f"; missing_values=[{stray!r}] if it means missing)"
            )
        elif (different := present.nunique()) > min(MOST_LABELS, max(20, len(present) // 2)):
            reasons[name] = f"holds {different} different texts in {len(present)} cases (names, free text?)"
    return reasons


def _counts_rows(values: Any) -> bool:
    """Whether the whole numbers of a column rise by one from row to row, for more rows than there are codes."""
    if not types.is_integer_dtype(values.dtype) or len(values) <= FEW_CODES or values.isna().any():
        return False
    return bool((np.diff(values.to_numpy(dtype=np.float64)) == 1).all())


def _beyond(table: Table, numbers: Array) -> list[str]:
    """Point out columns most of whose numbers are far from those that were observed, as in other units."""
    notes = []
    for column, values in zip(table.columns, numbers.T, strict=True):
        present = values[~np.isnan(values)]
        if column.labels or column.low is None or column.high is None or not len(present):
            continue
        reach = column.high - column.low
        beyond = (present < column.low - reach) | (present > column.high + reach)
        if 2 * beyond.sum() > len(present):
            notes.append(
                f"column {column.name!r} holds {present.min():g} to {present.max():g}, and held {column.low:g} to "
                f"{column.high:g} in the data of training (in other units? of another column?)"
            )
    return notes


def _texts(table: Table) -> tuple[str, ...]:
    """The columns whose labels are texts, which may look like numbers in another file: 01067 and 80331."""
    return tuple(str(column.name) for column in table.columns if isinstance((*column.labels, None)[0], str))


def _of_lists(present: Any) -> bool:
    return any(isinstance(value, (list, dict, set, np.ndarray)) for value in present.head(100))


def as_codes(frame: Frame) -> Frame:
    """Return the frame with columns of codes from -1, 0 or 1 on (32 at most, most of which occur) as categories."""
    coded = {}
    for name in frame.columns:
        values = frame[name]
        if types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype):
            different = np.sort(values.dropna().unique().astype(np.float64))
            if len(different) > 2 and are_codes(different):
                coded[name] = values.astype(pd.CategoricalDtype(list(range(int(different[0]), int(different[-1]) + 1))))
    return frame.assign(**coded)


def are_codes(different: Array) -> bool:
    """Return whether ascending numbers are codes of categories: whole, from -1, 0 or 1 on, few gaps, 32 at most.

    >>> [are_codes(np.array(x)) for x in ([0, 1, 2], [1, 2, 3, 5], [0, 1, 9], [0.5, 1, 2], [3, 4, 5])]
    [True, True, False, False, False]
    """
    if not len(different) or different[0] not in (-1, 0, 1) or different[-1] >= FEW_CODES + different[0]:
        return False
    few_gaps = 2 * len(different) > different[-1] - different[0] + 1
    return bool(few_gaps and (different == np.floor(different)).all())


def unlike_numbers(values: Any) -> str | None:
    """The first cells of a column in which all look like numbers but are not written alike, such as $5 and 7 EUR."""
    texts = [value for value in values.unique().tolist() if isinstance(value, str)]
    if isinstance(values.dtype, pd.CategoricalDtype) or not texts or not all(map(looks_like_number, texts)):
        return None
    if len(texts) <= FEW_LABELS:  # 1st, 2nd, 3rd: labels
        return None
    plain = pd.to_numeric(pd.Series(texts), errors="coerce").notna()
    return None if plain.all() else ", ".join(map(repr, texts[:3]))


def stray_number(values: Any) -> str | None:
    """The first text that is not a number, if at least half of the texts are numbers: a typo rather than a name."""
    texts = values.astype(str)
    numbers = pd.to_numeric(texts, errors="coerce").notna()
    if numbers.all() or 2 * numbers.sum() < len(values) or mixed_label(texts.value_counts().to_dict()) is not None:
        return None
    return str(texts[~numbers].iloc[0])


def choose(
    frame: Frame, wanted: Sequence[Any] | None, drop: Sequence[str], named: bool, path: Path
) -> tuple[Frame, list[str]]:
    """Return the columns to learn: those that are wanted, in their order, or all but the dropped ones.

    Args:
        frame: the table as it was read.
        wanted: names of columns, or None.
        drop: names of columns that are left out; they need not be there if others are wanted.
        named: whether the names are those of the file.
        path: the file, for messages.

    Returns:
        The columns, and what was left out, in words.

    Raises:
        ValueError: a column that is not there, or nothing left.
    """
    if wanted is None:
        return _without(frame, drop, path), []
    wanted = list(map(str, wanted))
    gone = [name for name in wanted if name not in frame.columns]
    positional = all(re.fullmatch(r"column \d+", name) for name in wanted)
    if gone and len(frame.columns) == len(wanted) and (not named or positional):
        why = "has no names of columns" if not named else "is compared with columns without names"
        return frame.set_axis(wanted, axis=1), [f"the file {why}: they are taken in their order"]
    if gone and not named:
        raise ValueError(
            f"{path} has {len(frame.columns)} columns without names, and {len(wanted)} are expected: "
            f"{', '.join(map(repr, wanted[:20]))}; add a line with the names"
        )
    if gone:
        known = {name.strip().lower(): name for name in frame.columns}
        near = {name: difflib.get_close_matches(name.strip().lower(), known, 1) for name in gone}
        hint = "".join(f"; {name!r} may be {known[close[0]]!r}" for name, close in near.items() if close)
        raise ValueError(
            f"{path} lacks the columns {', '.join(map(repr, gone[:10]))} (it has "
            f"{', '.join(map(repr, frame.columns[:20]))}{hint}): rename or add them"
        )
    more = [name for name in frame.columns if name not in wanted and name not in drop]
    shown = ", ".join(map(repr, more[:10])) + (", ..." if len(more) > 10 else "")
    return frame[wanted], [f"columns that the model does not know are left out: {shown}"] if more else []


def _without(frame: Frame, drop: Sequence[str], path: Path) -> Frame:
    unknown = [name for name in drop if name not in frame.columns]
    if unknown:
        known = ", ".join(map(repr, list(frame.columns)[:20]))
        raise ValueError(f"drop={unknown[0]!r}: {path} has no such column, only {known}")
    left = frame.drop(columns=list(drop))
    if not len(left.columns):
        raise ValueError(f"drop={list(drop)!r} leaves no column of {path}: drop fewer")
    return left


def _numbers(frame: Frame, path: Path, source: Frames) -> Array:
    for name in frame.columns:
        kind = frame[name].dtype
        if not types.is_numeric_dtype(kind) or types.is_complex_dtype(kind) or types.is_bool_dtype(kind):
            found = f"is {kind}, not a number"
        elif frame[name].isna().any():
            found = "has missing values"
        else:
            continue
        if source.layout is not None:
            refuse_other_cells(path, source.layout, {_place(name, source)})
            if found == "has missing values":
                continue  # written as nan, which is a number
        elif types.is_bool_dtype(kind) and found != "has missing values":
            continue
        raise NotNumbersError(f"{path}, column {name!r} {found}: read every column by its values with table=True")
    numbers: Array = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


def _place(name: str, source: Frames) -> int:
    """The number of a column in the lines of a text file, from 0."""
    header = source.layout.header if source.layout is not None else None
    if header is not None and name in header:
        return header.index(name)
    numbered = re.fullmatch(r"column (\d+)", name)
    return int(numbered[1]) - 1 if numbered else list(source.frames["train"].columns).index(name)


def _array_frame(path: Path) -> Frame:
    """An array of cases as a table whose columns have no names."""
    values = read_array(path).splits
    if len(values) > 1 or getattr(values["train"], "ndim", 0) != 2 or sparse.issparse(values["train"]):
        raise ValueError(f"{path} is not a table with columns, (cases, columns): leave out table=... and drop=...")
    array = np.asarray(values["train"])
    return pd.DataFrame(array, columns=[f"column {j + 1}" for j in range(array.shape[1])])


def _with_categories(frame: Frame, path: Path) -> Frame:
    """Categories that are no text come back from Parquet as plain values; pandas' notes in the file name them."""
    parquet = importlib.import_module("pyarrow.parquet")
    noted = (parquet.read_schema(path).pandas_metadata or {}).get("columns", [])
    names = [column.get("name") for column in noted if column.get("pandas_type") == "categorical"]
    return frame.astype({name: "category" for name in names if name in frame.columns})


def _read_parts(folder: Path, files: Sequence[Path]) -> Frame:
    """Parquet files with the same columns as one table."""
    open_parquet(folder, files)  # which compares them
    return pd.concat([_read_arrow(file) for file in files], ignore_index=True)


def _read_arrow(path: Path) -> Frame:
    pyarrow = need("pyarrow", "arrow", f"{path.suffix} files")
    try:
        if path.suffix.lower() == ".parquet":
            return _with_categories(pd.read_parquet(path, engine="pyarrow"), path)
        with pyarrow.OSFile(str(path)) as file:
            try:
                return pyarrow.ipc.open_file(file).read_all().to_pandas()
            except pyarrow.ArrowInvalid:  # not a file with its index at the end (Feather), but a stream
                file.seek(0)
                return pyarrow.ipc.open_stream(file).read_all().to_pandas()
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} is damaged, cut short or not {path.suffix} ({error}): write or fetch it again"
        ) from None
