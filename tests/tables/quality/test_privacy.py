"""Privacy: copies are found in known shares, and nothing is found where nothing was copied."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harmonium.core.random import Stream
from harmonium.tables.quality.encoding import encode
from harmonium.tables.quality.neighbours import nearest, nearest_within, points
from harmonium.tables.quality.privacy import Privacy, copies, privacy

from .helpers import people

ROWS = 1500


def scores(drawn: pd.DataFrame, train: pd.DataFrame, fresh: pd.DataFrame) -> Privacy:
    encoded = encode([train, drawn, fresh], ["real", "synthetic", "holdout"])
    return privacy(*encoded, most=ROWS, stream=Stream(0))[0]


def test_half_of_the_rows_copied_are_three_quarters_nearer() -> None:
    train, fresh = people(ROWS, 1), people(ROWS, 2)
    mixed = pd.concat([train[: ROWS // 2], people(ROWS // 2, 6)])
    encoded = encode([mixed, train], ["synthetic", "real"])
    assert copies(*encoded) == 0.5
    found = scores(mixed, train, fresh)
    assert abs(found.nearer - 0.75) < 5 * (0.25 / ROWS) ** 0.5
    assert found.loss == pytest.approx(0.25, abs=0.05)  # half of either set loses its neighbours in its own


def test_rows_that_the_holdout_repeats_do_not_bias_the_share() -> None:
    fresh = people(ROWS // 2, 2)
    found = scores(people(ROWS, 3), people(ROWS, 1), pd.concat([fresh, fresh]))  # which covers half as much
    assert abs(found.nearer - 0.5) < 5 * 0.5 / (ROWS // 2) ** 0.5


def test_ties_count_half() -> None:
    train, fresh = (pd.DataFrame({"a": list("xyxy"), "b": list("xxyy")}) for _ in range(2))
    found = scores(train, train, fresh)
    assert found.nearer == 0.5 and found.loss == 0


def test_fresh_rows_of_few_distinct_values_are_not_taken_for_copies() -> None:
    rng = np.random.default_rng(0)
    tables = [pd.DataFrame(rng.integers(0, 2, (ROWS, 4))) for _ in range(3)]
    encoded = encode([tables[0], tables[1], tables[2]], ["real", "synthetic", "holdout"])
    for found in privacy(*encoded, most=ROWS, stream=Stream(0)):
        assert (found.nearer, found.aats, found.aats_fresh) == (0.5, 0.5, 0.5)


def test_rows_apart_by_no_more_than_a_rank_are_told_apart() -> None:
    """In one dimension the nearest neighbour is one of two."""
    x = np.random.default_rng(0).permutation(ROWS).astype(float)
    train, other = (pd.DataFrame({"x": values}) for values in (x, x[:100] + 0.3))
    [t, s] = points(encode([train, other], ["real", "synthetic"]), encode([train], ["real"])[0])
    assert np.allclose(nearest(s, t)[0], 0.5 / ROWS, atol=1e-6)  # halfway between two ranks
    assert np.allclose(nearest_within(t), 1 / ROWS, atol=1e-6)
    assert not nearest(t, t)[0].any()


def test_neighbours_of_both_sides_are_those_of_all_distances() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(600, 3)), rng.normal(size=(700, 3))
    apart = np.linalg.norm(a[:, None] - b[None], axis=2)
    there, back = nearest(a, b)
    assert np.allclose(there, apart.min(1), atol=1e-6) and np.allclose(back, apart.min(0), atol=1e-6)


def test_distances_of_categories_and_gaps() -> None:
    frame = pd.DataFrame({"town": ["a", "b", None, "a"], "x": [1.0, 1.0, 1.0, np.nan]})
    [table] = encode([frame], ["real"])
    [p] = points([table], table)
    apart = np.linalg.norm(p[:, None] - p[None], axis=2)
    assert apart[0, 1] == apart[0, 2] == apart[1, 2] == pytest.approx(1)
    assert apart[0, 3] == pytest.approx((1 + 0.5**2) ** 0.5)  # missing, and not the median that 1.0 is here
