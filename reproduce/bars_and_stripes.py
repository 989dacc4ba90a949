"""Bars-and-stripes 4x4, 16 hidden units, full batch, learning rate 0.1: exact likelihoods along training.

    python reproduce/bars_and_stripes.py [--seeds 5] [--updates 20000] [--write]

Plain CD-1 rises and then falls; centered CD-10 comes near the bound.  Log-likelihoods are totals in nats over the
32-pattern multiset (all-white and all-black twice), whose bound is -108.131.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch

import harmonium as hm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
from report import machine, replace_section, table

SETTINGS = {"CD-1, plain": (hm.CD(1), "plain"), "CD-10, centered": (hm.CD(10), "centered")}


class Exact(hm.Callback):
    """Total exact log-likelihood every so many updates (one update is one epoch here)."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.curve: dict[int, float] = {}

    def on_epoch(self, training, row) -> None:  # type: ignore[no-untyped-def]
        if row["epoch"] % self.every == 0:
            self.curve[row["epoch"]] = total(training.model, training.cases)


def total(model: hm.Machine, cases: hm.data.Cases) -> float:
    return hm.evaluate(model, cases, method="exact").mean * len(cases)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=20_000)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    options = parser.parse_args()
    torch.set_num_threads(1)  # matrices of 32 x 16
    data = hm.data.load("bars-and-stripes").train
    rows = []
    for label, (objective, metric) in SETTINGS.items():
        curves, begun = [], time.perf_counter()
        for seed in range(options.seeds):
            exact = Exact(every=options.updates // 20)
            hm.fit(
                hm.RBM(16, 16), data, objective=objective, metric=metric, learning_rate=0.1, epochs=options.updates,
                batch_size=len(data), seed=seed, callbacks=[exact],
            )  # fmt: skip
            curves.append(exact.curve)
            print(label, "seed", seed, {update: round(value, 1) for update, value in exact.curve.items()}, flush=True)
        marks = sorted(curves[0])
        best = [max(curve.values()) for curve in curves]
        rows.append(
            [
                label,
                f"{statistics.mean(best):.1f} +- {statistics.stdev(best) if len(best) > 1 else 0:.1f}",
                *(
                    f"{statistics.median(curve[mark] for curve in curves):.1f}"
                    for mark in (marks[4], marks[9], marks[-1])
                ),
                f"{(time.perf_counter() - begun) / options.seeds:.0f} s",
            ]
        )
    fifth, half, last = (f"median at {mark:,}" for mark in (marks[4], marks[9], marks[-1]))
    text = table(["objective", f"best of training (mean of {options.seeds})", fifth, half, last, "each run"], rows)
    print(text)
    if options.write:
        replace_section("bars-and-stripes", f"{text}\n\n{machine(1, {'torch': {torch.__version__}})}")


if __name__ == "__main__":
    main()
