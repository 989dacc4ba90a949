"""An update of PTT against one of PCD, 784 x 500, equal chains, sweeps and batches, along a training.

    python benchmarks/ptt.py --write

Binarized MNIST, one thread, processor time; whole trainings of some hundred updates in turn: the median update,
and the mean, which has the filling of reservoirs and pauses in it.  Needs HARMONIUM_DATA.
"""

from __future__ import annotations

import argparse
import statistics
import time
from itertools import pairwise
from typing import Any

import torch
from report import machine, quiet, replace_section, table

import harmonium as hm

UPDATES, CHAINS, BATCH, RATE = 500, 100, 100, 0.01
SWEEPS = (1, 10)


class Clock(hm.training.Callback):
    """Processor time after every update."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_update(self, training: Any) -> None:
        self.times.append(time.process_time())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks")
    options = parser.parse_args()
    noise = quiet()
    torch.set_num_threads(1)
    cases = hm.data.load("binarized_mnist").train[: UPDATES * BATCH]
    rows = []
    for k in SWEEPS:
        plain, tempered, whole, frozen, pauses = [], [], [], 0, 0
        for _ in range(options.rounds):
            plain.append(per_update(hm.PCD(k=k, chains=CHAINS), cases)[0])
            one, mean, last = per_update(hm.PTT(k=k, chains=CHAINS), cases)
            tempered.append(one)
            whole.append(mean)
            frozen, pauses = last["frozen_models"], last["pauses"]
        ratio, with_all = (
            statistics.median(b / a for a, b in zip(plain, times, strict=True)) for times in (tempered, whole)
        )
        rows.append(
            [
                str(k),
                f"{1e3 * statistics.median(plain):.2f} ms",
                f"{1e3 * statistics.median(tempered):.2f} ms",
                f"{ratio:.2f}x",
                f"{with_all:.2f}x",
                f"{frozen}",
                f"{pauses}",
                "3x",
                "yes" if ratio <= 3 else "no",
            ]
        )
    header = [
        "sweeps",
        "PCD",
        "PTT",
        "ratio",
        "with reservoirs and pauses",
        "models frozen",
        "rounds of pause",
        "must reach",
        "met",
    ]
    text = f"{table(header, rows)}\n\n{noise} {machine(1, {'torch': {torch.__version__}})}".strip()
    print(text)
    if options.write:
        replace_section("ptt-update", text)


def per_update(objective: hm.objectives.Objective, cases: Any) -> tuple[float, float, dict[str, Any]]:
    """Seconds of an update, median and mean, and the last row of the history."""
    clock = Clock()
    history = hm.fit(
        hm.RBM(784, 500), cases, objective=objective, epochs=1, batch_size=BATCH, learning_rate=RATE, callbacks=[clock]
    )
    took = [after - before for before, after in pairwise(clock.times)]
    return statistics.median(took), statistics.mean(took), history.rows[-1]


if __name__ == "__main__":
    main()
