from __future__ import annotations

from typing import Any, Self

import numpy as np
import pytest
import torch
from torch import Tensor

import harmonium as hm
from harmonium.sklearn import Density, NADEDensity, VAEDensity


class Coins(Density):
    """The least that a density needs."""

    def __init__(self, domain: str = "binarize") -> None:
        self.domain = domain  # type: ignore[assignment]

    def fit(self, X: Any, y: Any = None) -> Self:
        X = self._accept(X)
        self.model_ = hm.RBM(X.shape[1], 1, dtype=torch.float64)
        self.p_ = X.mean(0)
        return self

    def _log_prob(self, v: Tensor) -> Tensor:
        p = torch.from_numpy(self.p_)
        return (v * p.log() + (1 - v) * (1 - p).log()).sum(-1)


def test_a_log_probability_is_enough() -> None:
    coins = Coins().fit([[0, 1], [1, 1], [0, 0], [0, 1]])
    np.testing.assert_allclose(np.exp(coins.score_samples([[0, 1], [1, 0]])), [0.75 * 0.75, 0.25 * 0.25])
    assert coins.score([[0, 1]]) == np.log(0.75 * 0.75)


CASES = hm.data.load("bars-and-stripes").train[:].astype(np.float64)


def test_scores_of_nade_sum_to_one() -> None:
    X = np.random.default_rng(0).integers(0, 2, (30, 4))
    nade = NADEDensity(hidden=3, ordering=[2, 0, 3, 1], n_iter=5, random_state=0).fit(X)
    every = (np.arange(16)[:, None] >> np.arange(4)) & 1
    assert np.exp(nade.score_samples(every)).sum() == pytest.approx(1, abs=1e-12)
    assert nade.model_.ordering.tolist() == [2, 0, 3, 1]


def test_nade_learns_as_fit_does() -> None:
    nade = NADEDensity(hidden=8, n_iter=40, learning_rate=0.02, batch_size=8, random_state=3).fit(CASES)
    model = hm.NADE(16, hidden=8, dtype=torch.float64)
    hm.fit(model, CASES, epochs=40, learning_rate=0.02, batch_size=8, seed=3, initialise=True)
    assert nade.score(CASES) == pytest.approx(hm.evaluate(model, CASES).mean, abs=1e-12)
    assert np.array_equal(nade.sample(5, random_state=1), hm.sample(model, 5, seed=1).numpy())


def test_scores_of_a_vae_are_its_likelihood() -> None:
    """One latent unit is integrated by quadrature.

    q after training is close to the posterior, so that 2,000 samples are within a few hundredths of a nat: 0.1 is more
    than ten times the deviation of log weights (about 0.3) over the root of 2,000.
    """
    X = np.repeat([[0, 0, 0], [1, 1, 1], [1, 0, 1]], 10, axis=0)
    vae = VAEDensity(latent=1, hidden=(6,), importance_samples=2000, n_iter=100, learning_rate=0.01, random_state=0)
    v = torch.tensor([[0, 0, 0], [1, 0, 1]], dtype=torch.float64)
    found = vae.fit(X).score_samples(v.numpy())
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)[:, None]
    with torch.no_grad():
        log_joint = torch.stack([vae.model_.log_joint(case.expand(len(z), -1), [z]) for case in v], 1)
    exact = torch.logsumexp(log_joint, 0) + np.log(16 / 4000)
    np.testing.assert_allclose(found, exact.numpy(), atol=0.1)


def test_the_score_of_a_case_does_not_depend_on_others() -> None:
    vae = VAEDensity(latent=2, hidden=(5,), importance_samples=5, n_iter=2, random_state=0).fit(CASES)
    together = vae.score_samples(CASES)
    np.testing.assert_allclose(vae.score_samples(CASES[[7, 3]]), together[[7, 3]], rtol=1e-12)
    assert not np.allclose(vae.set_params(importance_samples=500).score_samples(CASES), together)


def test_greys_have_no_likelihood() -> None:
    nade = NADEDensity(hidden=2, n_iter=1, random_state=0).fit(CASES)
    assert np.array_equal(nade.score_samples(0.2 + 0.5 * CASES), nade.score_samples(CASES))  # "binarize"
    with pytest.raises(ValueError, match=r"0\.25"):
        NADEDensity(hidden=2, n_iter=1, domain="clip").fit(CASES * 0.25)


def test_out_of_range() -> None:
    with pytest.raises(ValueError, match="importance_samples must be "):
        VAEDensity(importance_samples=0, n_iter=1, latent=2, hidden=(2,)).fit(CASES).score_samples(CASES)
    with pytest.raises(ValueError, match="n_iter must be "):
        NADEDensity(n_iter=0).fit(CASES)
