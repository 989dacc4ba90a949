"""The DataFrames that are compared: the columns of the real one, by name, in each of them."""

from __future__ import annotations

from typing import Any

from harmonium.data.plain import as_pandas, plain_frame
from harmonium.data.raw import Frame

__all__ = ["match_columns", "real_frame"]


def real_frame(frame: Any) -> Frame:
    """Return the real table, each column plain.

    Raises:
        TypeError: something that is no DataFrame.
        ValueError: fewer than two rows, no columns, a name that occurs twice, or a column without any value.
    """
    frame = _rows(frame, "real")
    if not frame.shape[1]:
        raise ValueError("real has no columns: pass the DataFrame that the generator was trained on")
    twice = list(dict.fromkeys(frame.columns[frame.columns.duplicated()]))
    if twice:
        raise ValueError(f"real has more than one column {_list(twice)}: columns are matched by name, so rename them")
    empty = [name for name in frame.columns if frame[name].isna().all()]
    if empty:
        raise ValueError(f"real has no value in {_columns(empty)}: drop what is missing in every row from all tables")
    return frame


def match_columns(frame: Any, real: Frame, name: str) -> tuple[Frame, list[Any]]:
    """Return the columns of ``real`` in another table, in the same order, and the names of its other columns.

    Raises:
        TypeError: something that is no DataFrame.
        ValueError: fewer than two rows, or columns that are missing or occur twice.
    """
    frame = _rows(frame, name)
    missing = [column for column in real.columns if column not in frame.columns]
    if missing:
        raise ValueError(
            f"{name} lacks {_columns(missing)} of real: it has {_list(list(frame.columns))}. Rename "
            "its columns, or drop from real those that are not to be compared"
        )
    wanted = frame.loc[:, frame.columns.isin(real.columns)]
    if wanted.shape[1] > real.shape[1]:
        twice = list(dict.fromkeys(wanted.columns[wanted.columns.duplicated()]))
        raise ValueError(f"{name} has more than one column {_list(twice)}: columns are matched by name, so rename them")
    return wanted[list(real.columns)], [column for column in frame.columns if column not in real.columns]


def _rows(frame: Any, name: str) -> Frame:
    try:
        frame = as_pandas(frame)
    except TypeError:
        raise TypeError(f"{name} must be a DataFrame, found {type(frame).__name__}") from None
    if len(frame) < 2:
        found = "no rows" if not len(frame) else "one row"
        raise ValueError(f"{name} has {found}: distributions are compared, which takes two rows at least, better 1,000")
    return plain_frame(frame.reset_index(drop=True))


def _columns(names: list[Any]) -> str:
    return f"the column{'s' if len(names) > 1 else ''} {_list(names)}"


def _list(names: list[Any], most: int = 12) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
