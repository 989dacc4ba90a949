"""Run folders: a training that can be read, stopped, killed and resumed.

A run folder holds ``config.json`` (how to train), ``run.json`` (where it was trained), ``metrics.jsonl`` (one row per
epoch), ``checkpoint.safetensors`` (the whole state) and, in the end, ``model.safetensors``.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shlex
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import torch
from filelock import FileLock, Timeout

from harmonium.core.errors import DamagedFileError, InterruptedRunError, RunInUseError
from harmonium.core.files import read_tensors, write_atomically, write_tensors
from harmonium.core.random import Stream
from harmonium.core.registry import build
from harmonium.core.version import __version__
from harmonium.data import Cases, as_cases, from_source
from harmonium.models.arrays import Array
from harmonium.models.io import save
from harmonium.models.model import Model
from harmonium.objectives import Objective
from harmonium.training.callbacks import Callback, ProgressBar
from harmonium.training.history import History
from harmonium.training.loop import OptimizerFactory, Plan, Training
from harmonium.training.metrics import Metric
from harmonium.training.penalties import Penalty
from harmonium.training.prepare import prepare
from harmonium.training.schedules import Schedule

if TYPE_CHECKING:
    from harmonium.training.history import Row

__all__ = ["Checkpoint", "resume", "start"]

CONFIG, RUN, METRICS = "config.json", "run.json", "metrics.jsonl"
CHECKPOINT, MODEL, WEIGHTS = "checkpoint.safetensors", "model.safetensors", "sample_weight.safetensors"


class Checkpoint(Callback):
    """Writes rows and checkpoints of a run folder; `fit` with ``out`` adds one.

    Args:
        seconds: least time between checkpoints; 0 writes one after every update.  The end of a run and signals
            always write one.
    """

    transient = True

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self.folder: Path | None = None
        self.run: str | None = None
        self.signal: int | None = None
        self._next = 0.0

    def on_begin(self, training: Training) -> None:
        if self.folder is None:
            raise ValueError("Checkpoint writes into a run folder: name one with fit(..., out=...)")
        self._next = time.monotonic() + self.seconds
        rows = "".join(json.dumps(row) + "\n" for row in training.history.rows)
        write_atomically(self._folder / METRICS, rows.encode())

    def on_update(self, training: Training) -> None:
        if self.signal is not None:
            self.write(training)
            name = signal.Signals(self.signal).name
            raise InterruptedRunError(
                f"{name}: stopped after update {training.position.update} of {training.updates}; the checkpoint is "
                f"written. Go on with: harmonium train --resume {shlex.quote(str(self._folder))}   "
                f"(or harmonium.resume({str(self._folder)!r}))",
                self.signal,
            )
        if time.monotonic() >= self._next:
            self.write(training)

    def on_epoch(self, training: Training, row: Row) -> None:
        try:
            with open(self._folder / METRICS, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise OSError(
                error.errno,
                f"cannot write {self._folder / METRICS}: {error.strerror or error}. Free space, then go on with "
                f"harmonium.resume({str(self._folder)!r})",
            ) from error

    def on_end(self, training: Training) -> None:
        self.write(training)  # first: a run whose checkpoint is complete writes its model again when resumed
        save(training.model, self._folder / MODEL)

    def write(self, training: Training) -> None:
        """Write a checkpoint now."""
        training.guard()
        tensors, meta = training.dump()
        write_tensors(self._folder / CHECKPOINT, tensors, {"format": 1, "run": self.run, "checkpoint": meta})
        self._next = time.monotonic() + self.seconds

    @property
    def _folder(self) -> Path:
        assert self.folder is not None
        return self.folder

    def config(self) -> dict[str, Any]:
        return super().config() | {"seconds": self.seconds}


def start(
    out: Path,
    model: Model,
    cases: Cases,
    validation: Cases | None,
    sample_weight: Array | None,
    plan: Plan,
    callbacks: list[Callback],
    progress: bool,
    initialise: bool | None,
) -> History:
    """Train in a new run folder (see `harmonium.fit`)."""
    with _new_folder(out), _locked(out):
        if (out / CONFIG).exists():
            raise RunInUseError(
                f"{out} already holds a run: go on with harmonium.resume({str(out)!r}), or choose another folder"
            )
        if (out / MODEL).exists():
            raise RunInUseError(f"{out} holds a {MODEL} that is not of this run: choose another folder")
        _sweep(out, CHECKPOINT, WEIGHTS)  # of a run that was killed before it had a config
        fresh = model.is_untrained if initialise is None else initialise
        training = prepare(model, cases, validation, sample_weight, plan, callbacks, initialise)
        writer = _writer(out, training, progress)
        config = _config(training, cases, validation, fresh)
        writer.run = _identity(config)
        if sample_weight is not None:
            write_tensors(out / WEIGHTS, {"sample_weight": torch.as_tensor(sample_weight)}, {"format": 1})
        if not fresh:  # what cannot be drawn again from the seed must be on disk before there is a run to resume
            writer.write(training)
        _write_json(out / RUN, _environment(training.model))
        _write_json(out / CONFIG, config)
        with _signals(writer):
            return training.run()


def resume(
    out: str | Path,
    *,
    data: Array | None = None,
    validation: Array | None = None,
    callbacks: Sequence[Callback] = (),
    optimizer: OptimizerFactory | None = None,
    objective: Objective | None = None,
    metric: Metric | None = None,
    learning_rate: Schedule | None = None,
    penalties: Sequence[Penalty] | None = None,
    progress: bool = False,
    device: str | torch.device | None = None,
) -> tuple[Any, History]:
    """Go on with a run that was stopped or killed; it ends bit for bit as if it had never stopped.

    Args:
        out: the run folder.
        data: the training cases again, where they were not loaded by name or file (`harmonium.data.load`).
        validation: likewise.
        callbacks: your own callbacks again, in order.
        optimizer: your own optimizer factory again.
        objective: an objective of a class of your own again; likewise ``metric``, ``learning_rate`` and ``penalties``.
        metric: see ``objective``.
        learning_rate: see ``objective``.
        penalties: see ``objective``; all of them, in order.
        progress: show a progress bar.
        device: where to train.

    Returns:
        (model, history).  A run that was complete is returned as it ended.

    Raises:
        FileNotFoundError: where the folder holds no run.
        DamagedFileError: where its checkpoint is cut short, changed, or of another model.
        ValueError: where the data are not those of the run, or something must be passed again.
        RunInUseError: where another process trains in the folder.
    """
    out = Path(out)
    if not (out / CONFIG).is_file():
        raise FileNotFoundError(f"{out} holds no run to resume (there is no {CONFIG})")
    with _locked(out):
        config = _read_config(out)
        cases = _same_cases(config["data"], data, "data")
        assert cases is not None
        valid = _same_cases(config["validation"], validation, "validation")
        weight = read_tensors(out / WEIGHTS)[0]["sample_weight"] if (out / WEIGHTS).exists() else None
        plan = _plan(config["plan"], optimizer, objective, metric, learning_rate, penalties)
        listeners = _listeners(config["callbacks"], callbacks)
        model = build(config["model"])
        if device is not None:
            model.to(device)
        _warn_of_changes(out, _environment(model))
        training = prepare(model, cases, valid, weight, plan, listeners, True)
        writer = _writer(out, training, progress)
        writer.run = _identity(config)
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
        with _signals(writer):
            return model, training.run()


def _listeners(entries: list[dict[str, Any] | None], own: Sequence[Callback]) -> list[Callback]:
    """The callbacks of a run: described ones built, the user's own in their places."""
    needed = sum(entry is None for entry in entries)
    if len(own) != needed:
        known = ", ".join(entry["type"] for entry in entries if entry is not None) or "none"
        raise ValueError(
            f"the run had {needed} callbacks of your own: pass these again with callbacks=[...], in order, found "
            f"{len(own)} (known without being passed: {known})"
        )
    given = iter(own)
    return [next(given) if entry is None else build(entry) for entry in entries]


def _identity(config: dict[str, Any]) -> str:
    """A hash of what is trained on what and how: the checkpoints of a run carry it."""
    parts = {name: config[name] for name in ("model", "plan", "data", "validation", "fresh")}
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


def _writer(out: Path, training: Training, progress: bool) -> Checkpoint:
    """The callback that writes into the folder: the user's own, or a new one; and the progress bar."""
    writer = next((callback for callback in training.callbacks if isinstance(callback, Checkpoint)), None)
    rest = [callback for callback in training.callbacks if callback is not writer]
    writer = writer or Checkpoint()
    writer.folder, writer.signal = out, None
    training.folder = out
    training.callbacks = [*rest, *([ProgressBar()] if progress else []), writer]
    return writer


def _config(training: Training, cases: Cases, validation: Cases | None, fresh: bool) -> dict[str, Any]:
    return {
        "format": 1,
        "model": training.model.config(),
        "fresh": fresh,
        "plan": training.plan.config(),
        "data": _describe(cases),
        "validation": None if validation is None else _describe(validation),
        "callbacks": [
            callback.config() if callback.described else None
            for callback in training.callbacks
            if not isinstance(callback, ProgressBar)
        ],
    }


def _describe(cases: Cases) -> dict[str, Any]:
    return {"source": cases.source, "shape": list(cases.shape), "fingerprint": cases.fingerprint()}


def _plan(
    config: dict[str, Any],
    optimizer: OptimizerFactory | None,
    objective: Objective | None,
    metric: Metric | None,
    learning_rate: Schedule | None,
    penalties: Sequence[Penalty] | None,
) -> Plan:
    chosen = config["optimizer"] or optimizer
    if chosen is None:
        raise ValueError("the run had an optimizer of your own: pass it again with optimizer=...")
    return Plan(
        objective=objective or build(config["objective"]),
        metric=metric or build(config["metric"]),
        learning_rate=learning_rate or build(config["learning_rate"]),
        optimizer=chosen,
        penalties=tuple(map(build, config["penalties"]) if penalties is None else penalties),
        epochs=config["epochs"],
        batch_size=config["batch_size"],
        missing=config["missing"],
        seed=Stream(*config["seed"]),
    )


def _same_cases(description: dict[str, Any] | None, given: Array | None, name: str) -> Cases | None:
    if description is None:
        return None
    if given is None and description["source"] is None:
        raise ValueError(f"the run was trained on arrays: pass them again with {name}=...")
    cases = from_source(description["source"]) if given is None else as_cases(given, name)
    if cases.fingerprint() != description["fingerprint"]:
        raise ValueError(
            f"{name} {cases.shape} is not what the run was trained on {tuple(description['shape'])}: "
            "its contents or its binarisation differ"
        )
    return cases


def _read_config(out: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((out / CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise DamagedFileError(f"{out / CONFIG} is damaged ({error}): use a copy of it") from None
    wanted = {"model", "fresh", "plan", "data", "validation", "callbacks"}
    if not isinstance(config, dict) or not wanted <= config.keys():
        raise DamagedFileError(f"{out / CONFIG} is not that of a harmonium run")
    return config


def _environment(model: Model) -> dict[str, Any]:
    return {
        "harmonium": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "numba": numba.__version__,
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "device": str(model.device),
        "command": sys.argv,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _processor() -> str:
    import llvmlite.binding as llvm

    return f"{platform.machine()} {llvm.get_host_cpu_name()}"


def _warn_of_changes(out: Path, now: dict[str, Any]) -> None:
    try:
        before = json.loads((out / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    names = ("harmonium", "torch", "numpy", "numba", "processor", "threads", "device")
    changes = [f"{name} {before.get(name)} -> {now[name]}" for name in names if before.get(name) != now[name]]
    if changes:
        warnings.warn(
            f"resuming under other conditions ({', '.join(changes)}): results agree up to rounding, not bit for bit",
            stacklevel=3,
        )


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())


@contextmanager
def _new_folder(out: Path) -> Iterator[None]:
    """Make the folder, and take it away again where nothing was trained in it."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            out.mkdir()
            created = True
        except FileExistsError:
            if not out.is_dir():
                raise
            created = False
    except OSError as error:
        raise OSError(error.errno, f"cannot make the folder {out}: {error.strerror}. Choose another") from error
    try:
        yield
    except BaseException:
        if created and not (out / CONFIG).exists():
            _sweep(out, ".lock")
            with suppress(OSError):  # whoever else has put something there keeps it
                out.rmdir()
        raise


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    # The lock belongs to the process, so that one left by a killed process locks nothing.
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunInUseError(f"another process is training in {out}: wait for it, or choose another folder") from None
    try:
        for name in (CONFIG, RUN, METRICS, CHECKPOINT, MODEL, WEIGHTS):
            _sweep(out, f".{name}.*")  # half-written files of a killed process
        yield
    finally:
        lock.release()


def _sweep(out: Path, *patterns: str) -> None:
    for pattern in patterns:
        for path in out.glob(pattern):
            path.unlink()


@contextmanager
def _signals(writer: Checkpoint) -> Iterator[None]:
    """SIGINT and SIGTERM let the current update finish; a second one ends the process as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        writer.signal = number
        for each, handler in before.items():
            signal.signal(each, handler)

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # What is ignored (as a shell does for its background jobs) stays ignored; None belongs to other languages.
    before = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if writer.signal is not None:  # it came after the last update: the run is complete, and the process ends as asked
        signal.raise_signal(writer.signal)
