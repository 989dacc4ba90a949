"""Large binary RBMs, of which `hm.fit` is told the time and nothing else."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import harmonium as hm
from by_default import doors
from by_default.job import Cells, Job, Measure, Scores
from by_default.sources import UnavailableError, folder

__all__ = ["JOB"]

SECONDS = 60.0
TREE, MIXTURE, OURS = "Chow-Liu tree", "mixture", "RBM"
SETS = {"binarized_mnist": 500, "caltech101_silhouettes": 500, "bbc": 100, "nips": 300, "ocr_letters": 800}
"""Hidden units: 100,000 weights or more.  The last three chose nothing of the plan."""


class Task(NamedTuple):
    """A set, and the number of hidden units."""

    name: str
    hidden: int


def task(name: str, hidden: int, seed: int) -> Task:
    if not (folder() / f"{name}.npz").exists():
        raise UnavailableError(f"{name}.npz is not in HARMONIUM_DATA")
    return Task(name, hidden)


def compared(model: str, task: Task, seed: int) -> Scores:
    return {"test, nats": doors.compared(task.name, model, SECONDS, seed).mean}


def fitted(task: Task, seed: int) -> Scores:
    """The likelihood by the upper log Z; it is doubted where the annealing found a reason to."""
    data = hm.data.load(task.name)
    model: Any = hm.RBM(data.train.shape[1], task.hidden, seed=seed)
    history = hm.fit(model, data.train, validation=data.valid, minutes=SECONDS / 60, seed=seed)
    z = hm.log_partition(model, "ais", chains=100, temperatures=5000, seed=1)
    found = hm.evaluate(model, data.test, log_partition=z)
    updates = history.rows[-1]["update"]
    return {"test, nats": found.lower, "estimate": found.mean, "reliable": float(z.reliable), "updates": updates}


def reached(cells: Cells) -> bool:
    return cells[OURS] > max(cells[TREE], cells[MIXTURE])


JOB = Job(
    title="Large binary RBMs",
    about=f"`hm.fit(hm.RBM(n, hidden), data, minutes={SECONDS / 60:g})` on one core with "
    f"{', '.join(map(str, SETS.values()))} hidden units, nats per test case by the upper end of log Z (annealing, "
    "5,000 temperatures), beside tree and mixture of `hm.compare` in the same time.",
    sets={name: partial(task, name, hidden) for name, hidden in SETS.items()},
    peers={TREE: partial(compared, "tree"), MIXTURE: partial(compared, "mixture")},
    ours={OURS: fitted},
    measures={"test, nats": Measure("{:.2f}".format, "above both", reached)},
)
