"""Filling the gaps of a table of any columns."""

from __future__ import annotations

from typing import Any, Self

import pandas as pd
from sklearn.base import OneToOneFeatureMixin, TransformerMixin

from harmonium.sklearn.base import parameters
from harmonium.sklearn.table_base import TableEstimator

__all__ = ["TableImputer"]


@parameters
class TableImputer(OneToOneFeatureMixin, TransformerMixin, TableEstimator):
    """Fills empty cells of columns of any kind: numbers by their expectation given the rest, labels by the likeliest.

    Args:
        model: "auto", "orderless", "mixture", "rbm", "nade" or "made" (see `harmonium.TableModel`).
        minutes: processor time for training, at most.
        columns: what to take columns for, by name (see `harmonium.TableModel`).
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the trained `harmonium.TableModel`, which also draws several imputations.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns, if they have names.

    >>> import pandas as pd
    >>> from harmonium.sklearn import TableImputer
    >>> frame = pd.DataFrame({"city": ["Bern", "Bonn"] * 40, "rent": [900.0, 700.0] * 39 + [900.0, None]})
    >>> filled = TableImputer("orderless", minutes=0.05, random_state=0).fit_transform(frame)
    >>> bool(filled["rent"].isna().any())
    False
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on a table with gaps.

        Args:
            X: a DataFrame, or an array (n_samples, n_features); NaN and None are gaps.
            y: ignored.

        Returns:
            the estimator.
        """
        self._table(self._frame(X, reset=True))
        return self

    def transform(self, X: Any) -> Any:
        """Fill the gaps of a table with the same columns.

        Returns:
            a DataFrame for a DataFrame, otherwise an array (n_samples, n_features).
        """
        frame = self._frame(X)
        filled = self.model_.impute(frame, progress=False)
        return filled if isinstance(X, pd.DataFrame) else filled.to_numpy()
