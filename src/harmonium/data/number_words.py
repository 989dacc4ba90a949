"""Numbers as people write them in tables: with thousands, currencies, percent signs and units."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["NumberWords", "looks_like_number", "parts_of", "read_number_words", "separators_of"]

FEW = 12
"""Different whole numbers with a unit that are labels rather than numbers, at most."""

_CURRENCIES = r"[$€£¥₹₩₽฿]|USD|EUR|GBP|CHF|JPY|CNY|INR|[A-Z]{1,2}\$"
_BLANKS = " \u00a0\u2009\u202f"
_GROUPS = {",": "commas", ".": "points", "'": "apostrophes", "\u2019": "apostrophes", " ": "blanks"}
_CELL = re.compile(
    rf"(?P<open>\()?(?P<sign>[-+])?(?P<currency>{_CURRENCIES})?\s*(?P<sign2>[-+])?"
    r"(?P<digits>(?:\d[\d.,'\u2019 ]*|[.,]\d+))(?P<exponent>[eEdD][-+]?\d{1,3})?\s*"
    r"(?P<unit>%|‰|[$€£¥₹]|[A-Za-zµμ°Å][A-Za-zµμ°/²³0-9]{0,7})?(?P<close>\))?"
)
_BEFORE_BRACKET = re.compile(rf"^({_CURRENCIES})\s*\(")  # $(5) is ($5)
_PLAIN = re.compile(r"-?\d+(\.\d+)?")
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-", "\ufe63": "-", "\uff0d": "-", **dict.fromkeys(_BLANKS, " ")})


@dataclass(frozen=True)
class NumberWords:
    """A column of numbers that are written as text.

    Attributes:
        values: the numbers.
        written: how they are written, in words, such as "thousands with commas, $"; empty for plain numbers.
        doubt: the other reading of these cells, as (first cell, number here, number otherwise), or None.
    """

    values: list[float]
    written: str
    doubt: tuple[str, float, float] | None = None


def looks_like_number(cell: str) -> bool:
    """Return whether a cell looks like a number, with or without separators, a currency or a unit.

    >>> [looks_like_number(cell) for cell in ("1,200", "$5", "12.5 %", "-3e4", "north", "2024-01-31")]
    [True, True, True, True, False, False]
    """
    if _PLAIN.fullmatch(cell):  # most cells; the pattern of the others is slow
        return True
    return parts_of(cell) is not None or re.fullmatch(r"[-+]?inf(inity)?", cell.strip(), re.IGNORECASE) is not None


def read_number_words(cells: Iterable[str], decimal: str, certain: bool, given: bool = False) -> NumberWords | None:
    """Read cells as numbers if all of them are written alike: the same separators, currency and unit.

    Args:
        cells: the cells without the missing ones.
        decimal: the character before decimals.
        certain: whether ``decimal`` is known, so that 1,200 with points as decimals is a number of thousands.
        given: whether the caller said so.

    Returns:
        The numbers and how they are written; None if some cell is no such number, or they are written differently.
    """
    found = [parts_of(cell) for cell in cells]
    if not found or any(part is None for part in found):
        return None
    parts = [part for part in found if part is not None]
    units = {(part["currency"] or "", part["unit"] or "") for part in parts} - {("", "")}
    if len(units) > 1 or (units and any(not part["currency"] and not part["unit"] for part in parts if _size(part))):
        return None
    digits = [part["digits"] or "" for part in parts]
    scientific = any(part["exponent"] for part in parts)  # has one digit before its decimals, and no thousands
    mark, group = separators_of(digits, decimal, scientific)
    if mark is None:
        return None
    if (
        any(unit.isalpha() and not re.fullmatch(_CURRENCIES, unit) for _, unit in units)
        and len(set(digits)) <= FEW
        and not any(mark in word for word in digits)
    ):
        return None  # 5mg and 10mg are labels as good as numbers, and 1a, 2a, 3a better ones
    values = []
    for part, number in zip(parts, digits, strict=True):
        value = _value(number, mark, group)
        if value is None:
            return None
        value *= 10.0 ** int((part["exponent"] or "e0")[1:])
        negative = (part["open"] is not None) != ("-" in f"{part['sign'] or ''}{part['sign2'] or ''}")
        values.append(-value if negative else value)
    currency, unit = next(iter(units), ("", ""))
    written = [f"thousands with {_GROUPS[group]}"] if group else []
    written += [f"decimals after {mark!r}"] if mark != decimal and any(mark in number for number in digits) else []
    written += [word for word in (currency, {"%": "percent"}.get(unit, unit and f"the unit {unit}")) if word]
    written += ["exponents with D"] if any((part["exponent"] or "")[:1] in ("d", "D") for part in parts) else []
    written += ["brackets for negative"] if any(part["open"] for part in parts) else []
    english = currency in ("$", "£", "USD", "GBP")  # where decimals follow a point
    doubt = _doubt(digits, group, decimal, certain or english)
    money = currency or re.fullmatch(_CURRENCIES, unit)
    if money and not given and doubt is None and not group:
        doubt = _doubt_of_decimals(digits, mark)
    return NumberWords(values, ", ".join(written), doubt)


def parts_of(cell: str) -> dict[str, str | None] | None:
    """The sign, currency, digits, exponent and unit of a cell; None if it is no number."""
    cell = _BEFORE_BRACKET.sub(r"(\1", cell.strip().lstrip("'").translate(_MINUS).strip())
    match = _CELL.fullmatch(cell)
    if match is None or (match["open"] is None) != (match["close"] is None) or (match["sign"] and match["sign2"]):
        return None
    digits = match["digits"].rstrip()
    if not re.fullmatch(r"\d*([.,'\u2019 ]?\d+)*[.,]?", digits) or (match["currency"] and match["unit"]):
        return None
    return match.groupdict() | {"digits": digits}


def _size(part: dict[str, str | None]) -> bool:
    """Whether a number is not 0, which is often written without its unit."""
    return bool((part["digits"] or "").strip("0.,"))


def separators_of(digits: list[str], decimal: str, scientific: bool) -> tuple[str | None, str]:
    """The decimal character and the separator of thousands of a column, "" if there is none; (None, "") for neither."""
    other = "," if decimal == "." else "."
    for mark in (decimal, other):
        groups = {c for number in digits for c in number.partition(mark)[0] if c in _GROUPS and c != mark}
        if len(groups) > 1:
            continue
        group = next(iter(groups), "")
        if group and scientific:
            continue
        if all(_value(number, mark, group) is not None for number in digits):
            return mark, group
    return None, ""


def _value(number: str, mark: str, group: str) -> float | None:
    whole, _, decimals = number.partition(mark)
    if group and group in whole:
        first, *rest = whole.split(group)
        if not first or first[0] == "0" or len(first) > 3 or any(len(part) != 3 for part in rest):
            return None
        whole = whole.replace(group, "")
    if not (whole + decimals).isdecimal():
        return None
    return float(f"{whole or 0}.{decimals or 0}")


def _doubt(digits: list[str], group: str, decimal: str, certain: bool) -> tuple[str, float, float] | None:
    """1,200 is 1200 or 1.2: two readings fit unless a cell has two separators, or not three digits after one."""
    if certain or group not in (",", "."):
        return None
    grouped = [number for number in digits if group in number]
    if any(decimal in number or number.count(group) > 1 for number in grouped) or any(
        len(number) > 3 for number in digits if group not in number
    ):
        return None
    first = grouped[0]
    return first, float(first.replace(group, "")), float(first.replace(group, "."))


def _doubt_of_decimals(digits: list[str], mark: str) -> tuple[str, float, float] | None:
    """36.650 € is rather 36650 than 36.65: sums of money have two decimals, and thousands three digits."""
    if not any(mark in number for number in digits) or not all(
        re.fullmatch(rf"[1-9]\d{{0,2}}{re.escape(mark)}\d{{3}}|\d{{1,3}}", number) for number in digits
    ):
        return None
    first = next(number for number in digits if mark in number)
    return first, float(first.replace(mark, ".")), float(first.replace(mark, ""))
