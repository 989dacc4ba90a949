"""The doors of the library, each opened without a single option that a user could leave out.

Estimators take tables as they are.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import harmonium as hm
from by_default.sources import Features, UnavailableError
from harmonium.data.table import Table
from harmonium.recipes.comparison import Entry

__all__ = ["classify", "compared", "impute", "rate", "score_outliers", "trained"]

TABLE_FLAGS = ("--visible", "mixed")  # without it a table of numbers alone is read as real, unscaled columns
STATES = 5  # ratings from 1 to 5
HIDDEN = 100  # of the machine of ratings


def classify(kind: Any, train: Features, labels: np.ndarray, test: Features, seed: int) -> np.ndarray:
    """Classes that a classifier predicts."""
    found: np.ndarray = kind(random_state=seed).fit(train, labels).predict(test)
    return found


def score_outliers(train: Features, test: Features, seed: int) -> np.ndarray:
    """Scores of the detector: the higher, the more normal."""
    found: np.ndarray = hm.sklearn.RBMOutlierDetector(random_state=seed).fit(train).score_samples(test)
    return found


def impute(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """A table without its gaps."""
    filled: pd.DataFrame = hm.sklearn.RBMImputer(random_state=seed).fit_transform(frame)
    return filled


def compared(name: str, model: str, seconds: float, seed: int) -> Entry:
    """The row of one model in a comparison on a named set."""
    with tempfile.TemporaryDirectory() as folder:
        (entry,) = hm.compare(hm.data.load(name), [model], seconds=seconds, out=folder, seed=seed).entries
    return entry


def trained(csv: Path, run: Path, seed: int, *options: str) -> float:
    """Train on a CSV file by the command line into a run folder; seconds of one core."""
    command = [sys.executable, "-m", "harmonium", "train", str(csv), *TABLE_FLAGS, *options]
    command += ["--seed", str(seed), "--out", str(run), "--quiet", "--threads", "1"]
    before = os.times()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = os.times()
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return after.children_user + after.children_system - before.children_user - before.children_system


def nats(run: Path, table: Table, test: pd.DataFrame) -> tuple[float, bool]:
    """Log-likelihood of rows under the model of a run: the lower end, nats per row, and whether log Z is reliable."""
    found = hm.evaluate(hm.load(run / "model.safetensors"), table.to_cases(test))
    return found.lower, found.reliable


def rate(ratings: np.ndarray, seed: int, missing: Any) -> np.ndarray:
    """Expected ratings of all items given those a user has made: (users, items), of ratings 1 ... 5 or NaN."""
    rated = ~np.isnan(ratings).all(0)
    found = np.full(ratings.shape, np.nanmean(ratings))  # of items that nobody rated nothing is known
    some = ratings[~np.isnan(ratings).all(1)][:, rated]
    model = hm.RBM(hm.Categorical(int(rated.sum()), STATES), HIDDEN)
    try:
        hm.fit(model, some - 1, missing=missing, seed=seed)
    except (TypeError, ValueError) as error:
        raise UnavailableError(f"hm.fit(missing={missing!r}): {error}") from error
    chances = hm.predict_gaps(model, ratings[:, rated] - 1).view(len(ratings), -1, STATES)
    found[:, rated] = (chances @ torch.arange(1, STATES + 1, dtype=chances.dtype)).numpy()
    return found
