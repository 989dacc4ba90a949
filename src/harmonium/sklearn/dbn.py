"""Deep belief networks as transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from torch import Tensor

from harmonium import models
from harmonium.core.random import Stream
from harmonium.models.arrays import Array
from harmonium.recipes.greedy import greedy
from harmonium.sklearn.base import Features, VisibleUnits, layer, precision
from harmonium.sklearn.domain import Domain, into_domain, lenient, strict
from harmonium.units import Bernoulli, Units

__all__ = ["DBN", "fit_stack"]


class DBN(Features):
    """A deep belief network trained layer by layer, as a transformer to the means of its top hidden units.

    Args:
        hidden: numbers of hidden units from the bottom up.
        visible: a unit type such as `harmonium.Gaussian`, or the units of all columns.
        greedy_options: arguments of `harmonium.greedy`, such as ``{"epochs": 30, "learning_rate": 0.1}``.
        domain: "clip", "binarize" or "raise": what becomes of values that binary units do not take (see
            `harmonium.sklearn.domain`).
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the trained `harmonium.DBN`.
        n_features_in_: number of columns.
        feature_names_in_: their names, where they have some.

    >>> import harmonium as hm
    >>> from harmonium.sklearn import DBN
    >>> cases = hm.data.load("bars-and-stripes").train
    >>> DBN([8, 5], greedy_options={"epochs": 2}, random_state=0).fit_transform(cases).shape
    (32, 5)
    """

    def __init__(
        self,
        hidden: Sequence[int | Units] = (256, 256),
        visible: VisibleUnits = Bernoulli,
        *,
        greedy_options: Mapping[str, Any] | None = None,
        domain: Domain = "clip",
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.visible = visible
        self.greedy_options = greedy_options
        self.domain = domain
        self.random_state = random_state

    def fit(self, X: Array, y: Any = None) -> Self:
        """Train on cases X (n_samples, n_features).

        Raises:
            ValueError: for values outside the domain of the units; layers that a DBN cannot have.
        """
        _, self.model_ = fit_stack(self, self._accept(X), Stream(self._seed), self.greedy_options)
        return self

    def _features(self, v: Tensor) -> Tensor:
        return self.model_.hidden_means(v)[-1]  # type: ignore[no-any-return]

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.top.hidden.columns)


def fit_stack(estimator: Any, X: Any, stream: Stream, options: Mapping[str, Any] | None) -> tuple[Any, models.DBN]:
    """Accepted X in the domain of an estimator, and a DBN of its layers trained greedily on it."""
    units = layer(estimator.visible, X.shape[1])
    X = into_domain(X, units, estimator.domain, warn=True)
    dbn = models.DBN([lenient(units) if estimator.domain == "clip" else units, *estimator.hidden], dtype=precision(X))
    greedy(dbn, X, **({"seed": stream.child("greedy")} | dict(options or {})))
    dbn.rbms[0] = strict(dbn.machines[0])
    return X, dbn
