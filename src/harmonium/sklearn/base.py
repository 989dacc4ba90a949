"""What all estimators share: validation, domains, seeds, results as NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from harmonium.core.checks import check_int
from harmonium.data import as_cases
from harmonium.models.arrays import Array
from harmonium.sklearn.domain import Domain, into_domain
from harmonium.sklearn.seeds import seed_of
from harmonium.units import Units

__all__ = ["Estimator", "Features", "by_rows", "layer", "need_positive", "precision"]

VisibleUnits = Units | Callable[[int], Units]
"""A visible layer, or what makes one of a number of columns, such as `harmonium.Gaussian`."""


class Estimator(BaseEstimator):
    """A model behind scikit-learn's interface.

    Subclasses have the parameters ``domain`` and ``random_state`` and set ``model_`` when they are fitted.
    """

    domain: Domain
    random_state: Any
    model_: Any

    _validation: ClassVar[dict[str, Any]] = {"accept_sparse": "csr"}
    """What `validate_data` is told besides."""

    def _accept(self, X: Array, y: Array = "no_validation", *, reset: bool = True) -> Any:
        """X, or (X, y) where y is given, validated: float32 stays, all else becomes float64, sparse becomes CSR."""
        return validate_data(self, X, y, dtype=(np.float64, np.float32), reset=reset, **self._validation)

    def _states(self, X: Array) -> Any:
        """X validated for a fitted model, in its domain."""
        check_is_fitted(self)
        return into_domain(self._accept(X, reset=False), self._visible, self.domain, warn=False)

    @property
    def _visible(self) -> Units:
        units: Units = self.model_.visible
        return units

    @property
    def _seed(self) -> int:
        return seed_of(self.random_state)

    def _plan(self, **more: Any) -> dict[str, Any]:
        """Arguments of `harmonium.fit`, of an estimator with the parameters of training: ``fit_options`` win.

        Raises:
            ValueError: for a parameter that is no positive integer.
        """
        own: Any = self
        need_positive(n_iter=own.n_iter, batch_size=own.batch_size)
        plan = {
            "objective": getattr(own, "objective", None), "epochs": own.n_iter, "batch_size": own.batch_size,
            "learning_rate": own.learning_rate, "seed": self._seed, "initialise": True,
        }  # fmt: skip
        return plan | more | dict(own.fit_options or {})

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self._validation["accept_sparse"] is not False
        return tags


class Features(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """A transformer to the means of hidden units."""

    def _features(self, v: Tensor) -> Tensor:
        """Features of cases v (batch, n_visible), (batch, n_features)."""
        mean: Tensor = self.model_.hidden_mean(v)
        return mean

    def transform(self, X: Array) -> Any:
        """Means of the hidden units given each case, (n_samples, n_hidden), in the precision of X."""
        X = self._states(X)
        return by_rows(self._features, X, self.model_.dtype).astype(X.dtype, copy=False)

    @property
    def _n_features_out(self) -> int:
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


@torch.no_grad()
def by_rows(function: Callable[[Tensor], Tensor], X: Any, dtype: torch.dtype) -> Any:
    """``function`` of X in chunks of rows, so that memory stays bounded and sparse input is never dense at once."""
    return torch.cat([function(v) for _, v in as_cases(X, "X").chunks(1024, dtype=dtype)]).numpy()


def precision(X: Any) -> torch.dtype:
    """The precision of a model of these values."""
    return torch.float32 if X.dtype == np.float32 else torch.float64


def layer(visible: VisibleUnits, columns: int) -> Units:
    """The visible layer of a table with so many columns.

    Raises:
        TypeError: where ``visible`` is neither units nor makes some.
        ValueError: where there is another number of columns.
    """
    units = visible if isinstance(visible, Units) else visible(columns) if callable(visible) else visible
    if not isinstance(units, Units):
        raise TypeError(f"visible must be a unit type such as harmonium.Gaussian, or units, found {visible!r}")
    if units.columns != columns:
        raise ValueError(f"X has {columns} features, but visible={units!r} has {units.columns} columns")
    return units


def need_positive(**values: Any) -> None:
    """Raise ValueError for a parameter that is no positive integer."""
    for name, value in values.items():
        check_int(name, value)
