"""scikit-learn's own checks of estimators: no failure, none expected."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

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
    RBM(n_components=4, n_iter=2),
    RBM(4, visible=Gaussian, n_iter=2, learning_rate=0.001),
    DBN([4, 3], greedy_options={"epochs": 1}),
    RBMClassifier(n_components=4, n_iter=2),
    DBNClassifier([4, 3], n_iter=2, greedy_options={"epochs": 1}),
    RBMImputer(n_components=4, n_iter=1),
    RBMOutlierDetector(n_components=4, n_iter=2),
    NADEDensity(hidden=4, n_iter=2),
    NADEDensity(4, visible=Gaussian, n_iter=2),
    VAEDensity(latent=2, hidden=(4,), n_iter=2, importance_samples=3),
    VAEDensity(2, (4,), visible=Gaussian, n_iter=2, importance_samples=3),
]


# The others share the base class of these two: of them, the checks of what they have of their own; all, with `slow`.
WHOLE = (BernoulliRBM, RBM)
OWN = {
    "check_no_attributes_set_in_init", "check_do_not_raise_errors_in_init_or_set_param",
    "check_parameters_default_constructible",
    "check_fit1d", "check_fit2d_1sample", "check_fit2d_1feature", "check_estimators_nan_inf", "check_estimators_dtypes",
    "check_dict_unchanged", "check_n_features_in_after_fitting", "check_methods_sample_order_invariance",
    "check_classifiers_classes", "check_outliers_fit_predict", "check_transformer_preserve_dtypes",
}  # fmt: skip


def checks() -> list[Any]:
    """Every estimator with every check, those marked slow that concern the base class alone."""
    found = []
    for estimator in SMALL:
        for number, (own, check) in enumerate(estimator_checks_generator(estimator)):
            name = getattr(check, "func", check).__name__
            fast = type(estimator) in WHOLE or name in OWN
            label = f"{type(estimator).__name__}-{name}-{number}"
            found.append(pytest.param(own, check, marks=() if fast else pytest.mark.slow, id=label))
    return found


# The checks give tables of normal numbers to everyone; that binary units lose their scale is said by a warning, and
# pandas 3 warns about a check of scikit-learn's.
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("estimator", "check"), checks())
def test_check(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture
def no_global_seed() -> None:
    """Some of these checks draw from NumPy's global generator themselves; our own tests watch it."""
