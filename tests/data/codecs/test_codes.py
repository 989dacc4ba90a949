"""Codes, and numbers that look like them and are none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harmonium.core.random import Stream
from harmonium.data.codecs.codes import look_like_codes
from harmonium.data.codecs.table import TableCodec

RANDOM = np.random.default_rng(0)
BRANCHES = np.array([101, 205, 310, 999])


@pytest.mark.parametrize(("numbers", "codes"), [
    (np.repeat(BRANCHES, 25), True),
    (np.repeat([2310, 2411, 5223, 9112, 9629], 30), True),
    (np.repeat(BRANCHES, 2), False),  # too rare to be learned as labels
    (np.repeat([1, 2, 3, 4, 5], 30), False),  # ratings
    (np.repeat(np.arange(2003, 2010), 30), False),  # years
    (np.repeat([1987, 1994, 2001, 2003, 2010, 2019], 30), False),  # years, some of them
    (np.repeat([100, 200, 500, 700], 30), False),  # a common step
    (np.repeat([55, 101, 310], 30), False),  # of two and three digits
    (np.repeat([101.5, 205.0, 310.0], 30), False),
    (-np.repeat(BRANCHES, 30), False),
    (np.round(RANDOM.normal(170, 8, 2000)), False),  # heights lie side by side
    (np.repeat([101, 205], 30), False),
])  # fmt: skip
def test_codes_and_amounts(numbers: np.ndarray, codes: bool) -> None:
    assert look_like_codes(numbers.astype(np.float64)) is codes


def test_a_column_of_codes_is_one_of_categories_and_says_so() -> None:
    frame = pd.DataFrame({"branch": RANDOM.choice(BRANCHES, 200), "amount": RANDOM.normal(size=200)})
    codec = TableCodec.of(frame)
    assert any("'branch'" in note and "codes" in note and "'numbers'" in note for note in codec.notes)
    assert codec.scores()[0] is None and codec.scores()[1] is not None
    states = codec.encode(codec.matched(frame))
    back = codec.decode(states, Stream(0))
    assert back["branch"].equals(frame["branch"]) and back["branch"].dtype == frame["branch"].dtype
    assert not TableCodec.of(frame, {"branch": "numbers"}).notes
