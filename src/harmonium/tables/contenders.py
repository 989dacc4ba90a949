"""The models that `TableModel` can train, each within a budget of processor time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harmonium.models.autoregressive.made import MADE
from harmonium.models.autoregressive.nade import NADE
from harmonium.models.baselines.mixture import BernoulliMixture
from harmonium.models.machine.rbm import RBM
from harmonium.models.model import Model
from harmonium.tables.likelihood import log_probs
from harmonium.tables.orderless import train_orderless
from harmonium.tables.task import Task, train
from harmonium.units import Bernoulli

__all__ = ["CONTENDERS", "Contender"]

MOST_COMPONENTS, GROWTH = 200, 3
MACHINE_SHARE = 0.85  # of the time of a machine, for its training; the rest is for log Z
MANY_ROWS, FEW_HIDDEN, MANY_HIDDEN = 2_000, 64, 200


@dataclass(frozen=True)
class Contender:
    """A kind of model of tables.

    Attributes:
        train: trains a model within the time of a task.
        takes_gaps: whether it learns from rows with cells that are missing at random.
    """

    train: Callable[[Task], Model]
    takes_gaps: bool = False


def train_nade(task: Task) -> Model:
    """Train a NADE in the order of the columns."""
    return train(task, NADE(task.codec.units(), 200, seed=task.stream.child("nade")))


def train_made(task: Task) -> Model:
    """Train a MADE in the order of the columns."""
    return train(task, MADE(task.codec.units(), (200, 200), seed=task.stream.child("made")))


def train_rbm(task: Task) -> Model:
    """Train a restricted Boltzmann machine with categorical visible units."""
    hidden = FEW_HIDDEN if len(task.train) < MANY_ROWS else MANY_HIDDEN
    model = RBM(task.codec.units(), Bernoulli(hidden), seed=task.stream.child("rbm"))
    return train(task, model, minutes=MACHINE_SHARE * task.seconds / 60, missing="draw" if task.gaps else None)


def train_mixture(task: Task) -> Model:
    """Estimate mixtures of independent columns, and keep the number of components that suits the validation rows."""
    began = time.process_time()
    best: Model | None = None
    found, components = -np.inf, 4
    while best is None or components <= min(MOST_COMPONENTS, len(task.train) // 20):
        model = BernoulliMixture(task.codec.units(), components, seed=task.stream.child("mixture", components))
        model.estimate(task.train, smoothing=0.1, iterations=60, tolerance=1e-3, seed=task.stream.child("em"))
        value = float(log_probs(model, task.valid).mean())
        if best is not None and value <= found:
            break
        best, found, components = model, value, components * GROWTH
        if time.process_time() - began > task.seconds / (GROWTH + 1):  # the next one takes longer by that factor
            break
    return best


CONTENDERS = {
    "orderless": Contender(train_orderless, takes_gaps=True),
    "nade": Contender(train_nade),
    "made": Contender(train_made),
    "mixture": Contender(train_mixture),
    "rbm": Contender(train_rbm, takes_gaps=True),
}
