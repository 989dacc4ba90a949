"""From DataFrames to units and back."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pandas
import pytest
import torch

import harmonium as hm
from harmonium.data.table import from_frame
from harmonium.units import Bernoulli, Categorical, Gaussian, Mixed


def frame() -> Any:
    return pandas.DataFrame(
        {
            "smokes": [True, False, True, False],
            "dose": [5, 10, 5, 10],
            "group": ["A", None, "O", "B"],
            "stage": pandas.Categorical(["II", "I", "II", None], categories=["I", "II", "III", "IV"]),
            "age": [31, 45, 62, 20],
            "weight": [60.5, math.nan, 80.0, 71.0],
        }
    )


def test_each_column_finds_its_units() -> None:
    units, _, table = from_frame(frame())
    array = table.to_array(frame())
    assert isinstance(units, Mixed)
    assert [type(part) for part in units.parts] == [Bernoulli, Categorical, Categorical, Gaussian]
    assert [part.columns for part in units.parts] == [2, 1, 1, 2] and units.size == 2 + 3 + 4 + 2
    assert array[:, :4].tolist()[0] == [1, 0, 0, 1] and array[:, 1].tolist() == [0, 1, 0, 1]
    assert np.isnan(array).nonzero()[0].tolist() == [1, 1, 3]
    assert array[:, 4] == pytest.approx((np.array([31, 45, 62, 20]) - 39.5) / np.std([31, 45, 62, 20]))
    assert np.nanstd(array[:, 5]) == pytest.approx(1)
    inside = units.encode(torch.from_numpy(array[:1]))
    units.check(inside, "v")


def test_a_frame_comes_back_as_it_was() -> None:
    before = frame()
    _, cases, table = from_frame(before)
    array = table.to_array(before)
    torch.testing.assert_close(cases.rows(np.arange(4), dtype=torch.float64), torch.from_numpy(array), equal_nan=True)
    after = table.to_frame(array)
    pandas.testing.assert_frame_equal(after[["smokes", "dose", "stage", "age", "weight"]], before[
        ["smokes", "dose", "stage", "age", "weight"]
    ])  # fmt: skip
    assert after["group"].tolist() == ["A", None, "O", "B"]
    assert table.to_array(before.iloc[[2]]) == pytest.approx(array[[2]])
    assert table.log_jacobian() == pytest.approx(
        math.log(np.std([31, 45, 62, 20])) + math.log(np.std([60.5, 80, 71])), rel=1e-12
    )


def test_likelihoods_are_those_of_the_values_in_the_frame() -> None:
    """Without weights, the density of (age, weight) is normal with the moments of the columns."""
    rows = frame()[["age", "weight"]].iloc[[0, 2, 3]]
    units, cases, _ = from_frame(rows)
    rbm = hm.RBM(units, 1, dtype=torch.float64)
    with torch.no_grad():
        rbm.weights.zero_()
    found = hm.evaluate(rbm, cases)
    values = rows.to_numpy(dtype=float)
    density = torch.distributions.Normal(torch.tensor(values.mean(0)), torch.tensor(values.std(0)))
    expected = float(density.log_prob(torch.tensor(values)).sum(1).mean())
    assert found.mean == pytest.approx(expected, rel=1e-9)
    scales = np.log(values.std(0)).sum()
    assert found.log_jacobian == pytest.approx(-scales)
    assert f"{expected:.2f} nats" in str(found) and f"({expected + scales:.2f} of the standardised ones)" in str(found)


def test_one_kind_needs_no_mixture() -> None:
    units, _, _ = from_frame(frame()[["age", "weight"]])
    assert repr(units) == "Gaussian(2)"


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([1, 1, 1, 1], "constant.*drop"),
        ([None] * 4, "no values.*drop"),
        ([1.0, 2, math.inf, 3], "infinities.*remove"),
        (["x", "x", None, "x"], "constant.*drop"),
    ],
)
def test_columns_without_information_are_refused(column: list[Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"'odd' .*{words}"):
        from_frame(frame().assign(odd=column))


def test_other_refusals() -> None:
    with pytest.raises(TypeError, match=r"'day' .*datetime.*categories"):
        from_frame(frame().assign(day=pandas.date_range("2000-01-01", periods=4)))
    with pytest.raises(ValueError, match=r"frame .*\(0, .*at least one row"):
        from_frame(frame().iloc[:0])
    _, _, table = from_frame(frame())
    array = table.to_array(frame())
    with pytest.raises(ValueError, match=r"'group' .*'AB' in row 1"):
        table.to_array(frame().assign(group=["A", "AB", "O", "B"]))
    with pytest.raises(ValueError, match=r"'age' holds 'old', and held numbers"):
        table.to_array(frame().assign(age=["old", 1, 2, 3]))
    with pytest.raises(ValueError, match=r"expected also \['dose', .*add what is missing"):
        table.to_array(frame()[["age", "smokes"]])
    with pytest.raises(ValueError, match=r"expected \(cases, 6\)"):
        table.to_frame(array[:, :3])
    with pytest.raises(ValueError, match=r"'group' .*0 \.\.\. 2"):
        table.to_frame(np.where(np.arange(6) == 2, 7.0, array))


def test_tables_are_found_without_importing_them() -> None:
    script = "import harmonium as hm, sys; assert 'pandas' not in sys.modules; hm.data.table.from_frame"
    subprocess.run([sys.executable, "-c", script], check=True)
