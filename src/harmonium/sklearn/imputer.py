"""Missing values drawn from a machine."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from harmonium.models.arrays import Array
from harmonium.sampling.impute import impute
from harmonium.sklearn.base import need_positive, parameters
from harmonium.sklearn.domain import columns_of, into_domain, lend
from harmonium.sklearn.rbm import Machine
from harmonium.units import Categorical

__all__ = ["RBMImputer"]


@parameters
class RBMImputer(OneToOneFeatureMixin, TransformerMixin, Machine):
    """Fills missing values (NaN) given the observed ones; the machine is trained on cases with gaps.

    Observed values are not changed.  A gap becomes the mean of several draws given the rest; for `Categorical`
    variables their most frequent code.  With ``samples=1`` it is a single draw, for multiple imputation: fit several
    imputers, or transform with several random states.  Values should be missing at random.

    Args:
        visible: a unit type such as `harmonium.Gaussian`, or the units of all columns.
        hidden: a number of binary units, or units.
        samples: draws per gap.
        sweeps: Gibbs sweeps per draw.
        objective: what training descends (default: `harmonium.PCD`).
        n_iter: passes over the data.
        batch_size: cases per update.
        learning_rate: a number or a schedule.
        fit_options: more arguments of `harmonium.fit`, such as ``{"missing": 10}``, the sweeps that fill the gaps of a
            batch in training (default: 5).
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
    >>> RBMImputer(hidden=2, random_state=0).fit_transform(X)[:2].tolist()
    [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """

    _: KW_ONLY
    samples: int = 20
    sweeps: int = 100

    _validation: ClassVar[dict[str, Any]] = {"accept_sparse": False, "ensure_all_finite": "allow-nan"}

    def fit(self, X: Array, y: Any = None) -> Self:
        """Train on cases with gaps; cases without any value are left out.

        Args:
            X: cases (n_samples, n_features) with NaN for missing values.
            y: ignored.

        Returns:
            the estimator.

        Raises:
            ValueError: for a column without any value, observed values outside the domain, or parameters out of range.
        """
        need_positive(samples=self.samples, sweeps=self.sweeps)
        X = self._accept(X)
        observed = ~np.isnan(X).all(1)
        if not observed.any():
            raise ValueError("X has no observed value at all: there is nothing to learn from")
        self._fit(X[observed], missing=5)
        return self

    def transform(self, X: Array) -> Any:
        """Fill the gaps of X.

        Args:
            X: cases (n_samples, n_features) with NaN for missing values.

        Returns:
            the same array with its gaps filled, a copy if there are any.
        """
        check_is_fitted(self)
        X = self._accept(X, reset=False)
        gaps = np.isnan(X)
        rows = gaps.any(1)
        if not rows.any():
            return X
        filled = X.copy()
        states = into_domain(X[rows], self._visible, self.domain, warn=False)
        filled[rows] = np.where(gaps[rows], self._drawn(states), X[rows])
        return filled

    def _drawn(self, states: Any) -> Any:
        """Mean (categories: most frequent value) of several draws of all variables, (rows, n_features)."""
        machine = lend(self.model_) if self.domain == "clip" else self.model_
        draws = impute(machine, states, sweeps=self.sweeps, samples=self.samples, seed=self._seed)
        draws = draws.view(self.samples, *states.shape)
        codes = torch.from_numpy(columns_of(self._visible, Categorical))
        return torch.where(codes, draws.mode(0).values, draws.mean(0)).numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
