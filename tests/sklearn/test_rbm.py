from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import harmonium as hm
from harmonium.sklearn import RBM

BARS = np.asarray(hm.data.load("bars-and-stripes").train, dtype=np.float64)
CLUSTERS = np.repeat([[1.0, -1.0, 0.5], [-1.0, 1.0, -0.5]], 100, 0)
CLUSTERS += 0.3 * np.random.default_rng(0).normal(size=CLUSTERS.shape)


def test_it_is_what_fit_does() -> None:
    ours = RBM(n_components=6, objective=hm.CD(k=2), n_iter=3, batch_size=8, random_state=5).fit(BARS)
    rbm = hm.RBM(16, 6, dtype=torch.float64)
    hm.fit(rbm, BARS, objective=hm.CD(k=2), epochs=3, batch_size=8, seed=5)
    assert torch.equal(ours.model_.weights, rbm.weights)
    np.testing.assert_allclose(ours.transform(BARS), rbm.hidden_mean(BARS).detach().numpy(), rtol=1e-12)
    assert ours.history_["epoch"] == [1, 2, 3]


def test_scores_are_log_likelihoods() -> None:
    rbm = RBM(n_components=5, n_iter=20, random_state=0).fit(BARS)
    states = rbm.model_.visible.states(torch.arange(2**16)).numpy()
    assert rbm.log_partition_.method == "exact"
    assert np.exp(rbm.score_samples(states)).sum() == pytest.approx(1.0, abs=1e-6)  # float64 of 65,536 summands
    assert rbm.score(BARS) == pytest.approx(hm.evaluate(rbm.model_, BARS).mean)


def test_fitting_again_forgets_log_z() -> None:
    rbm = RBM(n_components=3, n_iter=1, random_state=0).fit(BARS)
    before = rbm.log_partition_.value
    rbm.set_params(n_iter=30).fit(BARS)
    assert rbm.log_partition_.value != before
    assert rbm.log_partition_.value == pytest.approx(hm.log_partition(rbm.model_, method="exact").value)


@pytest.mark.parametrize("visible", [hm.Gaussian, hm.Gaussian(3)], ids=["type", "units"])
def test_real_columns(visible: Any) -> None:
    rbm = clone(RBM(2, visible=visible, n_iter=100, batch_size=20, learning_rate=0.05, random_state=0)).fit(CLUSTERS)
    assert isinstance(rbm.model_.visible, hm.Gaussian)
    spread = RBM(2, visible=visible, n_iter=1, learning_rate=1e-9, random_state=0).fit(CLUSTERS)
    assert rbm.score(CLUSTERS) > spread.score(CLUSTERS) + 0.3  # one Gaussian per column knows of no clusters


def test_greys_have_features_and_no_likelihood() -> None:
    greys = BARS * 0.75
    rbm = RBM(n_components=4, n_iter=2, domain="clip", random_state=0).fit(greys)
    np.testing.assert_allclose(rbm.transform(greys), rbm.model_.hidden_mean(greys).detach().numpy())
    with pytest.raises(ValueError, match="Bernoulli units take 0 and 1: name a binarisation"):
        rbm.score_samples(greys)
    assert np.isfinite(rbm.score(BARS))


def test_samples_come_from_the_model() -> None:
    rbm = RBM(n_components=4, n_iter=30, random_state=0).fit(BARS)
    drawn = rbm.sample(2000, sweeps=200, random_state=1)
    assert np.array_equal(drawn, hm.sample(rbm.model_, 2000, sweeps=200, seed=1).numpy())
    states = rbm.model_.visible.states(torch.arange(2**16)).numpy()
    mean = np.exp(rbm.score_samples(states)) @ states
    assert np.abs(drawn.mean(0) - mean).max() < 5 * np.sqrt(0.25 / 2000)  # 16 columns: once in 100,000 by chance


def test_options_reach_fit() -> None:
    ours = RBM(n_components=4, n_iter=2, fit_options={"metric": "plain", "optimizer": "adam"}, random_state=0).fit(BARS)
    rbm = hm.RBM(16, 4, dtype=torch.float64)
    hm.fit(rbm, BARS, epochs=2, metric="plain", optimizer="adam", seed=0)
    assert torch.equal(ours.model_.weights, rbm.weights)


def test_a_search_chooses_by_likelihood() -> None:
    search = GridSearchCV(RBM(n_components=8, random_state=0), {"n_iter": [1, 300]}, cv=2).fit(np.repeat(BARS, 2, 0))
    assert search.best_params_ == {"n_iter": 300}


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"visible": "gaussian"}, TypeError, "visible must be a unit type such as harmonium.Gaussian"),
        ({"visible": hm.Bernoulli(3)}, ValueError, r"X has 16 features, but visible=Bernoulli\(3\) has 3 columns"),
        ({"n_iter": 0}, ValueError, "n_iter must be .*, found 0"),
        ({"batch_size": True}, ValueError, "batch_size must be .*, found True"),
    ],
)
def test_bad_parameters_are_named(options: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        RBM(**options).fit(BARS)


def test_it_names_what_the_drop_in_names_alike() -> None:
    """The first argument, the learned arrays and their orientation; with real columns, too."""
    ours = RBM(3, n_iter=1, random_state=0).fit(BARS)
    drop_in = hm.sklearn.BernoulliRBM(3, n_iter=1, random_state=0).fit(BARS)
    for name in ("components_", "intercept_hidden_", "intercept_visible_"):
        assert getattr(ours, name).shape == getattr(drop_in, name).shape
    W, b, c = ours.model_.to_arrays()
    assert np.array_equal(ours.components_, W.T) and np.array_equal(ours.intercept_visible_, b)
    assert np.array_equal(ours.intercept_hidden_, c)
    real = RBM(3, visible=hm.Gaussian, n_iter=1, random_state=0).fit(CLUSTERS)
    assert real.components_.shape == (3, 3) and real.intercept_visible_.shape == (3,)
    shared = {"n_components", "learning_rate", "batch_size", "n_iter", "random_state", "domain"}
    assert shared <= ours.get_params().keys() & drop_in.get_params().keys()
