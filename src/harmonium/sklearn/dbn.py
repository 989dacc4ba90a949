"""Deep belief networks as transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any, Self

from torch import Tensor

from harmonium import models
from harmonium.core.random import Stream
from harmonium.models.arrays import Array
from harmonium.recipes.greedy import greedy
from harmonium.sklearn.base import Estimator, Features, VisibleUnits, parameters, precision, prepare
from harmonium.sklearn.domain import Domain, strict
from harmonium.training.automatic import usual_batch
from harmonium.training.schedules import Linear
from harmonium.units import Bernoulli, Units, as_units

__all__ = ["DBN", "Stacked"]

UPDATES, RATE = 2000, 0.01  # of the machine of every layer: faster ones saturate their hidden units


def pretraining(cases: int) -> dict[str, Any]:
    """Arguments of `harmonium.greedy`: as many updates for small data as for large ones."""
    batch_size = usual_batch(cases)
    epochs = -(-UPDATES // -(-cases // batch_size))
    return {"epochs": epochs, "batch_size": batch_size, "learning_rate": Linear(RATE)}


@parameters
class Stacked(Estimator):
    """An estimator with a deep belief network that `harmonium.greedy` trains."""

    hidden: Sequence[int | Units] = (256, 256)
    visible: VisibleUnits | None = None
    _: KW_ONLY
    greedy_options: Mapping[str, Any] | None = None
    domain: Domain = "clip"
    random_state: Any = None

    def _stack(self, X: Any, stream: Stream, train: Any = None) -> tuple[models.DBN, Any]:
        """A DBN trained on validated X, or on these rows of it, and X in its domain."""
        visible, X = self._layer(X)
        units, X = prepare(X, visible, self.domain)
        if isinstance(self.hidden, str) or not isinstance(self.hidden, Sequence):
            raise TypeError(f"hidden must be a list of sizes, from the bottom up, found {self.hidden!r}")
        hidden = [as_units(layer, Bernoulli, f"hidden[{index}]") for index, layer in enumerate(self.hidden)]
        dbn = models.DBN([units, *hidden], dtype=precision(X))
        options: dict[str, Any] = {"seed": stream.child("greedy"), "progress": False}
        cases = X if train is None else X[train]
        options |= pretraining(cases.shape[0]) | dict(self.greedy_options or {})
        greedy(dbn, cases, **options)
        dbn.rbms[0] = strict(dbn.machines[0])
        return dbn, X


@parameters
class DBN(Features, Stacked):
    """A deep belief network trained layer by layer, as a transformer to the means of its top hidden units.

    Args:
        hidden: numbers of hidden units from the bottom up.
        visible: a unit type such as `harmonium.Gaussian`, or the units of all columns.  Default: binary units if all
            values of an array lie between 0 and 1, otherwise what suits each column (see `harmonium.sklearn.columns`).
        greedy_options: arguments of `harmonium.greedy`, such as ``{"epochs": 30, "learning_rate": 0.1}``.
        domain: "clip", "binarize" or "raise": treatment of values that binary units do not take (see
            `harmonium.sklearn.domain`).
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the trained `harmonium.DBN`.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns, if they have names.

    >>> import harmonium as hm
    >>> from harmonium.sklearn import DBN
    >>> cases = hm.data.load("bars-and-stripes").train
    >>> DBN([8, 5], greedy_options={"epochs": 2}, random_state=0).fit_transform(cases).shape
    (32, 5)
    """

    def fit(self, X: Array, y: Any = None) -> Self:
        """Train on cases.

        Args:
            X: cases (n_samples, n_features), dense or sparse.
            y: ignored.

        Returns:
            the estimator.

        Raises:
            ValueError: for values outside the domain of the units, or layers that a DBN cannot have.
        """
        self.model_, _ = self._stack(self._accept(X), Stream(self._seed))
        return self

    def _features(self, v: Tensor) -> Tensor:
        return self.model_.hidden_means(v)[-1]  # type: ignore[no-any-return]

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.top.hidden.columns)
