"""Seconds to a likelihood: RBMs of 500 hidden units on binarized MNIST, and two other models, on one core.

    python benchmarks/race.py --out RUN [--only default,best,rbms] [--rbms-python PY] [--write]

Every contender trains in a fresh process with one thread, and is judged at 30, 60, 120, 240 and 540 seconds of
processor time.  A training of harmonium is planned for its budget, so each budget is a training of its own; the other
libraries have no budgets, and are judged on the way.  All RBMs are judged by harmonium: log Z by annealing in both
directions where the training left its chains, and otherwise by tempering from independent units, with its 99 %
interval; "nats" is the mean of the test cases under the upper end of log Z.  NADE is exact, a VAE has its bound by 100
draws.

rbms trains as its README says (PCD-100, 2,000 chains, batches of 2,000, learning rate 0.01), and with one sweep;
scikit-learn with its default rate and batches, and with those of harmonium's best; learnergy with CD-1.  Finished
trainings and judgements are kept in RUN.  Needs HARMONIUM_DATA with binarized_mnist.npz.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from launch import contend, environment
from report import ROOT, machine, quiet, replace_section, table

import harmonium as hm

HIDDEN, TIMES = 500, (30, 60, 120, 240, 540)
RATES = {"fast": 0.4, "best": 0.05}
LEVELS = (-90.0, -88.0, -87.0, -86.5)


class Entry(NamedTuple):
    """A contender: what it is called, and its training."""

    label: str
    script: str | None
    spec: Mapping[str, Any] = MappingProxyType({})


ENTRIES = {
    "default": Entry("harmonium, `hm.fit(hm.RBM(784, 500), data, minutes=...)`", None),
    "fast": Entry("harmonium, PCD-1, rate 0.4 falling to 0, decay 0.001, parameters averaged", None),
    "best": Entry("harmonium, PCD-1, rate 0.05 falling to 0, decay 0.001", None),
    "rbms": Entry("rbms, the recipe of its README", "with_rbms.py", {"sweeps": 100}),
    "rbms-1": Entry("rbms, the same with one sweep", "with_rbms.py", {"sweeps": 1}),
    "sklearn": Entry("scikit-learn, defaults", "with_sklearn.py", {"rate": 0.1, "batch": 10}),
    "sklearn-100": Entry("scikit-learn, rate 0.05, batches of 100", "with_sklearn.py", {"rate": 0.05, "batch": 100}),
    "learnergy": Entry("learnergy, CD-1, rate 0.05", "with_learnergy.py", {"batch": 100}),
    "nade": Entry("harmonium, `hm.NADE(784, 500)` (exact)", None),
    "vae": Entry("harmonium, `hm.VAE(784, 50)` (bound)", None),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", help="contenders, by commas; default: all")
    parser.add_argument("--rbms-python", default=sys.executable, help="python that has rbms and learnergy")
    parser.add_argument("--train", nargs=2, metavar=("NAME", "SECONDS"), help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="put table and figure into docs/benchmarks")
    options = parser.parse_args()
    if options.train:
        train(options.out, options.train[0], int(options.train[1]))
        return
    noise = quiet()
    options.out.mkdir(parents=True, exist_ok=True)
    cases = options.out / "cases.npy"
    if not cases.exists():
        np.save(cases, hm.data.load("binarized_mnist").train.rows(torch.arange(50_000)).numpy().astype(np.uint8))
    names = options.only.split(",") if options.only else list(ENTRIES)
    for name in names:
        run(options.out, name, options)
    results = {name: judged(options.out, name) for name in ENTRIES}
    text = page(results, noise)
    print(text)
    if options.write:
        replace_section("race", text)
        figure(results, ROOT / "docs" / "benchmarks" / "race.svg")


def run(out: Path, name: str, options: argparse.Namespace) -> None:
    """Train a contender, unless it is there."""
    entry = ENTRIES[name]
    if entry.script is None:
        for seconds in TIMES:
            if not (out / f"{name}-{seconds}.safetensors").exists():
                command = [sys.executable, __file__, "--out", str(out), "--train", name, str(seconds)]
                subprocess.run(command, env=environment(1), check=True)
                print(name, seconds, flush=True)
    elif not (out / f"{name}-{TIMES[-1]}.npz").exists():
        spec = {
            "task": "race", "threads": 1, "hidden": HIDDEN, "visible": 784, "cases": str(out / "cases.npy"),
            "out": str(out), "name": name, "seconds": TIMES,
        } | dict(entry.spec)  # fmt: skip
        found = contend(options.rbms_python, entry.script, spec)
        print(name, {key: value for key, value in found.items() if key != "snapshots"}, flush=True)
        if "snapshots" in found:
            (out / f"{name}.json").write_text(json.dumps(found["snapshots"]))


def train(out: Path, name: str, seconds: int) -> None:
    """A training of harmonium within a budget of processor time."""
    torch.set_num_threads(1)
    data = hm.data.load("binarized_mnist")
    model: Any = {"nade": hm.NADE, "vae": lambda v, h: hm.VAE(v, 50)}.get(name, hm.RBM)(784, HIDDEN)
    hm.fit(hm.RBM(784, HIDDEN), data.train[:500], epochs=1)  # compiled loops are ready, in every library
    begun = time.process_time()
    if name in RATES:
        clock = Clock()
        hm.fit(hm.RBM(784, HIDDEN), data.train[:10_000], epochs=1, batch_size=100, objective=hm.PCD(chains=100),
               penalties=[hm.training.WeightDecay(1e-3)], callbacks=[clock])  # fmt: skip
        updates = (seconds - (time.process_time() - begun)) / float(np.median(np.diff(clock.times)))
        epochs, rest = divmod(int(updates), len(data.train) // 100)
        cases = data.train if epochs else data.train[: 100 * rest]
        hm.fit(model, cases, epochs=max(1, epochs), batch_size=100, objective=hm.PCD(chains=100),
               learning_rate=hm.schedules.Linear(RATES[name]), penalties=[hm.training.WeightDecay(1e-3)],
               average=hm.training.Average() if name == "fast" else None)  # fmt: skip
    else:
        hm.fit(model, data.train, validation=data.valid, minutes=seconds / 60)
    spent = time.process_time() - begun
    hm.save(model, out / f"{name}-{seconds}.safetensors")
    (out / f"{name}-{seconds}.seconds.json").write_text(json.dumps(spent))


class Clock(hm.training.Callback):
    """Processor time after every update."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_update(self, training: Any) -> None:
        self.times.append(time.process_time())


def judged(out: Path, name: str) -> list[dict[str, float]]:
    """Seconds and nats of every snapshot that is there."""
    rows = []
    for seconds in TIMES:
        kept = out / f"{name}-{seconds}.judged.json"
        paths = [out / f"{name}-{seconds}{suffix}" for suffix in (".safetensors", ".npz")]
        found = [path for path in paths if path.exists()]
        if found and not kept.exists():
            kept.write_text(json.dumps(judge(found[0])))
            print(name, seconds, kept.read_text(), flush=True)
        if kept.exists():
            row = json.loads(kept.read_text())
            spent = out / f"{name}-{seconds}.seconds.json"
            snapshots = out / f"{name}.json"
            if spent.exists():
                row["seconds"] = json.loads(spent.read_text())
            else:
                row["seconds"] = json.loads(snapshots.read_text())[TIMES.index(seconds)]["seconds"]
            rows.append(row)
    return rows


@torch.no_grad()
def judge(path: Path) -> dict[str, float]:
    """Mean log-likelihood of the test cases: under the upper log Z, and under the estimate."""
    test = hm.data.load("binarized_mnist").test
    v = test.rows(torch.arange(len(test))).float()
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            model: Any = hm.RBM.from_arrays(*(arrays[name].astype(np.float32) for name in ("W", "b", "c")))
        # As in a model that harmonium trained: ladders start from independent pixels with the means of the data.
        cases = np.load(path.parent / "cases.npy")
        mean = torch.from_numpy(cases.mean(0, dtype=np.float64)).float()
        model.data_mean, model.data_variance = mean, mean * (1 - mean)
        model.data_cases = torch.tensor(float(len(cases)))
    else:
        model = hm.load(path)
    if not isinstance(model, hm.RBM):
        found = hm.evaluate(model, v, samples=100) if isinstance(model, hm.VAE) else hm.evaluate(model, v)
        return {"nats": found.mean, "estimate": found.mean, "other": found.mean, "reliable": True}
    if model.chains is None:
        z = hm.log_partition(model, "tempering", chains=50, sweeps=600, seed=1)
    else:
        longest = path.stem.endswith(f"-{TIMES[-1]}")  # its number is quoted alone, so its bracket is made narrower
        chains, temperatures = (300, 15_000) if longest else (200, 5000)
        z = hm.log_partition(model, "ais", chains=chains, temperatures=temperatures, seed=1)
    mean = float(model.log_weight(model.visible_only_state(v)).mean())
    bounds = {"nats": mean - z.upper, "estimate": mean - z.value, "other": mean - z.lower}
    return bounds | {"reliable": z.reliable}


def crossing(rows: list[dict[str, float]], level: float) -> str:
    """Seconds at which a level is reached, interpolated between judgements; what is not known is said."""
    before: dict[str, float] | None = None
    for row in rows:
        if row["nats"] >= level:
            if before is None:
                return f"<= {row['seconds']:.0f}"
            share = (level - before["nats"]) / (row["nats"] - before["nats"])
            logs = np.log(before["seconds"]), np.log(row["seconds"])
            return f"{np.exp(logs[0] + share * (logs[1] - logs[0])):.0f}"
        before = row
    return f"> {rows[-1]['seconds']:.0f}" if rows else ""


def page(results: dict[str, list[dict[str, float]]], noise: str | None) -> str:
    """Nats by seconds, and seconds by nats."""
    header = ["contender", *(f"nats after {s} s" for s in TIMES), *(f"seconds to {level:g}" for level in LEVELS)]
    lines = []
    for name, rows in results.items():
        if not rows:
            continue
        shown = {round(row["seconds"]): row for row in rows}
        cells = []
        for seconds in TIMES:
            near = [row for at, row in shown.items() if abs(at - seconds) < 0.35 * seconds]
            cells.append("" if not near else f"{near[0]['nats']:.2f}" + ("" if near[0]["reliable"] else " ?"))
        lines.append([ENTRIES[name].label, *cells, *(crossing(rows, level) for level in LEVELS)])
    versions = {"torch": {torch.__version__}, "harmonium": {hm.__version__}}
    note = "Processor seconds of one core. A question mark: tempering found a reason to doubt its log Z. "
    return f"{table(header, lines)}\n\n{note}{noise or ''} {machine(1, versions)}"


def figure(results: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Nats against seconds."""
    chart, axes = plt.subplots(figsize=(7, 4.5))
    for name, rows in results.items():
        if rows:
            label = ENTRIES[name].label.replace("`", "")
            axes.plot([r["seconds"] for r in rows], [r["nats"] for r in rows], "o-", label=label, markersize=4)
    axes.set(xscale="log", xlabel="processor seconds of one core", ylabel="test nats (upper log Z)", ylim=(-106, -84))
    axes.set_xticks(TIMES, [str(seconds) for seconds in TIMES])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="lower right")
    chart.tight_layout()
    plt.rcParams["svg.hashsalt"] = "race"  # the same file for the same numbers
    chart.savefig(path, metadata={"Date": None})
    plt.close(chart)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
