"""What a reader is told, and what it says it took a file for."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["PLAIN", "ReadOptions", "Reading", "ReadingNote", "TwoReadingsError", "read_options"]


class ReadingNote(UserWarning):
    """What a reader guessed; data that are loaded again for a run are not told a second time."""


class TwoReadingsError(ValueError):
    """Numbers such as 1,200, of which two readings are likely, until it is known what comes before decimals."""


@dataclass(frozen=True)
class ReadOptions:
    """What the caller of `harmonium.data.load` says about a file; None leaves it to the reader.

    Attributes:
        header: whether the first line that is not skipped holds the names of the columns.
        skip_rows: how many lines at the start to skip, or the numbers of the lines to skip, counted from 1.
        missing_values: the words, besides empty cells, that stand for missing values.
        decimal: the character before the decimals of a number.
        columns: the names of the columns to read, in this order.
        alphabet: the alphabet of an alignment.
        texts: the names of columns whose cells are labels, even if all of them look like numbers.
    """

    header: bool | None = None
    skip_rows: int | tuple[int, ...] | None = None
    missing_values: tuple[str, ...] | None = None
    decimal: str | None = None
    columns: tuple[str, ...] | None = None
    alphabet: str | None = None
    texts: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.header not in (None, True, False):
            raise TypeError(f"header={self.header!r}: give True or False")
        if self.decimal not in (None, ".", ","):
            raise ValueError(f"decimal={self.decimal!r}: give '.' or ','")
        if isinstance(self.skip_rows, int) and self.skip_rows < 0:
            raise ValueError(f"skip_rows={self.skip_rows}: give a number of lines, 0 or more")

    @property
    def given(self) -> dict[str, Any]:
        """What was said, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Reading:
    """How a file was read: what its reader guessed, and the options that say the same without a guess.

    Attributes:
        notes: what a reader could have understood otherwise, each with the way to say so; empty for a plain file.
        options: arguments of `harmonium.data.load` with which nothing is guessed.

    >>> str(Reading(("line 1 holds names (header=False: it is a case)",)))
    'line 1 holds names (header=False: it is a case)'
    """

    notes: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict, compare=False)

    def add(self, *notes: str, **options: Any) -> Reading:
        """Return the reading with more notes and options."""
        fresh = tuple(note for note in notes if note not in self.notes)
        return replace(self, notes=self.notes + fresh, options=self.options | options)

    def without(self, start: str) -> Reading:
        """Return the reading without the notes that start with some words."""
        return replace(self, notes=tuple(note for note in self.notes if not note.startswith(start)))

    def __str__(self) -> str:
        return "; ".join(self.notes)


PLAIN = Reading()
"""Of a file in which nothing had to be guessed."""


def read_options(
    header: bool | None = None,
    skip_rows: int | Sequence[int] | None = None,
    missing_values: Sequence[str] | None = None,
    decimal: str | None = None,
    columns: Sequence[str] | None = None,
    scale: float | None = None,
    alphabet: str | None = None,
) -> ReadOptions:
    """Return the options of a reader from arguments of `harmonium.data.load`; a scale is no matter of the reader.

    Raises:
        ValueError: an argument that is out of range.
        TypeError: a word where a list of words is expected.
    """
    for name, words in (("missing_values", missing_values), ("columns", columns)):
        if isinstance(words, str):
            raise TypeError(f"{name}={words!r} is one word: write a list, {name}=[{words!r}]")
    lines = skip_rows if skip_rows is None or isinstance(skip_rows, int) else _numbers_of_lines(skip_rows)
    given, named = (None if words is None else tuple(map(str, words)) for words in (missing_values, columns))
    return ReadOptions(header, lines, given, decimal, named, alphabet)


def _numbers_of_lines(lines: Sequence[int]) -> tuple[int, ...]:
    try:
        numbers = tuple(operator.index(line) for line in lines)
    except TypeError:
        numbers = (0,)
    if min(numbers, default=1) < 1:
        raise TypeError(f"skip_rows={lines!r}: give a number of lines, or the numbers of lines, counted from 1")
    return numbers
