"""What a column is taken for, and frames there and back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harmonium.core.random import Stream
from harmonium.core.registry import build
from harmonium.data.codecs.table import TableCodec


def messy(n: int = 600) -> pd.DataFrame:
    """Dates, identifiers, amounts with zeros, codes, text, gaps that mean something, a constant, spelling variants."""
    rng = np.random.default_rng(0)
    kind = rng.choice(["shop", "Shop", "online"], n, p=[0.4, 0.1, 0.5])
    amount = np.where(rng.random(n) < 0.2, 0.0, np.round(rng.lognormal(3, 1, n), 2))
    frame = pd.DataFrame(
        {
            "customer_id": rng.permutation(n) + 40_000,
            "day": pd.Series(pd.Timestamp("2023-01-02") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")).astype(
                str
            ),
            "amount": amount,
            "branch": rng.choice([11, 12, 40, 99], n),
            "town": rng.choice([f"town {k}" for k in range(60)], n),
            "kind": kind,
            "delivery": np.where(kind == "online", rng.integers(1, 9, n).astype(float), np.nan),
            "currency": "EUR",
            "flag": rng.random(n) < 0.3,
        }
    )
    frame.loc[rng.random(n) < 0.1, "amount"] = np.nan
    return frame


@pytest.fixture(scope="module")
def codec() -> TableCodec:
    return TableCodec.of(messy())


def test_columns_are_what_they_are(codec: TableCodec) -> None:
    kinds = [(type(each).__name__, each.missing) for each in codec.codecs]
    assert kinds == [
        ("LeftOut", False), ("Dates", False), ("Numbers", False), ("Numbers", False), ("Categories", False),
        ("Categories", False), ("Numbers", True), ("ConstantColumn", False), ("Categories", False),
    ]  # fmt: skip
    notes = " ".join(codec.notes)
    assert "'customer_id'" in notes and "'currency' is constant" in notes and "'Shop' and 'shop'" in notes


def test_rows_come_back_with_types_and_values(codec: TableCodec) -> None:
    frame = messy()
    again = build(codec.config())
    states = again.encode(again.matched(frame))
    back = again.decode(states, Stream(0))
    assert list(back.columns) == list(frame.columns[1:])
    assert (back.dtypes == frame.dtypes[1:]).all()
    for name in ("branch", "town", "kind", "currency", "flag"):
        assert back[name].tolist() == frame[name].tolist()
    assert back["delivery"].isna().tolist() == frame["delivery"].isna().tolist()
    assert back["day"].str.fullmatch(r"2023-\d\d-\d\d").all()
    assert (
        np.isnan(states[frame["amount"].isna(), 4]).all() or back["amount"].isna().sum() == frame["amount"].isna().sum()
    )


def test_columns_are_matched_by_name(codec: TableCodec) -> None:
    frame = messy()
    shuffled = frame[frame.columns[::-1]].drop(columns="customer_id")
    assert np.array_equal(codec.encode(codec.matched(shuffled)), codec.encode(codec.matched(frame)), equal_nan=True)
    with pytest.warns(UserWarning, match="ignored: 'extra'"):
        codec.matched(frame.assign(extra=1))
    with pytest.raises(ValueError, match=r"no column 'amount'.*did you mean 'Amount'"):
        codec.matched(frame.rename(columns={"amount": "Amount"}))


def test_options_say_otherwise() -> None:
    frame = messy()
    said = {"branch": "categories", "amount": {"as": "log", "cells": 16, "missing": "value"}, "town": "drop"}
    codec = TableCodec.of(frame, said)
    kinds = {name: type(each).__name__ for name, each in zip(codec.names, codec.codecs, strict=True)}
    assert kinds["branch"] == "Categories" and kinds["town"] == "LeftOut"
    amount = codec.codecs[codec.names.index("amount")]
    assert amount.missing and amount.states[0] <= 20 and "log scale" in amount.summary


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"nothing": "log"}, "names 'nothing', which is no column"),
        ({"branch": "text"}, "choose one of categories"),
        ({"branch": {"as": "numbers", "cells": 1}}, "cells must be a whole number from 2 on"),
        ({"branch": {"missing": "no"}}, "missing must be 'value' or 'random'"),
        ({"town": "numbers"}, "column 'town' holds 'town"),
    ],
)
def test_wrong_options_are_named(said: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TableCodec.of(messy(), said)


def test_names_may_be_anything() -> None:
    frame = pd.DataFrame([[1, "a", 2.5], [2, "b", 3.5], [1, "a", 4.0]] * 5)
    frame.columns = pd.Index([0, "x", "x"], dtype=object)
    codec = build(TableCodec.of(frame).config())
    back = codec.decode(codec.encode(codec.matched(frame)), Stream(0))
    assert list(back.columns) == [0, "x", "x"] and back.iloc[:, 1].tolist() == frame.iloc[:, 1].tolist()


@pytest.mark.parametrize(
    ("frame", "error", "words"),
    [
        (pd.DataFrame(), ValueError, "0 rows and 0 columns"),
        (pd.DataFrame({"a": [1.0, np.inf, 2.0]}), ValueError, "'a' is infinite in row 1"),
        (pd.DataFrame({"a": [np.nan, np.nan]}), ValueError, "no column that can be learned"),
        (pd.DataFrame({"a": [[1], [2]], "b": [1, 2]}), TypeError, "'a' holds values of the type list"),
        (pd.DataFrame({"a": [1 + 2j, 1j]}), TypeError, "'a' holds complex numbers"),
        (pd.DataFrame({"id": [f"u{k}" for k in range(40)]}), ValueError, "no column that can be learned"),
    ],
)
def test_what_cannot_be_learned_is_named(frame: pd.DataFrame, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        TableCodec.of(frame)
