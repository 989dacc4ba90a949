"""What estimators on top of a `TableModel` share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from harmonium.sklearn.base import parameters
from harmonium.sklearn.seeds import seed_of
from harmonium.tables.model import TableModel

__all__ = ["TableEstimator"]


@parameters
class TableEstimator(BaseEstimator):
    """An estimator whose model is a `harmonium.TableModel`.

    Args:
        model: "auto", "orderless", "mixture", "rbm", "nade" or "made" (see `harmonium.TableModel`).
        minutes: processor time for training, at most.
        columns: what to take columns for, by name (see `harmonium.TableModel`).
        random_state: an int, a RandomState, or None.
    """

    model: str = "auto"
    _: KW_ONLY
    minutes: float = 1.0
    columns: Mapping[Any, Any] | None = None
    random_state: Any = None

    def _table(self, frame: Any, columns: Mapping[Any, Any] | None = None) -> TableModel:
        """Train on a DataFrame; sets ``model_``."""
        self.seed_ = seed_of(self.random_state)
        said = dict(self.columns or {}) | dict(columns or {})
        table = TableModel(self.model, minutes=self.minutes, columns=said or None, seed=self.seed_, progress=False)
        self.model_: TableModel = table.fit(frame)
        return table

    def _frame(self, X: Any, *, reset: bool = False) -> Any:
        """X as a DataFrame: as it is, or with columns 0, 1, ... of an array.

        Raises:
            ValueError: for an empty one, or other columns than in training.
        """
        if not reset:
            check_is_fitted(self)
        if isinstance(X, pd.DataFrame):
            frame: Any = validate_data(self, X, reset=reset, skip_check_array=True)
            if not len(frame) or not len(frame.columns):
                raise ValueError(f"X has shape {frame.shape}: give at least one row and one column")
            return frame
        least = 2 if reset else 1  # rows that may differ
        checked = validate_data(
            self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan", ensure_min_samples=least
        )
        return pd.DataFrame(checked)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags
