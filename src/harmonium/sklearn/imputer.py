"""Missing values drawn from a machine."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from harmonium.core.errors import DivergedError
from harmonium.models.arrays import Array
from harmonium.models.machine.rbm import RBM
from harmonium.sampling.impute import impute
from harmonium.sklearn.base import need_positive, parameters
from harmonium.sklearn.domain import Domain, columns_of, into_domain, lend
from harmonium.sklearn.rbm import Machine
from harmonium.units import Bernoulli

__all__ = ["RBMImputer", "expected_values", "gaps_of"]


@parameters
class RBMImputer(OneToOneFeatureMixin, TransformerMixin, Machine):
    """Fills missing values (NaN) given the observed ones; the machine is trained on cases with gaps.

    Observed values are not changed.  A gap becomes its conditional mean given the rest; in columns of categories or
    of two values, the most probable one.  With ``samples=1`` it is a single draw, for multiple imputation: fit several
    imputers, or transform with several random states.  Values should be missing at random.  What a row gets depends on
    its own values, not on the rows beside it or their order.

    Args:
        visible: a unit type such as `harmonium.Gaussian`, or the units of all columns.  Default: binary units if all
            values of an array lie between 0 and 1, otherwise what suits each column (see `harmonium.sklearn.columns`).
        n_components: number of binary hidden units, or hidden units of another type.
        samples: chains per case whose means are taken; 1 draws.
        sweeps: Gibbs sweeps of each; means are those of the second half.
        objective: what training descends (default: `harmonium.PCD`).
        n_iter: passes over the data.  Default: training plans itself (see `harmonium.fit`).
        batch_size: cases per update.
        learning_rate: a number or a schedule.
        fit_options: more arguments of `harmonium.fit`, such as ``{"missing": 5}``, the sweeps that draw the gaps of a
            case in training whenever it is used (default: 1).
        domain: "binarize", "clip" or "raise": how the machine sees observed values that binary units do not take (see
            `harmonium.sklearn.domain`).
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the trained `harmonium.RBM`.
        history_: what `harmonium.fit` returned.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns, if they have names.

    >>> import numpy as np
    >>> from harmonium.sklearn import RBMImputer
    >>> X = np.array([[0, 0, 0], [1, 1, 1], [0, 0, np.nan], [1, 1, 1]])
    >>> RBMImputer(n_components=2, random_state=0).fit_transform(X)[:2].tolist()
    [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """

    _: KW_ONLY
    samples: int = 10
    sweeps: int = 100

    _validation: ClassVar[dict[str, Any]] = {"accept_sparse": False, "ensure_all_finite": "allow-nan"}

    def fit(self, X: Array, y: Any = None) -> Self:
        """Train on cases with gaps; cases without any value are left out.

        Args:
            X: cases (n_samples, n_features), an array or a DataFrame, with NaN for missing values.
            y: ignored.

        Returns:
            the estimator.

        Raises:
            ValueError: for a column without any value, observed values outside the domain, or parameters out of range.
        """
        need_positive(samples=self.samples, sweeps=self.sweeps)
        X = self._accept(X)
        observed = ~gaps_of(X).all(1)
        if not observed.any():
            raise ValueError("X has no observed value at all: there is nothing to learn from")
        self._fit(X[observed], missing="draw")
        return self

    def transform(self, X: Array) -> Any:
        """Fill the gaps of X.

        Args:
            X: cases (n_samples, n_features), an array or a DataFrame, with NaN for missing values.

        Returns:
            the same table with its gaps filled, a copy if there are any.

        Raises:
            DivergedError: for fills far from the data of training.
        """
        check_is_fitted(self)
        X = self._accept(X, reset=False)
        gaps = gaps_of(X)
        rows = gaps.any(1)
        if not rows.any():
            return X
        numbers = self._numbers(X)
        states = into_domain(numbers[rows], self._visible, self.domain, warn=False)
        domain = self.domain if self.columns_ is None else "raise"  # between two labels there are no greys
        expected = expected_values(self.model_, states, self._seed, domain, self.sweeps, self.samples)
        filled = numbers.copy()
        filled[rows] = np.where(np.isnan(states), expected, numbers[rows])
        if self.columns_ is not None:
            return self.columns_.filled(X, filled)
        return filled

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def expected_values(machine: RBM, states: Any, seed: int, domain: Domain, sweeps: int = 100, samples: int = 10) -> Any:
    """Fill NaN in raw states (rows, columns) by conditional means; of two values or categories, the more probable one.

    Args:
        machine: the machine.
        states: raw states in its domain.
        seed: of the chains.
        domain: parameter of the estimator; "clip" leaves the means of binary units as they are.
        sweeps: of every chain.
        samples: chains of every case; with 1 the values are drawn.
    """
    machine = lend(machine) if domain == "clip" else machine
    try:
        drawn = impute(machine, states, sweeps=sweeps, samples=samples, mean=samples > 1, seed=seed, progress=False)
    except DivergedError as error:
        raise DivergedError(
            "gaps of X would be filled with values far from those of training, because the machine has diverged: leave "
            "out visible, so that real columns are standardised, or put a StandardScaler before the estimator, or "
            "lower learning_rate"
        ) from error
    found = drawn.numpy()
    if domain != "clip":
        binary = columns_of(machine.visible, Bernoulli)
        found[:, binary] = np.rint(found[:, binary])
    return found.astype(states.dtype, copy=False)


def gaps_of(X: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which values of an array or a DataFrame are missing, bool."""
    return X.isna().to_numpy() if hasattr(X, "isna") else np.isnan(X)  # type: ignore[no-any-return]
