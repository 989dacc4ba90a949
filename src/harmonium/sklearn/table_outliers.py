"""Odd rows of a table of any columns."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import OutlierMixin

from harmonium.sklearn.base import parameters
from harmonium.sklearn.table_base import TableEstimator

__all__ = ["TableOutlierDetector"]

USUAL = 0.1  # share of the training rows below the threshold, unless the user knows better


@parameters
class TableOutlierDetector(OutlierMixin, TableEstimator):
    """Finds rows of low likelihood, and the cells to blame.

    Args:
        model: "auto", "orderless", "mixture", "rbm", "nade" or "made" (see `harmonium.TableModel`).
        minutes: processor time for training, at most.
        columns: what to take columns for, by name (see `harmonium.TableModel`).
        random_state: an int, a RandomState, or None.
        contamination: share of the training rows that count as outliers, above 0 and at most 0.5; "auto": a tenth.

    Attributes:
        model_: the trained `harmonium.TableModel`.
        offset_: the log-likelihood below which a row is an outlier, in nats.

    >>> import pandas as pd
    >>> from harmonium.sklearn import TableOutlierDetector
    >>> frame = pd.DataFrame({"city": ["Bern", "Bonn"] * 50 + ["Bern"], "rent": [900, 700] * 50 + [90]})
    >>> detector = TableOutlierDetector("mixture", contamination=0.01, random_state=0).fit(frame)
    >>> int(detector.score_samples(frame).argmin())
    100
    """

    contamination: float | str = "auto"

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on a table, and set the threshold ``offset_``.

        Args:
            X: a DataFrame, or an array (n_samples, n_features).
            y: ignored.

        Returns:
            the estimator.

        Raises:
            ValueError: for a contamination out of range.
        """
        share = USUAL if self.contamination == "auto" else self.contamination
        if isinstance(share, (bool, str)) or not 0 < share <= 0.5:
            raise ValueError(f'contamination must be "auto", or above 0 and at most 0.5, found {self.contamination!r}')
        frame = self._frame(X, reset=True)
        self._table(frame)
        self.offset_ = float(np.percentile(self.model_.log_prob(frame), 100 * share))
        return self

    def score_samples(self, X: Any) -> Any:
        """Compute log p of each row in nats, (n_samples,): the higher, the more normal."""
        frame = self._frame(X)
        return self.model_.log_prob(frame).to_numpy()

    def decision_function(self, X: Any) -> Any:
        """Compute `score_samples` minus ``offset_``, (n_samples,): negative for outliers."""
        scores = self.score_samples(X)
        return scores - self.offset_

    def predict(self, X: Any) -> Any:
        """Predict -1 for outliers and 1 for others, (n_samples,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def explain(self, X: Any) -> Any:
        """How surprising each cell is given the rest of its row, in nats (see `harmonium.TableModel.explain`)."""
        frame = self._frame(X)
        return self.model_.explain(frame)
