"""Scores of several filled tables: the lowest expected score is that of draws from the true distribution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from by_default.encoding import is_label
from by_default.imputation import Task
from by_default.job import Scores

__all__ = ["CRPS", "LOSS", "proper"]

CRPS, LOSS = "CRPS", "log loss"


def proper(task: Task, draws: Sequence[pd.DataFrame]) -> Scores:
    """Means over the gaps: the CRPS of real columns in standard deviations, the log loss of categories in nats."""
    distances, losses = [], []
    for name, truth in task.whole.items():
        gaps = task.holes[name].isna().to_numpy()
        if not gaps.any():
            continue
        if is_label(truth):
            drawn = np.stack([filled[name].astype(str).to_numpy()[gaps] for filled in draws])
            losses.append(log_loss(drawn, truth.astype(str).to_numpy()[gaps], task.holes[name].dropna().astype(str)))
        else:
            drawn = np.stack([filled[name].to_numpy(float)[gaps] for filled in draws])
            distances.append(crps(drawn, truth.to_numpy(float)[gaps]) / truth.std(ddof=0))
    found = {}
    if distances:
        found[CRPS] = float(np.concatenate(distances).mean())
    if losses:
        found[LOSS] = float(np.concatenate(losses).mean())
    return found


def crps(draws: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The continuous ranked probability score of draws (draws, gaps), unbiased in their number (Ferro 2014, eq. 7)."""
    count = len(draws)
    ordered = np.sort(draws, axis=0)
    ranks = 2 * np.arange(count)[:, None] - count + 1
    spread = 2 * (ranks * ordered).sum(0) / (count * (count - 1))  # mean distance of two draws
    distance: np.ndarray = np.abs(draws - truth).mean(0) - spread / 2
    return distance


def log_loss(draws: np.ndarray, truth: np.ndarray, seen: pd.Series) -> np.ndarray:
    """Minus the log of the share of draws (draws, gaps) that are right, with one more draw from the values seen."""
    prior = seen.value_counts(normalize=True).reindex(truth).fillna(1 / (1 + len(seen))).to_numpy()
    loss: np.ndarray = -np.log(((draws == truth).sum(0) + prior) / (len(draws) + 1))
    return loss
