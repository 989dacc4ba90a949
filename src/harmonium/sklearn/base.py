"""Base of all estimators: validation, domains, seeds, training, results as NumPy arrays.

Parameters of estimators are dataclass fields: scikit-learn reads them from the signature of ``__init__``, and a
subclass names only what it adds or has another default for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from harmonium.core.checks import check_int
from harmonium.data import as_cases
from harmonium.models.arrays import Array
from harmonium.models.model import Model
from harmonium.runs.fit import fit
from harmonium.sklearn.columns import Columns, are_activations
from harmonium.sklearn.domain import Domain, into_domain, is_sparse, lenient
from harmonium.sklearn.seeds import seed_of
from harmonium.training.history import History
from harmonium.units import Bernoulli, Units, as_units

__all__ = [
    "Estimator", "Features", "Trained", "VisibleUnits", "by_rows", "hidden_layer", "need_positive", "parameters",
    "precision",
]  # fmt: skip

M = TypeVar("M", bound=Model)

VisibleUnits = Units | Callable[[int], Units]
"""A visible layer, or a function from the number of columns to one, such as `harmonium.Gaussian`."""

parameters = dataclass(eq=False, repr=False)
"""Class decorator: annotated attributes become parameters of ``__init__``."""


class Estimator(BaseEstimator):
    """A model with scikit-learn's interface.

    Subclasses have the parameters ``domain`` and ``random_state`` and set ``model_`` when they are fitted.
    """

    visible: VisibleUnits | None = Bernoulli
    domain: Domain
    random_state: Any
    model_: Any
    columns_: Columns | None

    _validation: ClassVar[dict[str, Any]] = {"accept_sparse": "csr"}
    """Further arguments of `validate_data`."""

    def _accept(self, X: Array, y: Array = "no_validation", *, reset: bool = True) -> Any:
        """Validate X, or (X, y) if y is given: float32 stays, all else becomes float64, sparse becomes CSR.

        A DataFrame stays what it is if the estimator chooses units by column.
        """
        if self.visible is None and isinstance(X, pd.DataFrame):
            frame = validate_data(self, X, reset=reset, skip_check_array=True)
            if not len(frame) or not len(frame.columns):
                raise ValueError(f"X has shape {frame.shape}: give at least one row and one column")
            if isinstance(y, str):
                return frame
            y = column_or_1d(y)
            check_consistent_length(frame, y)
            return frame, y
        try:
            return validate_data(self, X, y, dtype=(np.float64, np.float32), reset=reset, **self._validation)
        except ValueError as error:
            if "could not convert string" not in str(error):
                raise
            advice = "pass a pandas DataFrame, whose columns are read one by one" if self.visible is None else (
                "leave out visible, and pass a pandas DataFrame, whose columns are read one by one"
            )  # fmt: skip
            raise ValueError(f"X has text in it ({error}): {advice}") from None

    def _layer(self, X: Any) -> tuple[VisibleUnits, Any]:
        """The units of validated X in training, and X as numbers; sets ``columns_``."""
        self.columns_ = None
        if self.visible is not None:
            return self.visible, X
        if are_activations(X):
            return Bernoulli, X
        self.columns_ = Columns.of(X.toarray() if is_sparse(X) else X)
        return self.columns_.units(), self._numbers(X)

    def _numbers(self, X: Any) -> Any:
        """Validated X as the raw values of the visible layer, before domains."""
        columns = getattr(self, "columns_", None)
        if columns is None:
            return X
        numbers = columns.to_numbers(X.toarray() if is_sparse(X) else X)
        if not self._validation.get("ensure_all_finite") and np.isnan(numbers).any():
            row, column = np.argwhere(np.isnan(numbers))[0]
            name = columns.table.columns[column].name
            raise ValueError(
                f"X has a missing value (NaN) in row {row}, column {name!r}: fill it first, for instance with "
                "harmonium.sklearn.RBMImputer"
            )
        return numbers.astype(X.dtype, copy=False) if isinstance(X, np.ndarray) else numbers

    def _states(self, X: Array) -> Any:
        """X validated for a fitted model, in its domain."""
        check_is_fitted(self)
        return into_domain(self._numbers(self._accept(X, reset=False)), self._visible, self.domain, warn=False)

    @property
    def _visible(self) -> Units:
        units: Units = self.model_.visible
        return units

    @property
    def _seed(self) -> int:
        return seed_of(self.random_state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self._validation["accept_sparse"] is not False
        return tags


@parameters
class Trained(Estimator):
    """An estimator whose model is trained by `harmonium.fit`.

    Args:
        visible: a unit type such as `harmonium.Gaussian`, or the units of all columns.  Default: binary units if all
            values of an array lie between 0 and 1, otherwise what suits each column (see `harmonium.sklearn.columns`).
        n_iter: passes over the data.  Default: training plans itself (see `harmonium.fit`).
        batch_size: cases per update.
        learning_rate: a number or a schedule.
        fit_options: more arguments of `harmonium.fit`; they take precedence.
        domain: "binarize", "clip" or "raise": treatment of values that binary units do not take (see
            `harmonium.sklearn.domain`).
        random_state: an int, a RandomState, or None.
    """

    _: KW_ONLY
    visible: VisibleUnits | None = None
    n_iter: int | None = None
    batch_size: int | None = None
    learning_rate: Any = None
    fit_options: Mapping[str, Any] | None = None
    domain: Domain = "binarize"
    random_state: Any = None

    def _prepare(self, X: Any, *, greys: bool = True) -> tuple[Units, Any]:
        """The visible layer for validated X, and X in its domain; with ``greys`` the layer takes what is clipped."""
        visible, X = self._layer(X)
        return prepare(X, visible, self.domain, greys=greys)

    def _train(self, model: M, X: Any, *, fit_options: Mapping[str, Any] | None = None, **options: Any) -> M:
        """Train a model on cases in its domain; ``options`` go to `harmonium.fit`, others replace the estimator's.

        Raises:
            ValueError: if a parameter is not a positive integer.
        """
        given = {"n_iter": self.n_iter, "batch_size": self.batch_size}
        need_positive(**{name: value for name, value in given.items() if value is not None})
        plan = {
            "objective": getattr(self, "objective", None), "epochs": self.n_iter, "batch_size": self.batch_size,
            "learning_rate": self.learning_rate, "seed": self._seed, "initialise": True,
            "progress": False,
        }  # fmt: skip
        plan |= options | dict((self.fit_options if fit_options is None else fit_options) or {})
        self.seed_ = plan["seed"]
        self.history_: History = fit(model, X, **plan)
        return model


class Features(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """A transformer to the means of hidden units."""

    def _features(self, v: Tensor) -> Tensor:
        """Features of cases v (batch, n_visible), (batch, n_features)."""
        mean: Tensor = self.model_.hidden_mean(v)
        return mean

    def transform(self, X: Array) -> Any:
        """Compute the means of the hidden units given each case.

        Args:
            X: cases (n_samples, n_features), dense or sparse.

        Returns:
            (n_samples, n_hidden), in the precision of X.
        """
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
    """Apply ``function`` to X in chunks of rows, so that memory stays bounded and sparse input stays sparse."""
    return torch.cat([function(v) for _, v in as_cases(X, "X").chunks(1024, dtype=dtype)]).numpy()


def precision(X: Any) -> torch.dtype:
    """The precision of a model of these values."""
    return torch.float32 if X.dtype == np.float32 else torch.float64


def prepare(X: Any, visible: VisibleUnits, domain: Domain, *, greys: bool = True) -> tuple[Units, Any]:
    """Build the visible layer of validated X, and bring X into its domain.

    Args:
        X: what scikit-learn validated.
        visible: parameter of the estimator.
        domain: parameter of the estimator.
        greys: whether the layer takes values between 0 and 1 if ``domain`` is "clip".

    Raises:
        TypeError: if ``visible`` is neither units nor a function that makes them.
        ValueError: for another number of columns.
    """
    units = layer(visible, X.shape[1])
    X = into_domain(X, units, domain, warn=True)
    return lenient(units) if greys and domain == "clip" else units, X


def layer(visible: VisibleUnits, columns: int) -> Units:
    """The visible layer of a table with ``columns`` columns (see `prepare`)."""
    units = visible if isinstance(visible, Units) else visible(columns) if callable(visible) else visible
    if not isinstance(units, Units):
        raise TypeError(f"visible must be a unit type such as harmonium.Gaussian, or units, found {visible!r}")
    if units.columns != columns:
        raise ValueError(f"X has {columns} features, but visible={units!r} has {units.columns} columns")
    return units


def hidden_layer(n_components: int | Units) -> Units:
    """The hidden units of a machine, from their number or as they are."""
    return as_units(n_components, Bernoulli, "n_components")


def need_positive(**values: Any) -> None:
    """Raise ValueError for a parameter that is not a positive integer."""
    for name, value in values.items():
        check_int(name, value)
