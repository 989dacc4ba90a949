"""``harmonium compare --minutes M``: the time that training and judging really take."""

from __future__ import annotations

import time
from functools import partial

from by_default import doors
from by_default.job import Cells, Job, Measure, Scores

__all__ = ["JOB"]

SECONDS = 60.0
MODELS = ("independent", "mixture", "tree", "rbm", "dbn", "dbm", "nade", "eonade", "made", "vae", "iwae")
RATIO = 1.3


def task(name: str, seed: int) -> str:
    return name


def timed(model: str, name: str, seed: int) -> Scores:
    began = time.perf_counter()
    doors.compared(name, model, SECONDS, seed)
    return {"time / budget": (time.perf_counter() - began) / SECONDS}


def reached(cells: Cells) -> bool:
    return max(cells[model] for model in MODELS) <= RATIO


JOB = Job(
    title="The time of a comparison",
    about=f"`hm.compare` with {SECONDS:g} seconds for each model: wall time, judging included, over that budget.",
    sets={name: partial(task, name) for name in ("digits", "jester", "kdd")},
    peers={},
    ours={model: partial(timed, model) for model in MODELS},
    measures={"time / budget": Measure("{:.2f}".format, f"<= {RATIO:g}, every model", reached)},
)
