"""Training the model of a table: one kind, or the best of several within a budget."""

from __future__ import annotations

import sys
import time
import warnings
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from harmonium import kernels
from harmonium.core.progress import Progress, bar_delay
from harmonium.core.random import Stream
from harmonium.data.codecs.codec import Array
from harmonium.data.codecs.table import TableCodec
from harmonium.models.model import Model
from harmonium.tables.contenders import CONTENDERS
from harmonium.tables.likelihood import log_probs
from harmonium.tables.task import Task

__all__ = ["Trial", "train_table"]

TRIED = (("mixture", 0.1), ("orderless", 0.9))
"""What "auto" tries: models that answer every question exactly, with their shares of the time."""

LEAST_HELD, MOST_HELD, HELD = 20, 2500, 0.1
TOO_FEW = 40  # rows; below, the model is chosen by its training rows


@dataclass(frozen=True)
class Trial:
    """A model that was tried.

    Attributes:
        word: its name.
        log_prob: mean log-probability of the states of the rows set aside, in nats; None if it is not known.
        seconds: processor time.
        note: why it was not tried, if it was not.
    """

    word: str
    log_prob: float | None
    seconds: float
    note: str = ""

    def __str__(self) -> str:
        if self.note:
            return f"{self.word}: {self.note}"
        value = "trained" if self.log_prob is None else f"{self.log_prob:.3f} nats per row set aside"
        return f"{self.word}: {value}, {self.seconds:.0f} s"

    def config(self) -> dict[str, Any]:
        """Describe it in JSON."""
        return asdict(self)


def train_table(
    kind: str, codec: TableCodec, states: Array, held: Array | None, seconds: float, stream: Stream, progress: Progress
) -> tuple[Model, list[Trial]]:
    """Train a model on states.

    Args:
        kind: the word of a contender, or "auto".
        codec: of the table.
        states: raw states (rows, variables), NaN where they are missing at random.
        held: of rows to choose by; None: some of the rows are set aside.
        seconds: of processor time.
        stream: of everything random.
        progress: whether to show progress.

    Returns:
        the model, and what was tried.

    Raises:
        ValueError: if the kind cannot learn from rows with gaps.
    """
    states = states[~np.isnan(states).all(1)]  # an empty row says nothing
    if held is None:
        order = kernels.permutation(stream.child("held").advance(), len(states)).numpy()
        count = min(MOST_HELD, max(LEAST_HELD, round(HELD * len(states)))) if len(states) >= TOO_FEW else 0
        held, states = (states[order[:count]], states[order[count:]]) if count else (states, states)
    task = Task(codec, states, held, seconds, stream, progress)
    words = TRIED if kind == "auto" else ((kind, 1.0),)
    trials: list[Trial] = []
    best: Model | None = None
    found = -np.inf
    shows = bar_delay(progress) is not None
    left = seconds
    for word, share in words:
        contender = CONTENDERS[word]
        if task.gaps and not contender.takes_gaps:
            if kind != "auto":
                raise ValueError(
                    f"model={word!r} learns from complete rows, and there are cells that are missing at random: use "
                    "model='orderless' or 'rbm', or make emptiness a value, columns={name: {'missing': 'value'}}"
                )
            trials.append(Trial(word, None, 0.0, "not tried, because cells are missing at random"))
            continue
        own = left if word == words[-1][0] else share * seconds
        if shows:
            print(f"{word}: training for {own:.0f} s of processor time at most", file=sys.stderr)
        began = time.process_time()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "fit learned nothing")  # columns may be independent of each other
            model = contender.train(replace(task, seconds=own))
        spent = time.process_time() - began
        left -= spent
        value = None if kind != "auto" else float(log_probs(model, held).mean())
        trials.append(Trial(word, value, spent))
        if shows and kind == "auto":
            print(trials[-1], file=sys.stderr)
        if value is None or value > found or best is None:
            best, found = model, -np.inf if value is None else value
    assert best is not None
    return best, trials
