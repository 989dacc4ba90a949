"""The order-agnostic network of a table, on top of a Gaussian copula."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor

from harmonium.core.rows import some_rows
from harmonium.data.codecs.codec import Codec
from harmonium.data.codecs.numbers import Numbers
from harmonium.models.autoregressive.copula import CopulaNetwork
from harmonium.models.autoregressive.observed_mask import linears
from harmonium.models.autoregressive.orderings import random_orderings
from harmonium.models.autoregressive.orderless import OrderlessNADE
from harmonium.models.model import Model
from harmonium.tables.calibration import calibrated
from harmonium.tables.likelihood import log_probs
from harmonium.tables.monitor import ObservedLikelihood
from harmonium.tables.task import Task, train
from harmonium.training.convergence import Convergence

__all__ = ["train_orderless"]

SIZES = ((2_000, 128), (10_000, 256))  # fewer rows, and units of each of two hidden layers
LARGE = 384
TRAINED = 0.85  # of the time; the rest is for offsets and comparisons
LARGE_BATCH = 250  # from as many rows on as the last of SIZES says
ORDERINGS = 8  # under which rows are drawn, and their probabilities averaged
OWN = 0.5  # share of the cases in training that are seen in these orderings: what rows are drawn by is learned better
DROPOUT = 0.15
JUDGED = 400  # validation rows, for the choice between network and copula
MOST_ROWS = 20_000  # for the covariance of the scores
LEAST_UPDATES = 2000  # before training may end
LEAST_BELLS, MOST_BELLS, ROWS_PER_BELL = 4, 16, 100
ROWS_PER_POINT, ROWS_PER_CELL = 50, 250  # fewer, and states are seen as a smooth function of their score


def train_orderless(task: Task) -> Model:
    """Train the network, or keep the copula alone where there are too few rows to learn more."""
    units, rows = task.codec.units(), len(task.train)
    wide = next((hidden for fewer, hidden in SIZES if rows < fewer), LARGE)
    scores = [None if each is None else each.tolist() for each in task.codec.scores()]
    smooth = [_bells(codec, rows) for codec in task.codec.codecs for _ in codec.states]
    bells = [0 if each is None else count for count, each in zip(smooth, scores, strict=True)]
    network = CopulaNetwork(units.size, units.columns, units.size, (wide, wide), scores, bells, DROPOUT)
    network.place(task.codec.states)
    model = OrderlessNADE(units, network=network, own_orderings=OWN, seed=task.stream.child("orderless"))
    model = model.under(random_orderings(ORDERINGS, units.columns, task.stream.child("orderings")))
    cases = model.visible.encode(torch.from_numpy(task.train[some_rows(rows, MOST_ROWS).numpy()]).float())
    valid = model.visible.encode(torch.from_numpy(task.valid).float())
    network.estimate(cases, valid)
    plain = _untrained(copy.deepcopy(model), cases)
    train(
        replace(task, seconds=TRAINED * task.seconds), model,
        batch_size=100 if rows < SIZES[-1][0] else LARGE_BATCH, missing="omit" if task.gaps else None,
        callbacks=[ObservedLikelihood(), Convergence("observed_log_prob", least=LEAST_UPDATES, at_cycles=True)],
    )  # fmt: skip
    tried = [plain, model]
    if not task.gaps:
        tried.append(calibrated(model, model.visible.encode(torch.from_numpy(task.train).float())))
    return max(tried, key=lambda each: float(log_probs(each, task.valid[:JUDGED]).mean()))


def _bells(codec: Codec, rows: int) -> int:
    """The number of bell-shaped functions through which the states of a column are seen, 0 for the states themselves.

    Values that repeat may each mean something; cells of a range do not.
    """
    repeats = not isinstance(codec, Numbers) or bool(codec.cells.point.mean() > 0.5)
    if rows >= (ROWS_PER_POINT if repeats else ROWS_PER_CELL) * max(codec.states):
        return 0
    return min(MOST_BELLS, max(LEAST_BELLS, rows // ROWS_PER_BELL))


@torch.no_grad()
def _untrained(model: OrderlessNADE, cases: Tensor) -> OrderlessNADE:
    """The Gaussian copula alone, with the shares of the states in these cases."""
    mean = torch.nanmean(cases.double(), 0)
    model.outputs.set_base_rate(mean, mean * (1 - mean), float(len(cases)))
    assert isinstance(model.network, CopulaNetwork)
    linears(model.network.layers)[-1].weight.zero_()
    return model
