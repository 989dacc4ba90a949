"""Whether an empty cell means something."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harmonium.data.codecs.informative import missing_means_something


def frame(n: int = 500) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    kind = rng.choice(["shop", "online"], n)
    return pd.DataFrame(
        {
            "kind": kind,
            "delivery": np.where(kind == "online", rng.integers(1, 9, n).astype(float), np.nan),
            "amount": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "empty": np.nan,
            "constant": 1.0,
        }
    )


def test_gaps_that_depend_on_other_columns_mean_something() -> None:
    assert missing_means_something(frame(), [None] * 5) == [False, True, False, False, False]


def test_what_the_user_says_comes_first() -> None:
    assert missing_means_something(frame(), [None, False, True, None, None]) == [False, False, True, False, False]


def test_gaps_at_random_are_rarely_taken_for_a_value() -> None:
    # Two standard errors of a gain that is negative on the average: less than one in forty.
    rng = np.random.default_rng(1)
    said = 0
    for _ in range(10):
        x = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
        said += missing_means_something(x.mask(rng.random(x.shape) < 0.15), [None] * 3).count(True)
    assert said <= 3
