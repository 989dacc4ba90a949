"""The classification RBM as a classifier."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, Self

import numpy as np
from scipy import sparse
from torch import Tensor

from harmonium.models.arrays import Array
from harmonium.models.machine.classification import ClassificationRBM
from harmonium.objectives import Hybrid, Objective
from harmonium.recipes.class_monitor import ClassMonitor
from harmonium.sklearn.base import Trained, hidden_layer, layer, parameters, precision
from harmonium.sklearn.classifier import Classifier
from harmonium.sklearn.domain import Domain, is_sparse, lend, strict
from harmonium.training.convergence import Convergence
from harmonium.training.penalties import WeightDecay
from harmonium.units import Bernoulli, Units

__all__ = ["RBMClassifier"]

RATE, DECAY = 0.01, 1e-3
SHARE = 0.001  # of p(x, class) in the objective
LEAST, GAIN = 2000, 0.005  # updates before training may stop; nats of log p(class | x)


@parameters
class RBMClassifier(Classifier, Trained):
    """A machine over inputs and their class, whose p(class | x) is exact (Larochelle & Bengio 2008, equation 5).

    Args:
        visible: units of the inputs: a unit type such as `harmonium.Gaussian`, or the units of all columns.  Default:
            binary units if all values of an array lie between 0 and 1, otherwise what suits each column (see
            `harmonium.sklearn.columns`).
        n_components: number of binary hidden units, or hidden units of another type.
        objective: what training descends (default: `harmonium.objectives.Hybrid`, mostly p(class | x), a little
            p(x, class)).
        n_iter: passes over the data.  Default: training plans itself (see `harmonium.fit`).
        batch_size: cases per update.
        learning_rate: a number or a schedule.
        fit_options: more arguments of `harmonium.fit`.
        domain: "clip", "binarize" or "raise": treatment of inputs that binary units do not take (see
            `harmonium.sklearn.domain`).
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the trained `harmonium.ClassificationRBM`.
        history_: what `harmonium.fit` returned.
        classes_: the labels, sorted.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns, if they have names.

    >>> from harmonium.sklearn import RBMClassifier
    >>> X, y = [[0, 1], [0, 0], [1, 0], [1, 1]], ["low", "low", "high", "high"]
    >>> RBMClassifier(n_components=2, n_iter=100, learning_rate=0.5, random_state=0).fit(X, y).predict([[0, 0], [1, 1]])
    array(['low', 'high'], dtype='<U4')
    """

    n_components: int | Units = 64
    _: KW_ONLY
    objective: Objective | str | None = None
    domain: Domain = "clip"

    def fit(self, X: Array, y: Array) -> Self:
        """Train on labelled cases.

        Args:
            X: cases (n_samples, n_features), dense or sparse.
            y: labels (n_samples,).

        Returns:
            the estimator.

        Raises:
            ValueError: for a single class, values outside the domain of the units, or parameters out of range.
        """
        X, number = self._accept_labelled(X, y)
        units, X = self._prepare(X)
        machine = ClassificationRBM(units, hidden_layer(self.n_components), len(self.classes_), dtype=precision(X))
        column = number[:, None].astype(X.dtype)
        cases = sparse.hstack((X, column)).tocsr() if is_sparse(X) else np.hstack((X, column))
        self.model_ = strict(self._train(machine, cases, **self._plan()))
        self._warn_if_useless(X, number)
        return self

    def _plan(self) -> dict[str, Any]:
        """Arguments of `harmonium.fit`: p(class | x) has an exact gradient, which Adam follows fastest."""
        plan: dict[str, Any] = {"objective": self.objective or Hybrid(share=SHARE)}
        if self.n_iter is None:
            stopping = Convergence("class_log_likelihood", GAIN, least=LEAST)
            plan |= {"penalties": [WeightDecay(DECAY)], "callbacks": [ClassMonitor(), stopping]}
        if self.learning_rate is None:
            plan |= {"optimizer": "adam", "metric": "plain", "learning_rate": RATE}
        return plan

    def _class_log_prob(self, v: Tensor) -> Tensor:
        machine = lend(self.model_) if self.domain == "clip" else self.model_
        log_prob: Tensor = machine.class_log_prob(v)
        return log_prob

    @property
    def _visible(self) -> Units:
        """The units of the inputs, without the label."""
        if self.columns_ is not None:
            return self.columns_.units()
        return layer(Bernoulli if self.visible is None else self.visible, self.n_features_in_)
