"""`fit`: what users call."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from harmonium.core.random import Stream, as_stream
from harmonium.data import Cases, as_cases
from harmonium.models.arrays import Array, as_weights
from harmonium.models.directed import Directed
from harmonium.models.machine.machine import Machine, as_machine, owners
from harmonium.models.model import Model
from harmonium.objectives import Objective
from harmonium.sampling.impute import check_observed
from harmonium.training.callbacks import Callback, Progress
from harmonium.training.defaults import defaults
from harmonium.training.history import History
from harmonium.training.loop import OptimizerFactory, Plan, Training, check_optimizer
from harmonium.training.metrics import Metric, as_metric
from harmonium.training.monitor import Likelihood, Monitor
from harmonium.training.penalties import Penalty
from harmonium.training.schedules import Schedule, as_schedule
from harmonium.units import ReplicatedSoftmax

__all__ = ["fit"]

_PASS_BYTES = 2**19  # of a chunk in the pass over the data: the arrays made of it stay next to the processor


def fit(
    model: Model,
    data: Array,
    *,
    objective: Objective | None = None,
    epochs: int = 10,
    batch_size: int = 100,
    learning_rate: float | Schedule | None = None,
    optimizer: str | OptimizerFactory | None = None,
    metric: str | Metric | None = None,
    penalties: Sequence[Penalty] = (),
    validation: Array | None = None,
    sample_weight: Array | None = None,
    missing: int = 0,
    seed: int | Stream = 0,
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = False,
    device: str | torch.device | None = None,
    initialise: bool | None = None,
) -> History:
    """Train a model in place.

    Args:
        model: a machine (`RBM`, `DBM`, `BoltzmannMachine`) or a directed model (`NADE`, `VAE`).
        data: training cases, (n, n_visible), in the domain of the visible units.
        objective: what is descended: `PCD` (default of machines), `CD`, `FPCD`, `PT`, `TAP`, `Exact`, ...;
            `MaximumLikelihood` of models that know log p(v), `ELBO` of a VAE.
        epochs: passes over the data.
        batch_size: cases per update; both phases are divided by their own number of cases.
        learning_rate: a number or a schedule such as ``hm.Linear(0.05)``.  Default: 0.05 of machines, 0.001 of
            directed models.
        optimizer: the name of an optimizer of torch.optim, or a function from parameters to one.  Default: "sgd" of
            machines, "adam" of directed models.
        metric: "centered" (default of machines), "plain" (of directed models, which have no other), "diagonal",
            "natural" or a metric object.
        penalties: `WeightDecay`, `Sparsity`.
        validation: cases for monitors and early stopping.
        sample_weight: weights of the training cases (n,), non-negative; cases of weight zero are dropped.
        missing: Gibbs sweeps by which missing values (NaN) of every batch are drawn given the observed ones, from the
            base rate; 0 refuses them.  They should be missing at random.
        seed: of everything random in training, an int or a stream.
        out: a folder to write the run into; ``hm.resume(out)`` goes on where it stopped.
        callbacks: monitors, `EarlyStopping`, your own.  With validation cases and no `Monitor` given, one is added (for
            directed models a `Likelihood` of 500 of them, by one draw where there are latent variables).
        progress: show a progress bar.
        device: where to train (default: where the model is).
        initialise: whether to draw initial parameters from seed and data: small normal weights, visible biases with
            the means of the data, hidden units at rest.  Default: only for models never trained nor loaded.

    Returns:
        the `History`: one row per epoch.

    Raises:
        ValueError: for data of another width, empty, not finite or outside the domain; unknown names.
        DivergedError: where parameters stop being finite; the model then holds the last good ones.

    Warns:
        UserWarning: where the visible units say that the data, such as real columns that are not standardised, promise
            ill; where a class of a `ClassificationRBM` has no case.

    >>> import harmonium as hm
    >>> history = hm.fit(hm.RBM(16, 4), hm.data.load("bars-and-stripes").train, epochs=2)
    >>> history["epoch"]
    [1, 2]
    """
    if not isinstance(model, (Machine, Directed)):
        raise TypeError(f"fit trains one machine or directed model, found {type(model).__name__}: a DBN is trained "
                        "layer by layer, harmonium.greedy(dbn, data, ...)")  # fmt: skip
    usual = defaults(model)
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
            raise ValueError(f"{name} must be a positive integer, found {value!r}")
    if isinstance(missing, bool) or not isinstance(missing, int) or missing < 0:
        raise ValueError(f"missing must be a number of Gibbs sweeps, or 0 to refuse missing values; found {missing!r}")
    optimizer = usual.optimizer if optimizer is None else optimizer
    check_optimizer(optimizer)
    for name, given in (("penalties", penalties), ("callbacks", callbacks)):
        if not isinstance(given, (list, tuple)):
            raise TypeError(f"{name} must be a list, found {given!r}: write {name}=[...]")
    objective = usual.objective if objective is None else objective
    if not isinstance(objective, Objective):
        raise TypeError(f"objective must be an objective such as harmonium.PCD(k=1), found {objective!r}")
    objective.check(model)
    plan = Plan(
        objective,
        as_metric(usual.metric if metric is None else metric),
        as_schedule(usual.learning_rate if learning_rate is None else learning_rate),
        optimizer,
        tuple(penalties),
        operator.index(epochs),
        operator.index(batch_size),
        as_stream(seed),
        missing,
    )
    if device is not None:
        model.to(device)
    cases = as_cases(data)
    valid = None if validation is None else as_cases(validation, "validation")
    listeners = list(callbacks)
    watch = Monitor if isinstance(model, Machine) else Likelihood
    if valid is not None and not any(isinstance(callback, watch) for callback in listeners):
        listeners.insert(0, Monitor() if isinstance(model, Machine) else Likelihood(every=1, samples=1, cases=500))
    if out is not None:
        model.refuse_stack("fit(out=...)")
        from harmonium.runs.resume import start

        return start(Path(out), model, cases, valid, sample_weight, plan, listeners, progress, initialise)
    training = prepare(model, cases, valid, sample_weight, plan, listeners, initialise)
    if progress:
        training.callbacks = [*training.callbacks, Progress()]
    return training.run()


def prepare(
    model: Model,
    cases: Cases,
    validation: Cases | None,
    sample_weight: Array | None,
    plan: Plan,
    callbacks: Sequence[Callback],
    initialise: bool | None,
) -> Training:
    """Check the data, store the base rate, initialise a fresh model, and set up the `Training`."""
    for name, split in (("data", cases), ("validation", validation)):
        if split is not None and split.shape[1] != model.visible.columns:
            raise ValueError(
                f"{name} has {split.shape[1]} columns; the model has {model.visible.columns} visible units"
            )
    weight = None if sample_weight is None else as_weights(sample_weight, len(cases))
    if weight is not None and bool((weight == 0).any()):
        keep = (weight > 0).nonzero().squeeze(-1)
        cases, weight = cases.select(keep.numpy()), weight[keep]
    if plan.missing:
        as_machine(model, "fit(missing=...)").refuse_stack("fit(missing=...)")
        model.visible.need_columns("fit(missing=...)")
    mean, variance = _moments(model, cases, weight, "data", plan.missing > 0)
    if validation is not None:
        for start, v in validation.chunks(1024, dtype=model.dtype):
            model.visible.check(model.visible.encode(v, "validation"), f"validation (rows from {start})")
    advice = model.advice(mean, variance)
    if advice is not None:
        warnings.warn(f"data: {advice}", UserWarning, stacklevel=3)
    if isinstance(model.visible, ReplicatedSoftmax):
        model.visible.set_lengths(torch.cat([v.sum(-1) for _, v in cases.chunks(1024, dtype=torch.float64)]), weight)
    model.data_mean, model.data_variance = mean.to(model.device), variance.to(model.device)
    counted = len(cases) if weight is None else float(weight.sum() ** 2 / (weight**2).sum())
    model.data_cases = torch.tensor(float(counted), dtype=torch.float64)
    if initialise or (initialise is None and model.fresh):
        model.begin(plan.seed.child("fit", "initialise"))
    if weight is not None:  # relative to their mean, before float32 could lose them
        weight = (weight / weight.mean()).clamp(min=1e-30).to(model.device, model.dtype)
    return Training(model, cases, weight, plan, list(callbacks), validation)


def _moments(model: Model, cases: Cases, weight: Tensor | None, name: str, missing: bool) -> tuple[Tensor, Tensor]:
    """Mean and variance of the observed values of every column, in one pass that also checks the domain, float64."""
    total = torch.zeros(model.visible.size, dtype=torch.float64)
    square, mass = torch.zeros_like(total), torch.zeros_like(total)
    shift: Tensor | None = None
    for start, v in cases.chunks(max(1, _PASS_BYTES // (8 * model.visible.size)), dtype=torch.float64):
        where = f"{name} (rows from {start})" if start else name
        v = model.visible.encode(v, where).double()
        observed = ~torch.isnan(v) if missing else torch.ones((), dtype=torch.bool)
        if missing:
            check_observed(model, v, where)
            if not bool(observed.any(-1).all()):
                row = start + int((~observed.any(-1)).nonzero()[0])
                raise ValueError(f"{name} has no observed value in row {row}: drop such rows")
            v = torch.where(observed, v, 0.0)
        else:
            model.visible.check(v, where)
        shift = v[0].clone() if shift is None else shift  # against cancellation where means are large
        centred = torch.where(observed, v - shift, 0.0) if missing else v - shift
        w = torch.ones(len(v), dtype=torch.float64) if weight is None else weight[start : start + len(v)].double()
        total += w @ centred
        square += w @ (centred * centred)
        mass += w @ observed.double() if missing else w.sum()
    if bool((mass == 0).any()):
        column = int(owners(model.visible)[(mass == 0).nonzero()[0]])
        raise ValueError(f"{name} has no observed value in column {column}: drop it")
    assert shift is not None
    mean = total / mass
    return mean + shift, (square / mass - mean * mean).clamp(min=0.0)
