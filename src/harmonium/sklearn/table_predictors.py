"""Predicting one column of a table from the others, gaps or not."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from harmonium.sklearn.base import parameters
from harmonium.sklearn.table_base import TableEstimator

__all__ = ["TableClassifier", "TableRegressor"]

TARGET = "target of the prediction"
"""Name of the column that is predicted; no column of a table is called so by chance."""


class _Predictor(TableEstimator):
    def _fit_with(self, X: Any, y: Any, kind: str) -> None:
        frame = self._frame(X, reset=True)
        y = np.asarray(y)
        check_consistent_length(frame, y)
        named = frame.set_axis([*map(str, frame.columns)], axis=1)
        self._table(named.assign(**{TARGET: y}), {TARGET: {"as": kind, "missing": "random"}})

    def _asked(self, X: Any, **options: Any) -> Any:
        frame = self._frame(X)
        return self.model_.conditional(frame.set_axis([*map(str, frame.columns)], axis=1), TARGET, **options)


@parameters
class TableClassifier(ClassifierMixin, _Predictor):
    """Class probabilities given any columns, with gaps, by a model of all of them.

    Args:
        model: "auto", "orderless", "mixture", "rbm", "nade" or "made" (see `harmonium.TableModel`).
        minutes: processor time for training, at most.
        columns: what to take columns for, by name (see `harmonium.TableModel`).
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the trained `harmonium.TableModel` of the columns and the label.
        classes_: the labels, sorted.

    >>> import pandas as pd
    >>> from harmonium.sklearn import TableClassifier
    >>> frame = pd.DataFrame({"rent": [900, 700] * 50})
    >>> classifier = TableClassifier("mixture", random_state=0).fit(frame, ["Bern", "Bonn"] * 50)
    >>> classifier.predict(pd.DataFrame({"rent": [700]})).tolist()
    ['Bonn']
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on a table and the label of each row, (n_samples,).

        Raises:
            ValueError: for a single class, or another number of labels than rows.
        """
        self._frame(X, reset=True)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class only, {self.classes_.tolist()[0]!r}: a classifier needs at least two")
        self._fit_with(X, y, "categories")
        return self

    def predict_proba(self, X: Any) -> Any:
        """Compute p(class | what is known of the row), (n_samples, n_classes)."""
        found = self._asked(X)
        labels = {label.item() if isinstance(label, np.generic) else label: k for k, label in enumerate(self.classes_)}
        p = np.zeros((len(found), len(self.classes_)))
        for label in found.columns:
            p[:, labels[label]] = found[label]
        return p / p.sum(1, keepdims=True)

    def predict(self, X: Any) -> Any:
        """Predict the most probable class of each row, (n_samples,)."""
        p = self.predict_proba(X)
        return self.classes_[p.argmax(1)]


@parameters
class TableRegressor(RegressorMixin, _Predictor):
    """The expectation of a number given any columns, with gaps, by a model of all of them.

    Args:
        model: "auto", "orderless", "mixture", "rbm", "nade" or "made" (see `harmonium.TableModel`).
        minutes: processor time for training, at most.
        columns: what to take columns for, by name (see `harmonium.TableModel`).
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the trained `harmonium.TableModel` of the columns and the number.

    >>> import pandas as pd
    >>> from harmonium.sklearn import TableRegressor
    >>> frame = pd.DataFrame({"city": ["Bern", "Bonn"] * 50})
    >>> regressor = TableRegressor("mixture", random_state=0).fit(frame, [900.0, 700.0] * 50)
    >>> regressor.predict(pd.DataFrame({"city": ["Bonn"]})).round(-1).tolist()
    [700.0]
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on a table and the number of each row, (n_samples,).

        Raises:
            ValueError: for numbers that are not finite, or another number of them than rows.
        """
        self._frame(X, reset=True)
        y = np.asarray(column_or_1d(y, warn=True), dtype=np.float64)
        if not np.isfinite(y).all():
            raise ValueError(f"y is not finite in row {int(np.argmin(np.isfinite(y)))}: remove such rows")
        self._fit_with(X, y, "numbers")
        return self

    def predict(self, X: Any) -> Any:
        """Predict the expectation of the number given what is known of each row, (n_samples,)."""
        return self._asked(X)["mean"].to_numpy()

    def predict_quantiles(self, X: Any, quantiles: tuple[float, ...] = (0.05, 0.5, 0.95)) -> Any:
        """Predict quantiles, a DataFrame with a column for each."""
        return pd.DataFrame(self._asked(X, quantiles=quantiles)).drop(columns="mean")
