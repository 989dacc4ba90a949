"""Outlier detection, trained on normal cases alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import skew
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

from by_default import doors, sources
from by_default.draws import generator, rows, varying
from by_default.encoding import encoded
from by_default.job import Cells, Job, Measure, Scores
from by_default.sources import Features, Labelled

__all__ = ["JOB"]

TRAIN, TEST = 2000, 1000  # normal cases at most, and odd ones at most
CLASSES = 3  # of sets with many: each of them is the normal one once
OURS = "RBMOutlierDetector()"


class Round(NamedTuple):
    """Normal cases to learn from; cases to judge, and which of them are odd."""

    train: Features
    test: Features
    odd: np.ndarray


def split(features: Features, normal: np.ndarray, random: np.random.Generator) -> Round:
    """Learn from two thirds of the normal cases; judge the others and as many odd ones."""
    inside, outside = (random.permutation(np.flatnonzero(chosen)) for chosen in (normal, ~normal))
    count = min(TRAIN, 2 * len(inside) // 3)
    train, rest = inside[:count], inside[count : count + TEST]
    odd = outside[: min(TEST, max(len(rest), 100))]
    chosen = np.r_[rest, odd]
    known, judged = varying(rows(features, train), rows(features, chosen))
    return Round(known, judged, np.r_[np.zeros(len(rest), bool), np.ones(len(odd), bool)])


def two_classes(name: str, load: Callable[[], Labelled], seed: int) -> list[Round]:
    """Class 1 is normal, class 0 is odd."""
    features, labels = load()
    return [split(features, labels == 1, generator(name, seed))]


def one_against_rest(name: str, load: Callable[[], Labelled], seed: int) -> list[Round]:
    """Some classes, each the normal one in its turn; other seeds take other classes."""
    features, labels = load()
    classes = np.random.default_rng(0).permutation(np.unique(labels))
    chosen = [classes[(CLASSES * seed + k) % len(classes)] for k in range(CLASSES)]
    return [split(features, labels == one, generator(f"{name} {one}", seed)) for one in chosen]


def swapped(name: str, load: Callable[[], pd.DataFrame], seed: int) -> list[Round]:
    """Odd rows have two values of another odd row each, which has theirs: no column by itself looks odd."""
    table, random = load(), generator(name, seed)
    train, normal, odd = np.split(random.permutation(len(table)), [TRAIN, TRAIN + TEST])
    odd = odd[: TEST - TEST % 2]
    values = table.iloc[odd].astype(object).to_numpy()
    for one, other in values.reshape(-1, 2, values.shape[1]):
        differ = random.permutation(np.flatnonzero(one != other))[:2]
        one[differ], other[differ] = other[differ].copy(), one[differ].copy()
    changed = pd.DataFrame(values, columns=table.columns).astype(dict(table.dtypes))
    known, plain, strange = varying(rows(table, train), rows(table, normal), changed)
    judged = pd.concat([plain, strange], ignore_index=True)
    return [Round(known, judged, np.r_[np.zeros(len(normal), bool), np.ones(len(odd), bool)])]


def area(scored: Callable[[Features, Features, int], np.ndarray], task: list[Round], seed: int) -> Scores:
    """Mean area under the ROC curve, of scores that are high for normal cases."""
    found = [roc_auc_score(~one.odd, scored(one.train, one.test, seed)) for one in task]
    return {"ROC AUC": float(np.mean(found))}


def estimator(build: Callable[[int], Any], train: Features, test: Features, seed: int) -> np.ndarray:
    X, judged = encoded(train, test)
    found: np.ndarray = build(seed).fit(X).score_samples(judged)
    return found


def ecod(train: Features, test: Features, seed: int) -> np.ndarray:
    """Empirical tail probabilities of the columns (Li et al. 2022): the largest of three sums of their logs."""
    X, judged = encoded(train, test)
    left, right = (_tails(sign * X, sign * judged) for sign in (1, -1))
    lopsided = np.where(np.nan_to_num(skew(X)) < 0, left, right)
    found: np.ndarray = -np.max([tails.sum(1) for tails in (left, right, lopsided)], axis=0)
    return found


def _tails(X: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """-log of the share of training values that are at most as large, by column."""
    ordered = np.sort(X, axis=0)
    below = np.stack([np.searchsorted(a, b, "right") for a, b in zip(ordered.T, judged.T, strict=True)], 1)
    found: np.ndarray = -np.log(np.maximum(below, 0.5) / len(X))
    return found


def pca(train: Features, test: Features, seed: int) -> np.ndarray:
    """Error of reconstruction from the components that explain nine tenths of the variance."""
    X, judged = encoded(train, test)
    model = PCA(0.9).fit(X)
    found: np.ndarray = -((model.inverse_transform(model.transform(judged)) - judged) ** 2).sum(1)
    return found


def reached(cells: Cells) -> bool:
    best = max(value for name, value in cells.items() if name != OURS)
    return cells[OURS] >= best - 0.01


JOB = Job(
    title="Outliers",
    about=f"Trained on at most {TRAIN:,} normal cases, judged on others and on odd ones. Of digits and letters, "
    f"{CLASSES} classes per seed are the normal one in turn. Swapped: two attributes exchanged between two rows.",
    sets={
        "breast cancer": partial(two_classes, "breast cancer", sources.breast_cancer),
        "ionosphere": partial(two_classes, "ionosphere", sources.ionosphere),
        "digits, one against the rest": partial(one_against_rest, "digits", sources.digits),
        "ocr_letters, one against the rest": partial(one_against_rest, "ocr_letters", sources.ocr_letters),
        "mushrooms, swapped": partial(swapped, "mushrooms", sources.mushrooms),
        "adult, swapped": partial(swapped, "adult", lambda: sources.adult().features),
    },
    peers={
        "IsolationForest": partial(area, partial(estimator, lambda seed: IsolationForest(random_state=seed))),
        "LOF": partial(area, partial(estimator, lambda seed: LocalOutlierFactor(novelty=True))),
        "OneClassSVM": partial(area, partial(estimator, lambda seed: OneClassSVM())),
        "ECOD": partial(area, ecod),
        "PCA": partial(area, pca),
    },
    ours={OURS: partial(area, doors.score_outliers)},
    measures={"ROC AUC": Measure("{:.3f}".format, "the best less 0.01", reached)},
)
