"""Usefulness: what a classifier or regressor that was trained on synthetic rows is worth on real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score

from harmonium.data.raw import Array
from harmonium.tables.quality.encoding import Encoded

__all__ = ["Target", "choose_target", "named_target", "usefulness"]

_FEW = 20  # classes that make a column a target by itself
_MOST = 50  # classes that gradient boosting can be asked for: it grows a tree for each of them in every round


@dataclass(frozen=True)
class Target:
    """The column to predict.

    Attributes:
        name: its name.
        place: its place among the columns.
        classes: whether its values are classes, judged by the AUC; otherwise they are numbers, judged by R².
    """

    name: Any
    place: int
    classes: bool

    @property
    def measure(self) -> str:
        """What its prediction is judged by."""
        return "AUC" if self.classes else "R²"


def choose_target(real: Encoded) -> Target | None:
    """Return the last category of 2 to 20 classes; failing that, the last column that can be predicted, or None."""
    places = range(len(real.names) - 1, -1, -1)
    counts = [len(np.unique(_present(real.values[:, place], real.number[place]))) for place in range(len(real.names))]
    few = [place for place in places if not real.number[place] and 2 <= counts[place] <= _FEW]
    other = [place for place in places if counts[place] >= 2 and (real.number[place] or counts[place] <= _MOST)]
    chosen = [*few, *other]
    return _target(real, chosen[0]) if chosen and len(real.names) > 1 else None


def named_target(real: Encoded, name: Any) -> Target:
    """Return the target that the caller names.

    Raises:
        ValueError: it is no column, the only one, constant, or has too many classes.
    """
    if name not in real.names:
        raise ValueError(f"target must be a column of real, found {name!r}: it has {', '.join(map(repr, real.names))}")
    target = _target(real, real.names.index(name))
    count = len(np.unique(_present(real.values[:, target.place], real.number[target.place])))
    if len(real.names) < 2:
        raise ValueError(f"target {name!r} is the only column: nothing is left to predict it from")
    if count < 2:
        raise ValueError(f"target {name!r} is constant in real: name another column")
    if target.classes and count > _MOST:
        raise ValueError(f"target {name!r} has {count:,} classes, more than {_MOST}: name another column")
    return target


def _target(real: Encoded, place: int) -> Target:
    values = real.values[:, place]
    two = len(np.unique(_present(values, True))) == 2  # 0 and 1, say
    return Target(real.names[place], place, not real.number[place] or two)


def usefulness(train: Encoded, test: Encoded, target: Target, seed: int) -> float:
    """Train gradient boosting on a table, and judge its predictions on another.

    Args:
        train: the rows to learn from, synthetic or real.
        test: real rows to predict the target of.
        target: the column.
        seed: of the rows on which boosting decides when to stop.

    Returns:
        the AUC for classes (with more than two, the mean of each against the rest, weighted by the classes' shares of
        ``test``), and R² for numbers. Rows without a target are left out; NaN if that is not enough rows.
    """
    train, test = (table.take(~_missing(table.values[:, target.place], target, table)) for table in (train, test))
    (x, y), (x_test, y_test) = (_inputs(table, target) for table in (train, test))
    if not len(y) or len(np.unique(y_test)) < 2:
        return float("nan")
    categories = np.delete(~train.number, target.place)
    if not target.classes:
        fitted = HistGradientBoostingRegressor(categorical_features=categories, random_state=seed).fit(x, y)
        return float(r2_score(y_test, fitted.predict(x_test)))
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        return 0.5  # nothing was learned
    boosting = HistGradientBoostingClassifier(
        categorical_features=categories, random_state=seed,
        early_stopping="auto" if counts.min() >= 10 else False,  # which holds out rows of every class
    )  # fmt: skip
    chance = boosting.fit(x, y).predict_proba(x_test)
    return _weighted_auc(y_test, {value: chance[:, place] for place, value in enumerate(boosting.classes_)})


def _weighted_auc(truth: Array, chance: dict[float, Array]) -> float:
    """Mean AUC of each class against the rest; for two classes both are the same."""
    never = np.zeros(len(truth))
    values, counts = np.unique(truth, return_counts=True)
    each = [float(roc_auc_score(truth == value, chance.get(value, never))) for value in values]
    return float(np.average(each, weights=counts))


def _inputs(table: Encoded, target: Target) -> tuple[Array, Array]:
    return np.delete(table.pooled(), target.place, axis=1), table.values[:, target.place]


def _missing(values: Array, target: Target, table: Encoded) -> Array:
    return np.isnan(values) if table.number[target.place] else values == 0


def _present(values: Array, number: bool) -> Array:
    return values[~np.isnan(values)] if number else values[values > 0]
