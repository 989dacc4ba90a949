"""Base of classifiers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from torch import Tensor

from harmonium.core.rows import some_rows
from harmonium.models.arrays import Array
from harmonium.sklearn.base import Estimator, by_rows

__all__ = ["Classifier"]

CASES = 500  # training cases that are predicted once more after training
LOST = 1.0  # nats per case


class Classifier(ClassifierMixin, Estimator):
    """A classifier by log-probabilities; subclasses define `_class_log_prob`.

    Attributes:
        classes_: the labels, sorted.
    """

    def _class_log_prob(self, v: Tensor) -> Tensor:
        """log p(class | v), (batch, classes), in the order of ``classes_``."""
        raise NotImplementedError

    def predict_log_proba(self, X: Array) -> Any:
        """Compute log p(class | x) of each case in nats, (n_samples, n_classes)."""
        return by_rows(self._class_log_prob, self._states(X), self.model_.dtype)

    def predict_proba(self, X: Array) -> Any:
        """Compute p(class | x) of each case, (n_samples, n_classes)."""
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: Array) -> Any:
        """Predict the most probable class of each case, (n_samples,)."""
        log_proba = self.predict_log_proba(X)
        return self.classes_[log_proba.argmax(1)]

    def _accept_labelled(self, X: Array, y: Array) -> tuple[Any, Any]:
        """Validate X, and turn y into class numbers; sets ``classes_``."""
        X, y = self._accept(X, y)
        check_classification_targets(y)
        self.classes_, number = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class only, {self.classes_.tolist()[0]!r}: a classifier needs at least two")
        return X, number

    def _warn_if_useless(self, states: Any, number: Any) -> None:
        """Warn if the frequencies of the classes alone predict training cases better, as after too high a rate.

        Args:
            states: of the training cases, in the domain of the visible units, dense or CSR.
            number: of their classes.
        """
        index = some_rows(len(number), CASES).numpy()
        known = number[index]
        log_p = by_rows(self._class_log_prob, states[index], self.model_.dtype)[np.arange(len(index)), known]
        by_frequency = np.log(np.bincount(number) / len(number))[known]
        lost = float(by_frequency.mean() - log_p.mean())
        if not lost < LOST:
            warnings.warn(
                f"training went wrong: the classes of training cases are {lost:,.0f} nats per case less probable than "
                "by their frequencies alone. Lower the learning rate, or leave it out",
                UserWarning,
                stacklevel=3,
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Binary units clip values to [0, 1] or threshold them at 1/2: tables of other scales are lost on them.
        tags.classifier_tags.poor_score = True
        return tags
