"""The classifier two-sample test: can gradient boosting tell synthetic rows from real ones?"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from harmonium.tables.quality.encoding import Encoded

__all__ = ["c2st"]

_FOLDS = 3
_LEAST = 20  # rows of a kind, so that both are among the validation rows of every fold
_TREES = 200  # at which 25,000 rows of 15 columns have been learned: the defaults, 100, stop before


def c2st(real: Encoded, other: Encoded, seed: int) -> float:
    """Return 2 (1 - max(AUC, 1/2)) of a classifier that is trained to tell the rows of two tables apart.

    The classifier is scikit-learn's histogram gradient boosting of at most 200 trees, which stops when validation rows
    say so, and splits categories as such. The AUC is that of all rows together, each judged by one of three classifiers
    that has not seen it (Lopez-Paz and Oquab, 2017, "Revisiting classifier two-sample tests",
    https://arxiv.org/abs/1610.06545, with the AUC in place of the accuracy).

    Args:
        real: rows of one kind.
        other: as many rows of the other.
        seed: of the folds and the classifiers.

    Returns:
        1 if nothing can be told apart, 0 if everything. NaN with fewer than 20 rows of a kind.
    """
    x = np.concatenate([real.pooled(), other.pooled()])
    y = np.repeat([0, 1], [len(real), len(other)])
    if min(len(real), len(other)) < _LEAST:
        return float("nan")
    chance = np.empty(len(y))
    for train, test in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(x, y):
        boosting = HistGradientBoostingClassifier(
            categorical_features=~real.number, max_iter=_TREES, early_stopping=True, random_state=seed
        )
        chance[test] = boosting.fit(x[train], y[train]).predict_proba(x[test])[:, 1]
    return 2 * (1 - max(float(roc_auc_score(y, chance)), 0.5))
