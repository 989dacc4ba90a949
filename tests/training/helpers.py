"""What the tests of training share.  Run as a program, it serves trainings that can be killed (see `Server`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.errors import InterruptedRunError
from harmonium.runs.checkpoint import Checkpoint

Tensors = dict[str, torch.Tensor]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small products gain nothing by a second thread, and wait long for one whose core is taken."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Break(hm.training.Callback):
    """Ends the process, so to say, in the middle of an update; None: does not."""

    def __init__(self, update: int | None = None) -> None:
        self.update = update

    def on_update(self, training: Any) -> None:
        if training.position.update == self.update:
            raise KeyboardInterrupt


def bars() -> np.ndarray:
    """Bars and stripes 4 x 4: 32 cases, (32, 16) bytes."""
    return np.asarray(hm.data.load("bars-and-stripes").train, dtype=np.uint8)


def patterns(cases: int = 60, width: int = 12, seed: int = 0) -> np.ndarray:
    """Noisy copies of three prototypes, (cases, width) bools."""
    rng = np.random.default_rng(seed)
    prototypes = rng.random((3, width)) < 0.5
    return prototypes[rng.integers(3, size=cases)] ^ (rng.random((cases, width)) < 0.1)


def clusters(cases: int = 400, seed: int = 0) -> np.ndarray:
    """Two round clusters in three dimensions, standardised, float64."""
    rng = np.random.default_rng(seed)
    x = np.where(rng.random((cases, 1)) < 0.4, [2.0, -1.0, 0.5], [-1.0, 1.5, -0.5]) + 0.3 * rng.normal(size=(cases, 3))
    return (x - x.mean(0)) / x.std(0)


def tensors(model: hm.models.Machine) -> Tensors:
    """Copies of all that a model file holds."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a: Tensors, b: Tensors) -> bool:
    """Whether the same tensors are there, bit for bit."""
    return a.keys() == b.keys() and all(a[k].dtype == b[k].dtype and torch.equal(a[k], b[k]) for k in a)


def trained(data: Any, *, hidden: int = 5, dtype: torch.dtype = torch.float32, **options: Any) -> Tensors:
    """The tensors of a small RBM after a short training."""
    model = hm.RBM(np.shape(data)[1], hidden, dtype=dtype)
    hm.fit(model, data, **({"epochs": 3, "batch_size": 16, "objective": hm.PCD(chains=8), "seed": 3} | options))
    return tensors(model)


def rows(out: Path) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl, without the seconds, which no two runs share."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in lines]


def stored(out: Path) -> Tensors:
    """The tensors of the model that a run left."""
    return tensors(hm.load(out / "model.safetensors"))


# ------------------------------------------------------------------------------------------ trainings to be killed


class Drift(hm.training.Callback):
    """Somebody's own callback: it measures with random numbers, and remembers from epoch to epoch."""

    def __init__(self) -> None:
        self.total = 0.0

    def on_measure(self, training: Any, row: hm.training.History) -> None:
        v = training.cases.rows(torch.arange(8))
        moved = training.model.gibbs(v, 3, training.root.child("drift", row["epoch"]))
        self.total += float((moved != v).double().mean())
        row["drift"] = self.total

    def state(self) -> dict[str, Any]:
        return {"total": self.total}

    def restore(self, state: dict[str, Any]) -> None:
        self.total = state["total"]


def momentum(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    """Somebody's own optimizer."""
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.5)


def everything(seconds: float) -> dict[str, Any]:
    """Persistent chains, Adam, a diagonal metric, sparsity, dynamic binarisation, the best model kept; named data."""
    data = hm.data.load("digits", binarize="dynamic")
    return {
        "model": hm.RBM(64, 8),
        "data": data.train,
        "validation": data.valid,
        "objective": hm.PCD(chains=20),
        "metric": "diagonal",
        "optimizer": "adam",
        "learning_rate": hm.schedules.Linear(0.02),
        "penalties": [hm.training.Sparsity(0.2, 0.1), hm.training.WeightDecay(1e-3)],
        "epochs": 8,
        "batch_size": 150,
        "callbacks": [hm.training.Monitor(cases=40), hm.training.EarlyStopping(patience=None), Checkpoint(seconds)],
        "seed": 4,
    }


def stopping(seconds: float) -> dict[str, Any]:
    """A training that stops early, on arrays with weights; the rate is so high that validation must suffer."""
    return {
        "model": hm.RBM(12, 6),
        "data": patterns(),
        "validation": patterns(seed=1),
        "sample_weight": np.linspace(0.0, 2.0, 60),
        "objective": hm.CD(k=2),
        "learning_rate": 1.0,
        "optimizer": "rmsprop",
        "metric": "plain",
        "epochs": 400,
        "batch_size": 7,
        "callbacks": [hm.training.EarlyStopping(patience=8), Checkpoint(seconds)],
        "seed": 5,
    }


def loaded(seconds: float) -> dict[str, Any]:
    """A model that is not fresh, an optimizer and a callback of one's own, float64."""
    rng = np.random.default_rng(7)
    return {
        "model": hm.RBM.from_arrays(0.3 * rng.normal(size=(12, 4)), rng.normal(size=12), rng.normal(size=4)),
        "data": patterns(),
        "objective": hm.PCD(chains=10),
        "learning_rate": 0.1,
        "optimizer": momentum,
        "epochs": 60,
        "batch_size": 25,
        "callbacks": [Drift(), Checkpoint(seconds)],
        "seed": 6,
    }


RECIPES: dict[str, Callable[[float], dict[str, Any]]] = {
    "everything": everything,
    "stopping": stopping,
    "loaded": loaded,
}


def begin(
    recipe: str, out: Path | None, seconds: float = 60.0, **changes: Any
) -> tuple[hm.models.Machine, hm.training.History]:
    """Train by a recipe, in a run folder or without."""
    options = RECIPES[recipe](seconds) | changes
    if out is None:
        options["callbacks"] = [callback for callback in options["callbacks"] if not isinstance(callback, Checkpoint)]
    model, data = options.pop("model"), options.pop("data")
    return model, hm.fit(model, data, out=out, **options)


def go_on(recipe: str, out: Path) -> tuple[hm.models.Machine, hm.training.History]:
    """Resume a recipe's run, passing again what a folder cannot hold."""
    again: dict[str, Any] = {}
    if recipe != "everything":
        again["data"] = patterns()
    if recipe == "stopping":
        again["validation"] = patterns(seed=1)
    if recipe == "loaded":
        again |= {"callbacks": [Drift()], "optimizer": momentum}
    return hm.resume(out, **again)


class Server:
    """A process that trains in children of its own, so that a training can be killed without paying for imports.

    It keeps to one thread from the start: a process may be forked safely as long as it never had a second one.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )
        self._answer()

    def start(self, recipe: str, out: Path, seconds: float = 60.0, end: tuple[int, float | str] | None = None) -> int:
        """Train in the folder, or go on there, in a child; its process id.

        ``end`` is a signal and when to send it: after so many seconds, or once a file of the run holds something.  The
        server sends it, which alone knows that the process has not been replaced by another of the same number.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([recipe, str(out), seconds, end]) + "\n")
        self._process.stdin.flush()
        return int(self._answer())

    def wait(self) -> int:
        """The exit code of the child, as subprocess has it: minus the signal that ended it."""
        return int(self._answer())

    def run(self, recipe: str, out: Path, seconds: float = 60.0, end: tuple[int, float | str] | None = None) -> int:
        self.start(recipe, out, seconds, end)
        return self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the server of trainings has died"
        return line


def _serve() -> None:
    torch.set_num_threads(1)
    for recipe in RECIPES:  # compiled loops are loaded once, by the parent
        begin(recipe, None, epochs=1)
    print("ready", flush=True)
    for line in sys.stdin:
        recipe, out, seconds, end = json.loads(line)
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            os._exit(_child(recipe, Path(out), seconds))
        print(child, flush=True)
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            time.sleep(0.002)
            if end is not None and _due(end[1], Path(out), time.monotonic() - started):
                os.kill(child, end[0])
                end = None
        print(os.waitstatus_to_exitcode(ended[1]), flush=True)


def _due(when: float | str, out: Path, elapsed: float) -> bool:
    if isinstance(when, str):
        return (out / when).exists() and (out / when).stat().st_size > 0
    return elapsed >= when


def _child(recipe: str, out: Path, seconds: float) -> int:
    try:
        if (out / "config.json").exists():
            go_on(recipe, out)
        else:
            begin(recipe, out, seconds)
    except InterruptedRunError as error:
        return error.signal
    except BaseException:
        traceback.print_exc()
        return 99
    return 0


if __name__ == "__main__":
    _serve()
