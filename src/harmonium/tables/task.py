"""What the models of a table are trained on, and the call that trains them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from harmonium.core.progress import Progress
from harmonium.core.random import Stream
from harmonium.data.codecs.codec import Array
from harmonium.data.codecs.table import TableCodec
from harmonium.models.model import Model
from harmonium.runs.fit import fit

__all__ = ["Task", "train"]

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Task:
    """What a model is trained on.

    Attributes:
        codec: of the table.
        train: raw states (rows, variables), NaN where they are missing at random.
        valid: of rows set aside.
        seconds: of processor time.
        stream: of everything random.
        progress: whether to show a bar.
    """

    codec: TableCodec
    train: Array
    valid: Array
    seconds: float
    stream: Stream
    progress: Progress = False

    @property
    def gaps(self) -> bool:
        """Whether values are missing at random."""
        return bool(np.isnan(self.train).any() or np.isnan(self.valid).any())


def train(task: Task, model: M, **options: Any) -> M:
    """Train a model by the plan of `harmonium.fit` within the time of a task; ``options`` replace its arguments."""
    plan: dict[str, Any] = {"minutes": task.seconds / 60, "seed": task.stream.child("fit"), "progress": task.progress}
    cases, valid = (states.astype(np.float32, copy=False) for states in (task.train, task.valid))
    fit(model, cases, validation=valid, **plan | options)
    return model
