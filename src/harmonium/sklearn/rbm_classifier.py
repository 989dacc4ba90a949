"""A machine over inputs and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from scipy import sparse
from torch import Tensor

from harmonium.models.arrays import Array
from harmonium.models.machine.classification import ClassificationRBM
from harmonium.objectives import Hybrid, Objective
from harmonium.runs.fit import fit
from harmonium.sklearn.base import VisibleUnits, layer, precision
from harmonium.sklearn.classifier import Classifier
from harmonium.sklearn.domain import Domain, into_domain, is_sparse, lend, lenient, strict
from harmonium.units import Bernoulli, Units

__all__ = ["RBMClassifier"]


class RBMClassifier(Classifier):
    """A machine over inputs and their class, whose p(class | x) is exact (Larochelle & Bengio 2008).

    Args:
        visible: units of the inputs: a unit type such as `harmonium.Gaussian`, or the units of all columns.
        hidden: a number of binary units, or units.
        objective: the loss (default: `harmonium.objectives.Hybrid`, mostly p(class | x), a little p(x, class)).
        n_iter: passes over the data.
        batch_size: cases per update.
        learning_rate: a number or a schedule.
        fit_options: more arguments of `harmonium.fit`.
        domain: "clip", "binarize" or "raise": what becomes of inputs that binary units do not take (see
            `harmonium.sklearn.domain`).
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the trained `harmonium.ClassificationRBM`.
        classes_: the labels, sorted.
        n_features_in_: number of columns.
        feature_names_in_: their names, where they have some.

    >>> from harmonium.sklearn import RBMClassifier
    >>> X, y = [[0, 1], [0, 0], [1, 0], [1, 1]], ["low", "low", "high", "high"]
    >>> RBMClassifier(hidden=2, n_iter=100, learning_rate=0.5, random_state=0).fit(X, y).predict([[0, 0], [1, 1]])
    array(['low', 'high'], dtype='<U4')
    """

    def __init__(
        self,
        visible: VisibleUnits = Bernoulli,
        hidden: int | Units = 64,
        *,
        objective: Objective | None = None,
        n_iter: int = 30,
        batch_size: int = 100,
        learning_rate: Any = 0.2,
        fit_options: Mapping[str, Any] | None = None,
        domain: Domain = "clip",
        random_state: Any = None,
    ) -> None:
        self.visible = visible
        self.hidden = hidden
        self.objective = objective
        self.n_iter = n_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.fit_options = fit_options
        self.domain = domain
        self.random_state = random_state

    def fit(self, X: Array, y: Array) -> Self:
        """Train on cases X (n_samples, n_features) and labels y (n_samples,).

        Raises:
            ValueError: for one class only; values outside the domain of the units; parameters out of range.
        """
        X, number = self._accept_labelled(X, y)
        plan = self._plan()
        units = layer(self.visible, X.shape[1])
        X = into_domain(X, units, self.domain, warn=True)
        machine = ClassificationRBM(
            lenient(units) if self.domain == "clip" else units, self.hidden, len(self.classes_), dtype=precision(X)
        )
        column = number[:, None].astype(X.dtype)
        cases = sparse.hstack((X, column)).tocsr() if is_sparse(X) else np.hstack((X, column))
        plan["objective"] = plan["objective"] or Hybrid()
        self.history_ = fit(machine, cases, **plan)
        self.model_ = strict(machine)
        return self

    def _class_log_prob(self, v: Tensor) -> Tensor:
        machine = lend(self.model_) if self.domain == "clip" else self.model_
        log_prob: Tensor = machine.class_log_prob(v)
        return log_prob

    @property
    def _visible(self) -> Units:
        """The units of the inputs, without the label."""
        return layer(self.visible, self.n_features_in_)
