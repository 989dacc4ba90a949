from __future__ import annotations

import numpy as np
import pytest

from harmonium.core.random import Stream
from harmonium.data.split import permutation, split_off


def test_a_permutation_is_one_and_depends_on_the_stream() -> None:
    first, again, other = (permutation(1000, Stream(seed, "split")) for seed in (0, 0, 1))
    assert np.array_equal(np.sort(first), np.arange(1000))
    assert np.array_equal(first, again)
    assert (first == other).sum() < 10
    assert abs(np.corrcoef(first, np.arange(1000))[0, 1]) < 0.15


def test_parts_are_disjoint_ascending_and_of_the_size_asked_for() -> None:
    parts = split_off(100, {"valid": 0.25, "test": 10}, seed=0)
    assert {name: len(index) for name, index in parts.items()} == {"train": 65, "valid": 25, "test": 10}
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(100))
    assert all((np.diff(index) > 0).all() for index in parts.values())
    assert not np.array_equal(parts["valid"], split_off(100, {"valid": 0.25, "test": 10}, seed=1)["valid"])


def test_parts_not_asked_for_are_absent() -> None:
    assert list(split_off(10, {"valid": None, "test": 0}, seed=0)) == ["train"]


@pytest.mark.parametrize(
    ("part", "error", "message"),
    [
        (10, ValueError, "valid=10 .*fewer"),
        (-1, ValueError, "valid=-1 .*fraction"),
        (1.0, ValueError, "valid=1.0 .*int"),
        (float("nan"), ValueError, "valid=nan .*fraction"),
        (True, TypeError, "valid .*bool"),
        ("half", TypeError, "valid .*str"),
    ],
)
def test_impossible_parts_are_refused(part: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        split_off(10, {"valid": part}, seed=0)  # type: ignore[dict-item]
