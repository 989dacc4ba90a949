"""Scores of fidelity: hand arithmetic, and what a classifier can and cannot find."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harmonium.tables.quality.c2st import c2st
from harmonium.tables.quality.columns import columns
from harmonium.tables.quality.encoding import Encoded, encode
from harmonium.tables.quality.trends import trends


def encoded(*frames: pd.DataFrame) -> list[Encoded]:
    return encode(frames, ["real", "synthetic"][: len(frames)])


def test_distances_of_columns_by_hand() -> None:
    real, other = encoded(
        pd.DataFrame({"x": [1.0, 2.0, 3.0, None], "c": ["a", "a", "b", None]}),
        pd.DataFrame({"x": [1.0, None, None, 3.5], "c": ["a", "b", "b", "z"]}),
    )
    # Missing numbers lie below: shares up to there 1/4 and 2/4; up to 3: 4/4 and 3/4.
    assert columns(real, other).to_dict() == {"x": 0.75, "c": 0.5}
    assert (columns(real, real) == 1).all()


def test_trends_by_hand() -> None:
    real, other = encoded(
        pd.DataFrame({"a": list("xxyy"), "b": list("uuvv")}), pd.DataFrame({"a": list("xxyy"), "b": list("uvuv")})
    )
    assert trends(real, other).to_numpy() == pytest.approx(np.array([[np.nan, 0.5], [0.5, np.nan]]), nan_ok=True)
    assert trends(real, real).loc["a", "b"] == 1
    assert (columns(real, other) == 1).all()


def test_trends_see_a_dependence_without_correlation_and_gaps_in_pairs() -> None:
    x = np.linspace(-1, 1, 1000)
    rng = np.random.default_rng(0)
    real, other = encoded(
        pd.DataFrame({"x": x, "y": x**2}), pd.DataFrame({"x": x, "y": rng.permutation(x**2)})
    )  # fmt: skip
    assert trends(real, other).loc["x", "y"] < 0.5
    gaps = pd.DataFrame({"x": np.where(x > 0, np.nan, x), "y": np.where(x > 0, np.nan, x)})
    apart = gaps.assign(y=gaps["y"].to_numpy()[::-1])
    assert abs(trends(*encoded(gaps, apart)).loc["x", "y"]) < 1e-12


def test_a_classifier_finds_what_no_column_shows_and_nothing_in_equal_rows() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(600, 2)) for _ in range(2))
    assert c2st(*encoded(pd.DataFrame(a), pd.DataFrame(b)), seed=0) > 0.85
    a[:, 1] = a[:, 0] + 0.3 * a[:, 1]
    a[:, 1] /= a[:, 1].std()
    assert c2st(*encoded(pd.DataFrame(a), pd.DataFrame(b)), seed=0) < 0.5


def test_categories_of_one_table_alone_are_found_and_rare_ones_pooled() -> None:
    """Every other category is in one table only."""
    towns = [f"town {n:02}" for n in range(60)]
    real, other = pd.DataFrame({"t": towns[::2] * 20}), pd.DataFrame({"t": towns[1::2] * 20})
    assert c2st(*encoded(real, other), seed=0) < 0.1
    ids = [pd.DataFrame({"id": [f"{side}{n}" for n in range(300)]}) for side in "ab"]
    assert 0 <= c2st(*encoded(*ids), seed=0) <= 1


def test_a_few_rows_have_no_classifier() -> None:
    frame = pd.DataFrame({"x": range(19)})
    assert np.isnan(c2st(*encoded(frame, frame), seed=0))
