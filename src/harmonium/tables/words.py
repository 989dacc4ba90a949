"""Conditions as people type them, ``sex=Female`` and ``age=30``, as values of the columns."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import pandas as pd

from harmonium.data.codecs.categories import Categories
from harmonium.data.codecs.codec import Codec
from harmonium.data.codecs.dates import Dates
from harmonium.data.codecs.left_out import ConstantColumn
from harmonium.data.codecs.numbers import Numbers
from harmonium.data.codecs.table import TableCodec
from harmonium.data.number_words import read_number_words

__all__ = ["conditions", "value_of"]


def conditions(codec: TableCodec, words: Sequence[str], decimal: str = ".") -> dict[Any, Any]:
    """Read conditions.

    Args:
        codec: of the table.
        words: a condition each, NAME=VALUE.
        decimal: the character before decimals.

    Returns:
        values by the name of the column.

    Raises:
        ValueError: a name that is no column, or a value that the column never had.
    """
    names = {str(name): name for name in codec.names}
    found: dict[Any, Any] = {}
    for word in words:
        if "=" not in word:
            raise ValueError(f"--given {word}: write NAME=VALUE, such as {next(iter(names))}=...")
        cuts = [place for place, letter in enumerate(word) if letter == "="]
        cut = next((cut for cut in reversed(cuts) if word[:cut].strip() in names), cuts[0])
        name, text = word[:cut].strip(), word[cut + 1 :].strip()
        if name not in names:
            raise ValueError(f"--given {word}: {unknown_column(codec, name)}")
        if names[name] in found:
            raise ValueError(f"--given {word}: column {name!r} has a value already, {found[names[name]]!r}")
        found[names[name]] = value_of(codec.codecs[codec.names.index(names[name])], text, name, decimal)
    return found


def unknown_column(codec: TableCodec, name: str) -> str:
    """What to say of a name that is no column."""
    known = list(map(str, codec.names))
    near = difflib.get_close_matches(name, known, 1) or [each for each in known if each.casefold() == name.casefold()]
    guess = f"; did you mean {near[0]!r}?" if near else ""
    return f"{name!r} is no column{guess} The columns are {', '.join(map(repr, known[:20]))}" + (
        ", ..." if len(known) > 20 else ""
    )


def value_of(codec: Codec, text: str, name: str, decimal: str = ".") -> Any:
    """Read the value of a column from text.

    Raises:
        ValueError: for a value that the column cannot have, or never had.
    """
    where = f"--given {name}={text}"
    if not text:
        raise ValueError(f"{where}: there is no value behind the sign of equality")
    if isinstance(codec, Numbers):
        found = read_number_words([text], decimal, True)
        if found is None:
            raise ValueError(f"{where}: column {name!r} holds numbers, {codec.low:g} to {codec.high:g}")
        return found.values[0]
    if isinstance(codec, Dates):
        return _date(codec, text, where)
    if isinstance(codec, ConstantColumn):
        raise ValueError(f"{where}: column {name!r} is {codec.summary}, nothing follows from it: leave it out")
    if not isinstance(codec, Categories):
        raise ValueError(f"{where}: column {name!r} is {codec.summary}: nothing was learned about it")
    labels = {_shown(label): label for label in codec.labels}
    if text in labels:
        return labels[text]
    same = [label for label in labels if label.casefold() == text.casefold()]
    if len(same) == 1 and isinstance(labels[same[0]], bool):
        return labels[same[0]]
    near = same or difflib.get_close_matches(text, labels, 1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    shown = ", ".join(map(repr, list(labels)[:10])) + (", ..." if len(labels) > 10 else "")
    raise ValueError(f"{where}: column {name!r} never had this value{guess} It had {shown}")


def _shown(label: Any) -> str:
    return f"{label:g}" if isinstance(label, float) else str(label)


def _date(codec: Dates, text: str, where: str) -> Any:
    """A date as the column writes it, or as ISO 8601 does."""
    for form in (codec.form, None):
        try:
            moment = pd.to_datetime(text, format=form)
        except (ValueError, TypeError):
            continue
        if codec.form is not None:
            return moment.strftime(codec.form)
        if codec.zone is not None and moment.tzinfo is None:
            moment = moment.tz_localize(codec.zone)
        return moment
    shape = "2024-01-31" if codec.form is None else pd.Timestamp(2024, 1, 31).strftime(codec.form)
    raise ValueError(f"{where}: this is no date: write it like {shape}")
