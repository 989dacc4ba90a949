"""What people really hand in: a message that names the column, or a meaning that is documented."""

from __future__ import annotations

import datetime
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harmonium.tables.model import TableModel

N = 200


def base() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"g": rng.choice(list("abc"), N), "x": rng.normal(size=N).round(2), "k": rng.integers(0, 5, N)})


def fitted(frame: Any) -> TableModel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return TableModel("mixture", minutes=0.02, progress=False).fit(frame)


@pytest.fixture(scope="module")
def table() -> TableModel:
    return fitted(base())


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ([np.inf] + [1.0] * (N - 1), ValueError, "'z' is infinite in row 0"),
        ([[1], [2]] * (N // 2), TypeError, "'z' holds values of the type list"),
        (pd.to_timedelta(np.arange(N), unit="h"), TypeError, "'z' holds durations"),
        ([b"a", b"b"] * (N // 2), TypeError, "'z' holds bytes"),
        (pd.cut(pd.Series(np.arange(N)), 4), TypeError, "'z' holds intervals"),
    ],
)
def test_refused_columns(values: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        fitted(base().assign(z=values))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([f"text {k}" for k in range(N)], "left out"),
        ([np.nan] * N, "empty"),
        (pd.date_range("1850-01-01", periods=N, freq="31D", tz="US/Eastern"), "dates"),
        ([datetime.date(1890, 1, 1) + datetime.timedelta(days=k % 90) for k in range(N)], "dates"),
        (pd.period_range("2020-01", periods=N, freq="M"), "dates"),
        (np.random.default_rng(1).choice(["nan", "other", "missing", "None", ""], N), "categories"),
        (np.array([1, "a", 2.5, "b"] * (N // 4), dtype=object), "categories"),
        (np.random.default_rng(2).normal(size=N) * 1e300, "numbers"),
        (np.random.default_rng(3).normal(size=N) * 1e-20, "numbers"),
        ([f"{value:.1f}".replace(".", ",") for value in np.random.default_rng(4).normal(5, 1, N)], "categories"),
    ],
)
def test_columns_that_have_a_meaning(values: Any, kind: str) -> None:
    frame = base().assign(z=values)
    table = fitted(frame)
    assert table.codec.codecs[3].summary.startswith(kind)
    drawn = table.sample(50, seed=1)
    if kind in ("dates", "categories"):
        assert drawn["z"].dtype == frame["z"].dtype
    if kind == "categories":
        assert set(drawn["z"]) <= set(frame["z"])


def test_numbers_in_text_are_pointed_out() -> None:
    frame = base().assign(z=[f"{value:.1f}".replace(".", ",") for value in np.random.default_rng(4).normal(5, 1, N)])
    with pytest.warns(UserWarning, match="'z' holds numbers written as text"):
        TableModel("mixture", minutes=0.02, progress=False).fit(frame)


@pytest.mark.parametrize("convert", [{}, {"dtype_backend": "pyarrow"}])
def test_nullable_and_arrow_types(convert: dict[str, Any]) -> None:
    if convert:
        pytest.importorskip("pyarrow")
    frame = base().convert_dtypes(**convert)
    assert (fitted(frame).sample(5).dtypes == frame.dtypes).all()


def test_other_libraries_of_frames() -> None:
    polars = pytest.importorskip("polars")
    assert list(fitted(polars.from_pandas(base())).sample(2).columns) == ["g", "x", "k"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"k": 2.5}, "'k' never had the value 2.5.*it had"),
        ({"g": 7}, "'g' never had the value 7"),
        ({"x": 99.0}, "'x' was between .* and 99 was asked for"),
    ],
)
def test_given_values_that_were_never_seen(table: TableModel, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        table.sample(2, given=given)


def test_wrong_arguments_are_named(table: TableModel) -> None:
    with pytest.raises(ValueError, match="quantiles"):
        table.conditional(base(), "x", quantiles=(0.5, 2.0))
    with pytest.raises(ValueError, match="draws"):
        table.impute(base(), draws=0)
    with pytest.raises(ValueError, match="n must be"):
        table.sample(0)
    with pytest.raises(ValueError, match="given has 1 rows"):
        table.sample(2, given=base()[:1])
    with pytest.raises(TypeError, match="frame must be a DataFrame"):
        table.log_prob([[1, 2]])


def test_a_frame_of_two_rows_and_repeated_names() -> None:
    assert len(fitted(base()[:2]).sample(3)) == 3
    twice = base().set_axis(["a", "a", "b"], axis=1)
    table = fitted(twice)
    assert list(table.sample(2).columns) == ["a", "a", "b"]
    with pytest.raises(ValueError, match="column 'a' is not one column"):
        table.conditional(twice, "a")


def test_given_dates_and_numbers_out_of_reach() -> None:
    frame = base().assign(z=pd.date_range("2020-01-01", periods=N, freq="D"), pay=np.arange(N) * 7.0 + 0.5)
    table = fitted(frame)
    with pytest.raises(ValueError, match=r"'z' is dates: 2020-01-01 to .*, and 1800-01-01 was asked for"):
        table.sample(2, given={"z": pd.Timestamp("1800-01-01")})
    assert table.sample(2, given={"pay": 333.25})["pay"].tolist() == [333.25, 333.25]  # between two rows


def test_given_values_stay_as_they_were_given() -> None:
    dates = pd.date_range("2020-01-01", periods=N, freq="D")
    frame = base().assign(whole=np.arange(N) * 3, day=dates.strftime("%d.%m.%Y"))
    table = fitted(frame)
    assert len(table.sample(2, given={})) == 2
    assert table.sample(2, given={"whole": 30.5})["whole"].tolist() == [30.5, 30.5]  # no column of integers any more
    assert table.sample(2, given={"whole": 30.0})["whole"].dtype == np.int64
    assert table.sample(1, given={"day": pd.Timestamp("2020-02-03")})["day"].tolist() == ["03.02.2020"]


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="one process, and torchrun has started several"):
        TableModel(minutes=0.01).fit(pd.DataFrame({"x": [1.5, 0.5, 2.5] * 10, "y": list("ab") * 15}))
