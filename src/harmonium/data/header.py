"""Whether the first line of a table holds the names of its columns, or is a case like those below."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from harmonium.data.number_words import looks_like_number

__all__ = ["DATE", "MISSING_WORDS", "HeaderGuess", "counts_rows", "guess_header"]

MISSING_WORDS = frozenset(
    {"", "?", "na", "n/a", "nan", "null", "none", "#n/a", "<na>", "-", ".", "--", "nil", "..", ":"}
)
"""Words, in lower case, that may stand for a missing value."""

_MONTH = r"(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zä]*\.?"
DATE = re.compile(
    rf"\s*(?:\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}|\d{{1,2}}\.?[-/ ]{_MONTH}[-/, ]+\d{{2,4}}\b|"
    rf"{_MONTH}[- ]\d{{1,2}},? ?\d{{4}}\b)",
    re.IGNORECASE,
)
"""The start of a date: 2024-01-31, 31.1.2024, 31 Jan 2024, January 31, 2024."""
_LEAST = 3  # cases below that say what a column holds
_MANY = 20  # cells below, all with a point
_LONG = 5  # numbers that rise by chance in one line of 120


@dataclass(frozen=True)
class HeaderGuess:
    """Whether a first line holds names: ``holds``, None if both are likely; ``sure`` if nothing speaks against it."""

    holds: bool | None
    sure: bool


def guess_header(first: list[str], body: list[list[str]]) -> HeaderGuess:
    """Compare the first line of a table with the lines below it.

    A text above numbers, or above categories among which it does not occur, is a name; a text that occurs below is a
    value.  Numbers are names if they are a sequence (0, 1, 2, ...; years; wavelengths) out of the range of the values.

    Args:
        first: the cells of the first line.
        body: the cells of lines below it, as many as there are at hand.

    >>> guess_header(["a", "b"], [["1", "2"], ["3", "4"]]).holds
    True
    >>> guess_header(["p", "x"], [["e", "x"], ["p", "y"], ["e", "x"], ["p", "x"]]).holds
    False
    """
    first = [cell.strip() for cell in first]
    columns = [[row[j].strip() for row in body if j < len(row)] for j in range(len(first))]
    columns = [[cell for cell in column if cell.lower() not in MISSING_WORDS] for column in columns]
    names = values = 0.0
    numbers: list[int] = []
    for j, (cell, below) in enumerate(zip(first, columns, strict=True)):
        if not below or cell.lower() in MISSING_WORDS:
            continue
        if sum(map(looks_like_number, below)) >= 0.9 * len(below):
            if looks_like_number(cell):
                numbers.append(j)
            elif cell not in below:
                names += 1
            else:
                values += 1
        elif cell in below or (re.search(r"\d", cell) and {_form(cell)} == set(map(_form, below))):
            values += 1
        elif len(below) > _LEAST and (not looks_like_number(cell) or not any(map(looks_like_number, below))):
            dates = all(DATE.match(other) for other in below)
            names += (dates and not DATE.match(cell)) or 2 * len(set(below)) <= len(below)
    if not first[0] and len(first) > 1 and len(body) >= _LEAST and counts_rows([row[0] for row in body if row]):
        names += 1
    return _verdict(first, columns, body, numbers, names, values)


def _form(cell: str) -> str:
    """A cell with every digit as 0, the same for all dates or times of a column."""
    return re.sub(r"\d", "0", cell)


def counts_rows(cells: list[str]) -> bool:
    """Return whether cells are whole numbers that rise by one from row to row, from 0 or 1."""
    if len(cells) < 2 or not all(re.fullmatch(r"\d{1,15}", cell.strip(), re.ASCII) for cell in cells):
        return False
    counts = [int(cell) for cell in cells]
    return counts[0] in (0, 1) and all(b - a == 1 for a, b in itertools.pairwise(counts))


def _verdict(
    first: list[str], columns: list[list[str]], body: list[list[str]], numbers: list[int], names: float, values: float
) -> HeaderGuess:
    sequence = _named_by_numbers(first, columns, body, numbers)
    if names + values == 0:
        if numbers:
            return sequence
        # Only text that occurs nowhere below, or nothing below it: names, as in most files.
        return HeaderGuess(not all(looks_like_number(cell) for cell in first if cell), True)
    if names and not values and len(first) > 1 and _counts([_number(cell) for cell in first if cell]):
        return HeaderGuess(True, False)
    if numbers and not sequence.holds:
        texts = [j for j in numbers if not re.fullmatch(r"\d+", first[j], re.ASCII)]
        inside = [j for j in numbers if _within(first[j], columns[j])]
        values += len(set(texts) | set(inside))
    if names and values:
        holds = None if max(names, values) < 3 * min(names, values) else names > values
        return HeaderGuess(holds, False)
    return HeaderGuess(names > 0, values == 0 and not numbers)


def _named_by_numbers(
    first: list[str], columns: list[list[str]], body: list[list[str]], numbers: list[int]
) -> HeaderGuess:
    """Whether the numbers of the first line are names: a sequence that does not go on below, beyond all values."""
    found = [_number(first[j]) for j in numbers]
    if not found or None in found:
        return HeaderGuess(False, True)
    cells = [number for number in found if number is not None]
    counting = _counts(found)
    years = len(cells) > 1 and all(cell.is_integer() and 1500 <= cell < 2200 for cell in cells)
    # 0, 1 or 5, 10 without a point, where all numbers below have one
    below = [cell for j in numbers for cell in columns[j]]
    bare = len(below) >= _MANY and all(re.fullmatch(r"-?\d+", first[j], re.ASCII) for j in numbers)
    bare = bare and all("." in cell for cell in below)
    if bare and counting:
        return HeaderGuess(True, False)
    if not _rises(cells) or not (counting or years or len(cells) > 2):
        return HeaderGuess(None if bare else False, not counting or len(cells) < 2)
    rows = [[_number(row[j]) for j in numbers if j < len(row)] for row in body]
    rising = sum(_rises([number for number in row if number is not None]) for row in rows)
    outside = sum(not _within(first[j], columns[j]) for j in numbers)
    needed = max(1, len(cells) - 2) if counting else len(cells)
    if len(body) >= _LEAST and 2 * rising < len(body) and outside >= needed:
        return HeaderGuess(True, False)
    # 0, 1, 2, 3 above codes of that size, or above lines that rise as well: a case by chance, or names?
    likely = counting and len(cells) > 3 and (2 * rising < len(body) or outside == len(cells))
    likely = likely or bare or (len(cells) >= _LONG and 10 * rising < len(body))
    return HeaderGuess(None if likely else False, not counting)


def _counts(cells: list[float | None]) -> bool:
    """Whether numbers are 0, 1, 2, ... or 1, 2, 3, ..."""
    return cells in ([float(k) for k in range(len(cells))], [float(k + 1) for k in range(len(cells))])


def _rises(numbers: list[float]) -> bool:
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    return bool(steps) and (all(step > 0 for step in steps) or all(step < 0 for step in steps))


def _within(cell: str, column: list[str]) -> bool:
    number, others = _number(cell), [number for number in map(_number, column) if number is not None]
    return number is not None and bool(others) and min(others) <= number <= max(others)


def _number(cell: str) -> float | None:
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        return None
