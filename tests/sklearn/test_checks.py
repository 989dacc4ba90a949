"""scikit-learn's own checks of estimators: no failure, none expected."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from harmonium.sklearn import (
    DBN,
    RBM,
    BernoulliRBM,
    DBNClassifier,
    NADEDensity,
    RBMClassifier,
    RBMImputer,
    RBMOutlierDetector,
    VAEDensity,
)
from harmonium.units import Gaussian

SMALL: list[Any] = [
    BernoulliRBM(n_components=4, n_iter=2),
    RBM(hidden=4, n_iter=2),
    RBM(Gaussian, 4, n_iter=2, learning_rate=0.001),
    DBN([4, 3], greedy_options={"epochs": 1}),
    RBMClassifier(hidden=4, n_iter=2),
    DBNClassifier([4, 3], n_iter=2, greedy_options={"epochs": 1}),
    RBMImputer(hidden=4, n_iter=1),
    RBMOutlierDetector(hidden=4, n_iter=2),
    NADEDensity(hidden=4, n_iter=2),
    NADEDensity(Gaussian, 4, n_iter=2),
    VAEDensity(latent=2, hidden=(4,), n_iter=2, importance_samples=3),
    VAEDensity(Gaussian, 2, (4,), n_iter=2, importance_samples=3),
]


# The checks give tables of normal numbers to everyone; that binary units lose their scale is said by a warning, and
# pandas 3 warns about a check of scikit-learn's.
@pytest.mark.filterwarnings("ignore::UserWarning")
@parametrize_with_checks(SMALL)
def test_check(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture
def no_global_seed() -> None:
    """Some of these checks draw from NumPy's global generator themselves; our own tests watch it."""
