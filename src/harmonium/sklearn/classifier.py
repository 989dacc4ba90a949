"""What classifiers have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from torch import Tensor

from harmonium.models.arrays import Array
from harmonium.sklearn.base import Estimator, by_rows

__all__ = ["Classifier"]


class Classifier(ClassifierMixin, Estimator):
    """Classes from log-probabilities: a subclass gives `_class_log_prob` (batch, classes) in the order of ``classes_``.

    Attributes:
        classes_: the labels, sorted.
    """

    def _class_log_prob(self, v: Tensor) -> Tensor:
        raise NotImplementedError

    def predict_log_proba(self, X: Array) -> Any:
        """log p(class | x) in nats, (n_samples, n_classes)."""
        X = self._states(X)
        return by_rows(self._class_log_prob, X, self._dtype)

    def predict_proba(self, X: Array) -> Any:
        """p(class | x), (n_samples, n_classes)."""
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: Array) -> Any:
        """The most probable class, (n_samples,)."""
        log_proba = self.predict_log_proba(X)
        return self.classes_[log_proba.argmax(1)]

    def _accept_labelled(self, X: Array, y: Array) -> tuple[Any, Any]:
        """Validated X, and y as numbers of classes; sets ``classes_``."""
        X, y = self._accept(X, y)
        check_classification_targets(y)
        self.classes_, number = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class only, {self.classes_.tolist()[0]!r}: a classifier needs at least two")
        return X, number

    @property
    def _dtype(self) -> torch.dtype:
        dtype: torch.dtype = self.model_.dtype
        return dtype

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Binary units see which side of 1/2 or where in [0, 1] a value lies: tables of other scales are lost on them.
        tags.classifier_tags.poor_score = True
        return tags
