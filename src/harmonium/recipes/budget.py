"""Number of epochs that fit into a time, measured on a copy of the model before the run begins.

A schedule needs its end in advance, and a run that followed the clock later could not be resumed exactly.
"""

from __future__ import annotations

import copy
import math
import time
from typing import Any, NamedTuple

from harmonium.core.random import Stream
from harmonium.data import Cases
from harmonium.models.model import Model
from harmonium.runs.fit import fit
from harmonium.training.callbacks import Callback
from harmonium.training.loop import Training
from harmonium.training.monitor import LikelihoodMonitor

__all__ = ["Budget", "budget"]

SHARE = 0.08  # of the time, for the measurement
LEAST, MOST = 0.3, 5.0  # bounds of that, in seconds
WARM = 3  # updates that compile and allocate, and do not count
MEASURED = 0.2  # of the time at most, for the likelihood of validation cases
MEASUREMENTS = 20
SPARE = 0.9  # what is planned for: clocks differ a little


class Budget(NamedTuple):
    """A training plan that ends in time.

    Attributes:
        epochs: number of epochs.
        every: epochs between measurements of the likelihood.
        spent: seconds that the measurement took, without compilation.
    """

    epochs: int
    every: int
    spent: float


class _Clock(Callback):
    """Time updates until the time is up, then one measurement of the likelihood."""

    every_updates = None

    def __init__(self, seconds: float, measure: LikelihoodMonitor, validation: Cases | None) -> None:
        self.seconds, self.measure, self.validation = seconds, measure, validation
        self.times: list[tuple[int, float]] = []  # (updates made, when)
        self.measurement = 0.0

    def on_update(self, training: Training) -> None:
        if training.position.update > WARM:
            self.times.append((training.position.update, time.perf_counter()))
            if self.times[-1][1] - self.times[0][1] > self.seconds:
                training.stop = "known"

    def on_end(self, training: Training) -> None:
        training.validation = self.validation
        for _ in range(2):  # the first one compiles, and does not count
            began = time.perf_counter()
            self.measure.on_measure(training, {"epoch": training.plan.epochs})
            self.measurement = time.perf_counter() - began


def budget(
    model: Model,
    cases: Cases,
    validation: Cases | None,
    seconds: float,
    measure: LikelihoodMonitor,
    *,
    batch_size: int = 100,
    **options: Any,
) -> Budget:
    """Plan the number of epochs of `harmonium.fit` that fit into a time, measurements included; at least one.

    Args:
        model: left as it is; a copy is trained.
        cases: the training cases.
        validation: cases whose likelihood is measured; None: no measurement.
        seconds: the whole time.
        measure: how the likelihood is measured.
        batch_size: as for `harmonium.fit`.
        **options: as for `harmonium.fit`.
    """
    batches = -(-len(cases) // batch_size)
    clock = _Clock(min(MOST, max(LEAST, SHARE * seconds)), measure, validation)
    fit(
        copy.deepcopy(model), cases, epochs=-(-1_000_000 // batches), batch_size=batch_size, callbacks=[clock],
        **(options | {"seed": Stream(0, "budget")}),
    )  # fmt: skip
    (first, began), (last, ended) = clock.times[0], clock.times[-1]
    spent, update = ended - began, (ended - began) / (last - first)
    measurements = max(1, min(MEASUREMENTS, int(MEASURED * seconds / max(clock.measurement, 1e-6))))
    left = SPARE * seconds - spent - measurements * clock.measurement
    epochs = max(1, int(left / (max(update, 1e-9) * batches)))
    return Budget(epochs, math.ceil(epochs / measurements), spent)
