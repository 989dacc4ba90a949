"""The models that `TableModel` can train, each within a budget of processor time."""

from __future__ import annotations

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.core.progress import Progress
from harmonium.core.random import Stream
from harmonium.core.rows import some_rows
from harmonium.data.codecs.codec import Codec
from harmonium.data.codecs.numbers import Numbers
from harmonium.data.codecs.table import TableCodec
from harmonium.likelihood.partition import log_partition
from harmonium.models.autoregressive.copula import CopulaNetwork
from harmonium.models.autoregressive.made import MADE
from harmonium.models.autoregressive.nade import NADE
from harmonium.models.autoregressive.observed_mask import linears
from harmonium.models.autoregressive.orderings import random_orderings
from harmonium.models.autoregressive.orderless import OrderlessNADE
from harmonium.models.baselines.mixture import BernoulliMixture
from harmonium.models.directed import Tractable
from harmonium.models.machine.machine import Machine
from harmonium.models.machine.rbm import RBM
from harmonium.models.model import Model
from harmonium.runs.fit import fit
from harmonium.tables.monitor import ObservedLikelihood
from harmonium.training.convergence import Convergence
from harmonium.units import Bernoulli

__all__ = ["CONTENDERS", "Contender", "Task", "log_probs"]

ORDERINGS, ORDERINGS_TRIED = 8, 24
JUDGED = 400  # validation rows for the choice of orderings
MOST_ROWS = 20_000  # for the covariance of the scores
LEAST_UPDATES = 2000  # before training may end
LEAST_BELLS, MOST_BELLS, ROWS_PER_BELL = 4, 16, 100
ROWS_PER_POINT, ROWS_PER_CELL = 50, 250  # fewer, and states are seen as a smooth function of their score
MOST_COMPONENTS = 200
MACHINE_CELLS = 32  # for RBMs, whose couplings grow with the states
MACHINE_SHARE = 0.85  # of the time of a machine, for its training; the rest is for log Z


@dataclass(frozen=True)
class Task:
    """What a contender is trained on.

    Attributes:
        codec: of the table.
        train: raw states (rows, variables) float64, NaN where they are missing at random.
        valid: of rows set aside.
        seconds: of processor time.
        stream: of everything random.
        progress: whether to show a bar.
    """

    codec: TableCodec
    train: np.ndarray[Any, Any]
    valid: np.ndarray[Any, Any]
    seconds: float
    stream: Stream
    progress: Progress = False

    @property
    def gaps(self) -> bool:
        """Whether values are missing at random."""
        return bool(np.isnan(self.train).any() or np.isnan(self.valid).any())


class Contender(ABC):
    """A kind of model of tables."""

    word: str
    takes_gaps = False

    @abstractmethod
    def train(self, task: Task) -> Model:
        """Train a model within the time."""


class Orderless(Contender):
    """An order-agnostic network on top of a Gaussian copula; its orderings are those that suit the validation rows."""

    word = "orderless"
    takes_gaps = True

    def train(self, task: Task) -> Model:
        units = task.codec.units()
        rows = len(task.train)
        wide = 128 if rows < 2_000 else 256 if rows < 10_000 else 384
        scores = [None if each is None else each.tolist() for each in task.codec.scores()]
        bells = [_bells(codec, rows) for codec in task.codec.codecs for _ in codec.states]
        bells = [count if each is not None else 0 for count, each in zip(bells, scores, strict=True)]
        network = CopulaNetwork(units.size, units.columns, units.size, (wide, wide), scores, bells)
        network.place(task.codec.states)
        model = OrderlessNADE(units, network=network, seed=task.stream.child("orderless"))
        some = task.train[some_rows(rows, MOST_ROWS).numpy()]
        train = model.visible.encode(torch.from_numpy(some).float())
        valid = model.visible.encode(torch.from_numpy(task.valid).float())
        network.estimate(train, valid)
        plain = _untrained(copy.deepcopy(model), train)
        batch = 100 if rows < 10_000 else 250
        fit(
            model, task.train.astype(np.float32), validation=task.valid.astype(np.float32), minutes=task.seconds / 60,
            batch_size=batch, missing="omit" if task.gaps else None, seed=task.stream.child("fit"),
            callbacks=[ObservedLikelihood(), Convergence("observed_log_prob", least=LEAST_UPDATES, at_cycles=True)],
            progress=task.progress,
        )  # fmt: skip
        few = task.valid[:JUDGED]
        if log_probs(plain, few).mean() > log_probs(model, few).mean():  # too few rows to learn more
            model = plain
        return self._best_orderings(model, valid, task.stream)

    def _best_orderings(self, model: OrderlessNADE, valid: Tensor, stream: Stream) -> Model:
        """The model under those of many orderings under which the validation rows are most probable."""
        whole = valid[~torch.isnan(valid).any(1)][:JUDGED]
        if model.visible.columns < 3:
            return model
        tried = torch.unique(random_orderings(ORDERINGS_TRIED, model.visible.columns, stream.child("orderings")), dim=0)
        if len(whole) < JUDGED / 8 or len(tried) <= ORDERINGS:
            return model.under(tried[:ORDERINGS])
        with torch.no_grad():
            value = torch.stack([model.under(each).log_likelihood(whole).mean() for each in tried])
        return model.under(tried[value.argsort(descending=True)[:ORDERINGS]])


def _bells(codec: Codec, rows: int) -> int:
    """The number of bell-shaped functions through which the states of a column are seen, 0 for the states themselves.

    Values that repeat may each mean something; cells of a range do not.
    """
    repeats = not isinstance(codec, Numbers) or bool(codec.cells.point.mean() > 0.5)
    if rows >= (ROWS_PER_POINT if repeats else ROWS_PER_CELL) * max(codec.states):
        return 0
    return min(MOST_BELLS, max(LEAST_BELLS, rows // ROWS_PER_BELL))


@torch.no_grad()
def _untrained(model: OrderlessNADE, train: Tensor) -> OrderlessNADE:
    """The Gaussian copula alone, with the shares of the states in these cases."""
    mean = torch.nanmean(train.double(), 0)
    model.outputs.set_base_rate(mean, mean * (1 - mean), float(len(train)))
    linears(model.network.layers)[-1].weight.zero_()  # type: ignore[arg-type]
    return model


class _Network(Contender):
    def train(self, task: Task) -> Model:
        model = self.build(task)
        fit(
            model, task.train.astype(np.float32), validation=task.valid.astype(np.float32), minutes=task.seconds / 60,
            seed=task.stream.child("fit"), progress=task.progress,
        )  # fmt: skip
        return model

    @abstractmethod
    def build(self, task: Task) -> Model:
        """An untrained model."""


class Nade(_Network):
    """A NADE in the order of the columns."""

    word = "nade"

    def build(self, task: Task) -> Model:
        return NADE(task.codec.units(), 200, seed=task.stream.child("nade"))


class Made(_Network):
    """A MADE in the order of the columns."""

    word = "made"

    def build(self, task: Task) -> Model:
        return MADE(task.codec.units(), (200, 200), seed=task.stream.child("made"))


class Mixture(Contender):
    """A mixture of independent columns, with the number of components that suits the validation rows."""

    word = "mixture"

    def train(self, task: Task) -> Model:
        began = time.process_time()
        best: Model | None = None
        found = -np.inf
        components = 4
        while components <= min(MOST_COMPONENTS, max(4, len(task.train) // 20)):
            model = BernoulliMixture(task.codec.units(), components, seed=task.stream.child("mixture", components))
            model.estimate(task.train, smoothing=0.1, iterations=60, tolerance=1e-3, seed=task.stream.child("em"))
            value = float(log_probs(model, task.valid).mean())
            if value <= found:
                break
            best, found, components = model, value, components * 3
            if time.process_time() - began > task.seconds / 4:  # the next one takes three times as long
                break
        assert best is not None
        return best


class Rbm(Contender):
    """A restricted Boltzmann machine with categorical visible units."""

    word = "rbm"

    def train(self, task: Task) -> Model:
        model = RBM(task.codec.units(), Bernoulli(_hidden(task)), seed=task.stream.child("rbm"))
        fit(
            model, task.train.astype(np.float32), validation=task.valid.astype(np.float32),
            minutes=MACHINE_SHARE * task.seconds / 60, missing="draw" if task.gaps else None,
            seed=task.stream.child("fit"), progress=task.progress,
        )  # fmt: skip
        return model

    takes_gaps = True


def _hidden(task: Task) -> int:
    return 64 if len(task.train) < 2_000 else 200


CONTENDERS: dict[str, Callable[[], Contender]] = {kind.word: kind for kind in (Orderless, Nade, Made, Mixture, Rbm)}


@torch.no_grad()
def log_probs(model: Model, states: np.ndarray[Any, Any], log_z: float | None = None) -> np.ndarray[Any, Any]:
    """log p of raw states (rows, variables), (rows,) in nats; variables that are NaN are summed out.

    Raises:
        ValueError: if the model cannot sum variables out.
    """
    units = model.visible
    v = units.encode(torch.from_numpy(np.asarray(states)).to(model.dtype))
    there = ~torch.isnan(v)
    clean = v.nan_to_num(0.0)
    if isinstance(model, Machine):
        if not bool(there.all()):
            raise ValueError("an RBM cannot sum out empty cells: fill them first, or use model='orderless'")
        value = log_partition(model).value if log_z is None else log_z
        return np.asarray(model.log_weight(model.visible_only_state(clean)).double().numpy() - value)
    assert isinstance(model, Tractable)
    if bool(there.all()):
        return np.concatenate([model.log_likelihood(rows).numpy() for rows in torch.split(clean, 4096)])
    asked = units.one_per_column(there.to(v.dtype)) > 0
    return np.asarray(model.log_conditional(clean, asked, torch.zeros_like(asked)).numpy())
