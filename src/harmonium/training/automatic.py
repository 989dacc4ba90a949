"""How a model is trained when nobody says for how long: by what is gained on cases held out.

Learning rates fall in cycles of doubling length (`harmonium.training.schedules.Cycles`).  After each, the likelihood of
cases that were not trained on is measured; a cycle that brings no gain is the last one.
"""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from harmonium.core.errors import DivergedError
from harmonium.data import Cases
from harmonium.models.arrays import Array
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model
from harmonium.training.callbacks import Callback, EarlyStopping, TimeLimit
from harmonium.training.convergence import Convergence
from harmonium.training.gap_monitor import GapMonitor
from harmonium.training.monitor import LikelihoodMonitor
from harmonium.training.penalties import Penalty, WeightDecay
from harmonium.training.plan import Plan
from harmonium.training.prepare import prepare
from harmonium.training.schedules import Cycles, Schedule

__all__ = ["automatic_penalties", "by_cycles", "usual_batch"]

FIRST, DOUBLINGS = 1000, 5  # updates of the first cycle, and how often cycles double
RATES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)  # tried on a copy, for a machine
SLOWER = 0.85  # learning rate of a cycle, relative to the one before
PRIOR = 2.0  # precision of a normal prior on the weights, of which each case has its share: their decay
DECAYS = (1e-4, 1e-2)
SPARE = 0.8  # of a time limit, for what is planned


def usual_batch(model: Model, cases: int) -> int:
    """Cases per update: small data are seen more often by a machine for the same number of updates."""
    return min(100, max(20, cases // 60)) if isinstance(model, Machine) else 100


def automatic_penalties(model: Model, cases: int) -> tuple[Penalty, ...]:
    """Weight decay of a machine: that of a normal prior on its weights."""
    if not isinstance(model, Machine):
        return ()
    return (WeightDecay(min(DECAYS[1], max(DECAYS[0], PRIOR / cases))),)


class Trial(NamedTuple):
    """A first cycle on a copy: the measure after it, and the seconds that both took."""

    value: float
    seconds: float


def by_cycles(
    model: Model,
    cases: Cases,
    validation: Cases | None,
    sample_weight: Array | None,
    plan: Plan,
    rate: float | Schedule | None = None,
    seconds: float | None = None,
    callbacks: Sequence[Callback] = (),
) -> tuple[Plan, list[Callback]]:
    """Plan a training in cycles that ends by itself.

    Args:
        model: left as it is; copies are trained for a first cycle.
        cases: the training cases.
        validation: cases to choose by; None: some of the training cases are held out.
        sample_weight: of the training cases.
        plan: everything but the epochs and the learning rate.
        rate: of the first update, or a schedule of the longest training; None: the best of several.
        seconds: of the whole training; None: what it takes.
        callbacks: of the training; with a `Convergence` among them, others of them measure its column.

    Returns:
        The plan, and callbacks to add.
    """
    began = time.perf_counter()
    first = -(-FIRST // -(-len(cases) // plan.batch_size))  # epochs
    plan = replace(plan, epochs=first, hold_out=validation is None)
    own = next((each for each in callbacks if isinstance(each, Convergence)), None)
    added: list[Callback] = []
    if own is None and plan.missing is None:
        own = Convergence()
        added = [LikelihoodMonitor(every=None), own]
    elif own is None:
        own = Convergence("gap_score", gain=0.001, patience=2)
        added = [GapMonitor(), own]
    measures = added or callbacks
    if any(isinstance(each, EarlyStopping) for each in callbacks):  # the user's rule
        added = added[:-1]

    def attempt(schedule: Schedule) -> Trial:
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the training itself warns of the same
            training = prepare(
                copy.deepcopy(model), cases, validation, sample_weight, replace(plan, learning_rate=schedule), [], None
            )
        training.validation = training.validation or training.cases
        try:
            training.run()
        except DivergedError:
            return Trial(-math.inf, time.perf_counter() - started)
        row = dict(training.history.rows[-1])
        for each in measures:
            if own.metric in (each.columns(training) or {own.metric}):
                each.on_measure(training, row)
        value = row.get(own.metric)
        return Trial(-math.inf if value is None else value, time.perf_counter() - started)

    if rate is None:
        rate, trial = _best_rate(model, attempt)
    elif seconds is not None:
        trial = attempt(rate if isinstance(rate, Schedule) else Cycles(rate, 0))
    doublings = DOUBLINGS
    if seconds is not None:
        left = seconds - (time.perf_counter() - began)
        doublings = min(DOUBLINGS, max(0, int(math.log2(max(1.0, SPARE * left / trial.seconds)))))
        added.append(TimeLimit(max(0.1, left)))
    schedule = rate if isinstance(rate, Schedule) else Cycles(rate, doublings, SLOWER)
    return replace(plan, epochs=first * 2**doublings, learning_rate=schedule), added


def _best_rate(model: Model, attempt: Callable[[Schedule], Trial]) -> tuple[float, Trial]:
    """The rate whose first cycle ends best: they are tried from the highest downwards, until one is worse."""
    rates = RATES if isinstance(model, Machine) else (model.training_defaults.learning_rate,)
    best, found = rates[-1], Trial(-math.inf, 0.0)
    for rate in rates:
        trial = attempt(Cycles(rate, 0))
        if found.value > -math.inf and trial.value <= found.value:
            break
        best, found = rate, trial
    return best, found
