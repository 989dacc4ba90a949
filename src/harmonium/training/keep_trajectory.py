"""Models kept along a training, for the ladder of `TrajectoryTempering`."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmonium.core.checks import check_int, check_number
from harmonium.models.io import load_trajectory, save_snapshot, snapshots
from harmonium.models.model import Model
from harmonium.training.callbacks import Callback

if TYPE_CHECKING:
    from harmonium.training.loop import Training

__all__ = ["KeepTrajectory"]


class KeepTrajectory(Callback):
    """Keeps what the model is before the first update and after updates on an exponential grid.

    In a run folder each is a file of its own, RUN/trajectory/UPDATE.safetensors; elsewhere they stay in memory.

    Args:
        growth: update u is followed by growth * u: modes split ever more slowly.
        every: least number of updates between two.

    Raises:
        ValueError: for a growth below 1 or ``every`` below 1.

    >>> import harmonium as hm
    >>> snapshots = hm.training.KeepTrajectory(growth=2.0)
    >>> bars = hm.data.load("bars-and-stripes").train
    >>> history = hm.fit(hm.RBM(16, 4), bars, batch_size=8, epochs=3, callbacks=[snapshots])
    >>> len(snapshots.models)  # updates 0, 1, 2, 4 and 8 of 12
    5
    """

    def __init__(self, growth: float = 1.1, every: int = 1) -> None:
        self.growth = check_number("KeepTrajectory(growth=...)", growth, "a number of at least 1", lambda x: x >= 1)
        self.every = check_int("KeepTrajectory(every=...)", every)
        self._next = 0
        self._folder: Path | None = None
        self._models: list[Model] = []

    @property
    def models(self) -> list[Model]:
        """Those kept so far, from early to late."""
        return self._models if self._folder is None else load_trajectory(self._folder)

    def on_begin(self, training: Training) -> None:
        self._folder = training.folder
        if training.position.update == 0:
            self._next, self._models = 0, []
        if self._folder is not None:  # what was kept after the checkpoint will be kept again
            for update, path in snapshots(self._folder).items():
                if update > training.position.update:
                    path.unlink()
        self.on_update(training)

    def next_update(self, training: Training) -> int | None:
        return max(self._next, training.position.update + 1)

    def on_update(self, training: Training) -> None:
        update = training.position.update
        if update < self._next:
            return
        self._next = max(update + self.every, math.ceil(update * self.growth))
        if self._folder is not None:
            save_snapshot(training.model, self._folder, update)
            return
        model = copy.deepcopy(training.model)
        model.chains = None
        self._models.append(model)

    def state(self) -> dict[str, Any]:
        return {"next": self._next}

    def restore(self, state: dict[str, Any]) -> None:
        self._next = state["next"]

    def config(self) -> dict[str, Any]:
        return super().config() | {"growth": self.growth, "every": self.every}
