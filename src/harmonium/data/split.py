"""Setting cases aside for validation and testing by a seeded permutation."""

from __future__ import annotations

from typing import Any

import numpy as np

from harmonium import kernels
from harmonium.core.random import Stream

__all__ = ["permutation", "split_off"]

Index = np.ndarray[Any, np.dtype[np.int64]]


def permutation(count: int, stream: Stream) -> Index:
    """A random order of ``count`` cases."""
    return np.asarray(kernels.permutation(stream.advance(), count), dtype=np.int64)


def split_off(count: int, parts: dict[str, int | float | None], seed: int) -> dict[str, Index]:
    """Indices of each part and of the rest, ``"train"``, each in ascending order (which reads files forwards).

    Args:
        count: how many cases there are.
        parts: name -> how many cases (int), or which fraction of all (float); None and 0 set nothing aside.
        seed: of the permutation.
    """
    sizes = {name: _size(name, part, count) for name, part in parts.items()}
    left = count - sum(sizes.values())
    if left < 1:
        asked = ", ".join(f"{name}={parts[name]}" for name in sizes)
        raise ValueError(f"{asked} leaves no case to train on: there are {count} in all; ask for fewer")
    order = permutation(count, Stream(seed, "split"))
    result = {"train": np.sort(order[:left])}
    for name, size in sizes.items():
        if size:
            result[name] = np.sort(order[left : left + size])
        left += size
    return result


def _size(name: str, part: int | float | None, count: int) -> int:
    if part is None:
        return 0
    if isinstance(part, bool) or not isinstance(part, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}= takes a number of cases or a fraction, found {type(part).__name__}")
    if isinstance(part, (int, np.integer)):
        if part < 0:
            raise ValueError(f"{name}={part} is negative: give a number of cases or a fraction between 0 and 1")
        return int(part)
    if not 0.0 <= part < 1.0:
        raise ValueError(f"{name}={part} is not a fraction between 0 and 1: a number of cases is written as an int")
    return round(float(part) * count)
