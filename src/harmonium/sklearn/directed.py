"""What the densities of directed models have in common: how they are trained, and how they draw."""

from __future__ import annotations

from typing import Any, Self

import torch

from harmonium.models.arrays import Array
from harmonium.models.directed import Directed
from harmonium.runs.fit import fit
from harmonium.sampling.sample import sample
from harmonium.sklearn.base import VisibleUnits, layer, precision
from harmonium.sklearn.density import Density
from harmonium.sklearn.domain import into_domain
from harmonium.sklearn.seeds import seed_of
from harmonium.training.history import History
from harmonium.units import Units

__all__ = ["DirectedDensity"]


class DirectedDensity(Density):
    """A network trained by backpropagation; subclasses give `_build`."""

    visible: VisibleUnits

    def _build(self, units: Units, dtype: torch.dtype) -> Directed:
        """The model of these visible units, not trained yet."""
        raise NotImplementedError

    def fit(self, X: Array, y: Any = None) -> Self:
        """Train on cases X (n_samples, n_features).

        Raises:
            ValueError: for values outside the domain of the units; parameters out of range.
        """
        X = self._accept(X)
        plan = self._plan()
        units = layer(self.visible, X.shape[1])
        X = into_domain(X, units, self.domain, warn=True)
        model = self._build(units, precision(X))
        self.seed_ = plan["seed"]
        self.history_: History = fit(model, X, **plan)
        self.model_ = model
        return self

    def sample(self, n_samples: int = 1, *, random_state: Any = None) -> Any:
        """Independent draws, (n_samples, n_features).

        Without a ``random_state`` of its own, every call draws from that of the estimator.
        """
        seed = self._seed if random_state is None else seed_of(random_state)
        return sample(self.model_, n_samples, seed=seed).numpy()
