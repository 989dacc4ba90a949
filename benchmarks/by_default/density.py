"""Densities of binary sets, within a minute of one core."""

from __future__ import annotations

import math
from functools import partial

from by_default import doors
from by_default.job import Cells, Job, Measure, Scores
from by_default.sources import UnavailableError, folder

__all__ = ["JOB"]

SECONDS = 60.0
TREE, MIXTURE, OURS = "Chow-Liu tree", "mixture", "RBM"
SETS = ("nltcs", "plants", "kdd", "jester", "mushrooms", "ocr_letters")


def task(name: str, seed: int) -> str:
    if not (folder() / f"{name}.npz").exists():
        raise UnavailableError(f"{name}.npz is not in HARMONIUM_DATA")
    return name


def compared(model: str, name: str, seed: int) -> Scores:
    """The lower end of the likelihood, so that an estimate of log Z cannot flatter; none if log Z is not reliable."""
    entry = doors.compared(name, model, SECONDS, seed)
    return {
        "test, nats": entry.lower if entry.reliable and entry.lower is not None else -math.inf,
        "estimate": entry.mean, "trusted": float(entry.reliable), "training": entry.seconds, "judging": entry.judging,
    }  # fmt: skip


def text(nats: float) -> str:
    return "log Z not reliable" if math.isinf(nats) else f"{nats:.2f}"


def reached(cells: Cells) -> bool:
    return cells[OURS] > cells[TREE] and cells[OURS] > cells[MIXTURE]


JOB = Job(
    title="Densities",
    about=f"`hm.compare` with {SECONDS:g} seconds of training on one core, official splits, nats per test case. Of the "
    "RBM, whose log Z is estimated, the lower end of the bracket.",
    sets={name: partial(task, name) for name in SETS},
    peers={TREE: partial(compared, "tree"), MIXTURE: partial(compared, "mixture")},
    ours={OURS: partial(compared, "rbm")},
    measures={"test, nats": Measure(text, "above the tree, above the mixture on four", reached)},
)
