"""Tables whose columns are of any kind, from files to pandas: text, Parquet, Arrow, folders of Hugging Face's datasets.

Columns that hold nothing a unit could learn are named with the reason, all at once.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harmonium.core.optional import need

from .csvfile import NotNumbersError, read_layout
from .datasets_folder import arrow_table, datasets_frames, holds_images, is_datasets_folder
from .facts import FEW_CODES
from .raw import Array, RawData
from .table import Frame, Table, from_frame

__all__ = ["coded", "is_table", "read_frames", "read_table", "unfit"]

MOST_COLUMNS = 10_000  # of a table whose columns are looked at one by one
MOST_LABELS = 256  # different texts of a column that is one of categories

_TEXT, _ARROW = (".csv", ".tsv"), (".parquet", ".feather", ".arrow")
_MISSING = ["?"]  # besides what pandas takes for missing: empty cells, NA, NaN, null, ...


def is_table(path: Path) -> bool:
    """Whether a file or folder is a table with columns of any kind."""
    if path.suffix.lower() in (*_TEXT, *_ARROW):
        return True
    return is_datasets_folder(path) and not holds_images(path)


def read_table(path: Path, table: Table | bool, drop: Sequence[str]) -> RawData:
    """A table as numbers.

    Args:
        path: of the file or the folder.
        table: True reads every column by its values; a `Table` by what it says; False wants numbers.
        drop: columns to leave out.

    Raises:
        NotNumbersError: for ``table=False`` where a column holds anything else.
        ValueError: names in ``drop`` that no column has, columns that cannot be learned, damaged files.
    """
    frames = {split: _without(frame, drop, path) for split, frame in read_frames(path).items()}
    if table is False:
        return RawData({split: _plain(frame, path) for split, frame in frames.items()})
    if table is True:
        whole = next(iter(frames.values())) if len(frames) == 1 else need("pandas", "table", "a table").concat(frames)
        bad = unfit(whole)
        if bad:
            reasons = "; ".join(f"{name!r} {reason}" for name, reason in bad.items())
            names = ", ".join(map(repr, bad))
            raise ValueError(f"{path} has columns that cannot be learned: {reasons}. Leave them out, drop=[{names}]")
        table = from_frame(coded(whole))[2]
    return RawData({split: table.to_numbers(frame) for split, frame in frames.items()}, table=table)


def read_frames(path: Path) -> dict[str, Frame]:
    """The splits of a table as DataFrames; "train" alone where the file knows none.

    Raises:
        ImportError: without the extra ``table``, or ``arrow``.
        ValueError: a damaged file, or one without cases.
    """
    if path.is_dir():
        frames = datasets_frames(path)
    elif path.suffix.lower() in _TEXT:
        frames = {"train": _text(path)}
    else:
        frames = {"train": _arrow(path)}
    for split, frame in frames.items():
        if not len(frame) or not len(frame.columns):
            raise ValueError(f"{path} holds no cases" + (f" in {split}" if len(frames) > 1 else "") + ": give some")
        _few(len(frame.columns), path)
        frame.columns = [str(name) for name in frame.columns]
    return frames


def unfit(frame: Frame) -> dict[str, str]:
    """Columns that hold nothing to learn, with the reason."""
    types = need("pandas", "table", "a table").api.types
    reasons = {}
    for name in frame.columns:
        values = frame[name]
        present = values.dropna()
        if not len(present):
            reasons[name] = "is empty"
        elif types.is_datetime64_any_dtype(values.dtype) or types.is_timedelta64_dtype(values.dtype):
            reasons[name] = "holds dates"
        elif not _hashable(present):
            reasons[name] = f"holds {type(present.iloc[0]).__name__}s, not single values"
        elif present.nunique() == 1:
            reasons[name] = f"is constant ({present.tolist()[0]!r})"
        elif types.is_numeric_dtype(values.dtype):
            numbers = present.to_numpy(dtype=np.float64)
            if not np.isfinite(numbers).all():
                reasons[name] = "holds infinities"
            elif types.is_integer_dtype(values.dtype) and len(numbers) > FEW_CODES and (np.diff(numbers) == 1).all():
                reasons[name] = "counts the rows"
        elif all(_DATE.match(str(value)) for value in present.head(100)):
            reasons[name] = f"holds dates ({present.iloc[0]!r})"
        elif (stray := _stray(present)) is not None:
            reasons[name] = f"holds numbers and {stray!r} among them (empty such cells, or write names as text)"
        elif (different := present.nunique()) > min(MOST_LABELS, max(20, len(present) // 2)):
            reasons[name] = f"holds {different} different texts in {len(present)} cases (names, free text?)"
    return reasons


_DATE = re.compile(r"\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")


def _stray(values: Any) -> str | None:
    """The first text where half of all or more are numbers: a typo rather than a name."""
    texts = values.astype(str)
    numbers = need("pandas", "table", "a table").to_numeric(texts, errors="coerce").notna()
    return None if numbers.all() or 2 * numbers.sum() < len(values) else str(texts[~numbers].iloc[0])


def _hashable(values: Any) -> bool:
    return not any(isinstance(value, (list, dict, set, np.ndarray)) for value in values.head(100))


def coded(frame: Frame) -> Frame:
    """Whole numbers 0, 1, 2, ..., few and without gaps, as the codes that they are."""
    pandas = need("pandas", "table", "a table")
    coded = {}
    for name in frame.columns:
        values = frame[name]
        if pandas.api.types.is_numeric_dtype(values.dtype) and not pandas.api.types.is_bool_dtype(values.dtype):
            different = np.sort(values.dropna().unique().astype(np.float64))
            if 2 < len(different) <= FEW_CODES and (different == np.arange(len(different))).all():
                whole = [int(code) for code in different]
                coded[name] = values.astype(pandas.CategoricalDtype(whole))
    return frame.assign(**coded)


def _without(frame: Frame, drop: Sequence[str], path: Path) -> Frame:
    unknown = [name for name in drop if name not in frame.columns]
    if unknown:
        known = ", ".join(map(repr, list(frame.columns)[:20]))
        raise ValueError(f"drop={unknown[0]!r}: {path} has no such column, only {known}")
    left = frame.drop(columns=list(drop))
    if not len(left.columns):
        raise ValueError(f"drop={list(drop)!r} leaves no column of {path}")
    return left


def _plain(frame: Frame, path: Path) -> Array:
    types = need("pandas", "table", "a table").api.types
    for name in frame.columns:
        kind = frame[name].dtype
        if not types.is_numeric_dtype(kind) or types.is_complex_dtype(kind):
            raise NotNumbersError(
                f"{path}, column {name!r} is {kind}, not a number: read every column by its values with table=True"
            )
        if frame[name].isna().any():
            raise NotNumbersError(
                f"{path}, column {name!r} has missing values: read every column by its values with table=True"
            )
    numbers: Array = frame.to_numpy(dtype=np.float64)
    return numbers.astype(np.uint8) if ((numbers == 0) | (numbers == 1)).all() else numbers


def _few(columns: int, path: Path) -> None:
    if columns > MOST_COLUMNS:
        raise ValueError(
            f"{path} has {columns} columns; at most {MOST_COLUMNS} are read one by one, by their values: give numbers "
            "alone, without missing ones, or fewer columns"
        )


# Files -----------------------------------------------------------------------------------------------------------


def _text(path: Path) -> Frame:
    pandas = need("pandas", "table", "a table with text or missing cells")
    layout = read_layout(path)
    width = _width(path, layout.delimiter)
    names = None if layout.header else [f"column {j + 1}" for j in range(width)]
    frame = pandas.read_csv(
        path, sep=layout.delimiter, header=0 if layout.header else None, names=names, encoding="utf-8-sig",
        index_col=False, skipinitialspace=True, na_values=_MISSING, low_memory=False,
        decimal="," if layout.delimiter == ";" and _decimal_comma(path) else ".",
    )  # fmt: skip
    return frame


def _width(path: Path, delimiter: str) -> int:
    """Cells per line, which must be the same in all: pandas would fill lines that are too short."""
    width, first = None, 1
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, delimiter=delimiter)
        try:
            for cells in lines:
                if not cells:
                    continue
                if width is None:
                    width, first = len(cells), lines.line_num
                    _few(width, path)
                elif len(cells) != width:
                    raise ValueError(
                        f"{path}, line {lines.line_num} has {len(cells)} cells where line {first} has {width}: mend "
                        "the line (a quotation mark that is not closed?)"
                    )
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path}, line {lines.line_num} cannot be read ({error}): mend the line") from None
    if width is None:
        raise ValueError(f"{path} holds no cases: give at least one line")
    return width


def _decimal_comma(path: Path) -> bool:
    with path.open(encoding="utf-8-sig") as file:
        sample = file.read(1 << 16)
    return re.search(r"(^|;)\s*-?\d+,\d+\s*(;|$)", sample, re.MULTILINE) is not None


def _arrow(path: Path) -> Frame:
    pyarrow = need("pyarrow", "arrow", f"{path.suffix} files")
    try:
        if path.suffix.lower() == ".parquet":
            return need("pyarrow.parquet", "arrow", ".parquet files").read_table(path).to_pandas()
        return arrow_table(path).to_pandas()
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} is damaged, cut short or not {path.suffix} ({error}): write or fetch it again"
        ) from None
