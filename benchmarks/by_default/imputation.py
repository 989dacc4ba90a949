"""Imputation against means, neighbours and chained regressions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from by_default import doors, sources
from by_default.draws import generator, rows, varying
from by_default.encoding import Encoding, is_label
from by_default.job import Cells, Job, Measure, Scores

__all__ = ["JOB"]

ROWS = 2000  # at most
SHARES = (0.1, 0.3)
PLAIN, KNN, ITERATIVE, OURS = "mean / mode", "KNNImputer", "IterativeImputer", "RBMImputer()"


class Task(NamedTuple):
    """A table without gaps, and the same with gaps."""

    whole: pd.DataFrame
    holes: pd.DataFrame


def task(name: str, load: Callable[[], pd.DataFrame], share: float, seed: int) -> Task:
    """Random rows of a table, in which each cell is missing with the same probability."""
    table = load()
    random = generator(f"{name} {share}", seed)
    (whole,) = varying(rows(table, random.permutation(len(table))[:ROWS]))
    gaps = random.random(whole.shape) < share
    holes = whole.mask(gaps)
    kept = [name for name in holes if holes[name].nunique() > 1]
    whole, holes = whole[kept], holes[kept]
    seen = {name: holes[name].cat.remove_unused_categories().dtype for name in holes if is_label(holes[name])}
    holes = holes.astype(seen)  # a value that is never seen cannot be imputed
    return Task(whole, holes)


def plain(task: Task, seed: int) -> Scores:
    """Means of real columns, the most frequent values of categories."""
    fill = {name: values.mode()[0] if is_label(values) else values.mean() for name, values in task.holes.items()}
    return scores(task, task.holes.fillna(fill))


def peer(imputer: Callable[[int], Any], task: Task, seed: int) -> Scores:
    encoding = Encoding(task.holes)
    return scores(task, encoding.table(imputer(seed).fit_transform(encoding.matrix(task.holes))))


def default(task: Task, seed: int) -> Scores:
    return scores(task, doors.impute(task.holes, seed))


def scores(task: Task, filled: pd.DataFrame) -> Scores:
    """Errors over the gaps: of real columns in standard deviations, of categories as a share."""
    squares, wrong = [], []
    for name, truth in task.whole.items():
        gaps = task.holes[name].isna().to_numpy()
        if is_label(truth):
            wrong.append((filled[name].astype(str).to_numpy() != truth.astype(str).to_numpy())[gaps])
        else:
            squares.append(((filled[name].to_numpy(float) - truth.to_numpy())[gaps] / truth.std(ddof=0)) ** 2)
    found = {}
    if squares:
        found["normalised RMSE"] = float(np.sqrt(np.concatenate(squares).mean()))
    if wrong:
        found["category error"] = float(np.concatenate(wrong).mean())
    return found


def reached(cells: Cells) -> bool:
    best = min(cells[KNN], cells[ITERATIVE])
    return cells[OURS] <= 1.02 * cells[PLAIN] and cells[OURS] <= 1.1 * best


SETS = {
    "red wine": sources.red_wine, "breast cancer": lambda: sources.breast_cancer().features,
    "diabetes": sources.diabetes, "ionosphere": lambda: sources.ionosphere().features,
    "adult": lambda: sources.adult().features, "diamonds": sources.diamonds, "mushrooms": sources.mushrooms,
}  # fmt: skip
JOB = Job(
    title="Imputation",
    about=f"Cells missing completely at random, at most {ROWS:,} rows. Errors over the missing cells: root mean square "
    "in standard deviations of the column, and the share of wrong categories.",
    sets={
        f"{name}, {share:.0%} missing": partial(task, name, load, share)
        for name, load in SETS.items()
        for share in SHARES
    },
    peers={
        PLAIN: plain,
        KNN: partial(peer, lambda seed: KNNImputer()),
        ITERATIVE: partial(peer, lambda seed: IterativeImputer(random_state=seed)),
    },
    ours={OURS: default},
    measures={
        "normalised RMSE": Measure("{:.3f}".format, "mean + 2 %, within 10 % of the better", reached),
        "category error": Measure("{:.1%}".format, "mode + 2 %, within 10 % of the better", reached),
    },
)
