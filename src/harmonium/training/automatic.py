"""How a model is trained when nobody says for how long: by what is gained on cases held out.

Learning rates fall in cycles of doubling length (`harmonium.training.schedules.Cycles`).  After each, the likelihood of
cases that were not trained on is measured; a cycle that brings no gain is the last one.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harmonium.core.errors import DivergedError
from harmonium.core.processes import processes
from harmonium.core.rows import some_rows
from harmonium.data import Cases
from harmonium.data.split import hold_out
from harmonium.likelihood.exact import cheapest_enumeration
from harmonium.models.arrays import Array
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model
from harmonium.objectives import PCD, Objective
from harmonium.objectives.default import default_objective
from harmonium.training.average import Average
from harmonium.training.callbacks import Callback, EarlyStopping, TimeLimit
from harmonium.training.chain_control import ChainControl
from harmonium.training.convergence import Convergence
from harmonium.training.gap_monitor import LEAST_SCORE, GapMonitor
from harmonium.training.gaps import Gaps, OmitGaps
from harmonium.training.history import Row
from harmonium.training.loop import Training
from harmonium.training.metrics import Metric
from harmonium.training.monitor import OFTEN_EXACT_BITS, LikelihoodMonitor
from harmonium.training.pace import timed
from harmonium.training.penalties import Penalty, WeightDecay
from harmonium.training.plan import Plan
from harmonium.training.prepare import prepare
from harmonium.training.schedules import Constant, Cycles, Schedule
from harmonium.units import Bernoulli

__all__ = [
    "automatic_average", "automatic_metric", "automatic_objective", "automatic_penalties", "by_cycles", "usual_batch",
]  # fmt: skip

FIRST, DOUBLINGS = 1000, 5  # updates of the first cycle, and how often cycles double where time is not limited
BLIND_DOUBLINGS = 1  # if there are too few cases to hold some out
RATES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)  # tried on a copy, for a machine
LARGE_RATES = (0.4, 0.15, 0.05, 0.015, 0.005)  # for a large binary machine, whose parameters are averaged
LARGE = 100_000  # parameters of a large machine
OMITTED_RATES = (3.0, 1.0, 0.3, 0.1, 0.03)  # where a unit is left out of most cases, it learns from few of a batch
FASTER = (10.0, 3.0, 1.0)  # likewise for a network, times its usual rate
LEAST_GAIN = -1.0  # nats above independent columns, of a first cycle that did not diverge
SLOWER = 0.85  # learning rate of a cycle, relative to the one before: chains fall behind a model that has become large
BACK = 0.3  # factor of the learning rate once chains have fallen out of equilibrium
STEADY = 0.1  # highest learning rate of a machine with real columns
BOLD, BOLD_OMITTED = 0.1, 3.0  # learning rates where gaps hide so much that no trial learns
CAREFUL = 0.01  # learning rate of a machine with real columns, where none was found by trial
CHAINS = 100  # of a machine: more take more time than they gain beside small batches
SWEEPS = 5  # of discrete columns per update: with one, chains of sets with many modes fall out of equilibrium
LARGE_SWEEPS = 2  # of a large binary machine, whose sweeps cost more
PRIOR = 2.0  # precision of a normal prior on the weights, of which each case has its share: their decay
PRIOR_OMITTED = 3.0  # where units are omitted: from few ratings, hidden units are too sure otherwise
PRIOR_LARGE = 12.0  # of a large binary machine, which has more weights than cases tell of
DECAYS = (1e-4, 1e-2)
LARGE_DECAYS = (1e-3, 1e-2)

# Where time is limited:
SPARE = 0.9  # of the time that is left, for what is planned
LATE = 1.15  # of the time that is left, before training is cut: clocks differ, and a cycle that is cut short is lost
FEW_PASSES = 10  # below them, half a pass is more than a twentieth of the time
TRIALS, TRIED = 0.25, 3  # share of trials of the learning rate, and how many are usual
PATIENCE = 2  # measurements without a gain of a large machine, whose log Z is uncertain by nats
LEAST_TRIAL = 100  # updates: fewer tell nothing
MEASURED, MEASUREMENTS = 0.2, 6  # share of measurements in a training, and their number
COARSE: dict[str, Any] = {"temperatures": 100, "samples": 10, "cases": 200}  # a measurement
FINER = 10  # times as many temperatures and cases at most


def usual_batch(cases: int) -> int:
    """Cases per update of a machine: small data are seen more often for the same number of updates."""
    return min(100, max(20, cases // 60))


def automatic_objective(model: Model) -> Objective:
    """The default objective of a model, with few chains, and enough sweeps that they keep up with discrete columns."""
    usual = default_objective(model)
    if not isinstance(usual, PCD) or not isinstance(model, Machine):
        return usual
    sweeps = usual.k if _real(model) else LARGE_SWEEPS if _bold(model) else SWEEPS
    return replace(usual, chains=CHAINS, k=sweeps)


def automatic_average(model: Model) -> Average | None:
    """The average of a model: a large binary machine learns faster at rates at which its parameters wander."""
    return Average() if _bold(model) else None


def automatic_metric(model: Model, gaps: Gaps | None) -> Metric | str:
    """The metric of a model; where units are omitted, weights of rare states learn from few cases, and are scaled."""
    return "diagonal" if isinstance(gaps, OmitGaps) and isinstance(model, Machine) else model.training_defaults.metric


def automatic_penalties(model: Model, cases: int, gaps: Gaps | None = None) -> tuple[Penalty, ...]:
    """Weight decay of a machine: that of a normal prior on its weights."""
    if not isinstance(model, Machine):
        return ()
    if isinstance(gaps, OmitGaps):
        prior, (least, most) = PRIOR_OMITTED, DECAYS
    else:
        prior, (least, most) = (PRIOR_LARGE, LARGE_DECAYS) if _bold(model) else (PRIOR, DECAYS)
    return (WeightDecay(min(most, max(least, prior / cases))),)


def by_cycles(
    model: Model,
    cases: Cases,
    validation: Cases | None,
    sample_weight: Array | None,
    plan: Plan,
    rate: float | Schedule | None = None,
    seconds: float | None = None,
    callbacks: Sequence[Callback] = (),
    initialise: bool | None = None,
) -> tuple[Plan, list[Callback]]:
    """Plan a training in cycles that ends by itself.

    Args:
        model: left as it is; copies are trained for a first cycle.
        cases: the training cases, none of weight zero.
        validation: cases to choose by; None: some of the training cases are held out.
        sample_weight: of the training cases.
        plan: everything but the epochs and the learning rate.
        rate: of the first update, or a schedule of the longest training; None: the best of several.
        seconds: of processor time, for trials, updates and measurements together; None: what they take.
        callbacks: of the training; with a `Convergence` among them, others of them measure its column.
        initialise: as in `harmonium.fit`: copies begin where the training will begin.

    Returns:
        The plan, and callbacks to add.

    Raises:
        ValueError: for a learning rate of 0, or several models as one.
    """
    together = processes()
    if rate == 0:
        raise ValueError("learning_rate must be positive in a training that plans itself, found 0")
    batches = -(-len(cases) // plan.batch_size)
    plan = replace(plan, hold_out=validation is None)

    def on_a_copy(
        schedule: Schedule, updates: int, epochs: int | None = None, listeners: Sequence[Callback] = ()
    ) -> Training:
        """A training of a copy for this number of updates, from no more cases than they take."""
        part, weight, most = cases, sample_weight, plan.most
        if updates < batches and plan.missing is not None:  # of few cases, some columns may have no value
            most = updates * plan.batch_size
        elif updates < batches:
            index = some_rows(len(cases), updates * plan.batch_size).numpy()
            part, weight = cases.select(index), None if weight is None else np.asarray(weight)[index]
        short = replace(plan, learning_rate=schedule, epochs=epochs or max(1, round(updates / batches)), most=most)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the training itself warns of the same
            training = prepare(copy.deepcopy(model), part, validation, weight, short, listeners, initialise)
        if training.validation is None:
            training.validation, training.validation_weight = training.cases, training.weight
        return training

    own = next((each for each in callbacks if isinstance(each, Convergence)), None)
    whole = on_a_copy(plan.learning_rate, batches)  # checks all cases, before anything is trained
    hurried = seconds is not None and _large(model)
    added = _criterion(whole, hurried) if own is None else []
    controlled = own is not None or any(isinstance(each, ChainControl) for each in callbacks)
    # Within a time more sweeps are not planned for: there, chains that lag get smaller steps at once.
    control: list[Callback] = [] if controlled else [ChainControl() if seconds is None else ChainControl(most=1)]
    criterion = own or next(each for each in added if isinstance(each, Convergence))
    measures: Sequence[Callback] = added or callbacks
    if any(isinstance(each, EarlyStopping) for each in callbacks):  # the user's rule
        added = added[:-1]

    def measure(training: Training) -> float:
        row: Row = {"epoch": training.plan.epochs, "update": training.position.update}

        def measured() -> float:
            for each in measures:
                if criterion.metric in (each.columns(training) or {criterion.metric}):
                    each.on_measure(training, row)
            value = row.get(criterion.metric)
            diverged = row.get("log_likelihood_gained", 0.0) < LEAST_GAIN  # parameters may be finite all the same
            return -math.inf if value is None or diverged else float(value)

        return float(together.by_first(measured))

    def attempt(rate: float, updates: int) -> float:
        """What is measured after a first cycle."""
        training = on_a_copy(Cycles(rate, 0), updates)
        try:
            training.run()
        except DivergedError:
            return -math.inf
        return measure(training)

    omits = isinstance(plan.missing, OmitGaps)
    nothing = LEAST_SCORE if criterion.metric == "gap_score" else -math.inf
    first = -(-FIRST // batches)  # epochs
    blind = validation is None and hold_out(len(cases), plan.seed) is None
    epochs = first << (BLIND_DOUBLINGS if blind else DOUBLINGS)
    if seconds is None:
        rate = _best_rate(model, lambda each: attempt(each, FIRST), nothing, omits) if rate is None else rate
    else:
        coarse = [replace(each, **COARSE) if isinstance(each, LikelihoodMonitor) else each for each in added]
        measures = coarse or callbacks
        slow = Constant(_careful(model))
        costs = timed(lambda pace: on_a_copy(slow, 100, 1_000_000, [pace]), measure, seconds)
        if coarse:
            finer = MEASURED * seconds / (MEASUREMENTS + TRIED) / max(1e-6, costs.measurement)
            added, scale = _refined(coarse, min(FINER, max(1.0, finer)))
            measures, costs = added or callbacks, costs._replace(measurement=scale * costs.measurement)
        if rate is None:
            time_of_each = TRIALS * seconds / min(TRIED, len(_rates(model, omits))) - costs.measurement
            updates = min(FIRST, int(time_of_each / costs.update))
            rate = (
                _best_rate(model, lambda each: attempt(each, updates), nothing, omits)
                if updates >= LEAST_TRIAL
                else slow.rate
            )
        left = seconds - together.told(costs.spent)
        updates = int((SPARE * left - MEASUREMENTS * costs.measurement) / costs.update)
        epochs, most = _passes(updates, whole.batches)
        if updates < whole.batches:  # a learning rate that does not fall to the end is worse than fewer cases
            updates = int((SPARE * left - costs.measurement) / costs.update)  # one cycle, so one measurement
            epochs, most = 1, max(LEAST_TRIAL, updates)
        plan = replace(plan, most=None if most is None else most * plan.batch_size)
        added.append(TimeLimit(max(0.1, round(LATE * left, 3)), processor=True))
    doublings = int(math.log2(max(1.0, epochs / first)))
    schedule = rate if isinstance(rate, Schedule) else Cycles(rate, doublings, _slower(model), epochs)
    return replace(plan, epochs=epochs, learning_rate=schedule), [*control, *added]


def _passes(updates: int, batches: int) -> tuple[int, int | None]:
    """How a number of updates becomes epochs, and how many updates each of them has; None: from all cases.

    Where the rest of a few passes is more than half a pass, time is used by one more pass over fewer cases.
    """
    epochs = updates // batches
    if 1 <= epochs < FEW_PASSES and updates - epochs * batches > batches / 2:
        return epochs + 1, updates // (epochs + 1)
    return epochs, None


def _criterion(training: Training, hurried: bool) -> list[Callback]:
    """What is measured after cycles, and when it ends training.

    Without persistent chains there is no lower bound of the likelihood unless it is exact, and no model is chosen by a
    number that is too high where chains mix badly.  Of a large machine tempering takes longer than a cycle: where time
    is limited (``hurried``), annealing alone measures it, and as its brackets are wide, one measurement ends nothing.
    """
    model, chains = training.model, training.plan.objective.model_chains(training.objective_state)
    model.refuse_batched("fit without epochs")
    unknown = isinstance(model, Machine) and chains is None and cheapest_enumeration(model)[0] > OFTEN_EXACT_BITS
    if training.plan.missing is not None or (unknown and not model.visible.conditions_on_total):
        return [GapMonitor(), Convergence("gap_score", gain=0.001, patience=2, at_cycles=True)]
    slower = BACK if isinstance(training.plan.objective, PCD) else None  # its chains return with the model
    patience = PATIENCE if hurried else 1
    monitor = LikelihoodMonitor(every=None, second_opinion=not hurried)
    return [monitor, Convergence(at_cycles=True, slower=slower, patience=patience)]


def _refined(added: Sequence[Callback], scale: float) -> tuple[list[Callback], float]:
    """The measurement of a pilot with more temperatures and cases, and how many times as long it takes."""
    if not any(isinstance(each, LikelihoodMonitor) for each in added):
        return list(added), 1.0

    def finer(each: Callback) -> Callback:
        if not isinstance(each, LikelihoodMonitor) or each.cases is None:
            return each
        return replace(each, temperatures=int(scale * each.temperatures), cases=int(scale * each.cases))

    return [finer(each) for each in added], scale


def _rates(model: Model, omits: bool = False) -> Sequence[float]:
    """Rates to try, from the highest downwards; those at which real columns diverge late, after a trial, are not."""
    if isinstance(model, Machine):
        if omits and not _real(model):
            return OMITTED_RATES
        if _bold(model):
            return LARGE_RATES
        return [rate for rate in RATES if rate <= STEADY] if _real(model) else RATES
    return [each * model.training_defaults.learning_rate for each in FASTER]


def _careful(model: Model) -> float:
    """A rate that needs no trial."""
    return CAREFUL if isinstance(model, Machine) and _real(model) else model.training_defaults.learning_rate


def _slower(model: Model) -> float:
    """The rate of a cycle relative to the one before; that of real columns is low enough from the beginning."""
    return 1.0 if isinstance(model, Machine) and _real(model) else SLOWER


def _real(model: Machine) -> bool:
    return any(units.real_valued for units in model.unit_layers())


def _large(model: Model) -> bool:
    """Whether a sweep of a machine takes as much time as all the rest of an update."""
    return isinstance(model, Machine) and sum(each.numel() for each in model.parameters()) >= LARGE


def _bold(model: Model) -> bool:
    """Whether it is a large binary RBM, which learns at high rates, with few sweeps, and its parameters averaged."""
    if not isinstance(model, Machine) or list(model.edges.values()) != [(0, 1)]:
        return False
    return _large(model) and all(isinstance(units, Bernoulli) for units in model.unit_layers())


def _best_rate(
    model: Model, attempt: Callable[[float], float], nothing: float = -math.inf, omits: bool = False
) -> float:
    """The rate whose first cycle ends best: they are tried from the highest downwards, until one is worse.

    Categories of which most are missing are learned after a plateau that is longer than a first cycle: where no rate
    learned more than ``nothing``, the trial says nothing, and a slow rate would stay on the plateau.
    """
    best, found = _careful(model), -math.inf
    for rate in _rates(model, omits):
        value = attempt(rate)
        if found > -math.inf and value <= found:
            break
        if value > found:
            best, found = rate, value
    unknown = isinstance(model, Machine) and not _real(model) and -math.inf < found < nothing
    return (BOLD_OMITTED if omits else BOLD) if unknown else best
