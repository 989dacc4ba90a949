"""Choosing the codec of a column: by its values, or as the user says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from harmonium.data.codecs.categories import MOST_STATES, Categories
from harmonium.data.codecs.codec import Codec
from harmonium.data.codecs.codes import look_like_codes
from harmonium.data.codecs.dates import Dates
from harmonium.data.codecs.left_out import ConstantColumn, LeftOut
from harmonium.data.codecs.numbers import Numbers
from harmonium.data.header import DATE
from harmonium.data.identifiers import identifiers
from harmonium.data.number_words import looks_like_number
from harmonium.data.plain import why_not_labels

__all__ = ["KINDS", "ColumnOptions", "as_options", "propose"]

KINDS = ("categories", "numbers", "log", "values", "dates", "drop")
"""What a column can be taken for.  "log": numbers on a logarithmic scale; "values": numbers, each value a state."""

FORMS = (
    "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y",
    "%B %d, %Y", "%d-%b-%Y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%SZ", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M",
)  # fmt: skip
LEAST_DIFFERENT = 20  # rows; fewer are different from each other by chance
FEW_CODES = 12  # different texts that are labels, even if they look like numbers


@dataclass(frozen=True)
class ColumnOptions:
    """What a user says about a column.

    Attributes:
        kind: one of `KINDS`; None: by the values.
        cells: of numbers, at most; None: by the number of rows.
        missing: whether an empty cell is a value of its own; None: chosen by validation.
    """

    kind: str | None = None
    cells: int | None = None
    missing: bool | None = None


def as_options(columns: Any, names: list[Any]) -> dict[Any, ColumnOptions]:
    """Read what a user says about columns: a dict of names to a kind, or to a dict with "as", "cells" and "missing".

    Raises:
        TypeError: for something else than a dict.
        ValueError: for a name that is no column, or an unknown kind or option.
    """
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        raise TypeError(f"columns must be a dict such as {{'amount': 'log'}}, found {columns!r}")
    options = {}
    for name, said in columns.items():
        if name not in names:
            raise ValueError(f"columns names {name!r}, which is no column: the frame has {names[:20]}")
        said = {"as": said} if isinstance(said, str) else said
        if not isinstance(said, Mapping) or said.keys() - {"as", "cells", "missing", "why"}:
            raise ValueError(
                f"columns, {name!r} is {said!r}: give one of {', '.join(KINDS)}, or a dict with 'as', 'cells' and "
                "'missing'"
            )
        kind, cells, missing = said.get("as"), said.get("cells"), said.get("missing")
        if kind is not None and kind not in KINDS:
            raise ValueError(f"columns, {name!r} is {kind!r}: choose one of {', '.join(KINDS)}")
        if cells is not None and (isinstance(cells, bool) or not isinstance(cells, int) or cells < 2):
            raise ValueError(f"columns, {name!r}: cells must be a whole number from 2 on, found {cells!r}")
        if missing not in (None, "value", "random"):
            raise ValueError(f"columns, {name!r}: missing must be 'value' or 'random', found {missing!r}")
        options[name] = ColumnOptions(kind, cells, None if missing is None else missing == "value")
    return options


def propose(name: Any, values: Any, options: ColumnOptions, missing: bool) -> tuple[Codec, list[str]]:
    """Choose the codec of a column.

    Args:
        name: of the column.
        values: the column; decimals are numbers already (see `plain_frame`).
        options: what the user says.
        missing: whether an empty cell is a value, if there are any.

    Returns:
        The codec, and what the user should know, one sentence each.

    Raises:
        ValueError: if the values are not what the user says, or infinite.
        TypeError: for values that no codec takes, such as lists.
    """
    present = values.dropna()
    missing = missing and len(present) < len(values)
    if options.kind == "drop":
        return LeftOut("as asked"), []
    if not len(present):
        return ConstantColumn(None, values.dtype), [f"column {name!r} is empty: nothing is learned from it"]
    _refuse_nested(name, present)
    kind, notes = (options.kind, []) if options.kind else _kind(name, values, present)
    if kind == "constant":
        value = present.iloc[0]
        value = value.item() if isinstance(value, np.generic) else value
        return ConstantColumn(value if isinstance(value, (str, int, float, bool)) else str(value), values.dtype), notes
    if kind.startswith("left out"):
        return LeftOut(kind.removeprefix("left out: ")), notes
    if kind == "categories":
        return Categories.of(values, missing), [*notes, *_variants(name, present)]
    if kind == "dates":
        form, told = _form(name, present)
        return Dates.of(values, missing, form), [*notes, *told]
    return _numbers(name, values, kind, options, missing), notes


def _numbers(name: Any, values: Any, kind: str, options: ColumnOptions, missing: bool) -> Numbers:
    try:
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError):
        other = next(value for value in values.dropna() if not looks_like_number(str(value)))
        raise ValueError(f"column {name!r} holds {other!r}, which is no number: take it for categories") from None
    infinite = np.isinf(numbers)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ValueError(f"column {name!r} is infinite in row {row}: correct the value, or empty the cell")
    return Numbers.of(values, missing, options.cells, kind == "log", kind == "values")


def _kind(name: Any, values: Any, present: Any) -> tuple[str, list[str]]:
    """What a column is by its values, and what the user should know."""
    dtype = values.dtype
    different = present.nunique()
    if different == 1 and len(present) == len(values):
        shown = present.iloc[0]
        return "constant", [f"column {name!r} is constant ({shown!r}): nothing is learned from it"]
    if types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype) or why_not_labels(values) == "dates":
        return "dates", []
    odd = why_not_labels(values)
    if odd is not None:
        raise TypeError(f"column {name!r} holds {odd}: turn it into numbers, text or dates, or drop it")
    if isinstance(dtype, pd.CategoricalDtype) or types.is_bool_dtype(dtype):
        return "categories", []
    if types.is_numeric_dtype(dtype):
        numbers = present.to_numpy(dtype=np.float64)
        counting = len(numbers) >= LEAST_DIFFERENT and bool((np.diff(numbers) == 1).all())
        if counting:
            return "left out: it counts the rows", [f"column {name!r} counts the rows: it is left out"]
        told = identifiers(str(name), numbers)
        if told and ("different in every case" in told[0] or "each once" in told[0]):
            return "left out: identifiers", [_left_out(name, "holds identifiers, different in every row")]
        if told and "postcodes" in told[0]:
            return "categories", [f"column {name!r} holds postcodes, which are taken for categories"]
        if look_like_codes(numbers):
            first, last = int(numbers.min()), int(numbers.max())
            return "categories", [
                f"column {name!r} holds whole numbers from {first} to {last} that look like codes, which are taken for "
                f"categories: say columns={{{name!r}: 'numbers'}} if they are amounts"
            ]
        return "numbers", []
    texts = present.astype(str)
    if all(DATE.match(text) for text in texts.head(200)) and _readable(texts) is not None:
        return "dates", []
    free = different > MOST_STATES and different > len(present) / 2
    if free or different == len(present) >= LEAST_DIFFERENT:  # names, free text
        if all(map(looks_like_number, texts.head(200))):
            return "left out: numbers as text", [
                f"column {name!r} holds numbers written as text ({texts.iloc[0]!r}): turn them into numbers "
                "(pandas.to_numeric, or harmonium.data.load) to learn them; it is left out"
            ]
        return "left out: different in nearly every row", [_left_out(name, f"holds {different} different texts")]
    if different > FEW_CODES and all(map(looks_like_number, texts.unique())):
        return "categories", [
            f"column {name!r} holds numbers written as text ({texts.iloc[0]!r}), which are taken for categories: turn "
            "them into numbers (pandas.to_numeric, or harmonium.data.load) if they are amounts"
        ]
    return "categories", []


def _left_out(name: Any, what: str) -> str:
    return f"column {name!r} {what}: it is left out (columns={{{name!r}: 'categories'}} keeps it)"


def _refuse_nested(name: Any, present: Any) -> None:
    if present.dtype != object and not isinstance(present.dtype, pd.ArrowDtype):
        return
    for value in present.head(1000):
        if isinstance(value, (list, dict, set, tuple, np.ndarray)):
            raise TypeError(
                f"column {name!r} holds values of the type {type(value).__name__}, not single values: make columns of "
                "its parts, or drop it"
            )


def _variants(name: Any, present: Any) -> list[str]:
    """Point out labels that differ by case or blanks alone."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for label in present.unique():
        if isinstance(label, str):
            groups["".join(label.split()).casefold()].append(label)
    pairs = [labels for labels in groups.values() if len(labels) > 1]
    if not pairs:
        return []
    shown = "; ".join(" and ".join(repr(label) for label in sorted(labels)[:3]) for labels in pairs[:3])
    more = f" (and {len(pairs) - 3} more)" if len(pairs) > 3 else ""
    return [f"column {name!r} has labels that differ by case or blanks alone: {shown}{more}; they stay different"]


def _readable(texts: Any) -> str | None:
    """The first form in which all dates can be read."""
    sample = texts.drop_duplicates()
    for form in FORMS:
        try:
            pd.to_datetime(sample, format=form)
        except (ValueError, TypeError):
            continue
        return form
    return None


def _form(name: Any, present: Any) -> tuple[str | None, list[str]]:
    """How dates in text are written."""
    if not isinstance(present.iloc[0], str):
        return None, []
    texts = present.astype(str)
    form = _readable(texts)
    if form is None:
        raise ValueError(
            f"column {name!r} has dates that are not all written in one way, such as {texts.iloc[0]!r}: turn it into "
            "dates with pandas.to_datetime, or take it for categories"
        )
    if form.startswith("%d/%m"):
        try:
            pd.to_datetime(texts.drop_duplicates(), format=form.replace("%d/%m", "%m/%d"))
        except ValueError:
            return form, []
        return form, [f"column {name!r}: {texts.iloc[0]!r} is read as day/month/year"]
    return form, []
