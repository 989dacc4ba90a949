"""What several processes cost and save: two processes of one thread each against one process.

    python benchmarks/many.py --write

A PCD update of a large machine is compared with one process of two threads; annealing and tempering with one process of
one thread.  Every measurement is a fresh program, started by torchrun where there are two processes; they take turns.
The last digits of what is computed are compared, too: in the same shards they must be equal on one process and on two.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from launch import CONTENDERS, environment
from report import duration, machine, quiet, replace_section, table

import harmonium as hm

TASKS: dict[str, tuple[str, int, str, str, dict[str, Any]]] = {
    "pcd": (
        "PCD update, 784 x 2,000, batches and chains of 1,000", 2, "<= 1.15", "< 1",
        {"visible": 784, "hidden": 2000, "batch": 1000, "repeats": 9},
    ),
    "ais": (
        "log Z by annealing, 784 x 500, 100 chains, 1,000 temperatures", 1, "<= 0.6", "",
        {"chains": 100, "temperatures": 1000, "repeats": 1},
    ),
    "tempering": (
        "log Z by tempering, 784 x 500, 20 replicas, 300 rounds", 1, "<= 0.6", "",
        {"chains": 20, "sweeps": 300, "repeats": 1},
    ),
}  # fmt: skip
"""What is measured, threads of the one process, targets, and the task."""

SMALL = {"visible": 64, "hidden": 64, "batch": 64, "temperatures": 20, "sweeps": 10}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--smoke", action="store_true", help="toy sizes")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks")
    options = parser.parse_args()
    load, versions, rows = quiet(), set(), []
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.safetensors"
        hm.save(trained(60 if options.smoke else 1500), model)
        for name in options.only:
            what, threads, must, go, spec = TASKS[name]
            spec = spec | {"task": name, "model": str(model)}
            if options.smoke:
                spec |= {key: value for key, value in SMALL.items() if key in spec}
            ways = {
                "one": (1, spec | {"shards": None, "threads": threads}),
                "sharded": (1, spec | {"shards": 8, "threads": 1}),
                "two": (2, spec | {"shards": 8, "threads": 1}),
            }
            found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
            for _ in range(1 if options.smoke else options.rounds):
                for way, (count, task) in ways.items():
                    found[way].append(answer(count, task))
            versions.add(found["one"][0]["torch"])
            took = {way: [statistics.median(each["seconds"]) for each in every] for way, every in found.items()}
            busy = {way: [statistics.median(each["processor"]) for each in every] for way, every in found.items()}
            ratio, share = (
                statistics.median(a / b for a, b in zip(of["two"], of["one"], strict=True)) for of in (took, busy)
            )
            same = {each["value"] for way in ("sharded", "two") for each in found[way]}
            one, sharded, two = (duration(statistics.median(took[way])) for way in ways)
            equal = "equal" if len(same) == 1 else "DIFFERENT"
            rows.append([what, f"{one} ({threads})", sharded, two, f"{ratio:.2f}", f"{share:.2f}", must, go, equal])
            print(f"{what}: {ratio:.2f}, processor time {share:.2f}", flush=True)
    header = [
        "", "one process (threads)", "the same in 8 shards, one thread", "two processes", "two : one",
        "processor time of the busier one", "must reach", "go for", "result in shards",
    ]  # fmt: skip
    note = machine(2, {"torch": versions}) + (f" Note: {load}." if load else "")
    text = f"{table(header, rows)}\n\n{note}"
    print(text)
    if options.write and not options.smoke:
        replace_section("many", text)


def trained(updates: int) -> hm.RBM:
    """A machine of 784 x 500 units that knows digits of 8 x 8 pixels, each pixel 3 x 3, within a margin."""
    small = np.asarray(hm.data.load("digits").train).reshape(-1, 8, 8)
    large = np.pad(np.kron(small, np.ones((1, 3, 3))), ((0, 0), (2, 2), (2, 2))).reshape(len(small), -1)
    rbm = hm.RBM(784, 500)
    epochs = max(1, updates // -(-len(large) // 100))
    hm.fit(rbm, large.astype(np.uint8), epochs=epochs, batch_size=100, objective=hm.PCD(chains=100), shards=8)
    return rbm


def answer(processes: int, spec: dict[str, Any]) -> dict[str, Any]:
    """The answer of a fresh program."""
    together = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    start = [sys.executable, *(together if processes > 1 else [])]
    done = subprocess.run(
        [*start, str(CONTENDERS / "processes.py"), json.dumps(spec)],
        env=environment(spec["threads"]), capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise SystemExit(f"{' '.join(start)}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


if __name__ == "__main__":
    main()
