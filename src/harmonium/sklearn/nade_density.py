"""NADE as a density."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from harmonium.models.arrays import Array
from harmonium.models.autoregressive.nade import NADE
from harmonium.sklearn.base import VisibleUnits
from harmonium.sklearn.directed import DirectedDensity
from harmonium.sklearn.domain import Domain
from harmonium.units import Bernoulli, Units

__all__ = ["NADEDensity"]


class NADEDensity(DirectedDensity):
    """A neural autoregressive density estimator, whose log-likelihoods are exact (Uria et al. 2016, equations 3, 4).

    Args:
        visible: a unit type such as `harmonium.Gaussian`, or the units of all columns.
        hidden: width of the hidden layer.
        ordering: in which columns are drawn, a permutation of 0 ... n - 1.  Default: as they stand.
        n_iter: passes over the data.
        batch_size: cases per update.
        learning_rate: of Adam: a number or a schedule.
        fit_options: more arguments of `harmonium.fit`, such as
            ``{"penalties": [harmonium.training.WeightDecay(1e-4)]}``.
        domain: "binarize", "raise" or "clip": what becomes of values that binary units do not take (see
            `harmonium.sklearn.domain`).  Greys have no likelihood, so that they are refused after clipping, too.
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the trained `harmonium.NADE`.
        history_: what `harmonium.fit` returned.
        n_features_in_: number of columns.
        feature_names_in_: their names, where they have some.

    >>> import harmonium as hm
    >>> from harmonium.sklearn import NADEDensity
    >>> cases = hm.data.load("bars-and-stripes").train
    >>> nade = NADEDensity(hidden=16, n_iter=300, learning_rate=0.02, random_state=0).fit(cases)
    >>> nade.score(cases) > -6 and nade.sample(3, random_state=1).shape == (3, 16)
    True
    """

    def __init__(
        self,
        visible: VisibleUnits = Bernoulli,
        hidden: int = 200,
        *,
        ordering: Array | None = None,
        n_iter: int = 30,
        batch_size: int = 100,
        learning_rate: Any = 0.002,
        fit_options: Mapping[str, Any] | None = None,
        domain: Domain = "binarize",
        random_state: Any = None,
    ) -> None:
        self.visible = visible
        self.hidden = hidden
        self.ordering = ordering
        self.n_iter = n_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.fit_options = fit_options
        self.domain = domain
        self.random_state = random_state

    def _build(self, units: Units, dtype: torch.dtype) -> NADE:
        return NADE(units, self.hidden, ordering=self.ordering, dtype=dtype)

    def _log_prob(self, v: Tensor) -> Tensor:
        log_prob: Tensor = self.model_.log_prob(v)
        return log_prob
