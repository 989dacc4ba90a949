"""Shared parts of the scripts in this folder: arguments, resumable trainings, judging, results and tables."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import harmonium as hm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
from report import ROOT, machine, measured, quiet, replace_section, rows_of, table

__all__ = [
    "ROOT", "Exact", "arguments", "bracket", "chain_states", "judge", "load_result", "machine", "measured", "nats",
    "options_of", "publish", "quiet", "replace_section", "rows_of", "save_result", "seconds_per_update",
    "summary_of", "table", "trained", "yes",
]  # fmt: skip

RESULT = "result.json"

# Arguments ------------------------------------------------------------------------------------------------------------


def arguments(
    description: str | None, *, out: str | None = "run folder", threads: int | None = 1, seed: bool = True,
    write: str | None = "put the result into docs/benchmarks", runs: bool = False,
) -> argparse.ArgumentParser:  # fmt: skip
    """Build a parser with the arguments that most scripts share.

    Args:
        description: docstring of the script.
        out: help of ``--out``, which is then required (unless ``runs``); None leaves it out.
        threads: default of ``--threads``; None leaves it out.
        seed: whether there is ``--seed``.
        write: help of ``--write``; None leaves it out.
        runs: ``--write`` takes the folders of finished runs, and nothing else is done then.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if out:
        parser.add_argument("--out", type=Path, required=not runs, help=out)
    if threads:
        parser.add_argument("--threads", type=int, default=threads)
    if seed:
        parser.add_argument("--seed", type=int, default=0)
    if runs:
        parser.add_argument(
            "--write", type=Path, nargs="+", metavar="RUN", help="put these results into docs/benchmarks"
        )
    elif write:
        parser.add_argument("--write", action="store_true", help=write)
    return parser


def options_of(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the command line, and set the number of threads (1 if there is no such argument)."""
    options = parser.parse_args()
    if "out" in options and options.out is None and getattr(options, "write", False) is None:  # see ``runs``
        parser.error("--out RUN is needed, or --write RUN ...")
    torch.set_num_threads(getattr(options, "threads", 1))
    return options


# Training -------------------------------------------------------------------------------------------------------------


def trained(out: Path, cases: Any, plan: Callable[[], tuple[Any, dict[str, Any]]], **again: Any) -> Any:
    """Train a model in a run folder, or resume its training there: (model, history).

    Args:
        out: the run folder.
        cases: training cases.
        plan: makes the model and the options of `harmonium.fit`; it is not called for a training that has started.
        again: options of `harmonium.resume`, for what a run folder does not keep.
    """
    if (out / "config.json").exists():
        return hm.resume(out, **({"progress": True} | again))
    model, options = plan()
    return model, hm.fit(model, cases, out=out, **({"progress": True} | options))


def seconds_per_update(fit: Callable[[hm.training.Callback], Any], skip: int = 0, *, processor: bool = True) -> float:
    """Measure the time of an update: the median on a throw-away model, since others may be using the machine.

    A training must be planned before it starts, or it could not be resumed exactly.

    Args:
        fit: trains a throw-away model with this callback.
        skip: updates that are left out, at the beginning.
        processor: measure processor time rather than the clock.
    """
    now, times = time.process_time if processor else time.perf_counter, list[float]()

    class Clock(hm.training.Callback):
        def on_update(self, training) -> None:  # type: ignore[no-untyped-def]
            times.append(now())

    fit(Clock())
    return statistics.median(after - before for before, after in itertools.pairwise(times[skip:]))


class Exact(hm.training.Callback):
    """Adds the exact "log_likelihood" of the validation cases, in nats per case, to the rows of the history."""

    def __init__(self, every: int) -> None:
        self.every = every

    def on_measure(self, training, row) -> None:  # type: ignore[no-untyped-def]
        if row["epoch"] % self.every == 0 or row["epoch"] == training.plan.epochs:
            row["log_likelihood"] = hm.evaluate(training.model, training.validation, method="exact").mean

    def columns(self, training) -> set[str]:  # type: ignore[no-untyped-def]
        return {"log_likelihood"}


def summary_of(history: hm.training.History) -> dict[str, Any]:
    """Length of a training: epochs, the best epoch, updates, minutes."""
    last = history.rows[-1]
    return {
        "epochs": last["epoch"],
        "best_epoch": (history.best or last)["epoch"],
        "updates": last["update"],
        "minutes": round(last["seconds"] / 60, 1),
    }


# Judging --------------------------------------------------------------------------------------------------------------


def chain_states(model: hm.models.Machine, copies: int, sweeps: int = 1000) -> torch.Tensor:
    """States of the persistent chains at several times, (copies, chains, n): errors stay those of the chains."""
    assert model.chains is not None
    states = [model.unpack(model.chains)]
    for copy in range(copies):
        states.append(model.sweep(states[-1], hm.Stream(copy, "judge"), sweeps))
    return torch.stack([model.pack(state) for state in states[1:]])


def judge(model: Any, splits: Mapping[str, Any], z: Any = None, **options: Any) -> dict[str, Any]:
    """Likelihoods of several splits in nats per case.

    Args:
        model: any model.
        splits: cases by name.
        z: log Z, if there is one.
        options: passed to `harmonium.evaluate`.

    Returns:
        for each split [lower, mean, upper, standard error]; with a log Z also "log_z", "bracket" (its width), "ess",
        "trusted" and "why".
    """
    scores = {name: hm.evaluate(model, cases, log_partition=z, **options) for name, cases in splits.items()}
    found: dict[str, Any] = {name: [s.lower, s.mean, s.upper, s.stderr] for name, s in scores.items()}
    if z is not None:
        found |= {"log_z": [z.lower, z.value, z.upper], "bracket": z.upper - z.lower, "ess": z.ess,
                  "trusted": z.reliable, "why": z.why}  # fmt: skip
    return found


# Results --------------------------------------------------------------------------------------------------------------


def save_result(path: Path, result: Mapping[str, Any]) -> None:
    """Write a result as JSON, into a file or as result.json into a folder, and print it."""
    file = path / RESULT if path.is_dir() else path
    text = json.dumps(result, indent=2)
    file.write_text(text + "\n")
    print(text, flush=True)


def load_result(path: Path) -> dict[str, Any]:
    """Read a result that `save_result` wrote; empty if there is none."""
    file = path / RESULT if path.is_dir() else path
    found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    return found


def publish(
    section: str, header: Sequence[str], rows: Sequence[Sequence[str]], note: str = "", *, threads: int = 1,
    before: str = "", versions: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Put a table into its section of docs/benchmarks, with a note and a description of the machine.

    Args:
        section: name of the section.
        header: column titles.
        rows: cells.
        note: text under the table.
        threads: used in the measurement.
        before: text above the table.
        versions: of libraries, by name (default: torch and harmonium).
    """
    known = versions or {"torch": torch.__version__, "harmonium": hm.__version__}
    about = machine(threads, {name: {version} for name, version in known.items()})
    text = f"{table(header, rows)}\n\n{note} {about}".replace("\n\n ", "\n\n")
    replace_section(section, f"{before}\n\n{text}" if before else text)


def nats(score: Sequence[float]) -> str:
    """The lower end of [lower, mean, upper, standard error] with its standard error."""
    return f"{bound(score[0])} +- {score[3]:.2f}"


def bracket(low: float, high: float) -> str:
    """An interval, in nats."""
    return f"[{bound(low)}, {high:.2f}]"


def bound(value: float) -> str:
    """A lower bound, in nats."""
    return f"{value:.2f}" if math.isfinite(value) else "no bound"


def yes(value: bool) -> str:
    """A truth value as a cell."""
    return "yes" if value else "no"
