"""Estimators with log-likelihoods."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.likelihood.log_z import LogPartition
from harmonium.likelihood.partition import log_partition
from harmonium.models.arrays import Array
from harmonium.models.directed import Directed
from harmonium.sampling.sample import sample
from harmonium.sklearn.base import Estimator, Trained, by_rows, parameters, precision
from harmonium.sklearn.seeds import seed_of
from harmonium.units import Units

__all__ = ["Density", "DirectedDensity", "EnergyDensity"]


class Density(Estimator):
    """Log-likelihoods in nats; subclasses define `_log_prob`."""

    def _log_prob(self, v: Tensor) -> Tensor:
        """log p(v), (batch,), float64."""
        raise NotImplementedError

    def score_samples(self, X: Array) -> Any:
        """Compute log p(x) of each case.

        Args:
            X: cases (n_samples, n_features), dense or sparse.

        Returns:
            nats, (n_samples,), float64.

        Raises:
            ValueError: for grey values under binary units (``domain="clip"``), which have no likelihood.
        """
        return by_rows(self._log_prob, self._states(X), self.model_.dtype)

    def score(self, X: Array, y: Any = None) -> float:
        """Mean of `score_samples`, by which `GridSearchCV` chooses."""
        return float(self.score_samples(X).mean())

    def _drawn(self, n_samples: int, random_state: Any, **options: Any) -> Any:
        seed = self._seed if random_state is None else seed_of(random_state)
        return sample(self.model_, n_samples, seed=seed, progress=False, **options).numpy()


class EnergyDensity(Density):
    """A machine with a partition function, which is computed on first use."""

    _log_z: LogPartition | None = None

    @property
    def log_partition_(self) -> LogPartition:
        """log Z with its bracket and whether to trust it (see `harmonium.log_partition`)."""
        if self._log_z is None:
            self._log_z = log_partition(self.model_, seed=Stream(self.seed_).child("log Z"))
        return self._log_z

    def _log_prob(self, v: Tensor) -> Tensor:
        log_prob: Tensor = self.model_.log_prob(v, self.log_partition_)
        return log_prob

    def sample(self, n_samples: int = 1, *, sweeps: int = 1000, random_state: Any = None) -> Any:
        """Draw cases by Gibbs sampling, from independent chains.

        Args:
            n_samples: number of cases.
            sweeps: sweeps of each chain.
            random_state: an int or a RandomState.  Default: every call draws a seed from that of the estimator.

        Returns:
            (n_samples, n_features).
        """
        return self._drawn(n_samples, random_state, sweeps=sweeps)


@parameters
class DirectedDensity(Density, Trained):
    """A network trained by backpropagation; subclasses define `_build`."""

    def _build(self, units: Units, dtype: torch.dtype) -> Directed:
        """The untrained model of these visible units."""
        raise NotImplementedError

    def fit(self, X: Array, y: Any = None) -> Any:
        """Train on cases.

        Args:
            X: cases (n_samples, n_features), dense or sparse.
            y: ignored.

        Returns:
            the estimator.

        Raises:
            ValueError: for values outside the domain of the units, or parameters out of range.
        """
        units, X = self._prepare(self._accept(X), greys=False)
        self.model_ = self._train(self._build(units, precision(X)), X)
        return self

    def _log_prob(self, v: Tensor) -> Tensor:
        log_prob: Tensor = self.model_.log_prob(v)
        return log_prob

    def sample(self, n_samples: int = 1, *, random_state: Any = None) -> Any:
        """Draw independent cases.

        Args:
            n_samples: number of cases.
            random_state: an int or a RandomState.  Default: every call draws a seed from that of the estimator.

        Returns:
            (n_samples, n_features).
        """
        return self._drawn(n_samples, random_state)
