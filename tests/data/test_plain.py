"""Columns of DataFrames: a number where it is one, else refused by the name of the column."""

from __future__ import annotations

import datetime
import json
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harmonium.data import as_cases
from harmonium.data.table import Table, from_frame

X = np.random.default_rng(0).normal(size=30).round(2)


@pytest.mark.parametrize(
    "column",
    [
        [Decimal(i % 20) / 4 for i in range(30)],
        pd.arrays.SparseArray((np.arange(30) % 20) / 4),
        pd.array((np.arange(30) % 20) / 4, "Float64"),
    ],
    ids=["decimal", "sparse", "nullable"],
)
def test_numbers_of_other_types(column: Any) -> None:
    units, cases, table = from_frame(pd.DataFrame({"x": X, "price": column}))
    assert repr(units) == "Gaussian(2)"
    back = table.to_frame(cases.rows(np.arange(30)).double().numpy())
    np.testing.assert_allclose(back["price"].astype(float), (np.arange(30) % 20) / 4)


@pytest.mark.parametrize(
    ("column", "what"),
    [
        ([np.array([1, 2])] * 30, "type ndarray"),
        ([datetime.time(i % 24) for i in range(30)], "times of day"),
        ([bytes([i % 3]) for i in range(30)], "bytes"),
        ([uuid.UUID(int=i) for i in range(30)], "UUID"),
        (pd.cut(X, 4), "intervals"),
        (pd.period_range("2020", periods=30, freq="M"), "dates"),
        ([datetime.date(2020, 1, i + 1) for i in range(30)], "dates"),
        (X + 1j, "complex"),
        (pd.to_timedelta(np.arange(30), unit="s"), "durations"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_neither_number_nor_label_is_refused_by_name(column: Any, what: str) -> None:
    with pytest.raises(TypeError, match=f"'odd' .*{what}.*turn it into"):
        from_frame(pd.DataFrame({"x": X, "odd": column}))


def test_names_that_are_no_text_come_back() -> None:
    for frame in (pd.DataFrame({0: X, 1: X**2}), pd.DataFrame({("u", "a"): X, ("u", "b"): X**2})):
        _, cases, table = from_frame(frame)
        again = Table.from_config(json.loads(json.dumps(table.config())))
        back = again.to_frame(cases.rows(np.arange(30)).double().numpy())
        assert back.columns.tolist() == frame.columns.tolist()
        np.testing.assert_allclose(again.to_array(frame), cases.rows(np.arange(30)), rtol=1e-5, atol=1e-5)


def test_repeated_names_are_named() -> None:
    with pytest.raises(ValueError, match="several columns named 'a'"):
        from_frame(pd.DataFrame(np.c_[X, X], columns=["a", "a"]))


def test_polars_converts_itself() -> None:
    polars = pytest.importorskip("polars")
    assert repr(from_frame(polars.DataFrame({"x": X, "g": ["a", "b", "c"] * 10}))[0]) == (
        "Mixed([Gaussian(1), Categorical(1, states=3)])"
    )
    with pytest.raises(TypeError, match=r"column 'g' is .*from_frame"):
        as_cases(polars.DataFrame({"x": X, "g": ["a", "b", "c"] * 10}))
    with pytest.raises(TypeError, match=r"LazyFrame.*collect\(\)"):
        from_frame(polars.LazyFrame({"x": X}))


@pytest.mark.parametrize(
    "convert",
    [
        lambda frame: frame.astype("Int64"), lambda frame: frame.astype(bool).astype("boolean"),
        lambda frame: frame.astype(object), lambda frame: frame.assign(a=frame.a.astype(float), b=frame.b.astype(bool)),
        lambda frame: frame.astype(pd.SparseDtype("int64", 0)),
    ],
    ids=["Int64", "boolean", "object", "mixed", "sparse"],
)  # fmt: skip
def test_frames_of_numbers_are_cases(convert: Any) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).integers(0, 2, (20, 3)), columns=list("abc"))
    assert np.array_equal(as_cases(convert(frame))[:], frame.to_numpy())
    with pytest.raises(TypeError, match=r"column 'd' is .*from_frame"):
        as_cases(convert(frame).assign(d="x"))


def test_missing_values_of_frames_are_nan() -> None:
    frame = pd.DataFrame({"a": pd.array([1, None, 0], "Int64")})
    assert np.isnan(as_cases(frame)[:]).tolist() == [[False], [True], [False]]


def test_draws_stay_within_range_and_rounding() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "age": rng.integers(0, 90, 200),
            "gain": rng.integers(0, 20000, 200).astype(float),
            "share": rng.random(200).round(1),
        }
    )
    frame.loc[::7, "gain"] = np.nan
    _, _, table = from_frame(frame)
    for known in (table, Table.from_config(json.loads(json.dumps(table.config())))):
        drawn = known.to_frame(rng.normal(0, 5, (500, 3)))  # far beyond what was observed
        for name in frame:
            assert frame[name].min() <= drawn[name].min() and drawn[name].max() <= frame[name].max()
        assert (drawn["gain"] == drawn["gain"].round()).all() and (drawn["share"] == drawn["share"].round(1)).all()


def test_tables_of_earlier_versions_have_no_range() -> None:
    _, _, table = from_frame(pd.DataFrame({"x": X, "g": ["a", "b", "c"] * 10}))
    old = [{key: entry[key] for key in ("name", "dtype", "labels", "mean", "scale")} for entry in table.config()]
    drawn = Table.from_config(old).to_frame(np.array([[1e3, 0.0]]))
    assert drawn["x"].tolist() == pytest.approx([1e3 * X.std() + X.mean()])
