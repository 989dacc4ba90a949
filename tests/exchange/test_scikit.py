from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import BernoulliRBM

import harmonium as hm

DIGITS = np.asarray(hm.data.load("digits").train)[:200]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_energies_and_means_are_those_of_scikit_learn(dtype: type) -> None:
    cases = DIGITS.astype(dtype)
    theirs = BernoulliRBM(n_components=12, n_iter=5, random_state=0).fit(cases)
    ours = hm.exchange.from_sklearn(theirs)
    assert ours.weights.detach().numpy().dtype == dtype and not ours.is_untrained
    tolerance = {"rtol": 1e-12 if dtype is np.float64 else 1e-5}
    np.testing.assert_allclose(ours.free_energy(cases).detach().numpy(), theirs._free_energy(cases), **tolerance)
    np.testing.assert_allclose(ours.hidden_mean(cases).detach().numpy(), theirs.transform(cases), **tolerance)
    rng = np.random.default_rng(0)
    h = rng.integers(2, size=(20, 12)).astype(dtype)
    expected = 1 / (1 + np.exp(-(h @ theirs.components_ + theirs.intercept_visible_)))
    np.testing.assert_allclose(ours.visible_mean(h).detach().numpy(), expected, **tolerance)
    before = theirs.components_.copy()
    hm.fit(ours, cases, epochs=1)
    assert (theirs.components_ == before).all()  # a copy


def test_other_estimators_are_refused() -> None:
    with pytest.raises(ValueError, match=r"BernoulliRBM is not fitted.*fit"):
        hm.exchange.from_sklearn(BernoulliRBM())
    with pytest.raises(TypeError, match=r"fitted sklearn\.neural_network\.BernoulliRBM, found LogisticRegression"):
        hm.exchange.from_sklearn(LogisticRegression())
