"""Imputation through `TableModel.impute`: the gaps of the other job, filled once and several times."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from launch import contend
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.metrics.pairwise import nan_euclidean_distances

import harmonium as hm
from by_default import imputation
from by_default.encoding import Encoding, is_label
from by_default.imputation import SETS, SHARES, Task
from by_default.job import Cells, Job, Measure, Scores
from by_default.proper import CRPS, LOSS, proper
from by_default.sources import UnavailableError

__all__ = ["JOB"]

DRAWS = 10
PLAIN, KNN, ITERATIVE, FOREST, OURS = "mean / mode", "KNNImputer", "IterativeImputer", "miceforest", "TableModel()"
PEERS = (KNN, ITERATIVE, FOREST)


def plain(task: Task, seed: int) -> Scores:
    """Means and most frequent values; draws from the values that are there."""
    random = np.random.default_rng(seed)
    draws = [task.holes.copy() for _ in range(DRAWS)]
    for name, values in task.holes.items():
        gaps = np.flatnonzero(values.isna())
        known = np.flatnonzero(values.notna())
        for filled in draws:
            filled[name] = _given(values, gaps, known[random.integers(len(known), size=len(gaps))])
    return imputation.plain(task, seed) | proper(task, draws)


def neighbours(task: Task, seed: int) -> Scores:
    """Means of 5 neighbours; the values of 10 as draws."""
    distances = nan_euclidean_distances(Encoding(task.holes).matrix(task.holes))
    draws = [task.holes.copy() for _ in range(DRAWS)]
    for name, values in task.holes.items():
        gaps, known = np.flatnonzero(values.isna()), np.flatnonzero(values.notna())
        apart = np.nan_to_num(distances[np.ix_(gaps, known)], nan=np.inf)
        nearest = np.argsort(apart, axis=1, kind="stable")[:, :DRAWS]
        for filled, donors in zip(draws, nearest.T, strict=True):
            filled[name] = _given(values, gaps, known[donors])
    return imputation.peer(lambda seed: KNNImputer(), task, seed) | proper(task, draws)


def iterative(task: Task, seed: int) -> Scores:
    """Chained regressions; draws from their predictive distributions."""
    encoding = Encoding(task.holes)
    matrix = encoding.matrix(task.holes)
    draws = [
        encoding.table(IterativeImputer(sample_posterior=True, random_state=DRAWS * seed + k).fit_transform(matrix))
        for k in range(DRAWS)
    ]
    single = imputation.peer(lambda seed: IterativeImputer(random_state=seed), task, seed)
    return single | proper(task, draws)


def forests(task: Task, seed: int) -> Scores:
    """Chained boosted trees with predictive mean matching; the mean or the most frequent value of the draws."""
    labels = [name for name in task.holes if is_label(task.holes[name])]
    with tempfile.TemporaryDirectory() as folder:
        holes, filled = Path(folder) / "holes.csv", Path(folder) / "filled.csv"
        task.holes.to_csv(holes, index=False)
        spec = {
            "task": "impute", "holes": str(holes), "filled": str(filled), "labels": labels, "draws": DRAWS,
            "seed": seed, "threads": 1,
        }  # fmt: skip
        answer = contend(os.environ.get("HARMONIUM_SDV_PYTHON", sys.executable), "with_miceforest.py", spec)
        if "missing" in answer:
            raise UnavailableError("pip install miceforest into the environment of HARMONIUM_SDV_PYTHON")
        if "failed" in answer:
            raise RuntimeError(answer["failed"])
        stacked = pd.read_csv(filled, dtype=dict.fromkeys(labels, str), keep_default_na=False)
    draws = [part.reset_index(drop=True) for _, part in stacked.groupby(np.arange(len(stacked)) // len(task.holes))]
    return imputation.scores(task, middle(draws, labels)) | proper(task, draws)


def ours(task: Task, seed: int) -> Scores:
    table = hm.TableModel(seed=seed)
    table.fit(task.holes)
    return imputation.scores(task, table.impute(task.holes)) | proper(task, table.impute(task.holes, draws=DRAWS))


def middle(draws: Sequence[pd.DataFrame], labels: Sequence[str]) -> pd.DataFrame:
    """Of every cell the mean of the draws, or the value that is most frequent among them."""
    found = draws[0].copy()
    for name in found:
        values = pd.concat([filled[name] for filled in draws], axis=1)
        found[name] = values.mode(axis=1)[0] if name in labels else values.mean(axis=1)
    return found


def _given(values: pd.Series, gaps: np.ndarray, donors: np.ndarray) -> pd.Series:
    """A column whose gaps have the values of other rows."""
    filled = values.copy()
    filled.iloc[gaps] = values.iloc[donors].to_numpy()
    return filled


def accurate(cells: Cells) -> bool:
    return cells[OURS] <= 1.05 * min(cells[peer] for peer in PEERS)


def better(cells: Cells) -> bool:
    return cells[OURS] < min(cells[peer] for peer in PEERS)


JOB = Job(
    title="Imputation through a table model",
    about=f"The sets and gaps of imputation by default. Of {DRAWS} filled tables of each method: the continuous ranked "
    "probability score of numbers, in standard deviations of the column, and the log loss of categories, whose "
    "probabilities are shares of draws (with one more draw from the column). Draws of KNNImputer are the values of as "
    "many neighbours.",
    sets={
        f"{name}, {share:.0%} missing": partial(imputation.task, name, load, share)
        for name, load in SETS.items()
        for share in SHARES
    },
    peers={PLAIN: plain, KNN: neighbours, ITERATIVE: iterative, FOREST: forests},
    ours={OURS: ours},
    measures={
        "normalised RMSE": Measure("{:.3f}".format, "within 5 % of the best", accurate),
        "category error": Measure("{:.1%}".format, "within 5 % of the best", accurate),
        CRPS: Measure("{:.3f}".format, "better than all", better),
        LOSS: Measure("{:.3f}".format, "better than all", better),
    },
)
