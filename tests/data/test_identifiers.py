"""Whole numbers that name cases or moments are pointed out, and measurements are not."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harmonium.data import load

RNG = np.random.default_rng(3)
N = 120


def frame(name: str, numbers: object) -> pd.DataFrame:
    return pd.DataFrame({name: numbers, "v": RNG.normal(size=N).round(2)})


@pytest.mark.parametrize(
    ("name", "numbers", "what"),
    [
        ("account", RNG.choice(10**14, N, replace=False) * 9 + 10**14, "identifiers such as"),
        ("PassengerId", RNG.permutation(N) + 1, "identifiers such as"),
        ("customer_id", np.sort(RNG.choice(90_000, N, replace=False)), "identifiers such as"),
        ("row", RNG.permutation(N), "the numbers 0 to 119, each once"),
        ("day", 20240000 + 100 * RNG.integers(1, 13, N) + RNG.integers(1, 29, N), "dates such as 2024"),
        ("timestamp", RNG.integers(1_600_000_000, 1_700_000_000, N), "seconds since 1970"),
        ("created", RNG.integers(1_600_000_000, 1_700_000_000, N) * 1000, "milliseconds since 1970"),
        ("zip", RNG.choice([12345, 90210, 10001], N), "postcodes such as"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_numbers_that_name_cases_are_pointed_out(
    tmp_path: Path, kind: str, name: str, numbers: object, what: str
) -> None:
    path = tmp_path / f"x.{kind}"
    table = frame(name, numbers)
    if kind == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    with pytest.warns(UserWarning, match=rf"column '{name}' holds .*{what}.*drop=\['{name}'\] leaves it out"):
        load(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the advice was followed
        assert load(path, drop=[name]).train.shape == (N, 1)
        assert load(path, columns=[name, "v"]).train.shape == (N, 2)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("population", np.unique(RNG.lognormal(17, 3, 4 * N).round())[:N]),  # long, but not equally long
        ("income", RNG.integers(20_000, 90_000, N)),
        ("rank", np.arange(50, 50 + N)[::-1]),
        ("year", RNG.integers(1900, 2020, N)),
        ("id", RNG.integers(0, 60, N)),  # not different in every case
        ("time", RNG.integers(0, 5000, N)),
    ],
)
def test_measurements_are_not(tmp_path: Path, name: str, numbers: object) -> None:
    frame(name, numbers).to_csv(tmp_path / "x.csv", index=False)
    assert not load(tmp_path / "x.csv").reading.notes
