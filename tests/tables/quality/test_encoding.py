"""Encoding: what is a number, what a category, and what is the same in two tables."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harmonium.tables.quality.encoding import MOST_LEVELS, encode


def column(*values: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": pd.Series(values)})


@pytest.mark.parametrize(
    ("frame", "number"),
    [
        (column(1, 2), True),
        (column(1.5, None), True),
        (pd.DataFrame({"x": pd.array([1, None], dtype="Int64")}), True),
        (pd.DataFrame({"x": pd.date_range("1850-01-01", periods=2, tz="Europe/Berlin")}), True),
        (pd.DataFrame({"x": pd.period_range("2000-01", periods=2, freq="M")}), True),
        (pd.DataFrame({"x": [datetime.date(1, 1, 1), datetime.date(9999, 12, 31)]}), True),
        (pd.DataFrame({"x": pd.to_timedelta([1, 2], unit="h")}), True),
        (column(True, False), False),
        (pd.DataFrame({"x": pd.array([True, None], dtype="boolean")}), False),
        (column("a", "b"), False),
        (column([1], [2]), False),
        (column(datetime.time(1), datetime.time(2)), False),
        (pd.DataFrame({"x": pd.Categorical([1, 2])}), False),
        (pd.DataFrame({"x": pd.Series([1, "a"], dtype=object)}), False),
    ],
)
def test_kinds_of_columns(frame: pd.DataFrame, number: bool) -> None:
    [table] = encode([frame], ["real"])
    assert table.number.tolist() == [number]
    assert len(np.unique(table.values[~np.isnan(table.values)])) == len(frame["x"].dropna()) + (
        0 if number else frame["x"].isna().sum()
    )


def test_dates_are_seconds_whatever_their_type() -> None:
    stamps = pd.DataFrame({"x": pd.to_datetime(["1970-01-02", "1969-12-31"])})
    text = pd.DataFrame({"x": ["1970-01-02", "1969-12-31"]})
    dates = pd.DataFrame({"x": [datetime.date(1970, 1, 2), datetime.date(1969, 12, 31)]})
    for table in encode([stamps, text, dates], ["real", "synthetic", "holdout"]):
        assert table.values[:, 0].tolist() == [86400, -86400]


def test_one_spelling_for_what_is_the_same_and_missing_is_not_nan_in_words() -> None:
    real, other = encode([column("3", "nan", None), column(3.0, "nan", None)], ["real", "synthetic"])
    assert real.values.tolist() == other.values.tolist()
    assert real.values[2] == 0 and real.values[1] != 0
    truth, words = encode([column(True, False), column("false", 1)], ["real", "synthetic"])
    assert truth.values[0] == words.values[1] and truth.values[1] == words.values[0]


def test_infinite_numbers_lie_beyond_all_others() -> None:
    real, other = encode([column(0.0, np.inf), column(-np.inf, 7.0)], ["real", "synthetic"])
    assert np.isfinite(real.values).all() and real.values[1] > 7 and other.values[0] < 0


def test_rare_categories_are_pooled_by_their_frequency_in_all_tables() -> None:
    names = [f"n{place}" for place in range(MOST_LEVELS + 50)]
    real, other = encode([column(*names), column("often", "often")], ["real", "synthetic"])
    assert (other.values == 1).all()
    assert np.unique(real.pooled()).max() == MOST_LEVELS


@pytest.mark.parametrize("wrong", ["old", pd.Timestamp("2000-01-01"), 1j])
def test_numbers_that_are_none_in_another_table_are_named(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"column 'x' holds numbers in real, but '.*' in synthetic: give it the same"):
        encode([column(1.0, 2.0), column(wrong, wrong)], ["real", "synthetic"])
