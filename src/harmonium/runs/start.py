"""The start of a run: a new folder, its description, the first training."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import torch

from harmonium.core.errors import RunInUseError
from harmonium.core.files import sealed, write_json, write_tensors
from harmonium.core.processes import processes
from harmonium.core.progress import Progress
from harmonium.core.registry import check_described
from harmonium.data import Cases
from harmonium.models.arrays import Array
from harmonium.models.model import Model
from harmonium.runs.checkpoint import stop_on_signals, writer_of
from harmonium.runs.columns import keep_columns
from harmonium.runs.description import configuration, environment, identity
from harmonium.runs.folder import new_folder
from harmonium.runs.lock import locked, remove
from harmonium.runs.names import CHECKPOINT, COLUMNS, CONFIG, ENVIRONMENT, MODEL, WEIGHTS
from harmonium.runs.together import training_together
from harmonium.training.callbacks import Callback
from harmonium.training.failure import check_outcome
from harmonium.training.history import History
from harmonium.training.plan import Plan
from harmonium.training.prepare import prepare

__all__ = ["start"]


def start(
    out: Path,
    model: Model,
    cases: Cases,
    validation: Cases | None,
    sample_weight: Array | None,
    plan: Plan,
    callbacks: list[Callback],
    progress: Progress,
    initialise: bool | None,
) -> History:
    """Train in a new run folder (see `harmonium.fit`).

    Raises:
        RunInUseError: if the folder holds a run already, or another process trains in it.
        OSError: if the folder cannot be made.
        TypeError: if a column of a table has a label that no file can hold.
        ValueError: if a class of the user's own does not describe the arguments of its constructor.
    """
    check_described(model.config())  # now, not when the trained model is to be written
    with ExitStack() as held:

        def claim() -> None:
            held.enter_context(new_folder(out))
            held.enter_context(locked(out))
            if (out / CONFIG).exists():
                raise RunInUseError(
                    f"{out} already holds a run: go on with harmonium.resume({str(out)!r}), or choose another folder"
                )
            if (out / MODEL).exists():
                raise RunInUseError(f"{out} holds a {MODEL} that is not of this run: choose another folder")
            remove(out, CHECKPOINT, COLUMNS, WEIGHTS)  # of a run that was killed before it had a config
            if cases.table is not None and len(cases.table.columns) == cases.shape[1]:
                keep_columns(cases.table, out)  # an interrupted run has names, and what cannot be written is found now

        def describe() -> None:
            config = configuration(training, cases, validation, fresh)
            writer.run = identity(config)
            if sample_weight is not None:
                write_tensors(out / WEIGHTS, {"sample_weight": torch.as_tensor(sample_weight)}, {"format": 1})
            if not fresh:  # what cannot be drawn again from the seed must be on disk before there is a run to resume
                writer.write(training)
            write_json(out / ENVIRONMENT, environment(training.model.device))
            write_json(out / CONFIG, sealed(config))

        together = processes()
        together.by_first(claim)
        fresh = model.is_untrained if initialise is None else initialise
        training = prepare(model, cases, validation, sample_weight, plan, callbacks, initialise)
        writer = writer_of(training, out, progress)
        together.by_first(describe)
        with stop_on_signals(writer), training_together(out):
            history = training.run()
            check_outcome(training)
            return history
