"""Tables with columns of any kind, from files to numbers: text, Parquet, Arrow, folders of Hugging Face's datasets.

Columns from which nothing can be learned are named with the reason, all at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from harmonium.core.optional import need
from harmonium.data.datasets_folder import read_dataset_frames
from harmonium.data.raw import Array, Frame, NotNumbersError, RawData
from harmonium.data.summary import FEW_CODES
from harmonium.data.table import Table, from_frame
from harmonium.data.text import check_width, compact, read_frame

__all__ = ["as_codes", "read_frames", "read_table", "unfit"]

MOST_LABELS = 256  # different texts of a categorical column

_DATE = re.compile(r"\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")


def read_table(path: Path, table: Table | bool, drop: Sequence[str]) -> RawData:
    """Read a table as numbers.

    Args:
        path: the file or folder.
        table: True reads every column by its values; a `Table` reads them as it says; False asks for numbers.
        drop: names of the columns to leave out.

    Returns:
        The splits and, unless ``table=False``, the description of the columns.

    Raises:
        NotNumbersError: for ``table=False``, if a column holds anything else.
        ValueError: a name in ``drop`` that is not a column, columns from which nothing can be learned, damaged files.
    """
    frames = {split: _without(frame, drop, path) for split, frame in read_frames(path).items()}
    if table is False:
        return RawData({split: _numbers(frame, path) for split, frame in frames.items()})
    if table is True:
        whole = pd.concat(frames)
        bad = unfit(whole)
        if bad:
            reasons = "; ".join(f"{name!r} {reason}" for name, reason in bad.items())
            names = ", ".join(map(repr, bad))
            raise ValueError(f"{path} has columns that cannot be learned: {reasons}. Leave them out, drop=[{names}]")
        table = from_frame(as_codes(whole))[2]
    return RawData({split: table.to_numbers(frame) for split, frame in frames.items()}, table=table)


def read_frames(path: Path) -> dict[str, Frame]:
    """Read the splits of a table as DataFrames.

    Returns:
        The DataFrames by split; "train" alone if the file has no splits.

    Raises:
        ImportError: a package of the extra ``arrow`` or ``datasets`` is needed and not installed.
        ValueError: a damaged file, or one without cases.
    """
    if path.is_dir():
        frames = read_dataset_frames(path)
    elif path.suffix.lower() in (".csv", ".tsv"):
        frames = {"train": read_frame(path)}
    else:
        frames = {"train": _read_arrow(path)}
    for split, frame in frames.items():
        if not len(frame) or not len(frame.columns):
            raise ValueError(f"{path} holds no cases" + (f" in {split}" if len(frames) > 1 else "") + ": add some")
        check_width(len(frame.columns), path)
        frame.columns = [str(name) for name in frame.columns]
    return frames


def unfit(frame: Frame) -> dict[str, str]:
    """Return the columns from which nothing can be learned, each with the reason."""
    reasons = {}
    for name in frame.columns:
        values = frame[name]
        present = values.dropna()
        if not len(present):
            reasons[name] = "is empty"
        elif types.is_datetime64_any_dtype(values.dtype) or types.is_timedelta64_dtype(values.dtype):
            reasons[name] = "holds dates"
        elif any(isinstance(value, (list, dict, set, np.ndarray)) for value in present.head(100)):
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


def as_codes(frame: Frame) -> Frame:
    """Return the frame with columns of the codes 0, 1, 2, ... (up to 32 of them, without gaps) as categories."""
    coded = {}
    for name in frame.columns:
        values = frame[name]
        if types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype):
            different = np.sort(values.dropna().unique().astype(np.float64))
            if 2 < len(different) <= FEW_CODES and (different == np.arange(len(different))).all():
                coded[name] = values.astype(pd.CategoricalDtype(list(range(len(different)))))
    return frame.assign(**coded)


def _stray(values: Any) -> str | None:
    """The first text that is not a number, if at least half of the texts are numbers: a typo rather than a name."""
    texts = values.astype(str)
    numbers = pd.to_numeric(texts, errors="coerce").notna()
    return None if numbers.all() or 2 * numbers.sum() < len(values) else str(texts[~numbers].iloc[0])


def _without(frame: Frame, drop: Sequence[str], path: Path) -> Frame:
    unknown = [name for name in drop if name not in frame.columns]
    if unknown:
        known = ", ".join(map(repr, list(frame.columns)[:20]))
        raise ValueError(f"drop={unknown[0]!r}: {path} has no such column, only {known}")
    left = frame.drop(columns=list(drop))
    if not len(left.columns):
        raise ValueError(f"drop={list(drop)!r} leaves no column of {path}: drop fewer")
    return left


def _numbers(frame: Frame, path: Path) -> Array:
    for name in frame.columns:
        kind = frame[name].dtype
        if not types.is_numeric_dtype(kind) or types.is_complex_dtype(kind):
            found = f"is {kind}, not a number"
        elif frame[name].isna().any():
            found = "has missing values"
        else:
            continue
        raise NotNumbersError(f"{path}, column {name!r} {found}: read every column by its values with table=True")
    return compact(frame.to_numpy(dtype=np.float64))


def _read_arrow(path: Path) -> Frame:
    pyarrow = need("pyarrow", "arrow", f"{path.suffix} files")
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path, engine="pyarrow")
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
