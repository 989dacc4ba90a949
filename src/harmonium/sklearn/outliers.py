"""Outliers by their free energy."""

from __future__ import annotations

import copy
from dataclasses import KW_ONLY
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import OutlierMixin
from torch import Tensor

from harmonium import models
from harmonium.likelihood.partition import log_partition
from harmonium.models.arrays import Array, as_batch
from harmonium.sklearn.base import by_rows, hidden_layer, parameters, precision
from harmonium.sklearn.domain import is_sparse, strict
from harmonium.sklearn.imputer import expected_values, gaps_of
from harmonium.sklearn.rbm import Machine
from harmonium.training.trim import Trim

__all__ = ["RBMOutlierDetector"]

USUAL = 0.1  # share of the training cases below the threshold, unless the user knows better


@parameters
class RBMOutlierDetector(OutlierMixin, Machine):
    """Finds cases of high free energy F(x) = -log p(x) - log Z; ranking them needs no partition function.

    Args:
        visible: a unit type such as `harmonium.Gaussian`, or the units of all columns.  Default: binary units if all
            values of an array lie between 0 and 1, otherwise what suits each column (see `harmonium.sklearn.columns`).
        n_components: number of binary hidden units, or hidden units of another type.
        contamination: fraction of the training cases that are outliers, above 0 and at most 0.5: they count as such,
            and training can leave them out (see below).  "auto" (default): all cases train, and a tenth of them counts
            as outliers.
        objective: what training descends (default: `harmonium.PCD`).
        n_iter: passes over the data.  Default: training plans itself (see `harmonium.fit`).
        batch_size: cases per update.
        learning_rate: a number or a schedule.
        fit_options: more arguments of `harmonium.fit`.
        domain: "binarize", "clip" or "raise": treatment of values that binary units do not take (see
            `harmonium.sklearn.domain`).
        random_state: an int, a RandomState, or None.

    With a number as ``contamination``, three machines are trained: on all cases; without those that this one finds
    least probable; and without those that look odd from the first pass on, chosen again after every pass
    (`harmonium.training.Trim`), which finds odd cases that resemble each other before they are learned, but can also
    mistake a small group for odd.  The machine is kept that gives the highest likelihood to all but this share of the
    cases.  Training takes three times as long; ``minutes`` are shared.

    Attributes:
        model_: the trained `harmonium.RBM`.
        history_: what `harmonium.fit` returned.
        offset_: the score below which a case is an outlier.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns, if they have names.

    >>> import numpy as np
    >>> from harmonium.sklearn import RBMOutlierDetector
    >>> X = np.repeat([[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1]], [20, 20, 1], axis=0)
    >>> detector = RBMOutlierDetector(n_components=4, n_iter=300, learning_rate=0.2, contamination=0.02, random_state=0)
    >>> detector.fit_predict(X)[[0, 20, 40]]
    array([ 1,  1, -1])
    """

    _: KW_ONLY
    contamination: float | str = "auto"

    _validation: ClassVar[dict[str, Any]] = {"accept_sparse": "csr", "ensure_all_finite": "allow-nan"}

    def fit(self, X: Array, y: Any = None) -> Self:
        """Train on cases, and set the threshold ``offset_``.

        Args:
            X: cases (n_samples, n_features), dense or sparse.
            y: ignored.

        Returns:
            the estimator.

        Raises:
            ValueError: for values outside the domain of the units, or parameters out of range.
        """
        share = self.contamination
        number = isinstance(share, Real) and not isinstance(share, bool)
        if share != "auto" and not (number and 0 < share <= 0.5):  # type: ignore[operator]
            raise ValueError(f'contamination must be "auto", or above 0 and at most 0.5, found {share!r}')
        X = self._accept(X)
        gaps = {"missing": "draw" if not is_sparse(X) and gaps_of(X).any() else None}
        if share == "auto":
            self.offset_: float = float(np.percentile(self._scores(self._fit(X, **gaps)), 100 * USUAL))
            return self
        self.offset_ = self._fit_trimmed(X, float(share), gaps)
        return self

    def _fit_trimmed(self, X: Any, share: float, options: dict[str, Any]) -> float:
        """Train with and without the oddest cases, keep the best machine, and return its threshold."""
        given = dict(self.fit_options or {})
        if given.get("minutes") is not None:
            given["minutes"] /= 3
        units, states = self._prepare(X)
        out = round(share * states.shape[0])

        def candidate(chosen: Any, fit_options: dict[str, Any]) -> tuple[float, Any, Any, Any]:
            """Log-likelihood of all but the oddest cases in nats, machine, history, and scores of all cases."""
            machine = models.RBM(copy.deepcopy(units), hidden_layer(self.n_components), dtype=precision(states))
            self.model_ = strict(self._train(machine, chosen, fit_options=fit_options, **options))
            scores = self._scores(states)
            log_z = log_partition(self.model_, seed=self._seed)
            upper = log_z.upper if np.isfinite(log_z.upper) else log_z.value
            return float(np.sort(scores)[out:].mean()) - upper, self.model_, self.history_, scores

        plain = candidate(states, given)
        typical = states[np.sort(np.argsort(plain[-1], kind="stable")[out:])]
        found = [plain, candidate(states, given | {"callbacks": [*given.get("callbacks", []), Trim(share)]})]
        if is_sparse(typical) or not np.isnan(typical).all(0).any():  # a column without a value cannot be learned
            found.append(candidate(typical, given))
        _, self.model_, self.history_, scores = max(found, key=lambda each: each[0])
        return float(np.percentile(scores, 100 * share))

    def score_samples(self, X: Array) -> Any:
        """Compute -F(x) = log p(x) + log Z in nats, (n_samples,): the higher, the more normal."""
        return self._scores(self._states(X))

    def decision_function(self, X: Array) -> Any:
        """Compute `score_samples` minus ``offset_``, (n_samples,): negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Array) -> Any:
        """Predict -1 for outliers and 1 for others, (n_samples,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def explain(self, X: Array) -> Any:
        """Compute how much each column makes a case odd.

        Returns:
            log p(x with the column at its conditional mean or most probable value given the rest) - log p(x) in nats,
            (n_samples, n_features), 0 for constant columns and gaps; a DataFrame for a DataFrame.
        """
        states = self._states(X)
        states = states.toarray() if is_sparse(states) else states
        gaps = np.isnan(states)
        states = self._filled(states)  # once, so that two scores differ by one column only
        own = self._scores(states)
        kept = range(states.shape[1]) if self.columns_ is None else self.columns_.kept
        blame = np.zeros((len(states), self.n_features_in_))
        for place, column in enumerate(kept):
            hidden = states.copy()
            hidden[:, place] = np.nan
            blame[:, column] = np.where(gaps[:, place], 0.0, self._scores(hidden) - own)
        if isinstance(X, pd.DataFrame):
            return pd.DataFrame(blame, index=X.index, columns=X.columns)
        return blame

    def _scores(self, X: Any) -> Any:
        return by_rows(self._log_weight, X if is_sparse(X) else self._filled(X), self.model_.dtype)

    def _filled(self, X: Any) -> Any:
        """Raw states (n_samples, columns) with gaps as what they most probably are; X itself if there are none."""
        rows = np.isnan(X).any(1)
        if not rows.any():
            return X
        X = X.copy()
        X[rows] = expected_values(self.model_, X[rows], self._seed, self.domain)
        return X

    def _log_weight(self, v: Tensor) -> Tensor:
        log_weight: Tensor = self.model_.log_weight((as_batch(v, self.model_, "X"), None))
        return log_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
