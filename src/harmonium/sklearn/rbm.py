"""Restricted Boltzmann machines with any units, trained by any objective."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from harmonium import models
from harmonium.models.arrays import Array
from harmonium.objectives import Objective
from harmonium.sklearn.base import Features, Trained, hidden_layer, parameters, precision
from harmonium.sklearn.components import Components
from harmonium.sklearn.density import EnergyDensity
from harmonium.sklearn.domain import strict
from harmonium.units import Units

__all__ = ["RBM", "Machine"]


@parameters
class Machine(Trained):
    """An estimator with a restricted Boltzmann machine: base of `RBM`, the imputer and the outlier detector."""

    n_components: int | Units = 64
    _: KW_ONLY
    objective: Objective | str | None = None

    def fit(self, X: Array, y: Any = None) -> Self:
        """Train on cases.

        Args:
            X: cases (n_samples, n_features), dense or sparse.
            y: ignored.

        Returns:
            the estimator.

        Raises:
            ValueError: for values outside the domain of the units, or parameters out of range.
        """
        self._fit(self._accept(X))
        return self

    def _fit(self, X: Any, **options: Any) -> Any:
        """Train on validated X; returns X in the domain of the machine."""
        units, X = self._prepare(X)
        self.model_ = strict(
            self._train(models.RBM(units, hidden_layer(self.n_components), dtype=precision(X)), X, **options)
        )
        return X


@parameters
class RBM(Features, EnergyDensity, Components, Machine):
    """A restricted Boltzmann machine as a transformer and a density.

    `transform` gives the means of the hidden units, `score_samples` log-likelihoods in nats (``log_partition_`` is
    exact, or an estimate with a verdict whether to trust it), `sample` new cases.

    Args:
        n_components: number of binary hidden units, or hidden units of another type.
        visible: a unit type such as `harmonium.Gaussian`, or the units of all columns.  Default: binary units if all
            values of an array lie between 0 and 1, otherwise what suits each column (see `harmonium.sklearn.columns`).
        objective: what training descends (default: `harmonium.PCD`).
        n_iter: passes over the data.  Default: training plans itself (see `harmonium.fit`).
        batch_size: cases per update.
        learning_rate: a number or a schedule.
        fit_options: more arguments of `harmonium.fit`, such as ``{"metric": "diagonal", "optimizer": "adam"}``.
        domain: "binarize", "clip" or "raise": treatment of values that binary units do not take (see
            `harmonium.sklearn.domain`).
        random_state: an int, a RandomState, or None.

    Attributes:
        components_: W transposed, (n_components, n_features), a view of the model's memory.
        intercept_hidden_: fields of the hidden units, (n_components,): the biases of binary ones.
        intercept_visible_: fields of the visible units, (n_features,).
        model_: the trained `harmonium.RBM`.
        history_: what `harmonium.fit` returned.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns, if they have names.

    >>> import harmonium as hm
    >>> from harmonium.sklearn import RBM
    >>> cases = hm.data.load("bars-and-stripes").train
    >>> rbm = RBM(n_components=8, n_iter=2, random_state=0).fit(cases)
    >>> rbm.transform(cases).shape, rbm.score_samples(cases).shape
    ((32, 8), (32,))
    """

    def fit(self, X: Array, y: Any = None) -> Self:
        self._log_z = None
        return super().fit(X)

    @property
    def _n_features_out(self) -> int:
        check_is_fitted(self)
        return int(self.model_.hidden.columns)
