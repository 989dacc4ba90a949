"""`fit`: what users call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch

from harmonium.core.checks import check_flag, check_int, check_positive
from harmonium.core.files import as_path
from harmonium.core.progress import Progress, bar_delay, showing
from harmonium.core.random import Stream, as_stream
from harmonium.core.shards import shards_for
from harmonium.data import Cases, as_cases, load
from harmonium.models.arrays import Array
from harmonium.models.directed import Directed
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model, as_model
from harmonium.objectives import CD, Objective
from harmonium.objectives.default import default_objective
from harmonium.objectives.named import as_objective
from harmonium.runs.start import start
from harmonium.runs.together import check_alike, one_voice
from harmonium.training.automatic import (
    automatic_average,
    automatic_metric,
    automatic_objective,
    automatic_penalties,
    by_cycles,
    usual_batch,
)
from harmonium.training.average import Average, check_average
from harmonium.training.callbacks import Callback, ProgressBar, check_callbacks
from harmonium.training.failure import check_outcome
from harmonium.training.gap_monitor import GapMonitor
from harmonium.training.gaps import Gaps, OmitGaps, as_gaps
from harmonium.training.history import History
from harmonium.training.metrics import Metric, as_metric
from harmonium.training.monitor import default_monitor
from harmonium.training.optimizers import OptimizerFactory
from harmonium.training.penalties import Penalty, check_penalties
from harmonium.training.plan import Plan
from harmonium.training.prepare import prepare, with_weight
from harmonium.training.schedules import Schedule, as_schedule

__all__ = ["fit"]


def fit(
    model: Model,
    data: Array | str | os.PathLike[str],
    *,
    objective: Objective | str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | Schedule | None = None,
    optimizer: str | OptimizerFactory | None = None,
    metric: str | Metric | None = None,
    penalties: Sequence[Penalty] | None = None,
    validation: Array | None = None,
    sample_weight: Array | None = None,
    missing: Gaps | str | int | None = None,
    seed: int | Stream = 0,
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    progress: Progress = "auto",
    device: str | torch.device | None = None,
    initialise: bool | None = None,
    minutes: float | None = None,
    shards: int | None = None,
    average: Average | None = None,
) -> History:
    """Train a model in place.

    Without ``epochs``, training plans itself.  The learning rate falls in cycles of doubling length; after each, the
    likelihood of cases that are not trained on is measured (``validation``, or a tenth of the data), and training ends
    with a cycle that brought no gain.  The best model is kept.

    Args:
        model: a machine (`RBM`, `DBM`, `BoltzmannMachine`) or a directed model (`NADE`, `VAE`).
        data: training cases, (n, n_visible), in the domain of the visible units; or the name or path of a data set,
            whose training cases are taken as `harmonium.data.load` reads them.
        objective: the training objective: `PCD` (default of machines), `CD`, `FPCD`, `PT`, `TAP`, `Exact`, ...;
            `MaximumLikelihood` of models that know log p(v), `ELBO` of a VAE; or its name, such as "pcd", for its
            defaults.
        epochs: passes over the data.  Default: training ends by itself.
        batch_size: cases per update; both phases are divided by their own number of cases.  Default: 100; for machines
            that plan their training a 60th of the data, from 20 to 100.
        learning_rate: a number or a schedule such as ``hm.schedules.Linear(0.05)``.  Default: 0.05 for machines,
            0.001 for directed models; without ``epochs``, the best of several for a first cycle.
        optimizer: the name of an optimizer of torch.optim, "muon" for machines with weight matrices (`Muon`), or a
            function from parameters to one.  The learning rate is that of its first group of parameters; others keep
            their ratio to it.  Default: "sgd" of machines, "adam" of directed models.
        metric: "centered" (default of machines), "plain" (of directed models, which have no other), "diagonal",
            "natural" or a metric object.  Default with ``missing="omit"`` and without ``epochs``: "diagonal".
        penalties: `WeightDecay`, `Sparsity`, `L1`, `GroupLasso`, `L1Squared`, `MaxNorm`.  Default: none; without
            ``epochs``, the weights of machines decay by 2 / cases, from 0.0001 to 0.01 (3 / cases with
            ``missing="omit"``); those of binary RBMs with 100,000 parameters or more by 12 / cases, from 0.001 on.
        validation: cases for monitors and early stopping.
        sample_weight: weights of the training cases (n,), non-negative; cases of weight zero are dropped, and
            those held out of them count by their weights.
        missing: what to make of missing values (NaN), which should be missing at random.  "draw": they are drawn given
            the observed ones, by chains that go on from epoch to epoch; a number: with this number of Gibbs sweeps
            whenever a case is used.  "sum": the only missing value of a case, such as its class, is summed out exactly.
            "omit": missing units are left out of the machine, for sparse tables such as ratings.  Default: an error if
            there are any.
        seed: seed of everything random in training, an int or a stream.
        out: a folder to write the run into; ``hm.resume(out)`` continues it.
        callbacks: monitors, `EarlyStopping`, your own.  With validation cases and no `Monitor` given, one is added (for
            directed models a `LikelihoodMonitor` on 500 of them, with one sample of any latent variables).
        progress: whether to show a progress bar.  "auto": in terminals and notebooks, if training takes more than two
            seconds.
        device: where to train (default: where the model is).
        initialise: whether to draw initial parameters from seed and data: small normal weights, visible biases from
            the means of the data, hidden biases 0.  Default: only for models that were neither trained nor loaded.
        minutes: processor time (of all threads together) for a training that plans itself: trials of the learning
            rate, updates and measurements.  What is compiled once is not counted.
        shards: compute updates in this number of blocks of rows, which processes divide among them: the result is the
            same bits on any number of processes from 1 to this.  Default: 8 where `torchrun` started several processes,
            else updates are computed as a whole, which is faster in one process.
        average: ``hm.training.Average()`` has a mean of the parameters over the last part of training judged, and left
            in the model.  Default: the last parameters; without ``epochs``, the average of binary RBMs with 100,000
            parameters or more.

    Returns:
        the `History`: one row per epoch.

    Raises:
        ValueError: for data that are empty, not finite, of another width or outside the domain; for unknown names; with
            ``out``, for a class of your own whose `config` lacks arguments of its constructor.
        DivergedError: if parameters are no longer finite, the model then holds the last good ones; or if the trained
            model is useless, ten times as bad as independent columns.

    Warns:
        UserWarning: if the data do not suit the visible units, such as real columns that are not standardised; if a
            class of a `ClassificationRBM` has no cases; if the trained model is far worse than independent columns, as
            after a learning rate that is too high; if a training that planned itself learned nothing beyond them.

    >>> import harmonium as hm
    >>> history = hm.fit(hm.RBM(16, 4), hm.data.load("bars-and-stripes").train, epochs=2)
    >>> history["epoch"]
    [1, 2]
    """
    as_model(model, "fit")
    if not isinstance(model, (Machine, Directed)):
        raise TypeError(f"fit trains one machine or directed model, found {type(model).__name__}: a DBN is trained "
                        "layer by layer, harmonium.greedy(dbn, data, ...)")  # fmt: skip
    usual = model.training_defaults
    gaps = as_gaps(missing)
    for name, given in (("penalties", penalties), ("callbacks", callbacks)):
        if not isinstance(given, (list, tuple)) and (given is not None or name == "callbacks"):
            raise TypeError(f"{name} must be a list, found {given!r}: write {name}=[...]")
    check_callbacks(callbacks)
    check_penalties(penalties or ())
    check_average(average)
    if objective is None:
        usual_one = automatic_objective if epochs is None else default_objective
        objective = CD() if isinstance(gaps, OmitGaps) and isinstance(model, Machine) else usual_one(model)
    objective = as_objective(objective)
    objective.check(model)
    if gaps is not None:
        gaps.check(model, objective)
    if minutes is not None and epochs is not None:
        raise ValueError("minutes is for a training that plans itself: leave out epochs, or add a TimeLimit callback")
    initialise = None if initialise is None else check_flag("initialise", initialise)
    cases = _training_cases(data)
    valid = None if validation is None else as_cases(validation, "validation")
    used, weight = with_weight(cases, sample_weight)  # a plan is made for the cases that count
    if batch_size is None:
        batch_size = usual_batch(len(used)) if epochs is None and isinstance(model, Machine) else 100
    if metric is None:
        metric = automatic_metric(model, gaps) if epochs is None else usual.metric
    if penalties is None:
        count = len(used) if weight is None else round(float(weight.sum() ** 2 / weight.square().sum()))  # effective
        penalties = () if epochs is not None else automatic_penalties(model, count, gaps)
    if average is None and epochs is None:
        average = automatic_average(model)
    plan = Plan(
        objective,
        as_metric(metric),
        as_schedule(usual.learning_rate if learning_rate is None else learning_rate),
        usual.optimizer if optimizer is None else optimizer,
        tuple(penalties),
        1 if epochs is None else check_int("epochs", epochs),
        check_int("batch_size", batch_size),
        as_stream(seed),
        gaps,
        shards=shards_for(shards),
        average=average,
    )
    if device is not None:
        model.to(as_device(device))
    listeners = list(callbacks)
    check_alike(model, plan.config(), cases, valid, sample_weight)
    with one_voice(), showing(progress, bars=False):
        if epochs is None:
            seconds = None if minutes is None else 60 * check_positive("minutes", minutes)
            plan, added = by_cycles(model, used, valid, weight, plan, learning_rate, seconds, listeners, initialise)
            listeners += added
        monitor = GapMonitor(every=1) if gaps else default_monitor(model, 1 if epochs else max(1, plan.epochs // 100))
        if valid is not None and not any(isinstance(callback, type(monitor)) for callback in listeners):
            listeners.insert(0, monitor)
        if out is not None:
            model.refuse_batched("fit(out=...)")
            return start(as_path(out, "out"), model, cases, valid, sample_weight, plan, listeners, progress, initialise)
        training = prepare(model, cases, valid, sample_weight, plan, listeners, initialise)
        delay = bar_delay(progress)
        if delay is not None:
            training.callbacks = [*training.callbacks, ProgressBar(delay)]
        history = training.run()
        check_outcome(training)
        return history


def _training_cases(data: Array | str | os.PathLike[str]) -> Cases:
    return load(data).train if isinstance(data, (str, os.PathLike)) else as_cases(data)


def as_device(device: str | torch.device) -> torch.device:
    """Return the device.

    Raises:
        ValueError: if there is none of this name.
    """
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        raise ValueError(f'device must be a device of torch, such as "cpu" or "cuda", found {device!r}') from None
    try:
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'device {str(found)!r} is not available here ({reason}): use "cpu"') from None
    return found
