"""`resume`: go on with a run that was stopped or killed."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import torch

from harmonium.core.errors import DamagedFileError
from harmonium.core.files import read_tensors
from harmonium.core.processes import processes
from harmonium.core.progress import Progress, showing
from harmonium.core.random import Stream
from harmonium.core.registry import build, building
from harmonium.data import Cases, as_cases, from_source
from harmonium.models.arrays import Array
from harmonium.models.model import Model
from harmonium.objectives import Objective
from harmonium.objectives.named import as_objective
from harmonium.runs.checkpoint import stop_on_signals, writer_of
from harmonium.runs.description import environment, identity
from harmonium.runs.folder import read_config
from harmonium.runs.lock import locked
from harmonium.runs.names import CHECKPOINT, CONFIG, ENVIRONMENT, WEIGHTS
from harmonium.runs.together import check_alike, one_voice, training_together
from harmonium.training.callbacks import Callback
from harmonium.training.failure import check_outcome
from harmonium.training.gaps import as_gaps
from harmonium.training.history import History
from harmonium.training.metrics import Metric
from harmonium.training.optimizers import OptimizerFactory
from harmonium.training.penalties import Penalty
from harmonium.training.plan import Plan
from harmonium.training.prepare import prepare
from harmonium.training.schedules import Schedule

__all__ = ["resume"]


def resume(
    out: str | Path,
    *,
    data: Array | None = None,
    validation: Array | None = None,
    callbacks: Sequence[Callback] = (),
    optimizer: OptimizerFactory | None = None,
    objective: Objective | str | None = None,
    metric: Metric | None = None,
    learning_rate: Schedule | None = None,
    penalties: Sequence[Penalty] | None = None,
    progress: Progress = "auto",
    device: str | torch.device | None = None,
) -> tuple[Any, History]:
    """Go on with a run that was stopped or killed; it ends bit for bit as if it had never stopped.

    Args:
        out: the run folder.
        data: the training cases again, if they were not loaded by name or file (`harmonium.data.load`).
        validation: likewise.
        callbacks: your own callbacks again, in order.
        optimizer: your own optimizer factory again.
        objective: an objective to use instead of the described one, such as one whose module cannot be imported here;
            likewise ``metric``, ``learning_rate`` and ``penalties``.
        metric: see ``objective``.
        learning_rate: see ``objective``.
        penalties: see ``objective``; all of them, in order.
        progress: whether to show a progress bar, as for `harmonium.fit`.
        device: where to train.

    Returns:
        (model, history).  A complete run is returned as it ended.

    Raises:
        FileNotFoundError: if the folder holds no run.
        DamagedFileError: if its checkpoint is cut short, changed, or of another model.
        ValueError: if the data are not those of the run, or something must be passed again.
        RunInUseError: if another process trains in the folder.
    """
    out = Path(out)
    if not (out / CONFIG).is_file():
        raise FileNotFoundError(f"{out} holds no run to resume (there is no {CONFIG})")
    together = processes()
    with ExitStack() as held, one_voice(), showing(progress, bars=False):

        def claim() -> None:
            held.enter_context(locked(out))

        together.by_first(claim)
        config = read_config(out)
        cases = _same_cases(config["data"], data, "data", out / CONFIG)
        assert cases is not None
        valid = _same_cases(config["validation"], validation, "validation", out / CONFIG)
        weight = read_tensors(out / WEIGHTS)[0]["sample_weight"] if (out / WEIGHTS).exists() else None
        if together.size > 1 and config["plan"].get("shards") is None:
            raise ValueError(
                f"{out} was begun by one process without shards, and goes on in one: a run that goes on in several "
                "processes begins in several, or with shards=8"
            )
        plan = _plan(config["plan"], optimizer, objective, metric, learning_rate, penalties, out / CONFIG)
        every = _callbacks(config["callbacks"], callbacks, out / CONFIG)
        with building(out / CONFIG):
            model = build(config["model"])
        if device is not None:
            model.to(device)
        _warn_of_changes(out, model)
        check_alike(model, plan.config(), cases, valid, weight)
        training = prepare(model, cases, valid, weight, plan, every, True)
        training.fresh = config["fresh"]
        writer = writer_of(training, out, progress)
        writer.run = identity(config)
        if (out / CHECKPOINT).exists():
            tensors, meta = read_tensors(out / CHECKPOINT)
            if "checkpoint" not in meta:
                raise DamagedFileError(f"{out / CHECKPOINT} is a model, not a checkpoint")
            if meta.get("run") != writer.run:
                raise DamagedFileError(
                    f"{out / CHECKPOINT} belongs to another run (another model, plan or data): put its own back"
                )
            try:
                training.restore(tensors, meta["checkpoint"])
            except DamagedFileError as error:
                raise DamagedFileError(f"{out / CHECKPOINT}: {error}") from None
            training.stop = training.history.stopped
        elif not config["fresh"]:
            raise FileNotFoundError(
                f"{out} has lost its {CHECKPOINT}, and training did not start from fresh parameters"
            )
        with stop_on_signals(writer), training_together(out):
            history = training.run()
            check_outcome(training)
            return model, history


def _callbacks(entries: list[dict[str, Any] | None], own: Sequence[Callback], path: Path) -> list[Callback]:
    """Build the described callbacks of a run, and put the user's own in their places."""
    needed = sum(entry is None for entry in entries)
    if len(own) != needed:
        known = ", ".join(entry["type"] for entry in entries if entry is not None) or "none"
        raise ValueError(
            f"the run had {needed} callbacks of your own: pass these again with callbacks=[...], in order, found "
            f"{len(own)} (known without being passed: {known})"
        )
    given = iter(own)
    with building(path):
        return [next(given) if entry is None else build(entry) for entry in entries]


def _plan(
    config: dict[str, Any],
    optimizer: OptimizerFactory | None,
    objective: Objective | str | None,
    metric: Metric | None,
    learning_rate: Schedule | None,
    penalties: Sequence[Penalty] | None,
    path: Path,
) -> Plan:
    chosen = config["optimizer"] or optimizer
    if chosen is None:
        raise ValueError("the run had an optimizer of your own: pass it again with optimizer=...")
    own = (optimizer, objective, metric, learning_rate, penalties)
    with building(path) if all(each is None for each in own) else nullcontext():
        return Plan(
            objective=build(config["objective"]) if objective is None else as_objective(objective),
            metric=metric or build(config["metric"]),
            learning_rate=learning_rate or build(config["learning_rate"]),
            optimizer=chosen,
            penalties=tuple(map(build, config["penalties"]) if penalties is None else penalties),
            epochs=config["epochs"],
            batch_size=config["batch_size"],
            missing=as_gaps(build(config["missing"]) if isinstance(config["missing"], dict) else config["missing"]),
            hold_out=config.get("hold_out", False),  # of runs of version 1.0, which had none
            most=config.get("most"),
            shards=config.get("shards"),
            average=build(config["average"]) if config.get("average") else None,
            seed=Stream(*config["seed"]),
        )


def _same_cases(description: dict[str, Any] | None, given: Array | None, name: str, path: Path) -> Cases | None:
    if description is None:
        return None
    if given is None and description["source"] is None:
        raise ValueError(f"the run was trained on arrays: pass them again with {name}=...")
    try:
        cases = from_source(description["source"]) if given is None else as_cases(given, name)
    except (TypeError, AttributeError) as error:
        if given is not None:
            raise
        raise DamagedFileError(f"{path} is damaged ({error}): use a copy of it") from None
    if cases is None:
        raise ValueError(f"{name}: what the run was trained on has no {description['source']['split']} split any more")
    if cases.fingerprint() != description["fingerprint"]:
        raise ValueError(
            f"{name} {cases.shape} is not what the run was trained on {tuple(description['shape'])}: "
            "its contents or its binarisation differ"
        )
    return cases


def _warn_of_changes(out: Path, model: Model) -> None:
    try:
        before = json.loads((out / ENVIRONMENT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    now = environment(model.device)
    names = ("harmonium", "torch", "numpy", "numba", "processor", "threads", "device")
    changes = [f"{name} {before.get(name)} -> {now[name]}" for name in names if before.get(name) != now[name]]
    if changes:
        warnings.warn(
            f"resuming under other conditions ({', '.join(changes)}): results agree up to rounding, not bit for bit",
            stacklevel=3,
        )
