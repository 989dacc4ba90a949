"""Checkpoints and metrics of a run folder, and what a signal does to a training."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from harmonium.core.errors import InterruptedRunError
from harmonium.core.files import write_atomically, write_tensors
from harmonium.core.progress import Progress, bar_delay
from harmonium.models.io import save
from harmonium.runs.command import command
from harmonium.runs.names import CHECKPOINT, METRICS, MODEL
from harmonium.training.callbacks import Callback, ProgressBar
from harmonium.training.loop import Training

if TYPE_CHECKING:
    from harmonium.training.history import Row

__all__ = ["Checkpoint", "stop_on_signals", "writer_of"]


class Checkpoint(Callback):
    """Write metrics and checkpoints into a run folder.  `harmonium.fit` with ``out`` adds one.

    Args:
        seconds: shortest time between checkpoints; 0 writes one after every update.  The end of a run and signals
            always write one.
    """

    transient = True

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self.every_updates = None if seconds else 1
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
            go_on = command("train --resume", self._folder, [training.model.config(), training.plan.config()])
            raise InterruptedRunError(
                f"{name}: stopped after update {training.position.update} of {training.updates}; the checkpoint is "
                f"written. Go on with: {go_on}   (or harmonium.resume({str(self._folder)!r}))",
                self.signal,
            )
        if time.monotonic() >= self._next:
            self.write(training)

    def wants_state(self, training: Training) -> bool:
        return self.signal is not None or time.monotonic() >= self._next

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


def writer_of(training: Training, folder: Path, progress: Progress) -> Checkpoint:
    """Point the callback that writes (the user's own or a new one) to the folder, after all other callbacks."""
    writer = next((callback for callback in training.callbacks if isinstance(callback, Checkpoint)), None)
    rest = [callback for callback in training.callbacks if callback is not writer]
    writer = writer or Checkpoint()
    writer.folder, writer.signal = folder, None
    training.folder = folder
    delay = bar_delay(progress)
    training.callbacks = [*rest, *([] if delay is None else [ProgressBar(delay)]), writer]
    return writer


@contextmanager
def stop_on_signals(writer: Checkpoint) -> Iterator[None]:
    """Let SIGINT and SIGTERM finish the current update and write a checkpoint; a second one ends the process."""
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
