"""Ratings with gaps: made up, because no package ships a set of them."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from by_default import doors
from by_default.draws import generator
from by_default.job import Cells, Job, Measure, Scores

__all__ = ["JOB"]

USERS, ITEMS = 1000, 100
HELD_OUT = 0.2  # share of the ratings
ITEM, SVD, USUAL = "item mean", "SVD with biases", "SVD, usual settings"
OURS, DRAWN = 'RBM, missing="omit"', "RBM, missing=5"


class Task(NamedTuple):
    """Ratings 1 ... 5 of users (rows) and items (columns), NaN where there is none."""

    train: np.ndarray
    test: np.ndarray


def task(name: str, rank: int, share: float, popular: float, seed: int) -> Task:
    """Ratings by tastes of a low rank, biases of users and items, and noise.

    Args:
        name: of the set.
        rank: number of tastes.
        share: of the pairs that have a rating.
        popular: how much more often liked items are rated.
        seed: of everything.
    """
    random = generator(name, seed)
    users, items = random.normal(size=(USERS, rank)), random.normal(size=(ITEMS, rank))
    quality = random.normal(0, 0.5, ITEMS)
    liking = 3.4 + random.normal(0, 0.4, (USERS, 1)) + quality + 0.8 * users @ items.T / np.sqrt(rank)
    ratings = np.clip(np.rint(liking + random.normal(0, 0.6, liking.shape)), 1, 5)
    chance = np.exp(popular * quality)
    rated = random.random(ratings.shape) < np.minimum(1, share * chance / chance.mean())
    held_out = rated & (random.random(ratings.shape) < HELD_OUT)
    rated &= ~held_out
    rated[random.integers(USERS, size=ITEMS), np.arange(ITEMS)] = True  # no item without a rating
    held_out &= ~rated & rated.any(1, keepdims=True)
    return Task(np.where(rated, ratings, np.nan), np.where(held_out, ratings, np.nan))


def item_mean(task: Task, seed: int) -> Scores:
    return error(task, np.broadcast_to(np.nanmean(task.train, 0), task.train.shape))


def svd(rank: int, decay: float, rate: float, epochs: int, task: Task, seed: int) -> Scores:
    """Matrix factorisation with biases by stochastic gradients (Funk 2006; Koren 2009)."""
    random = np.random.default_rng(seed)
    rows, columns = np.nonzero(~np.isnan(task.train))
    values = task.train[rows, columns]
    mean = values.mean()
    users, items = random.normal(0, 0.1, (USERS, rank)), random.normal(0, 0.1, (ITEMS, rank))
    user_bias, item_bias = np.zeros(USERS), np.zeros(ITEMS)
    for _ in range(epochs):
        for k in random.permutation(len(values)):
            u, i = rows[k], columns[k]
            p, q = users[u].copy(), items[i]
            off = values[k] - mean - user_bias[u] - item_bias[i] - p @ q
            user_bias[u] += rate * (off - decay * user_bias[u])
            item_bias[i] += rate * (off - decay * item_bias[i])
            users[u] += rate * (off * q - decay * p)
            items[i] += rate * (off * p - decay * q)
    return error(task, mean + user_bias[:, None] + item_bias + users @ items.T)


def default(missing: object, task: Task, seed: int) -> Scores:
    rated = ~np.isnan(task.train).all(1)
    predicted = np.broadcast_to(np.nanmean(task.train, 0), task.train.shape).copy()
    predicted[rated] = doors.rate(task.train[rated], seed, missing)
    return error(task, predicted)


def error(task: Task, predicted: np.ndarray) -> Scores:
    held_out = ~np.isnan(task.test)
    off = np.clip(predicted, 1, 5)[held_out] - task.test[held_out]
    return {"RMSE": float(np.sqrt((off**2).mean()))}


def reached(cells: Cells) -> bool:
    return cells[OURS] <= cells[ITEM] - 0.5 * (cells[ITEM] - cells[USUAL])


JOB = Job(
    title="Ratings",
    about=f"Made up: {USERS:,} users, {ITEMS} items, ratings from 1 to 5 by tastes of a low rank, a part of them held "
    f"out. The machine has {doors.HIDDEN} hidden units; it predicts from the ratings that a user has made. The usual "
    "settings are those that the package surprise has by default.",
    sets={
        "three tastes": partial(task, "three tastes", 3, 0.2, 0.0),
        "few ratings": partial(task, "few ratings", 3, 0.1, 0.0),
        "ten tastes, popular items": partial(task, "ten tastes, popular items", 10, 0.25, 0.7),
    },
    peers={
        ITEM: item_mean,
        SVD: partial(svd, 10, 0.1, 0.01, 60),
        USUAL: partial(svd, 100, 0.02, 0.005, 20),  # the defaults of the package surprise
    },
    ours={OURS: partial(default, "omit"), DRAWN: partial(default, 5)},
    measures={"RMSE": Measure("{:.3f}".format, "half of what the usual SVD gains", reached)},
)
