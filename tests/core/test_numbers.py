"""A number and its error are written alike, whatever their size."""

from __future__ import annotations

import math

import pytest

from harmonium.core.numbers import fixed, nats, with_error


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (229.7, 118.2, ("230", "118")),
        (2290.0, 13_012.0, ("2,290", "13,012")),
        (185_600.4, 107_000.2, ("185,600", "107,000")),
        (39.93, 14.81, ("40", "15")),
        (0.0302, 3.02, ("0.0", "3.0")),
        (-0.0302, 3.02, ("0.0", "3.0")),
        (0.19, 0.0113, ("0.190", "0.011")),
        (4.84e-7, 2.9e-7, ("4.8e-7", "2.9e-7")),
        (7.1e13, 2.0e12, ("7.10e13", "0.20e13")),
        (3.0, 0.0, ("3", "0")),
    ],
)
def test_a_number_has_the_decimals_of_its_error(value: float, error: float, expected: tuple[str, str]) -> None:
    assert with_error(value, error) == expected


def decimals(text: str) -> int:
    return len(text.partition(".")[2])


@pytest.mark.parametrize("error", [0.0, 1e-9, 0.0004, 0.0034, 0.005, 0.21, 12.0, 3e4])
def test_all_numbers_with_one_error_have_the_same_decimals(error: float) -> None:
    written = [nats(value, error) for value in (-84.123456, -84.2, 0.0, error)]
    assert len({decimals(text) for text in written}) == 1
    assert error < 1e-6 or float(written[-1].replace(",", "")) > 0, "an error that is there is not written as zero"


def test_zero_has_no_sign_and_no_number_stays_as_it_is() -> None:
    assert fixed(-0.004) == "0.00" and fixed(-1e-9, 3) == "0.000"
    assert fixed(math.inf) == "inf" and fixed(-math.inf) == "-inf" and nats(math.nan, 0.1) == "nan"
