"""A binary RBM with the parameters and attributes of scikit-learn's."""

from __future__ import annotations

from dataclasses import KW_ONLY
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from harmonium.core.checks import check_int
from harmonium.core.random import Stream
from harmonium.data import as_cases
from harmonium.likelihood.flipped import flipped_log_likelihood
from harmonium.models.arrays import Array, as_matrix
from harmonium.models.machine.rbm import RBM
from harmonium.objectives import PCD
from harmonium.sklearn.base import Features, by_rows, need_positive, parameters, precision
from harmonium.sklearn.components import Components
from harmonium.sklearn.domain import Activations, Domain, into_domain, lend, strict
from harmonium.training.callbacks import Callback
from harmonium.training.history import Row
from harmonium.training.loop import Training
from harmonium.training.metrics import Plain
from harmonium.training.plan import Plan
from harmonium.training.prepare import prepare
from harmonium.training.schedules import as_schedule

__all__ = ["BernoulliRBM"]

_WATCHED = 1000  # cases whose pseudo-likelihood is printed


@parameters
class BernoulliRBM(Features, Components):
    """A binary RBM trained by PCD-1: a drop-in replacement for `sklearn.neural_network.BernoulliRBM`.

    Parameters, attributes and methods mean the same: one persistent chain per case of a batch, and a learning rate for
    the mean gradient over the batch (Tieleman 2008).  Differences: cases are shuffled in every epoch, visible biases
    start at the means of the data, a short last batch is not biased, `score_samples` is exact, and random_state=None
    does not read NumPy's global generator.

    Args:
        n_components: number of hidden units.
        learning_rate: of the gradient of the mean log-likelihood.
        batch_size: cases per update, and number of chains.
        n_iter: passes over the data.
        verbose: whether to print the pseudo-likelihood (of the first 1,000 cases) after every pass.
        random_state: an int, a RandomState, or None.
        domain: treatment of values other than 0 and 1.  "clip" takes grey values as mean activations, as scikit-learn
            does, and clips values outside [0, 1], which scikit-learn does not; "binarize" thresholds at 1/2; "raise"
            refuses them (see `harmonium.sklearn.domain`).

    Attributes:
        components_: W transposed, (n_components, n_features), a view of the model's memory.
        intercept_hidden_: biases, (n_components,).
        intercept_visible_: biases, (n_features,).
        h_samples_: hidden states of the persistent chains, (batch_size, n_components).
        model_: the trained `harmonium.RBM`.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns, if they have names.

    >>> import numpy as np
    >>> from harmonium.sklearn import BernoulliRBM
    >>> X = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    >>> BernoulliRBM(n_components=2, random_state=0).fit(X).transform(X).shape
    (4, 2)
    """

    n_components: int = 256
    _: KW_ONLY
    learning_rate: float = 0.1
    batch_size: int = 10
    n_iter: int = 10
    verbose: int = 0
    random_state: Any = None
    domain: Domain = "clip"

    def fit(self, X: Array, y: Any = None) -> Self:
        """Train on cases.

        Args:
            X: cases (n_samples, n_features), dense or sparse.
            y: ignored.

        Returns:
            the estimator.

        Raises:
            ValueError: for parameters out of range; for values outside the domain if ``domain`` is "raise".
            DivergedError: if the learning rate is too high.
        """
        X = self._accept(X)
        machine, X = self._begin(X)
        reports: list[Callback] = [_Report(self, X[:_WATCHED])] if self.verbose else []
        self._train(machine, X, self.n_iter, self.batch_size, reports)
        return self

    def partial_fit(self, X: Array, y: Any = None) -> Self:
        """Make one update on all of X, starting from the present model.

        Args:
            X: cases (n_samples, n_features), dense or sparse.
            y: ignored.

        Returns:
            the estimator.

        Raises:
            ValueError: see `fit`.
        """
        if not hasattr(self, "model_"):
            machine, X = self._begin(self._accept(X))
            self._train(machine, X, 1, X.shape[0], [])
            return self
        X, before = self._states(X), self.model_
        self._train(lend(before), X, 1, X.shape[0], [], initialise=False)
        _pool_base_rates(before, self.model_)
        return self

    def gibbs(self, v: Array) -> Any:
        """Run one Gibbs sweep from v (n_samples, n_features); every call uses new random numbers.

        Returns:
            visible states, bool (n_samples, n_features).
        """
        check_is_fitted(self)
        v = as_matrix(v, "v", self.model_.dtype).numpy()
        if v.shape[1] != self.n_features_in_:
            raise ValueError(f"v has {v.shape[1]} features, but this machine has {self.n_features_in_} visible units")
        v = into_domain(v, self._visible, self.domain, warn=False)
        return self.model_.gibbs(v, 1, self.stream_).numpy().astype(bool)

    def score_samples(self, X: Array) -> Any:
        """Compute the pseudo-likelihood of each case, sum_i log sigmoid(F(x^i) - F(x)); x^i has 1 - x_i for x_i.

        Exact, and the same at every call: the mean of the estimates that scikit-learn makes by flipping one random
        feature.  For grey values the formula is not a likelihood.

        Args:
            X: cases (n_samples, n_features), dense or sparse.

        Returns:
            nats, (n_samples,).
        """
        return by_rows(partial(flipped_log_likelihood, self.model_), self._states(X), self.model_.dtype)

    @property
    def components_(self) -> Any:
        """W transposed, (n_components, n_features)."""
        return super().components_

    @components_.setter
    def components_(self, values: Any) -> None:
        _fill(self.components_, values, "components_")

    @property
    def intercept_hidden_(self) -> Any:
        """Biases of the hidden units, (n_components,)."""
        return super().intercept_hidden_

    @intercept_hidden_.setter
    def intercept_hidden_(self, values: Any) -> None:
        _fill(self.intercept_hidden_, values, "intercept_hidden_")

    @property
    def intercept_visible_(self) -> Any:
        """Biases of the visible units, (n_features,)."""
        return super().intercept_visible_

    @intercept_visible_.setter
    def intercept_visible_(self, values: Any) -> None:
        _fill(self.intercept_visible_, values, "intercept_visible_")

    def _begin(self, X: Any) -> tuple[RBM, Any]:
        """A new machine for validated X, and X in its domain; sets the stream of all draws."""
        need_positive(n_components=self.n_components)
        machine = RBM(Activations(X.shape[1]), int(self.n_components), dtype=precision(X))
        self.stream_ = Stream(self._seed)
        return machine, into_domain(X, machine.visible, self.domain, warn=True)

    def _train(
        self, machine: RBM, X: Any, epochs: int, batch_size: int, callbacks: list[Callback], initialise: bool = True
    ) -> None:
        need_positive(batch_size=self.batch_size)
        epochs = check_int("n_iter", epochs, least=0)
        if self.domain == "raise":
            machine = strict(machine)
        seed = self.stream_.child("train", self.stream_.advance().step)
        plan = Plan(
            PCD(k=1, chains=int(self.batch_size)), Plain(), as_schedule(self.learning_rate), epochs=int(epochs),
            batch_size=int(batch_size), seed=seed,
        )  # fmt: skip
        prepare(machine, as_cases(X, "X"), None, None, plan, callbacks, initialise).run()
        self.model_ = strict(machine)
        self.h_samples_ = machine.sample_hidden(machine.chains, seed.child("hidden")).numpy()

    @property
    def _n_features_out(self) -> int:
        return int(self.components_.shape[0])


def _fill(own: Any, values: Any, name: str) -> None:
    """Copy values into the model's memory."""
    values = np.asarray(values)
    if values.shape != own.shape:
        raise ValueError(f"{name} has shape {values.shape}; expected {own.shape}")
    own[...] = values


class _Report(Callback):
    """Prints a line after every pass, like scikit-learn."""

    def __init__(self, estimator: BernoulliRBM, cases: Any) -> None:
        self.name, self.cases = type(estimator).__name__, as_matrix(cases, "X", torch.float64)

    def on_epoch(self, training: Training, row: Row) -> None:
        assert isinstance(training.model, RBM)
        score = float(flipped_log_likelihood(training.model, self.cases).mean())
        seconds = row["seconds"] - (training.history.rows[-2]["seconds"] if len(training.history.rows) > 1 else 0.0)
        print(f"[{self.name}] Iteration {row['epoch']}, pseudo-likelihood = {score:.2f}, time = {seconds:.2f}s")


def _pool_base_rates(before: RBM, after: RBM) -> None:
    """Set the data mean, variance and number of cases of ``after`` to those of the cases of both."""
    n, m = before.data_cases, after.data_cases
    assert n is not None and m is not None and before.data_mean is not None and after.data_mean is not None
    assert before.data_variance is not None and after.data_variance is not None
    share = m / (n + m)
    change = after.data_mean - before.data_mean
    after.data_variance = torch.lerp(before.data_variance, after.data_variance, share) + share * (1 - share) * change**2
    after.data_mean = before.data_mean + share * change
    after.data_cases = n + m
