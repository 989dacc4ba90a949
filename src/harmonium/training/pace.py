"""What fits into a time: updates and a measurement are timed on a copy before a training begins."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from harmonium.core.processes import processes
from harmonium.training.callbacks import Callback

if TYPE_CHECKING:
    from harmonium.training.loop import Training

__all__ = ["Costs", "PaceMaker", "timed"]

SHARE = 0.04  # of the time, for the pilot
LEAST, MOST = 0.1, 3.0  # bounds of that, in seconds


class Costs(NamedTuple):
    """Seconds of processor time.

    Attributes:
        began: when counting began: what is compiled and allocated before comes once, and is not counted.
        update: of an update.
        measurement: of a measurement.
    """

    began: float
    update: float
    measurement: float

    @property
    def spent(self) -> float:
        """Seconds since counting began."""
        return time.process_time() - self.began


class PaceMaker(Callback):
    """Times updates until the time is up; those before the first look compile and allocate, and do not count."""

    transient = True
    every_updates = None

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.looks: list[tuple[int, float]] = []

    def on_update(self, training: Training) -> None:
        if training.position.update > 1:
            self.looks.append((training.position.update, time.process_time()))
            if self.looks[-1][1] - self.looks[0][1] > self.seconds:
                training.stop = "the pace is known"


def timed(begin: Callable[[PaceMaker], Training], measure: Callable[[Training], object], seconds: float) -> Costs:
    """Time updates and a measurement.

    Args:
        begin: makes a training of a copy, long enough to be stopped by the callback that it is given.
        measure: what is measured after a cycle.
        seconds: of the whole training.
    """
    pace = PaceMaker(min(MOST, max(LEAST, SHARE * seconds)))
    training = begin(pace)
    training.run()
    measure(training)  # compiles
    between = time.process_time()
    measure(training)
    now = time.process_time()

    def costs() -> list[float]:
        (first, began), (last, ended) = pace.looks[0], pace.looks[-1]
        update = max(1e-7, (ended - began) / max(1, last - first))
        return [now - (ended - began) - (now - between), update, now - between]

    return Costs(*processes().by_first(costs))  # by one clock
