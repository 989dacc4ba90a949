"""Whole numbers that name cases or moments rather than measure something: identifiers, postcodes, written-out dates."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

__all__ = ["identifiers"]

_LEAST = 10  # cases; fewer are different from each other by chance
_LONG = 1e8  # nine digits: measurements rarely have as many
_NAMED = re.compile(r"(?:^|[\W_])(?i:id|uid|guid|key|nr|no|number|index)$|[a-z](?:Id|ID|Nr|No)$")
_POSTAL = re.compile(r"(?:^|[\W_])(?:zip|zip[\W_]?code|post(?:al)?[\W_]?code|plz)$", re.IGNORECASE)
_MOMENT = re.compile(r"time|date|stamp|created|updated", re.IGNORECASE)


def identifiers(name: str, numbers: Any) -> list[str]:
    """Point out a column of whole numbers from which nothing is learned as from amounts.

    These are dates such as 20240131, seconds since 1970, postcodes, row numbers in another order, and numbers that are
    long, or named like identifiers, and different in every case.

    Args:
        name: the name of the column.
        numbers: its values, NaN where one is missing.

    Returns:
        One note, or none.

    >>> identifiers("customer_id", np.arange(500.0, 900.0, 7))
    ["column 'customer_id' holds identifiers such as 500, different in every case (drop=['customer_id'] leaves it out)"]
    """
    found = numbers[np.isfinite(numbers)]
    if len(found) < _LEAST or found.min() < 0 or (found != np.floor(found)).any() or (np.diff(found) == 1).all():
        return []
    what = _moments(name, found)
    if what is None and _POSTAL.search(name) and found.max() > 999:
        what = f"postcodes such as {found[0]:.15g}, which are labels and no amounts"
    if what is None and len(np.unique(found)) == len(found):
        if _NAMED.search(name) or (found.min() >= _LONG and _digits(found.min()) == _digits(found.max())):
            what = f"identifiers such as {found[0]:.0f}, different in every case"
        elif found.min() in (0, 1) and np.ptp(found) == len(found) - 1:
            what = f"the numbers {found.min():g} to {found.max():g}, each once, as shuffled row numbers do"
    return [] if what is None else [f"column {name!r} holds {what} (drop=[{name!r}] leaves it out)"]


def _digits(number: float) -> int:
    return len(f"{number:.0f}")


def _moments(name: str, found: Any) -> str | None:
    years, months, days = found // 10_000, found // 100 % 100, found % 100
    if bool(((years >= 1800) & (years < 2200) & (months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)).all()):
        return f"dates such as {found[0]:.0f}, whose digits are no amount"
    if _MOMENT.search(name):
        for factor, unit in ((1, "seconds"), (1000, "milliseconds")):
            if 1e8 * factor <= found.min() and found.max() < 5e9 * factor:
                return f"numbers such as {found[0]:.0f}: {unit} since 1970"
    return None
