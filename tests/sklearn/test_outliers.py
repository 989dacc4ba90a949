from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

import harmonium as hm
from harmonium.sklearn import RBMOutlierDetector

BARS = np.asarray(hm.data.load("bars-and-stripes").train, dtype=np.float64)


def test_noise_is_found_among_bars() -> None:
    rng = np.random.default_rng(0)
    X = np.concatenate((np.repeat(BARS, 6, 0), rng.integers(0, 2, size=(10, 16))))
    detector = RBMOutlierDetector(n_components=16, n_iter=400, batch_size=50, contamination=10 / len(X), random_state=0)
    found = detector.fit_predict(X)
    assert (found[-10:] == -1).mean() >= 0.8
    assert (found[:-10] == 1).mean() > 0.95
    np.testing.assert_allclose(detector.score_samples(X), -detector.model_.free_energy(X).detach().numpy(), rtol=1e-12)
    np.testing.assert_array_equal(found, np.where(detector.decision_function(X) < 0, -1, 1))
    assert detector.offset_ == pytest.approx(np.percentile(detector.score_samples(X), 1000 / len(X)))


@pytest.mark.parametrize("share", [0, 0.6, True, "automatic"])
def test_contamination_is_checked(share: object) -> None:
    with pytest.raises(ValueError, match=r'contamination must be "auto", or above 0 and at most 0\.5, found'):
        RBMOutlierDetector(contamination=share).fit(BARS)  # type: ignore[arg-type]


def with_others(digit: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures of a digit, a tenth of them others; new ones, and which of them show the digit."""
    digits, rng = load_digits(), np.random.default_rng(0)
    pictures = (digits.data > 7).astype(float)
    inside, outside = (
        rng.permutation(np.flatnonzero(chosen)) for chosen in (digits.target == digit, digits.target != digit)
    )
    X, asked = (
        pictures[np.r_[inside[a], outside[b]]] for a, b in ((slice(108), slice(12)), (slice(108, None), slice(12, 200)))
    )
    return X, asked, np.arange(len(asked)) < len(inside) - 108


@pytest.mark.parametrize("digit", [1, 3, 8])
def test_odd_cases_in_training_can_be_left_out(digit: int) -> None:
    plan: dict[str, Any] = {
        "n_components": 16,
        "n_iter": 200,
        "batch_size": 20,
        "learning_rate": 0.05,
        "random_state": 0,
    }
    X, asked, right = with_others(digit)
    wary = RBMOutlierDetector(contamination=0.1, **plan).fit(X)
    trusting = RBMOutlierDetector(**plan).fit(X)
    assert roc_auc_score(right, wary.score_samples(asked)) > roc_auc_score(right, trusting.score_samples(asked))
    # The threshold is that of all training cases, those among them that were left out.
    assert (wary.predict(X) == -1).sum() == 12
    assert (wary.predict(X)[-12:] == -1).sum() > 6


def test_trimming_is_repeated_exactly() -> None:
    X = with_others(0)[0]
    X[0, 0] = np.nan
    scores = [
        RBMOutlierDetector(n_components=4, contamination=0.1, n_iter=5, random_state=3).fit(X).score_samples(X)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*scores)


def test_all_cases_train_where_contamination_is_not_known() -> None:
    X = with_others(0)[0]
    detector = RBMOutlierDetector(n_components=4, n_iter=5, random_state=3).fit(X)
    rbm = hm.RBM(64, 4, dtype=torch.float64)
    hm.fit(rbm, X, epochs=5, seed=detector.seed_)
    assert torch.equal(detector.model_.weights, rbm.weights)
    assert detector.offset_ == pytest.approx(np.percentile(detector.score_samples(X), 10))
