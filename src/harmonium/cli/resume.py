"""How a run is resumed, and how every run ends: with its likelihood and its pictures."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.columns import is_table
from harmonium.cli.session import annealing, device, progress, quiet, set_threads
from harmonium.cli.shell import note, say, typed
from harmonium.core.processes import processes
from harmonium.runs.columns import keep_columns
from harmonium.runs.folder import Run, open_run
from harmonium.runs.names import COLUMNS, CONFIG

if TYPE_CHECKING:
    from harmonium.data import Dataset
    from harmonium.training.history import History

__all__ = ["check_alone", "finish", "go_on", "outcome"]


def check_alone(ctx: click.Context) -> None:
    """Refuse options that could contradict the run.

    Raises:
        click.UsageError: if any was given.
    """
    allowed = {"resume", "threads", "device", "progress", "quiet"}
    named = [parameter for parameter in ctx.command.params if parameter.name in typed(ctx) - allowed]
    if named:
        what = named[0].opts[0] if isinstance(named[0], click.Option) else "DATA"
        raise click.UsageError(f"--resume takes all settings from the run: leave out {what}", ctx)


def go_on(name: str, options: dict[str, Any]) -> None:
    """Resume a run, then evaluate and draw.

    Raises:
        FileNotFoundError: if there is no such run.
    """
    path = Path(name).expanduser()
    if not (path / CONFIG).is_file():
        if path.is_file():
            what = f"`harmonium train {shlex.quote(name)}` learns it" if is_table(name) else "name the folder of a run"
            raise ValueError(f"{name} is a file, not a run folder: {what}")
        raise FileNotFoundError(
            f"{name} holds no run to resume (there is no {CONFIG}): start one with `harmonium train DATA --out {name}`"
        )
    import harmonium as hm

    talk = quiet if options["quiet"] else say
    before = open_run(name, unfinished=True)
    set_threads(options["threads"] or before.threads)
    done = before.finished
    talk(f"{name} is complete: nothing to train" if done else f"resuming {name}")
    began = time.monotonic()
    model, history = hm.resume(path, progress=progress(options) and not done, device=device(options["device"]))
    if not done:
        talk(f"trained in {time.monotonic() - began:.1f} s more{outcome(history)}")
    run = open_run(name)
    if run.source is None:
        talk(f"the model: {run.file}")
        return
    finish(run, model, run.data(), options)


def finish(run: Run, model: Any, data: Dataset, options: dict[str, Any]) -> None:
    """Evaluate the model, draw pictures, and print the commands for what comes next."""
    import harmonium as hm
    from harmonium import plots
    from harmonium.data.dataset import choose_split

    talk = quiet if options["quiet"] else say
    together = processes()
    if together.first and not (run.folder / COLUMNS).is_file():
        keep_columns(data.table, run.folder)
    try:
        split, cases = choose_split(data, None)
    except ValueError as error:  # a table with a gap in every row: there is a model, but nothing to judge it by
        note(str(error))
        paths = together.by_first(lambda: list(map(str, plots.pictures(run.folder))))
    else:
        if split == "train" and data.train.shape[0]:
            talk(
                "no cases were set aside, so this is the likelihood of the training cases (--test 0.1 sets some aside):"
            )
        shards = None if run.config is None else run.config["plan"].get("shards")
        say(f"{split} {hm.evaluate(model, cases, shards=shards, **annealing(model))}")
        name = f"{data.name}, {split}"
        paths = together.by_first(lambda: list(map(str, plots.pictures(run.folder, cases, data_name=name))))
    talk(f"pictures: {', '.join(paths)}")
    commands = (run.command("report"), run.command("evaluate"), f"{run.command('sample')} --out samples.png")
    talk("next:     " + "\n          ".join(commands))


def outcome(history: History) -> str:
    """Say how training ended, as the end of a sentence."""
    parts = []
    if history.stopped:
        parts.append(f"stopped: {history.stopped}")
    if history.best:
        parts.append(f"kept the model of epoch {history.best['epoch']} of {len(history)}, best on validation cases")
    return "".join(f"; {part}" for part in parts)
