"""Restricted Boltzmann machines of any units, trained by any objective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from harmonium import models
from harmonium.models.arrays import Array
from harmonium.objectives import Objective
from harmonium.runs.fit import fit
from harmonium.sklearn.base import Estimator, Features, VisibleUnits, layer, precision
from harmonium.sklearn.density import EnergyDensity
from harmonium.sklearn.domain import Domain, into_domain, lenient, strict
from harmonium.training.history import History
from harmonium.units import Bernoulli, Units

__all__ = ["RBM", "Machine"]


class Machine(Estimator):
    """What `RBM`, the imputer and the outlier detector have in common: the parameters, and how a machine is trained."""

    def __init__(
        self,
        visible: VisibleUnits = Bernoulli,
        hidden: int | Units = 64,
        *,
        objective: Objective | None = None,
        n_iter: int = 10,
        batch_size: int = 100,
        learning_rate: Any = 0.05,
        fit_options: Mapping[str, Any] | None = None,
        domain: Domain = "binarize",
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

    def fit(self, X: Array, y: Any = None) -> Self:
        """Train on cases X (n_samples, n_features).

        Raises:
            ValueError: for values outside the domain of the units; parameters out of range.
        """
        self._train(self._accept(X))
        return self

    def _train(self, X: Any, **options: Any) -> Any:
        """Train on what was accepted; returns it as the machine saw it."""
        plan = self._plan(**options)
        units = layer(self.visible, X.shape[1])
        X = into_domain(X, units, self.domain, warn=True)
        machine = models.RBM(lenient(units) if self.domain == "clip" else units, self.hidden, dtype=precision(X))
        self.seed_ = plan["seed"]
        self.history_: History = fit(machine, X, **plan)
        self.model_ = strict(machine)
        return X


class RBM(Features, EnergyDensity, Machine):
    """A restricted Boltzmann machine as a transformer and a density.

    `transform` gives the means of the hidden units, `score_samples` log-likelihoods in nats (with ``log_partition_``
    exact, or an estimate that says whether to trust it), `sample` new cases.

    Args:
        visible: a unit type such as `harmonium.Gaussian`, or the units of all columns.
        hidden: a number of binary units, or units.
        objective: what is descended (default: `harmonium.PCD`).
        n_iter: passes over the data.
        batch_size: cases per update.
        learning_rate: a number or a schedule.
        fit_options: more arguments of `harmonium.fit`, such as ``{"metric": "diagonal", "optimizer": "adam"}``.
        domain: "binarize", "clip" or "raise": what becomes of values that binary units do not take (see
            `harmonium.sklearn.domain`).
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the trained machine, a `harmonium.RBM`.
        history_: what `harmonium.fit` returned.
        n_features_in_: number of columns.
        feature_names_in_: their names, where they have some.

    >>> import harmonium as hm
    >>> from harmonium.sklearn import RBM
    >>> cases = hm.data.load("bars-and-stripes").train
    >>> rbm = RBM(hidden=8, n_iter=2, random_state=0).fit(cases)
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
