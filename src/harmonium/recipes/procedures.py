"""How the models of a comparison are trained within a time, each in a folder of its own; run folders are resumed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from tqdm.auto import tqdm

from harmonium.core.random import Stream
from harmonium.core.registry import build
from harmonium.data import Cases
from harmonium.likelihood.evaluate import evaluate
from harmonium.models.baselines.baseline import Baseline
from harmonium.models.baselines.mixture import BernoulliMixture
from harmonium.models.deep.dbn import DBN
from harmonium.models.machine.dbm import DBM
from harmonium.models.model import Model
from harmonium.recipes.greedy import fit_or_resume, greedy
from harmonium.runs.names import CONFIG
from harmonium.training.history import History
from harmonium.units import Bernoulli, Units

__all__ = ["Procedure", "Task", "TrainedModel", "fit_baseline", "fit_dbm", "fit_mixture", "fit_model", "fit_stack"]

LAYERWISE = 0.4  # share of the time of a deep Boltzmann machine that goes to its layers
LEAST = 0.3  # share that is left for all layers together, however long the layers took
SMOOTHINGS = (1.0, 0.1, 10.0)
COMPONENTS = (10, 20, 50, 100, 200, 500)
ITERATIONS = 200  # of EM
LEAST_ITERATIONS = 20  # fewer are not worth beginning


@dataclass(frozen=True)
class Task:
    """What a model is trained on, within what time, and where.

    Attributes:
        train: cases to learn from.
        valid: cases to choose by.
        seconds: of processor time for training, choices included.
        seed: of everything random.
        folder: of the run.
        progress: whether to show a bar.
        options: of `harmonium.fit`.
    """

    train: Cases
    valid: Cases
    seconds: float
    seed: Stream
    folder: Path
    progress: bool
    options: dict[str, Any]


class TrainedModel(NamedTuple):
    """A model, the validation log-likelihood that chose it (nats per case), processor seconds, and a note on how."""

    model: Model
    valid: float | None
    seconds: float
    how: str


Procedure = Callable[[Any, Task], TrainedModel]


def fit_baseline(model: Baseline, task: Task) -> TrainedModel:
    """Estimate in closed form with several smoothings; keep the best by validation."""
    began = time.process_time()
    found: list[tuple[float, float]] = []
    for smoothing in SMOOTHINGS:
        if found and time.process_time() - began > task.seconds:
            break
        model.estimate(task.train, smoothing=smoothing)
        found.append((evaluate(model, task.valid).mean, smoothing))
    valid, smoothing = max(found)
    if smoothing != found[-1][1]:
        model.estimate(task.train, smoothing=smoothing)
    return TrainedModel(model, valid, time.process_time() - began, f"smoothing {smoothing:g}")


def fit_mixture(model: BernoulliMixture, task: Task) -> TrainedModel:
    """Fit mixtures of more and more components by EM, until more did not help twice or time is up; then smooth them.

    The model names the units only: the number of components is what is looked for.
    """
    began = time.process_time()
    best: tuple[float, int, float, BernoulliMixture] | None = None
    per_step = 0.0  # seconds of a step of EM, per component

    def attempt(count: int, smoothing: float) -> bool:
        """Fit a mixture, if there is time; whether there was."""
        nonlocal best, per_step
        left = task.seconds - (time.process_time() - began)
        steps = min(ITERATIONS, int(left / (per_step * count))) if per_step else ITERATIONS
        if best is not None and steps < LEAST_ITERATIONS:
            return False
        start, mixture = time.process_time(), BernoulliMixture(_same(model.visible), count, dtype=model.dtype)
        seed = task.seed.child(count, str(smoothing))
        climbed = mixture.estimate(task.train, smoothing=smoothing, iterations=max(1, steps), seed=seed)
        per_step = (time.process_time() - start) / (len(climbed) * count)
        valid = evaluate(mixture, task.valid).mean
        if best is None or valid > best[0]:
            best = valid, count, smoothing, mixture
        bar.update()
        return True

    with tqdm(unit="mixture", disable=not task.progress) as bar:
        worse = 0
        for count in COMPONENTS:
            if worse == 2 or (best is not None and count > len(task.train)) or not attempt(count, SMOOTHINGS[0]):
                break
            assert best is not None
            worse = worse + 1 if best[1] != count else 0
        for smoothing in SMOOTHINGS[1:]:
            assert best is not None
            attempt(best[1], smoothing)
    assert best is not None
    valid, count, smoothing, mixture = best
    how = f"{count} components, smoothing {smoothing:g}"
    return TrainedModel(mixture, valid, time.process_time() - began, how)


def fit_model(model: Model, task: Task) -> TrainedModel:
    """Train by `harmonium.fit`, which plans what there is time for; keep the best model by validation."""
    began, resumed = time.process_time(), (task.folder / CONFIG).exists()
    trained, history = fit_or_resume(
        model, task.train, task.folder, validation=task.valid, seed=task.seed.child("fit"),  # type: ignore[type-var]
        minutes=task.seconds / 60, progress=task.progress, **task.options,
    )  # fmt: skip
    row = history.best or (history.rows[-1] if history.rows else {})
    valid = row.get("log_likelihood")
    took = _seconds(history) if resumed else time.process_time() - began
    return TrainedModel(trained, None if valid is None else float(valid), took, _how(history))


def fit_stack(model: DBN | DBM, task: Task) -> TrainedModel:
    """Train by `harmonium.greedy`, with the same time for every machine."""
    began, resumed = time.process_time(), task.folder.exists()
    machines = len(model.machines) if isinstance(model, DBN) else len([*model.unit_layers()]) - 1
    task.folder.mkdir(parents=True, exist_ok=True)
    histories = greedy(
        model, task.train, validation=task.valid, seed=task.seed.child("greedy"), out=task.folder,
        minutes=task.seconds / machines / 60, progress=task.progress, **task.options,
    )  # fmt: skip
    took = sum(map(_seconds, histories)) if resumed else time.process_time() - began
    return TrainedModel(model, None, took, "; ".join(map(_how, histories)))


def fit_dbm(model: DBM, task: Task) -> TrainedModel:
    """Train layer by layer, which takes binary layers, then all layers together."""
    if not all(isinstance(units, Bernoulli) for units in model.unit_layers()):
        return fit_model(model, task)
    first = fit_stack(model, replace(task, seconds=LAYERWISE * task.seconds, folder=task.folder / "layers"))
    whole = fit_model(model, replace(task, seconds=max(LEAST * task.seconds, task.seconds - first.seconds)))
    return whole._replace(seconds=first.seconds + whole.seconds, how=f"layer by layer, then {whole.how}")


def _same(units: Units) -> Units:
    """A fresh layer like this one."""
    fresh: Units = build(units.config())
    return fresh


def _seconds(history: History) -> float:
    return float(history.rows[-1]["seconds"]) if history.rows else 0.0


def _how(history: History) -> str:
    done = len(history)
    kept = f", that of epoch {history.best['epoch']} kept" if history.best else ""
    cut = f"; {history.stopped}" if history.stopped else ""
    return f"{done} epoch{'' if done == 1 else 's'}{kept}{cut}"
