"""Variational autoencoders as densities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.models.arrays import Array, as_batch
from harmonium.models.vae.architecture import Architecture
from harmonium.models.vae.vae import VAE
from harmonium.objectives import Objective
from harmonium.sklearn.base import VisibleUnits, need_positive
from harmonium.sklearn.directed import DirectedDensity
from harmonium.sklearn.domain import Domain
from harmonium.units import Bernoulli, Units

__all__ = ["VAEDensity"]


class VAEDensity(DirectedDensity):
    """A variational autoencoder (Kingma & Welling 2014), judged by importance sampling.

    `score_samples` is log mean_k p(v, z_k) / q(z_k | v): an estimate of log p(v) from below (Burda et al. 2016,
    equation 8), closer with more ``importance_samples``.  Every case is given the same noise, so that its score depends
    on nothing but the case and the model.

    Args:
        visible: a unit type such as `harmonium.Gaussian`, or the units of all columns.
        latent: number of latent units; several numbers, from the data up, make as many stochastic layers.
        hidden: widths of the layers between data and latent units, or an architecture (see `harmonium.VAE`).
        objective: what is ascended (default: `harmonium.ELBO`).
        importance_samples: draws of the latent units, by which a case is scored.
        n_iter: passes over the data.
        batch_size: cases per update.
        learning_rate: of Adam: a number or a schedule.
        fit_options: more arguments of `harmonium.fit`.
        domain: "binarize", "raise" or "clip": what becomes of values that binary units do not take (see
            `harmonium.sklearn.domain`).  Greys have no likelihood, so that they are refused after clipping, too.
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the trained `harmonium.VAE`.
        history_: what `harmonium.fit` returned.
        n_features_in_: number of columns.
        feature_names_in_: their names, where they have some.

    >>> import harmonium as hm
    >>> from harmonium.sklearn import VAEDensity
    >>> cases = hm.data.load("bars-and-stripes").train
    >>> vae = VAEDensity(latent=2, hidden=(8,), n_iter=2, random_state=0).fit(cases)
    >>> vae.score_samples(cases).shape, vae.sample(3).shape
    ((32,), (3, 16))
    """

    def __init__(
        self,
        visible: VisibleUnits = Bernoulli,
        latent: int | Sequence[int] = 10,
        hidden: Architecture | Sequence[Any] = (100, 100),
        *,
        objective: Objective | None = None,
        importance_samples: int = 100,
        n_iter: int = 30,
        batch_size: int = 100,
        learning_rate: Any = 0.002,
        fit_options: Mapping[str, Any] | None = None,
        domain: Domain = "binarize",
        random_state: Any = None,
    ) -> None:
        self.visible = visible
        self.latent = latent
        self.hidden = hidden
        self.objective = objective
        self.importance_samples = importance_samples
        self.n_iter = n_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.fit_options = fit_options
        self.domain = domain
        self.random_state = random_state

    def _build(self, units: Units, dtype: torch.dtype) -> VAE:
        return VAE(units, self.latent, self.hidden, dtype=dtype)

    def score_samples(self, X: Array) -> Any:
        """Estimates from below of log p(x) of each case in nats, (n_samples,), float64.

        Raises:
            ValueError: for values outside the domain of the units.
        """
        need_positive(importance_samples=self.importance_samples)
        return super().score_samples(X)

    def _log_prob(self, v: Tensor) -> Tensor:
        v, samples = as_batch(v, self.model_, "X", domain=True), self.importance_samples
        log_w = self.model_.log_weights(v, Stream(self.seed_).child("score"), samples, common=True)
        return torch.logsumexp(log_w, 0) - math.log(samples)
