"""Estimators that know how probable a case is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.likelihood.log_z import LogPartition
from harmonium.likelihood.partition import log_partition
from harmonium.models.arrays import Array
from harmonium.sampling.sample import sample
from harmonium.sklearn.base import Estimator, by_rows
from harmonium.sklearn.seeds import seed_of

__all__ = ["Density", "EnergyDensity"]


class Density(Estimator):
    """Scores in nats; a subclass whose model has `log_prob` of cases alone needs to give `_log_prob` only."""

    def _log_prob(self, v: Tensor) -> Tensor:
        """log p(v), (batch,), float64."""
        raise NotImplementedError

    def score_samples(self, X: Array) -> Any:
        """log p(x) of each case in nats, (n_samples,), float64.

        Raises:
            ValueError: for greys under binary units (``domain="clip"``), which have no likelihood.
        """
        return by_rows(self._log_prob, self._states(X), self.model_.dtype)

    def score(self, X: Array, y: Any = None) -> float:
        """Mean of `score_samples`, by which `GridSearchCV` chooses."""
        return float(self.score_samples(X).mean())


class EnergyDensity(Density):
    """A machine with a partition function, which is found when it is first asked for."""

    _log_z: LogPartition | None = None

    @property
    def log_partition_(self) -> LogPartition:
        """log Z with its bracket and whether it may be trusted (see `harmonium.log_partition`)."""
        if self._log_z is None:
            self._log_z = log_partition(self.model_, seed=Stream(self.seed_).child("log Z"))
        return self._log_z

    def _log_prob(self, v: Tensor) -> Tensor:
        log_prob: Tensor = self.model_.log_prob(v, self.log_partition_)
        return log_prob

    @torch.no_grad()
    def sample(self, n_samples: int = 1, *, sweeps: int = 1000, random_state: Any = None) -> Any:
        """Cases drawn by Gibbs sampling, (n_samples, n_features): independent chains of ``sweeps`` sweeps each.

        Without a ``random_state`` of its own, every call draws from that of the estimator.
        """
        seed = self._seed if random_state is None else seed_of(random_state)
        return sample(self.model_, n_samples, sweeps=sweeps, seed=seed).numpy()
