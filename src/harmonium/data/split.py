"""Validation and test cases, set aside by a seeded permutation."""

from __future__ import annotations

from typing import Any

import numpy as np

from harmonium import kernels
from harmonium.core.random import Stream

__all__ = ["hold_out", "permutation", "split_off", "split_off_whole"]

LEAST_TO_HOLD_OUT, SHARE, MOST_HELD_OUT = 100, 0.1, 1000  # cases

Index = np.ndarray[Any, np.dtype[np.int64]]
Parts = dict[str, int | float | None]


def permutation(count: int, stream: Stream) -> Index:
    """Return the numbers 0 ... count - 1 in random order."""
    return np.asarray(kernels.permutation(stream.advance(), count), dtype=np.int64)


def hold_out(count: int, stream: Stream) -> tuple[Index, Index] | None:
    """Set a tenth of the cases aside, at most 1,000, to choose the best model by.

    Args:
        count: the number of cases.
        stream: of the permutation.

    Returns:
        The numbers of the training cases and of those set aside, ascending; None for fewer than 100 cases.

    >>> [len(part) for part in hold_out(200, Stream(0))]
    [180, 20]
    """
    if count < LEAST_TO_HOLD_OUT:
        return None
    aside = min(MOST_HELD_OUT, int(SHARE * count))
    order = permutation(count, stream)
    return np.sort(order[aside:]), np.sort(order[:aside])


def split_off(count: int, parts: Parts, seed: int) -> dict[str, Index]:
    """Set cases aside.

    Args:
        count: the number of cases.
        parts: for every name a number of cases (int) or a fraction of all cases (float); None and 0 set nothing aside.
        seed: the seed of the permutation.

    Returns:
        The case numbers of each part, and of the rest as ``"train"``, in ascending order, so that files are read
        forwards.

    Raises:
        ValueError: no case would be left to train on, a negative number, or a fraction outside [0, 1).
        TypeError: a part that is not a number.
    """
    sizes = {name: _size(name, part, count) for name, part in parts.items()}
    left = count - sum(sizes.values())
    if left < 1:
        raise ValueError(f"{_asked(parts)} leaves no case to train on: there are {count} in all; ask for fewer")
    order = permutation(count, Stream(seed, "split"))
    result = {"train": np.sort(order[:left])}
    for name, size in sizes.items():
        if size:
            result[name] = np.sort(order[left : left + size])
        left += size
    return result


def split_off_whole(gaps: np.ndarray[Any, np.dtype[np.bool_]], parts: Parts, seed: int) -> dict[str, Index]:
    """Set cases without missing values aside, since a likelihood is that of whole cases.

    Args:
        gaps: (cases,) whether a case has missing values.
        parts: as in `split_off`.
        seed: as in `split_off`.

    Returns:
        As in `split_off`; all cases with missing values are training cases.

    Raises:
        ValueError: as in `split_off`, or if there are not enough cases without missing values.
        TypeError: as in `split_off`.
    """
    whole = np.flatnonzero(~gaps)
    sizes = {name: _size(name, part, len(gaps)) for name, part in parts.items()}
    wanted = sum(sizes.values())
    if wanted > len(whole) or wanted >= len(gaps):
        raise ValueError(
            f"{_asked(parts)} asks for {wanted} cases without missing values, of which there are {len(whole)}: ask for "
            "fewer"
        )
    order = permutation(len(whole), Stream(seed, "split"))
    rows = {}
    for name, size in sizes.items():
        if size:
            rows[name], order = np.sort(whole[order[:size]]), order[size:]
    rows["train"] = np.sort(np.concatenate([whole[order], np.flatnonzero(gaps)]))
    return rows


def _asked(parts: Parts) -> str:
    return ", ".join(f"{name}={part}" for name, part in parts.items() if part)


def _size(name: str, part: int | float | None, count: int) -> int:
    if part is None:
        return 0
    if isinstance(part, bool) or not isinstance(part, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be a number of cases or a fraction, found {type(part).__name__}")
    if isinstance(part, (int, np.integer)):
        if part < 0:
            raise ValueError(f"{name}={part} is negative: give a number of cases or a fraction between 0 and 1")
        return int(part)
    if not 0.0 <= part < 1.0:
        raise ValueError(f"{name}={part} is not a fraction between 0 and 1: write a number of cases as an int")
    return round(float(part) * count)
