"""NADE as a density."""

from __future__ import annotations

from dataclasses import KW_ONLY

import torch

from harmonium.models.arrays import Array
from harmonium.models.autoregressive.nade import NADE
from harmonium.sklearn.base import parameters
from harmonium.sklearn.density import DirectedDensity
from harmonium.units import Units

__all__ = ["NADEDensity"]


@parameters
class NADEDensity(DirectedDensity):
    """A neural autoregressive density estimator with exact log-likelihoods (Uria et al. 2016, equations 3 and 4).

    Args:
        visible: a unit type such as `harmonium.Gaussian`, or the units of all columns.  Default: binary units if all
            values of an array lie between 0 and 1, otherwise what suits each column (see `harmonium.sklearn.columns`).
        hidden: width of the hidden layer.
        ordering: the order in which columns are drawn, a permutation of 0 ... n - 1.  Default: column order.
        n_iter: passes over the data.  Default: training plans itself (see `harmonium.fit`).
        batch_size: cases per update.
        learning_rate: of Adam: a number or a schedule.
        fit_options: more arguments of `harmonium.fit`, such as
            ``{"penalties": [harmonium.training.WeightDecay(1e-4)]}``.
        domain: "binarize", "raise" or "clip": treatment of values that binary units do not take (see
            `harmonium.sklearn.domain`).  Grey values have no likelihood and are refused after clipping, too.
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the trained `harmonium.NADE`.
        history_: what `harmonium.fit` returned.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns, if they have names.

    >>> import harmonium as hm
    >>> from harmonium.sklearn import NADEDensity
    >>> cases = hm.data.load("bars-and-stripes").train
    >>> nade = NADEDensity(hidden=16, n_iter=300, learning_rate=0.02, random_state=0).fit(cases)
    >>> nade.score(cases) > -6 and nade.sample(3, random_state=1).shape == (3, 16)
    True
    """

    hidden: int = 200
    _: KW_ONLY
    ordering: Array | None = None

    def _build(self, units: Units, dtype: torch.dtype) -> NADE:
        return NADE(units, self.hidden, ordering=self.ordering, dtype=dtype)
