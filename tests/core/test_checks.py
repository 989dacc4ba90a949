"""Integers and positive numbers of any library are taken, everything else is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from harmonium.core.checks import check_int, check_int_fields, check_positive


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)])
def test_integers_of_any_library(value: Any) -> None:
    number = check_int("n", value)
    assert number == 3 and type(number) is int


@pytest.mark.parametrize(
    "value", [True, np.True_, 3.0, np.float64(3), "3", None, float("nan"), 0, -1, torch.tensor(True)]
)
def test_what_is_no_positive_integer(value: Any) -> None:
    with pytest.raises(ValueError, match="n must be a positive integer, found "):
        check_int("n", value)


def test_ranges() -> None:
    assert check_int("n", 0, least=0) == 0 and check_int("n", 5, least=2, most=5) == 5
    with pytest.raises(ValueError, match="at least 0"):
        check_int("n", -1, least=0)
    with pytest.raises(ValueError, match="at least 2 and at most 5"):
        check_int("n", 6, least=2, most=5)


def test_fields_of_a_frozen_dataclass_become_python_ints() -> None:
    @dataclass(frozen=True)
    class Setting:
        k: Any = 1
        chains: Any = 1

        def __post_init__(self) -> None:
            check_int_fields(self, k=1, chains=2)

    assert type(Setting(np.int32(2), 2).k) is int
    with pytest.raises(ValueError, match=r"Setting\(chains=\.\.\.\) must be an integer of at least 2, found 1"):
        Setting(1, 1)


@pytest.mark.parametrize("value", [0, -1.0, float("inf"), float("nan"), True, "1", None, np.bool_(True)])
def test_what_is_no_positive_number(value: Any) -> None:
    with pytest.raises(ValueError, match="rate must be a positive number, found "):
        check_positive("rate", value)


def test_positive_numbers_of_any_library() -> None:
    assert [check_positive("rate", value) for value in (1, 0.5, np.float32(0.5), np.int8(2))] == [1.0, 0.5, 0.5, 2.0]
