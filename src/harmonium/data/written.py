"""How numbers are written in the cells of a file, so that new ones look like those that were there."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from harmonium.data.number_words import parts_of, separators_of

__all__ = ["PLAINLY", "Written"]

MOST_CELLS = 1000  # that are looked at
MOST_DIGITS = 15  # of a float64

_DIGITS = re.compile(r"[\d.,].*[\d]|\d")


_ZERO = re.compile(r"(?<![\d:])0(\d)(?=[/.\-\s]|$)")
_SHORT = re.compile(r"(?<![\d:])\d(?=[/.\-\s]|$)")


@dataclass(frozen=True)
class Written:
    """How the cells of a column are written.

    Attributes:
        decimals: the number of decimals, if all cells have as many; None: as many as a number needs.
        mark: the character before decimals.
        group: the character between thousands, "" if there is none.
        before: what comes before the digits, such as "$".
        after: what comes behind them, such as " %".
        words: what stands for True and False.
        missing: what stands for a missing value.
        short: whether days and months of dates have no 0 before them, as in 3/14/2021.

    >>> style = Written.of(["1.234,50 €", "7,00 €"], decimal=",")
    >>> style.text(-98765.4321), style.text(float("nan"))
    ('-98.765,43 €', '')
    """

    decimals: int | None = None
    mark: str = "."
    group: str = ""
    before: str = ""
    after: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""
    short: bool = False

    @classmethod
    def of(cls, cells: Iterable[str], decimal: str = ".") -> Written:
        """Find how numbers are written.

        Args:
            cells: of a column of numbers, as they are in the file, without the missing ones.
            decimal: the character before decimals, if the cells do not show it.
        """
        cells = [cell for cell in list(cells)[:MOST_CELLS] if isinstance(cell, str)]
        parts = [part for part in map(parts_of, cells) if part is not None]
        if not parts or any(part["exponent"] for part in parts):
            return PLAINLY
        digits = [part["digits"] or "" for part in parts]
        mark, group = separators_of(digits, decimal, False)
        if mark is None:
            return PLAINLY
        lengths = {len(number.partition(mark)[2]) for number in digits}
        around = Counter(
            (cell[: found.start()].lstrip("-+ "), cell[found.end() :])
            for cell in map(str.strip, cells)
            if (found := _DIGITS.search(cell)) and "(" not in cell
        )
        before, after = around.most_common(1)[0][0] if around else ("", "")
        return cls(next(iter(lengths)) if len(lengths) == 1 else None, mark, group, before, after)

    @classmethod
    def of_dates(cls, cells: Iterable[str]) -> Written:
        """Find whether dates are written with zeros before days and months.

        >>> Written.of_dates(["3/14/2021", "10/2/2021"]).text("04/05/2021")
        '4/5/2021'
        """
        return cls(short=any(_SHORT.search(cell.strip()) for cell in list(cells)[:MOST_CELLS]))

    @classmethod
    def of_truth(cls, values: Iterable[bool], cells: Iterable[str]) -> Written:
        """Find the words for True and False.

        >>> Written.of_truth([True, False, True], ["TRUE", "FALSE", "TRUE"]).text(False)
        'FALSE'
        """
        words: dict[str, str] = {}
        for value, cell in zip(values, cells, strict=True):
            words.setdefault(str(bool(value)), str(cell).strip())
            if len(words) == 2:
                break
        return cls(words=words)

    def text(self, value: Any) -> str:
        """Write a number, or True or False; text stays as it is."""
        if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
            return self.missing
        if isinstance(value, str):
            return _ZERO.sub(r"\1", value) if self.short else value
        if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
            return self.words.get(str(bool(value)), str(bool(value)))
        try:
            number = float(value)
        except (TypeError, ValueError):
            return str(value)
        if not math.isfinite(number):
            return str(value)
        if self.decimals is not None:
            digits = f"{abs(number):,.{self.decimals}f}" if self.group else f"{abs(number):.{self.decimals}f}"
        else:
            digits = f"{abs(number):,.{MOST_DIGITS}g}" if self.group else f"{abs(number):.{MOST_DIGITS}g}"
        digits = "".join({",": self.group, ".": self.mark}.get(letter, letter) for letter in digits)
        negative = number < 0 and digits.strip("0.,") != ""
        return f"{'-' if negative else ''}{self.before}{digits}{self.after}"

    def config(self) -> dict[str, Any]:
        """Describe it in JSON: what differs from a plain number."""
        return {name: value for name, value in asdict(self).items() if value != getattr(PLAINLY, name)}


PLAINLY = Written()
"""A number without anything around it, with the decimals that it needs."""
