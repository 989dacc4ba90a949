"""Classifiers against logistic regression."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from by_default import doors, sources
from by_default.draws import generator, rows, varying
from by_default.encoding import encoded
from by_default.job import Cells, Job, Measure, Scores
from by_default.sources import Features, Labelled
from harmonium.sklearn import DBNClassifier, RBMClassifier

__all__ = ["JOB"]

TRAIN, TEST = 3000, 2000  # rows at most
PEER = "logistic regression"


class Task(NamedTuple):
    """Labelled rows to learn from, and others to predict."""

    train: Features
    labels: np.ndarray
    test: Features
    answers: np.ndarray


def task(name: str, load: Callable[[], Labelled], seed: int) -> Task:
    """Random parts of a set, with the same shares of the classes."""
    features, labels = load()
    random = generator(name, seed)
    train_size, test_size = min(TRAIN, int(0.7 * len(labels))), min(TEST, int(0.3 * len(labels)))
    train, test = train_test_split(
        np.arange(len(labels)), train_size=train_size, test_size=test_size, stratify=labels,
        random_state=int(random.integers(1 << 31)),
    )  # fmt: skip
    seen, unseen = varying(rows(features, train), rows(features, test))
    return Task(seen, labels[train], unseen, labels[test])


def logistic(task: Task, seed: int) -> Scores:
    X, unseen = encoded(task.train, task.test)
    return accuracy(task, LogisticRegression(max_iter=2000).fit(X, task.labels).predict(unseen))


def default(kind: type, task: Task, seed: int) -> Scores:
    return accuracy(task, doors.classify(kind, task.train, task.labels, task.test, seed))


def accuracy(task: Task, predicted: np.ndarray) -> Scores:
    return {"accuracy": float((predicted == task.answers).mean())}


def reached(cells: Cells) -> bool:
    return all(cells[name] >= cells[PEER] - 0.005 for name in OURS)


OURS = {
    "RBMClassifier()": partial(default, RBMClassifier),
    "DBNClassifier()": partial(default, DBNClassifier),
}
SETS = {
    "digits": sources.digits, "ocr_letters": sources.ocr_letters, "breast cancer": sources.breast_cancer,
    "adult": sources.adult, "mushrooms": sources.labelled_mushrooms, "connect4": sources.connect4,
}  # fmt: skip
JOB = Job(
    title="Classifiers",
    about=f"Test accuracy; at most {TRAIN:,} training rows, stratified. Baseline: logistic regression on standardised "
    "and one-hot columns.",
    sets={name: partial(task, name, load) for name, load in SETS.items()},
    peers={PEER: logistic},
    ours=OURS,
    measures={
        "accuracy": Measure("{:.1%}".format, "at most 0.5 points below, both", reached),
    },
)
