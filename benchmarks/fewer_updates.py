"""Compare optimizers, averages, batches and schedules: nats on validation cases after equal processor time.

    python benchmarks/fewer_updates.py --out RUN [--sets mnist,caltech,protein] [--recipes sgd,adam] [--seconds 60]
    python benchmarks/fewer_updates.py --out RUN --write

Every recipe trains for a quarter of the time with each of its learning rates, and with the best of them for the whole
time.  A training is planned by the time of an update, so that its learning rate falls to the end; nothing but updates
counts.  Each result is a line of JSON in RUN/fewer_updates.jsonl: called again, the script computes what is
missing.  One thread; needs HARMONIUM_DATA.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import report
import torch

import harmonium as hm

sys.path.insert(0, str(report.ROOT / "reproduce"))

SHORT = 4  # times shorter are trainings that choose a learning rate
PILOT, SKIP = 100, 50  # updates that are timed, and those before them, in which loops are compiled
CHAINS, TEMPERATURES, SWEEPS = 100, 1000, 300  # of log Z

Options = dict[str, Any]


class Task(NamedTuple):
    """What is trained, and how usually."""

    about: str
    model: Callable[[], Any]
    train: Any
    valid: Any
    weight: Any
    chains: int
    sweeps: int
    decay: float
    rates: float
    """The learning rate of "sgd" around which rates are tried."""


class Recipe(NamedTuple):
    """Options of a training with a learning rate."""

    rates: Sequence[float]
    """Relative to that of the task, if ``relative``."""
    options: Callable[[float], Options]
    relative: bool = True
    times: int = 1
    """Batch size and number of chains, relative to the usual ones."""


def linear(**more: Any) -> Callable[[float], Options]:
    return lambda rate: {"learning_rate": hm.schedules.Linear(rate)} | more


def momentum(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def constant(rate: float) -> Options:
    return {"learning_rate": rate, "average": hm.training.Average(0.2)}


FACTORS = (0.5, 1.0, 2.0)
RECIPES: dict[str, Recipe] = {
    "sgd": Recipe(FACTORS, linear()),
    "average of sgd": Recipe(FACTORS, linear(average=hm.training.Average())),
    "average of sgd at a constant rate": Recipe((0.25, 0.5, 1.0), constant),
    "momentum 0.9": Recipe((0.05, 0.1, 0.2), linear(optimizer=momentum)),
    "adam": Recipe((0.001, 0.003, 0.01), linear(optimizer="adam"), relative=False),
    "muon": Recipe((0.2, 0.4, 0.8), linear(optimizer="muon")),
    "natural gradient": Recipe((0.1, 0.2, 0.4), linear(metric="natural")),
    "batches and chains x 5": Recipe((1.0, 2.0, 4.0), linear(), times=5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--sets", type=_words, default=list(TASKS), help=f"of {', '.join(TASKS)}")
    parser.add_argument("--recipes", type=_words, default=[], help="beginnings of the names of recipes")
    parser.add_argument("--seconds", type=float, default=40.0, help="of processor time, of a whole training")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks, and compute nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    store = Store(options.out / "fewer_updates.jsonl")
    recipes = [name for name in RECIPES if not options.recipes or name.startswith(tuple(options.recipes))]
    for place in options.sets:
        if not options.write:
            task = TASKS[place]()
            for name in recipes:
                compete(store, place, task, name, options.seconds)
        if not store.find(set=place, seconds=options.seconds):
            continue
        text = section(store, place, options.seconds)
        print(f"\n{text}\n", flush=True)
        if options.write:
            report.replace_section(f"fewer-updates-{place}", f"{text}\n\n{report.machine(1, versions())}")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def versions() -> dict[str, set[str]]:
    return {"torch": {torch.__version__}, "harmonium": {hm.__version__}}


class Store:
    """Results by set, recipe, learning rate and seconds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def find(self, **key: Any) -> list[dict[str, Any]]:
        return [row for row in self.rows if all(row[name] == value for name, value in key.items())]

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)


# Trainings ------------------------------------------------------------------------------------------------------------


def compete(store: Store, place: str, task: Task, name: str, seconds: float) -> None:
    """Choose a learning rate by short trainings, then train for the whole time."""
    recipe = RECIPES[name]

    def result(rate: float, seconds: float, pace: float | None = None) -> dict[str, Any]:
        key = {"set": place, "recipe": name, "rate": rate, "seconds": seconds}
        if not store.find(**key):
            store.add(key | trained(task, recipe, rate, seconds, pace))
        return store.find(**key)[0]

    rates = [float(f"{rate * (task.rates if recipe.relative else 1.0):.3g}") for rate in recipe.rates]
    chosen = best([result(rate, seconds / SHORT) for rate in rates])
    result(chosen["rate"], seconds, chosen["took"] / chosen["updates"])


def best(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The result with the best validation likelihood by the upper log Z; without one, by log Z."""
    return max(rows, key=lambda row: (row["lower"] is not None, row["lower"] or row["mean"] or -math.inf))


def trained(task: Task, recipe: Recipe, rate: float, seconds: float, pace: float | None) -> dict[str, Any]:
    """Nats per validation case after this number of processor seconds; ``pace``: seconds of an update, if known."""
    batch = 100 * recipe.times
    options = {
        "objective": hm.PCD(k=task.sweeps, chains=task.chains * recipe.times),
        "batch_size": batch,
        "penalties": [hm.training.WeightDecay(task.decay)],
        "progress": False,
    } | recipe.options(rate)
    if pace is None:
        fit(task, options, PILOT + SKIP, batch, clock := Clock())
        pace = clock.seconds
    updates = max(10, int(seconds / pace))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of models that are far from independent columns: the table says it
        began = time.process_time()
        try:
            model, made = fit(task, options, updates, batch, hm.training.TimeLimit(1.5 * seconds, processor=True))
        except hm.errors.DivergedError:
            return {"lower": None, "mean": None, "upper": None, "updates": updates, "took": 0.0}
    took = time.process_time() - began
    z = hm.log_partition(
        model, "ais", chains=CHAINS, temperatures=TEMPERATURES, sweeps=SWEEPS, chains_from=model.chains, seed=1
    )
    score = hm.evaluate(model, task.valid, log_partition=z)
    found = {"lower": score.lower, "mean": score.mean, "upper": score.upper}
    finite = {name: value if math.isfinite(value) else None for name, value in found.items()}
    return finite | {"updates": made, "took": round(took, 1)}


class Clock(hm.training.Callback):
    """Median processor time of an update."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_update(self, training: Any) -> None:
        self.times.append(time.process_time())

    @property
    def seconds(self) -> float:
        return (self.times[-1] - self.times[SKIP]) / (len(self.times) - 1 - SKIP)


def fit(task: Task, options: Options, updates: int, batch: int, callback: Any) -> tuple[Any, int]:
    """Train a new model for this number of updates: (model, updates made)."""
    epochs = max(1, math.ceil(updates * batch / len(task.train)))
    rows = np.linspace(0, len(task.train) - 1, min(len(task.train), max(1, updates // epochs) * batch)).astype(int)
    weight = None if task.weight is None else task.weight[rows]
    model = task.model()
    history = hm.fit(
        model, task.train[rows], sample_weight=weight, epochs=epochs, callbacks=[callback], seed=0, **options
    )
    return model, history.rows[-1]["update"] if history.rows else 0


# Tables ---------------------------------------------------------------------------------------------------------------


def section(store: Store, place: str, seconds: float) -> str:
    """The table of a set: recipes from the best to the worst."""
    ends = []
    for name in RECIPES:
        short, long = (store.find(set=place, recipe=name, seconds=each) for each in (seconds / SHORT, seconds))
        if short:
            ends.append((name, best(short), best(long) if long else None))
    ends.sort(key=lambda end: (end[2] is None, -((end[2] or end[1])["lower"] or -math.inf)))
    head = ["recipe", *(f"{part} after {s:g} s" for s in (seconds / SHORT, seconds)
                        for part in ("rate", "updates", "nats"))]  # fmt: skip
    cells = [[name, *texts(short), *texts(long)] for name, short, long in ends]
    return report.table(head, cells)


def texts(row: dict[str, Any] | None) -> list[str]:
    if row is None:
        return ["", "", "not trained"]
    return [f"{row['rate']:g}", f"{row['updates']:,}, {row['took']:g} s", nats(row)]


def nats(row: dict[str, Any]) -> str:
    if row["mean"] is None:
        return "diverged"
    low = "no bound" if row["lower"] is None else f"{row['lower']:.2f}"
    return f"{low} ({row['mean']:.2f})"


# Sets -----------------------------------------------------------------------------------------------------------------


def mnist() -> Task:
    data = hm.data.load("binarized_mnist")
    return Task("binary MNIST", lambda: hm.RBM(784, 500), data.train, data.valid, None, 100, 1, 1e-3, 0.4)


def caltech() -> Task:
    from caltech_silhouettes import silhouettes

    splits = silhouettes()
    return Task("silhouettes", lambda: hm.RBM(784, 500), splits["train"], splits["valid"], None, 200, 2, 3e-3, 0.1)


def protein() -> Task:
    from protein_family import SITES, STATES, family

    parts = family(Path(os.environ["HARMONIUM_DATA"]) / "PF00014.fasta")
    (codes, weights), valid = parts["train"], parts["valid"].codes
    return Task(
        "PF00014", lambda: hm.RBM(hm.Categorical(SITES, STATES), 200), codes, valid, weights, 200, 2, 1.5e-3, 0.3
    )


TASKS = {"mnist": mnist, "caltech": caltech, "protein": protein}


if __name__ == "__main__":
    main()
