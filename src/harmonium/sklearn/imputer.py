"""Missing values drawn from a machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from harmonium.models.arrays import Array
from harmonium.objectives import Objective
from harmonium.sampling.impute import impute
from harmonium.sklearn.base import VisibleUnits, need_positive
from harmonium.sklearn.domain import Domain, into_domain, lend
from harmonium.sklearn.rbm import Machine
from harmonium.units import Bernoulli, Categorical, Units

__all__ = ["RBMImputer"]


class RBMImputer(OneToOneFeatureMixin, TransformerMixin, Machine):
    """Fills NaN given the observed values of the case; the machine is trained on cases with gaps.

    Observed values are returned as they came.  A gap becomes the mean of several draws given the rest, of `Categorical`
    variables their most frequent code; with ``samples=1`` it is one draw, as multiple imputation wants it: fit several,
    or transform with several random states.  Values should be missing at random.

    Args:
        visible: a unit type such as `harmonium.Gaussian`, or the units of all columns.
        hidden: a number of binary units, or units.
        samples: draws of each gap.
        sweeps: Gibbs sweeps of each draw.
        objective: what is descended (default: `harmonium.PCD`).
        n_iter: passes over the data.
        batch_size: cases per update.
        learning_rate: a number or a schedule.
        fit_options: more arguments of `harmonium.fit`, such as ``{"missing": 10}``, the sweeps that fill the gaps of a
            batch in training (default: 5).
        domain: "binarize", "clip" or "raise": what becomes of observed values that binary units do not take, inside
            (see `harmonium.sklearn.domain`).
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the trained `harmonium.RBM`.
        n_features_in_: number of columns.
        feature_names_in_: their names, where they have some.

    >>> import numpy as np
    >>> from harmonium.sklearn import RBMImputer
    >>> X = np.array([[0, 0, 0], [1, 1, 1], [0, 0, np.nan], [1, 1, 1]])
    >>> RBMImputer(hidden=2, random_state=0).fit_transform(X)[:2].tolist()
    [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """

    _validation: ClassVar[dict[str, Any]] = {"accept_sparse": False, "ensure_all_finite": "allow-nan"}

    def __init__(
        self,
        visible: VisibleUnits = Bernoulli,
        hidden: int | Units = 64,
        *,
        samples: int = 20,
        sweeps: int = 100,
        objective: Objective | None = None,
        n_iter: int = 10,
        batch_size: int = 100,
        learning_rate: Any = 0.05,
        fit_options: Mapping[str, Any] | None = None,
        domain: Domain = "binarize",
        random_state: Any = None,
    ) -> None:
        super().__init__(
            visible, hidden, objective=objective, n_iter=n_iter, batch_size=batch_size, learning_rate=learning_rate,
            fit_options=fit_options, domain=domain, random_state=random_state,
        )  # fmt: skip
        self.samples = samples
        self.sweeps = sweeps

    def fit(self, X: Array, y: Any = None) -> Self:
        """Train on cases X (n_samples, n_features) with NaN for what is missing; cases without a value are left out.

        Raises:
            ValueError: for a column without any value; observed values outside the domain; parameters out of range.
        """
        need_positive(samples=self.samples, sweeps=self.sweeps)
        X = self._accept(X)
        observed = ~np.isnan(X).all(1)
        if not observed.any():
            raise ValueError("X has no observed value at all: nothing to learn from")
        self._train(X[observed], missing=5)
        return self

    def transform(self, X: Array) -> Any:
        """X (n_samples, n_features) with its gaps filled."""
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
        """Mean or most frequent value of the draws of all variables, (rows, n_features)."""
        machine = lend(self.model_) if self.domain == "clip" else self.model_
        draws = impute(machine, states, sweeps=self.sweeps, samples=self.samples, seed=self._seed)
        draws = draws.view(self.samples, *states.shape)
        codes = [
            isinstance(self._visible.units_of_column(column, encoded=False), Categorical)
            for column in range(states.shape[1])
        ]
        return torch.where(torch.tensor(codes), draws.mode(0).values, draws.mean(0)).numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
