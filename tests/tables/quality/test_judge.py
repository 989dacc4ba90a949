"""`quality`: planted tables get the scores that they must get, and bad ones a clear message."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import harmonium as hm

from .helpers import independent, people

ROWS = 700


@cache
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    return people(ROWS, 1), people(ROWS, 2)


@cache
def judged(kind: str) -> Any:
    train, fresh = tables()
    drawn = {
        "fresh": people(ROWS, 3),
        "independent": independent(train, 4),
        "copies": train.sample(frac=1, random_state=5),
    }
    return hm.quality(train, drawn[kind], fresh)


def test_fresh_real_rows_score_what_real_rows_score() -> None:
    """Each difference is within five of its standard deviations over seeds of `people`."""
    found = judged("fresh")
    deviations = {"c2st": 0.027, "trend": 0.007, "columns": 0.012, "tstr": 0.013, "nearer": 0.027, "aats": 0.024}
    for name, deviation in deviations.items():
        assert abs(getattr(found, name) - getattr(found.fresh, name)) < 5 * deviation, name
    assert found.c2st > 0.85 and found.columns > 0.9 and found.copies == 0
    assert abs(found.nearer - 0.5) < 5 * 0.5 / ROWS**0.5
    assert abs(found.aats - 0.5) < 0.05 and abs(found.aats_fresh - 0.5) < 0.05


def test_independent_columns_have_the_columns_alone() -> None:
    found = judged("independent")
    assert found.columns > found.fresh.columns - 0.02  # which therefore is no judge
    assert found.c2st < 0.5 < 0.85 < found.fresh.c2st
    assert found.trend < found.fresh.trend - 0.1
    assert abs(found.tstr - 0.5) < 0.1 and found.fresh.tstr > 0.75
    assert found.aats_fresh > 0.6


def test_copies_are_as_real_as_they_get_but_found() -> None:
    found = judged("copies")
    assert found.copies == 1 and found.fresh.copies == 0
    assert found.nearer > 0.99
    assert found.aats < 0.01 and found.privacy_loss > 0.4
    for name in ("c2st", "trend", "columns", "tstr"):
        assert abs(getattr(found, name) - getattr(found.fresh, name)) < 0.02, name  # no more than real rows


def few(rows: int = 60) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Training, synthetic and fresh rows, few of them."""
    train, fresh = tables()
    return train[:rows], people(rows, 3), fresh[:rows]


def test_a_holdout_of_training_rows_is_pointed_out() -> None:
    train, drawn, fresh = few()
    found = hm.quality(train, drawn, pd.concat([fresh[:30], train[:30]]))
    assert found.fresh is not None and found.fresh.copies == 0.5
    assert any("50 % of the rows of holdout equal a row of real" in note for note in found.notes)


def test_without_a_holdout_there_is_neither_ceiling_nor_privacy() -> None:
    train, drawn, _ = few()
    found = hm.quality(train, pd.concat([train[:15], drawn[:45]]))
    assert found.fresh is None and np.isnan([found.nearer, found.aats, found.aats_fresh, found.privacy_loss]).all()
    assert 0 <= found.c2st <= 1 and found.copies == 0.25
    assert "without a holdout" in str(found) and "real" not in found.by_column


def test_the_same_seed_gives_the_same_scores_and_a_stream_moves_on() -> None:
    train, drawn, fresh = few(100)
    assert hm.quality(train, drawn, fresh, seed=1, rows=50) == hm.quality(train, drawn, fresh, seed=1, rows=50)
    stream = hm.Stream(1)
    first, second = (hm.quality(train, drawn, fresh, seed=stream, rows=50) for _ in range(2))
    assert first.trend != second.trend


def test_equal_numbers_of_rows_are_compared_and_rows_caps_them() -> None:
    train, drawn, fresh = few()
    assert hm.quality(train, drawn[:50], fresh).compared == 50
    found = hm.quality(train, drawn, fresh, rows=40)
    assert found.compared == 40
    assert any("less than 500" in note for note in found.notes)


def test_every_face_shows_every_score() -> None:
    found = judged("fresh")
    frame = found.to_frame()
    assert list(frame) == ["synthetic", "real", "meaning"] and frame.loc["c2st", "synthetic"] == found.c2st
    assert frame.loc["tstr", "real"] == found.fresh.tstr
    assert found.by_column["synthetic"].mean() == pytest.approx(found.columns)
    assert list(found.by_pair.index) == list(tables()[0])
    for face in (str(found), found._repr_html_()):
        assert all(name in face for name in frame.index) and f"{found.c2st:.3f}" in face
    assert (
        "&lt;b&gt;"
        in hm.quality(*[t[["age", "town"]].rename(columns={"town": "<b>"})[:50] for t in tables()])._repr_html_()
    )


def test_columns_are_matched_by_name_and_others_ignored() -> None:
    train, drawn, fresh = few()
    wide = drawn[drawn.columns[::-1]].assign(row=range(len(drawn)))
    found, plain = hm.quality(train, wide, fresh), hm.quality(train, drawn, fresh)
    assert found.to_frame().equals(plain.to_frame())
    assert any("columns of synthetic that real lacks were ignored: row" in note for note in found.notes)


def test_one_column_has_no_pairs_and_no_target() -> None:
    train, drawn, fresh = (table[["age"]] for table in few())
    found = hm.quality(train, drawn, fresh)
    assert np.isnan(found.trend) and np.isnan(found.tstr) and found.target is None
    assert found.columns > 0.7
    assert "tstr is not known" in str(found)


def test_odd_columns_are_judged() -> None:
    """Ids, constants, a column that the generator left empty, infinite numbers, columns without text names."""
    frame = pd.DataFrame(
        {
            0: [f"id{n}" for n in range(60)],
            1: "same",
            (2, "x"): np.arange(60.0),
            "when": pd.date_range("1850-01-01", periods=60),
        }
    )
    frame.loc[:3, [(2, "x")]] = [[np.inf], [-np.inf], [np.nan], [0.0]]
    empty = frame.assign(when=pd.NaT)
    found = hm.quality(frame, empty, frame)
    assert found.by_column.loc["when", "synthetic"] == 0 and found.by_column.loc[1, "synthetic"] == 1
    assert found.c2st < 0.2
    str(found)


def test_all_types_of_a_table_may_differ_from_those_of_the_other() -> None:
    """A synthetic table read back from CSV: dates as text, integers as floats, booleans as text."""
    train, _, fresh = few()
    read = train.assign(
        since=train["since"].astype(str), age=train["age"].astype(float), member=train["member"].astype(str),
        town=train["town"].astype("category"), income=train["income"].astype("Float64"),
    )  # fmt: skip
    assert hm.quality(train, read, fresh).copies == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {"real": t[:0]}, "real has no rows"),
        (lambda t: {"synthetic": t[:1]}, "synthetic has one row"),
        (lambda t: {"holdout": t[:1]}, "holdout has one row"),
        (lambda t: {"real": t[[]]}, "real has no columns"),
        (lambda t: {"synthetic": t.drop(columns=["age", "town"])}, "synthetic lacks the columns 'age', 'town' of real"),
        (lambda t: {"holdout": t.rename(columns={"age": "Age"})}, "holdout lacks the column 'age'.*'Age'.*Rename"),
        (lambda t: {"real": t.assign(town=None, age=np.nan)}, "real has no value in the columns 'age', 'town': drop"),
        (lambda t: {"real": pd.concat([t, t["age"]], axis=1)}, "real has more than one column 'age'"),
        (lambda t: {"synthetic": pd.concat([t, t["age"]], axis=1)}, "synthetic has more than one column 'age'"),
        (lambda t: {"synthetic": t.assign(age="old")}, "column 'age' holds numbers in real, but 'old' in synthetic"),
        (lambda t: {"holdout": t.assign(since="soon")}, "column 'since' holds dates or durations.*'soon' in holdout"),
        (lambda t: {"target": "class"}, "target must be a column of real, found 'class'"),
        (lambda t: {"real": t.assign(age=1), "target": "age"}, "target 'age' is constant in real"),
        (lambda t: {"rows": 1}, "rows must be an integer of at least 2"),
    ],
)  # fmt: skip
def test_bad_tables_are_named(change: Callable[[pd.DataFrame], dict[str, Any]], message: str) -> None:
    table = tables()[0][:50]
    with pytest.raises(ValueError, match=message):
        hm.quality(**{"real": table, "synthetic": table, "holdout": table, **change(table)})


def test_what_is_no_frame_is_named() -> None:
    table = tables()[0]
    with pytest.raises(TypeError, match="synthetic must be a DataFrame, found ndarray"):
        hm.quality(table, np.zeros((3, 5)))
    named = table[:60].assign(name=[f"n{n}" for n in range(60)])
    with pytest.raises(ValueError, match=r"target 'name' has 60 classes, more than 50"):
        hm.quality(named, named, target="name")
