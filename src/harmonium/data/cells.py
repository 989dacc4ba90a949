"""One column of text: numbers that are written as text, missing values, and labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from harmonium.data.header import MISSING_WORDS
from harmonium.data.number_words import read_number_words
from harmonium.data.reading import ReadOptions, TwoReadingsError

__all__ = ["PLAUSIBLE", "as_dates", "mixed_label", "read_cells", "sentinels", "without_words"]

_USUAL = frozenset(
    ["", "?", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "None", "<NA>", "<na>", "#N/A", "#NA", "-nan",
     "-NaN", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "#N/A N/A"]
)  # fmt: skip
"""Words that stand for a missing value in a column of labels."""

_NAMES = frozenset(["NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "None"])
"""Those of them that are also names: Namibia, no veneer."""

PLAUSIBLE = frozenset(["na", "n/a", "none", "nil", "null", "missing", "unknown", "not available", "-", ".", "--"])
"""Labels, in lower case, that may mean that a value is missing."""

_FEW, _OFTEN, _SHARE = 12, 10, 0.05  # different labels, cases of each, and share of the texts among them
FAR = 10  # times the range of all other numbers
_SENTINELS = (
    9.0,
    77.0,
    88.0,
    98.0,
    -1.0,
    -8.0,
    99.0,
    999.0,
    9999.0,
    99999.0,
    999999.0,
    -9.0,
    -99.0,
    -999.0,
    -9999.0,
    -99999.0,
)
_PLAIN = re.compile(r"-?\d+(\.\d+)?")
_DAYS = (20_000, 60_000)  # of the years 1954 to 2064, as spreadsheets count them


def read_cells(
    name: str, values: Any, options: ReadOptions, decimal: str, certain: bool, codes: bool = False
) -> tuple[Any, list[str]]:
    """Read a column of text as numbers if all of its cells are numbers, written alike, and as labels otherwise.

    Args:
        name: the name of the column.
        values: a pandas column of text; NaN where a cell is empty.
        options: what the caller said.
        decimal: the character before decimals.
        certain: whether ``decimal`` is known.
        codes: whether some cells start with a 0 before other digits: then they are codes, not numbers.

    Returns:
        A column of float64 or of text, and what was guessed.

    Raises:
        ValueError: cells such as 1,200 that are numbers with thousands or with decimals; the message names both.
    """
    present = values.dropna()
    if not all(isinstance(value, str) for value in present.head(1000)):
        return values, []
    text = present.str.strip().str.normalize("NFC")  # e with an accent is one letter or two
    if text.str.fullmatch("'[^']*'").all():
        text = text.str[1:-1].str.strip()
    codes = codes or bool(text.str.fullmatch(r"'?0\d+").any())
    counts = Counter(text.tolist())
    words = options.missing_values
    gone = set(words or ()) | {""}
    others = [cell for cell in counts if cell not in gone and (words is not None or cell.lower() not in MISSING_WORDS)]
    read = None if codes else read_number_words(others, decimal, certain, options.decimal is not None)
    if read is not None:
        if read.doubt is not None:
            cell, here, otherwise = read.doubt
            raise TwoReadingsError(
                f"column {name!r} holds {cell!r}, which is {here:.15g} or {otherwise:.15g}: say with decimal='.' or "
                "decimal=',' which character comes before decimals"
            )
        place = dict(zip(others, read.values, strict=True))
        numbers = text.map(lambda cell: place.get(cell, np.nan)).astype(np.float64)
        shown = next((j for j, cell in enumerate(others) if not _PLAIN.fullmatch(cell)), 0)
        note = [f"column {name!r} holds numbers with {read.written} ({others[shown]!r} is {read.values[shown]:.15g})"]
        return numbers.reindex(values.index), note if read.written else []
    if words is None:
        gone |= _USUAL
    notes = [f"column {name!r} holds codes with leading zeros, which are read as labels"] if codes else []
    named = {word: counts[word] for word in counts if words is None and word in _NAMES}
    if named:
        found = ", ".join(f"{count} cells {word!r}" for word, count in named.items())
        notes.append(
            f"column {name!r}: {found} are read as missing (missing_values=['?']: they are labels, and only '?' and "
            "empty cells are missing)"
        )
    kept = [word for word in counts if words is None and word not in gone and word.lower() in PLAUSIBLE]
    if kept and not (kept == ["-"] and "+" in counts):
        found = ", ".join(f"{counts[word]} cells {word!r}" for word in kept)
        notes.append(f"column {name!r}: {found} are read as labels (missing_values=[{kept[0]!r}]: they are missing)")
    mixed = mixed_label({cell: count for cell, count in counts.items() if cell not in gone})
    if mixed is not None:
        notes.append(f"column {name!r} holds few different numbers and {mixed!r}: all are read as labels")
    notes += _alike(name, [cell for cell in counts if cell not in gone])
    if any(cell in gone for cell in counts):
        text = text.where(~text.isin(list(gone)), None)
    return text.reindex(values.index), notes


def mixed_label(counts: Mapping[str, int]) -> str | None:
    """The first text among few whole numbers that are labels like it, such as 3+ beside 0, 1 and 2, or None.

    A text that is rare is rather a typo among numbers, and "unknown" a missing value.
    """
    total = sum(counts.values())
    texts = [cell for cell in counts if not _PLAIN.fullmatch(cell)]
    few = len(counts) <= _FEW and total >= _OFTEN * len(counts)
    if not few or not 0 < len(texts) < len(counts) or sum(counts[cell] for cell in texts) < _SHARE * total:
        return None
    doubtful = any(cell.lower() in PLAUSIBLE or counts[cell] < _OFTEN / 2 for cell in texts)
    return None if doubtful or any("." in cell for cell in counts if cell not in texts) else texts[0]


def _alike(name: str, labels: list[str]) -> list[str]:
    """Point out labels that differ only by case or by blanks inside."""
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault(re.sub(r"\s+", " ", label).casefold(), []).append(label)
    alike = [group for group in groups.values() if len(group) > 1]
    if not alike or len(labels) > 1000:
        return []
    shown = "; ".join(" and ".join(map(repr, sorted(group))) for group in alike[:3])
    return [f"column {name!r} has labels that differ by case or blanks: {shown} (write them alike if they are one)"]


def sentinels(name: str, numbers: Any) -> list[str]:
    """Point out numbers such as -9 and 999 that lie far from all others, as words for a missing value do."""
    finite = numbers[np.isfinite(numbers)]
    if not len(finite) or not (finite.min() in _SENTINELS or finite.max() in _SENTINELS or _is_far(finite)):
        return []
    values, times = np.unique(finite, return_counts=True)
    known = np.isin(values, _SENTINELS)
    ends = [j for j, beside in ((0, 1), (-1, -2)) if len(values) > 3 and times[j] > 1 and not known[j]
            and abs(values[j] - values[beside]) > FAR * np.ptp(np.delete(values, j))]  # fmt: skip
    known[ends] = True
    rest, found = values[~known], []
    if len(rest) < 2:
        return []
    for value, count in zip(values[known], times[known], strict=True):
        gap = max(rest[0] - value, value - rest[-1])
        below_zero = value < 0 <= rest[0] and count > 1 and (value != -1 or len(rest) > 10)
        if gap > 0 and (below_zero or (gap >= np.ptp(rest) and value != -1)):
            found.append(
                f"column {name!r} holds {value:g} in {count} cells, far from its other numbers: if they are missing, "
                f"say missing_values=['{value:g}']"
            )
    return found


def _is_far(numbers: Any) -> bool:
    """Whether some numbers lie far from most of the others."""
    low, high = np.percentile(numbers, (20, 80))
    return bool(np.ptp(numbers) > FAR * (high - low) > 0)


def without_words(values: Any, options: ReadOptions) -> Any:
    """Return a column of numbers in which those that stand for missing values are missing."""
    numbers = []
    for word in options.missing_values or ():
        try:
            numbers.append(float(word))
        except ValueError:
            continue
    return values.mask(values.isin(numbers)) if numbers and values.isin(numbers).any() else values


def as_dates(name: str, numbers: Any) -> list[str]:
    """Point out numbers of days, as spreadsheets count them, in a column that is named like a date."""
    finite = numbers[np.isfinite(numbers)]
    if not len(finite) or not re.search(r"date|datum|\bday\b|fecha", str(name), re.IGNORECASE):
        return []
    if finite.min() < _DAYS[0] or finite.max() > _DAYS[1]:
        return []
    return [f"column {name!r} holds numbers like {finite[0]:g}: days since 1900, as spreadsheets write dates"]
