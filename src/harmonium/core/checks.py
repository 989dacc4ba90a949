"""Checks of arguments: NumPy's numbers are accepted like Python's, booleans are not numbers."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

__all__ = [
    "check_flag", "check_int", "check_int_fields", "check_non_negative", "check_number", "check_options", "check_pair",
    "check_path", "check_positive", "finite_or_none",
]  # fmt: skip


def check_int(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """Return ``value`` as a Python int.

    Args:
        name: what messages call it, such as "epochs" or "PCD(k=...)".
        value: the argument.
        least: smallest value allowed.
        most: largest value allowed.

    Raises:
        ValueError: for anything but an integer in this range.

    >>> import numpy as np
    >>> check_int("epochs", np.int64(3))
    3
    """
    try:
        number = None if _is_bool(value) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least or (most is not None and number > most):
        kind = {0: "an integer of at least 0", 1: "a positive integer"}.get(least, f"an integer of at least {least}")
        limit = "" if most is None else f" and at most {most}"
        raise ValueError(f"{name} must be {kind}{limit}, found {value!r}")
    return number


def check_int_fields(owner: Any, **least: int) -> None:
    """Check fields of a dataclass, frozen or not, and store them as Python ints.

    Args:
        owner: the dataclass instance; called from its ``__post_init__``.
        least: the smallest value allowed, by field name.

    Raises:
        ValueError: naming the class and the field.
    """
    for name, smallest in least.items():
        number = check_int(f"{type(owner).__name__}({name}=...)", getattr(owner, name), smallest)
        object.__setattr__(owner, name, number)


def check_number(name: str, value: Any, words: str, allowed: Callable[[float], bool]) -> float:
    """Return ``value`` as a float if it is a finite number that is ``allowed``.

    Raises:
        ValueError: otherwise, that says that ``name`` must be ``words``, such as "a positive number".
    """
    try:
        number = math.nan if _is_bool(value) or isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and allowed(number)):
        raise ValueError(f"{name} must be {words}, found {value!r}")
    return number


def check_positive(name: str, value: Any) -> float:
    """Return ``value`` as a float if it is a positive finite number.

    Raises:
        ValueError: otherwise.
    """
    return check_number(name, value, "a positive number", lambda number: number > 0)


def check_non_negative(name: str, value: Any) -> float:
    """Return ``value`` as a float if it is a finite number of at least 0.

    Raises:
        ValueError: otherwise.
    """
    return check_number(name, value, "a non-negative number", lambda number: number >= 0)


def check_flag(name: str, value: Any) -> bool:
    """Return ``value`` as a bool if it is one.

    Raises:
        ValueError: otherwise.
    """
    if not _is_bool(value):
        raise ValueError(f"{name} must be True or False, found {value!r}")
    return bool(value)


def check_path(name: str, value: Any) -> None:
    """Raise TypeError unless ``value`` is a path, or None."""
    if value is not None and not isinstance(value, (str, PathLike)):
        raise TypeError(f"{name} must be a path, such as 'runs/mine', found {value!r}")


def check_options(name: str, value: Any) -> None:
    """Raise TypeError unless ``value`` is a dict of options, or None."""
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict of options, such as {{'epochs': 10}}, found {value!r}")


def check_pair(name: str, value: Any) -> None:
    """Raise TypeError unless ``value`` is a pair of cases and labels, or None."""
    if value is not None and not (isinstance(value, (tuple, list)) and len(value) == 2):
        raise TypeError(f"{name} must be a pair (cases, labels), found {type(value).__name__}: write {name}=(X, y)")


def finite_or_none(value: float) -> float | None:
    """Return the value, or None if it is infinite or NaN, which JSON does not have."""
    return value if math.isfinite(value) else None


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool) or str(getattr(value, "dtype", "")) in ("bool", "torch.bool")
