from __future__ import annotations

import numpy as np
import pytest

import harmonium as hm
from harmonium.sklearn import RBMImputer

RNG = np.random.default_rng(0)
PAIRS = np.repeat(RNG.integers(0, 2, size=(300, 2)), 3, axis=1).astype(np.float64)
"""Six bits, three copies of each of two: what is missing is known from its copies."""


def gapped(share: float = 0.2) -> np.ndarray:
    X = PAIRS.copy()
    X[RNG.random(X.shape) < share] = np.nan
    return X


def test_copies_fill_the_gaps_and_the_rest_stays() -> None:
    X = gapped()
    known = np.array([[not np.isnan(row[3 * (j // 3) : 3 * (j // 3) + 3]).all() for j in range(6)] for row in X])
    filled = RBMImputer(n_components=6, n_iter=200, batch_size=50, learning_rate=0.1, random_state=0).fit_transform(X)
    seen = ~np.isnan(X)
    assert np.array_equal(filled[seen], X[seen])
    gaps = ~seen & known
    assert (filled[gaps] == PAIRS[gaps]).mean() > 0.95
    assert set(np.unique(filled)) == {0.0, 1.0}  # the more probable value, not a mean


def test_it_is_what_impute_does() -> None:
    X = gapped()
    imputer = RBMImputer(n_components=3, n_iter=2, samples=5, sweeps=10, random_state=4).fit(X)
    rows = np.isnan(X).any(1)
    means = hm.impute(imputer.model_, X[rows], sweeps=10, samples=5, mean=True, seed=4)
    expected = np.where(np.isnan(X[rows]), np.rint(means.numpy()), X[rows])
    assert np.array_equal(imputer.transform(X)[rows], expected)
    one = imputer.set_params(samples=1).transform(X)
    assert set(np.unique(one)) == {0.0, 1.0}


def test_codes_are_filled_with_codes_and_reals_with_means() -> None:
    code = RNG.integers(0, 3, size=200)
    X = np.column_stack((code, code, RNG.normal(size=200) * 0.3 + code - 1)).astype(np.float64)
    gaps = X.copy()
    gaps[::5, 0] = np.nan
    gaps[1::5, 2] = np.nan
    units = hm.Mixed([hm.Categorical(2, 3), hm.Gaussian(1)])
    filled = RBMImputer(6, visible=units, n_iter=60, batch_size=20, learning_rate=0.2, random_state=0).fit_transform(
        gaps
    )
    assert set(np.unique(filled[:, 0])) == {0.0, 1.0, 2.0}
    assert (filled[::5, 0] == X[::5, 0]).mean() > 0.9
    assert np.corrcoef(filled[1::5, 2], X[1::5, 2])[0, 1] > 0.7  # 0.88 of the variance is between the codes


def test_greys_given_stay_greys() -> None:
    X = np.where(np.isnan(gapped()), np.nan, 0.25 + 0.5 * PAIRS)
    for domain in ("clip", "binarize"):
        filled = RBMImputer(n_components=2, n_iter=2, sweeps=5, domain=domain, random_state=0).fit_transform(X)  # type: ignore[arg-type]
        assert np.array_equal(filled[~np.isnan(X)], X[~np.isnan(X)])
        assert np.isfinite(filled).all()


def test_empty_rows_are_left_out_of_training_and_drawn() -> None:
    X = gapped()
    X[3] = np.nan
    imputer = RBMImputer(n_components=2, n_iter=2, random_state=0).fit(X)
    assert float(imputer.model_.data_cases) <= 299
    assert np.isfinite(imputer.transform(X)).all()


def test_what_cannot_be_learned_is_refused() -> None:
    X = gapped()
    X[:, 2] = np.nan
    with pytest.raises(ValueError, match="no observed value in column 2: drop it"):
        RBMImputer(n_components=2, n_iter=1).fit(X)
    with pytest.raises(ValueError, match="no observed value at all"):
        RBMImputer(n_components=2).fit(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match=r"samples must be .*, found 0"):
        RBMImputer(samples=0).fit(X)


def test_pandas_keeps_its_columns() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(gapped(), columns=list("abcdef"))
    out = RBMImputer(n_components=2, n_iter=1, random_state=0).set_output(transform="pandas").fit_transform(frame)
    assert list(out.columns) == list("abcdef")
    assert not out.isna().any().any()


def test_a_row_is_filled_by_its_own_values_and_divergence_is_an_error() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    whole = np.c_[x, 2 * x + 0.1 * rng.normal(size=200), -x + 0.1 * rng.normal(size=200)]
    gaps = (whole - whole.mean(0)) / whole.std(0)
    gaps[rng.random(gaps.shape) < 0.1] = np.nan
    options = {"visible": hm.Gaussian, "n_iter": 20, "batch_size": 20, "learning_rate": 0.02, "random_state": 0}
    imputer = RBMImputer(4, **options).fit(gaps)
    filled = imputer.transform(gaps)
    np.testing.assert_allclose(imputer.transform(gaps[::-1])[::-1], filled, atol=1e-6)
    one_by_one = np.vstack([imputer.transform(gaps[i : i + 1]) for i in range(40)])
    np.testing.assert_allclose(one_by_one, filled[:40], atol=1e-6)
    with (
        pytest.warns(UserWarning, match="Gaussian units need columns of mean 0"),
        pytest.raises(hm.errors.DivergedError, match="standardised"),
    ):
        RBMImputer(4, **options | {"n_iter": 100}).fit_transform(gaps * [1, 1000, 1e-3] + [0, 5e4, 0])
