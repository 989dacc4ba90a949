"""log Z of a trained model: seconds for the same root-mean-square error as rbms' 1,000-temperature AIS.

    python benchmarks/log_z.py MODEL --peers-python /path/to/venv/bin/python --write

MODEL is a binary RBM with its chains, such as `python reproduce/mnist_rbm.py` leaves.  Errors are against a long run of
tempering with Bennett's ratio, ten seeds each.  Of harmonium all budgets are shown; the ratio is that of the cheapest
one whose error is no larger than rbms'.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from launch import contend
from report import machine, replace_section, table

import harmonium as hm

BUDGETS: dict[str, dict[str, Any]] = {
    **{f"AIS, {chains} chains, {t} temperatures": {"method": "ais", "chains": chains, "temperatures": t}
       for chains, t in ((20, 30), (20, 100), (100, 100), (100, 300), (100, 1000))},
    **{f"tempering, {chains} replicas, {sweeps} rounds": {
        "method": "tempering", "chains": chains, "sweeps": sweeps, "sampler": "ladder"}
       for chains, sweeps in ((5, 50), (10, 100), (20, 200))},
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--peers-python", default=sys.executable, help="an interpreter that has rbms")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = hm.load(options.model)
    begun = time.perf_counter()
    ladder = hm.sampling.Tempering()
    long = hm.log_partition(model, "tempering", sampler=ladder, chains=40, sweeps=2000, seed=10_000)
    print("reference", long, f"{time.perf_counter() - begun:.0f} s", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        W, b, c = model.to_arrays()
        np.savez(Path(folder) / "model.npz", W=W, b=b, c=c, chains=model.chains.numpy())
        spec = {"task": "log_z", "folder": folder, "threads": options.threads, "seeds": options.seeds,
                "ais_chains": 100, "temperatures": 1000}  # fmt: skip
        peer = contend(options.peers_python, "with_rbms.py", spec)
    rows, target = [], math.inf
    if "values" in peer:
        target = error(peer["values"], long.value)
        rows.append(row("rbms, AIS, 100 chains, 1,000 temperatures", peer["values"], [peer["seconds"]], long.value))
    else:
        print("rbms did not answer:", peer)
    best = math.inf
    for label, budget in BUDGETS.items():
        values, seconds = [], []
        for seed in range(options.seeds):
            begun = time.perf_counter()
            arguments = dict(budget)
            if arguments.pop("sampler", None):
                arguments["sampler"] = ladder
            values.append(hm.log_partition(model, seed=seed, **arguments).value)
            seconds.append(time.perf_counter() - begun)
        rows.append(row(label, values, seconds, long.value))
        print(rows[-1], flush=True)
        if error(values, long.value) <= target:
            best = min(best, statistics.median(seconds))
    text = table(["estimate", "root-mean-square error, nats", "bias, nats", "median seconds"], rows)
    if "values" in peer:
        ratio = peer["seconds"] / best
        text += f"\n\nAt an error no larger than rbms': {ratio:.1f}x less time."
    print(f"{text} (must reach: 10x)")
    if options.write:
        note = f"Reference: {long}. {options.seeds} seeds. {machine(options.threads, {'torch': {torch.__version__}})}"
        replace_section("log-z", f"{text}\n\n{note}")


def error(values: list[float], truth: float) -> float:
    return math.sqrt(statistics.mean((value - truth) ** 2 for value in values))


def row(label: str, values: list[float], seconds: list[float], truth: float) -> list[str]:
    return [
        label, f"{error(values, truth):.3f}", f"{statistics.mean(values) - truth:+.3f}",
        f"{statistics.median(seconds):.3f}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
