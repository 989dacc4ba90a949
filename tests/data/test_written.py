"""New cells are written like those of the file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harmonium.data.written import PLAINLY, Written


@pytest.mark.parametrize(
    ("cells", "decimal", "number", "text"),
    [
        (["1", "25", "-3"], ".", 7.0, "7"),
        (["1.50", "25.00"], ".", 7.1, "7.10"),
        (["1.5", "25", "3.25"], ".", 7.125, "7.125"),
        (["1.234,50", "7,00"], ",", 1234567.8, "1.234.567,80"),
        (["$1,200", "$5"], ".", 98765.0, "$98,765"),
        (["12.5 %", "3.0 %"], ".", 7.0, "7.0 %"),
        (["1 200,5 €", "3,0 €"], ",", 1000.0, "1 000,0 €"),
        (["(5.00)", "7.00"], ".", -3.0, "-3.00"),
        (["1e-5", "2e7"], ".", 1e-7, "1e-07"),
        (["0.5", ".25"], ".", 0.75, "0.75"),
    ],
)
def test_a_number_looks_like_those_of_its_column(cells: list[str], decimal: str, number: float, text: str) -> None:
    assert Written.of(cells, decimal).text(number) == text


@pytest.mark.parametrize("value", [None, np.nan, pd.NA, pd.NaT])
def test_a_missing_value_is_an_empty_cell(value: object) -> None:
    assert Written.of(["$1.00"]).text(value) == PLAINLY.text(value) == ""


def test_what_is_rounded_to_zero_has_no_sign() -> None:
    assert Written.of(["1.5", "0.5"]).text(-0.01) == "0.0"


def test_words_for_true_and_false() -> None:
    style = Written.of_truth([True, True, False], ["yes", "yes", "no"])
    assert style.text(np.bool_(True)) == "yes" and style.text(False) == "no" and PLAINLY.text(True) == "True"


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (["03/14/2021", "10/02/2021"], "04/05/2021"),
        (["3/14/2021", "10/2/2021"], "4/5/2021"),
        (["2021-01-05 07:05"], "2021-03-04 06:05"),
        (["5.1.2021 07:05"], "4.3.2021 06:05"),
    ],
)
def test_dates_have_zeros_before_days_where_those_of_the_file_have(cells: list[str], text: str) -> None:
    padded = pd.to_datetime(text, dayfirst="." in text).strftime(
        "%Y-%m-%d %H:%M" if "-" in text else "%d.%m.%Y %H:%M" if "." in text else "%m/%d/%Y"
    )
    assert Written.of_dates(cells).text(padded) == text


def test_text_stays_as_it_is() -> None:
    assert Written.of(["$1.00"]).text("007") == "007"


def test_a_description_in_json_gives_the_same_style() -> None:
    style = Written.of(["1.234,50 €", "7,00 €"], ",")
    assert Written(**style.config()) == style and PLAINLY.config() == {}
