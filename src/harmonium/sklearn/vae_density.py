"""Variational autoencoders as densities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.models.arrays import Array, as_batch
from harmonium.models.vae.architecture import Architecture
from harmonium.models.vae.vae import VAE
from harmonium.objectives import Objective
from harmonium.sklearn.base import need_positive, parameters
from harmonium.sklearn.density import DirectedDensity
from harmonium.units import Units

__all__ = ["VAEDensity"]


@parameters
class VAEDensity(DirectedDensity):
    """A variational autoencoder (Kingma & Welling 2014), scored by importance sampling.

    `score_samples` is log mean_k p(v, z_k) / q(z_k | v), on average too low an estimate of log p(v), which gets closer
    with more ``importance_samples`` (Burda et al. 2016, equation 8).  All cases use the same noise, so that a score
    depends on the case and the model only.

    Args:
        visible: a unit type such as `harmonium.Gaussian`, or the units of all columns.  Default: binary units if all
            values of an array lie between 0 and 1, otherwise what suits each column (see `harmonium.sklearn.columns`).
        latent: number of latent units; a sequence, from the data up, makes several stochastic layers.
        hidden: widths of the layers between data and latent units, or an architecture (see `harmonium.VAE`).
        objective: what training ascends (default: `harmonium.ELBO`).
        importance_samples: draws of the latent units per score.
        n_iter: passes over the data.  Default: training plans itself (see `harmonium.fit`).
        batch_size: cases per update.
        learning_rate: of Adam: a number or a schedule.
        fit_options: more arguments of `harmonium.fit`.
        domain: "binarize", "raise" or "clip": treatment of values that binary units do not take (see
            `harmonium.sklearn.domain`).  Grey values have no likelihood and are refused after clipping, too.
        random_state: an int, a RandomState, or None.

    Attributes:
        model_: the trained `harmonium.VAE`.
        history_: what `harmonium.fit` returned.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns, if they have names.

    >>> import harmonium as hm
    >>> from harmonium.sklearn import VAEDensity
    >>> cases = hm.data.load("bars-and-stripes").train
    >>> vae = VAEDensity(latent=2, hidden=(8,), n_iter=2, random_state=0).fit(cases)
    >>> vae.score_samples(cases).shape, vae.sample(3).shape
    ((32,), (3, 16))
    """

    latent: int | Sequence[int] = 10
    hidden: Architecture | Sequence[Any] = (100, 100)
    _: KW_ONLY
    objective: Objective | str | None = None
    importance_samples: int = 100

    def _build(self, units: Units, dtype: torch.dtype) -> VAE:
        return VAE(units, self.latent, self.hidden, dtype=dtype)

    def score_samples(self, X: Array) -> Any:
        """Estimate log p(x) of each case from below.

        Args:
            X: cases (n_samples, n_features), dense or sparse.

        Returns:
            nats, (n_samples,), float64.

        Raises:
            ValueError: for values outside the domain of the units.
        """
        need_positive(importance_samples=self.importance_samples)
        return super().score_samples(X)

    def _log_prob(self, v: Tensor) -> Tensor:
        v, samples = as_batch(v, self.model_, "X", domain=True), self.importance_samples
        log_w = self.model_.log_weights(v, Stream(self.seed_).child("score"), samples, common=True)
        return torch.logsumexp(log_w, 0) - math.log(samples)
