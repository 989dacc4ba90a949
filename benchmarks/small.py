"""Time the updates of small binary RBMs with the default metric, against scikit-learn's `BernoulliRBM`.

    python benchmarks/small.py [--rounds 7] [--write]

Digits (binary, 1,197 cases), batches of ten, ten chains, one thread.  Every fit runs in a fresh process after a short
one; contenders take turns, and the table shows medians of the processor time of one update, with everything that `fit`
does besides: shuffling, checks, chains.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import report
from launch import contend

import harmonium as hm

HIDDEN = (32, 100)
BATCH, EPOCHS = 10, 50
CONTENDERS = {
    "harmonium": {"task": "harmonium", "run": False},
    "with a run folder": {"task": "harmonium", "run": True},
    "scikit-learn": {"task": "sklearn"},
}
HEADER = (
    "model", "harmonium", "with a run folder, progress bar and weight decay", "scikit-learn",
    "harmonium / scikit-learn", "must reach", "go for",
)  # fmt: skip


def measured(cases: Path, hidden: int, rounds: int) -> tuple[dict[str, float], dict[str, set[str]]]:
    """Median seconds of an update by contender, and versions."""
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    versions: dict[str, set[str]] = {}
    for _ in range(rounds):
        for name, task in CONTENDERS.items():
            spec = {"cases": str(cases), "hidden": hidden, "batch": BATCH, "epochs": EPOCHS, "threads": 1, **task}
            answer = contend(sys.executable, "small.py", spec)
            if "seconds" not in answer:
                sys.exit(f"{name}: {answer}")
            times[name].append(answer["seconds"])
            for library, version in answer["versions"].items():
                versions.setdefault(library, set()).add(version)
    return {name: statistics.median(seconds) for name, seconds in times.items()}, versions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks")
    options = parser.parse_args()
    noise = report.quiet()
    rows, versions = [], {}
    with tempfile.TemporaryDirectory() as folder:
        cases = Path(folder) / "cases.npy"
        np.save(cases, np.asarray(hm.data.load("digits").train, dtype=np.uint8))
        for hidden in HIDDEN:
            seconds, versions = measured(cases, hidden, options.rounds)
            ratio = seconds["harmonium"] / seconds["scikit-learn"]
            rows.append([
                f"64 x {hidden}", *(f"{1e6 * value:.0f} us" for value in seconds.values()), f"{ratio:.2f}x", "1.0x",
                "0.5x",
            ])  # fmt: skip
            print(*rows[-1], sep=" | ", flush=True)
    text = report.table(HEADER, rows)
    print(text)
    if options.write:
        about = report.machine(1, versions)
        report.replace_section("small", "\n\n".join(filter(None, (text, about, noise and f"Note: {noise}."))))


if __name__ == "__main__":
    main()
