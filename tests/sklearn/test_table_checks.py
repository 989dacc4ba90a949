"""scikit-learn's own checks of the estimators on top of `TableModel`."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from harmonium.sklearn import TableClassifier, TableOutlierDetector, TableRegressor

# A mixture is trained in a tenth of a second, but takes no rows with gaps, and is a poor regressor.
LEFT_OUT = ("check_estimators_pickle", "check_regressors_train")
SMALL: list[Any] = [
    TableOutlierDetector("mixture", minutes=0.01),
    TableClassifier("mixture", minutes=0.01),
    TableRegressor("mixture", minutes=0.01),
]


def checks() -> list[Any]:
    found = []
    for estimator in SMALL:
        for number, (own, check) in enumerate(estimator_checks_generator(estimator)):
            name = getattr(check, "func", check).__name__
            if name not in LEFT_OUT:
                found.append(pytest.param(own, check, id=f"{type(estimator).__name__}-{name}-{number}"))
    return found


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("estimator", "check"), checks())
def test_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture
def no_global_seed() -> None:
    """Some of these checks draw from NumPy's global generator themselves; our own tests watch it."""
