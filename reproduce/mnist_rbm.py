"""Train the 500-unit RBM of docs/benchmarks on binary MNIST for a given number of minutes, and judge it.

    python reproduce/mnist_rbm.py --minutes 6 --out runs/mnist-6              # the fixed binarisation
    python reproduce/mnist_rbm.py --minutes 30 --dynamic --out runs/mnist-30  # resampled every epoch from grey images

Needs HARMONIUM_DATA to point to a folder with binarized_mnist.npz (Larochelle & Murray 2011) and, for --dynamic,
mnist/*.gz.  A run that was broken off goes on when the command is given again.  The model is left in
OUT/model.safetensors, the numbers in OUT/result.json and, with --write, in docs/benchmarks.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import torch

import harmonium as hm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
from report import machine, replace_section, table

HIDDEN, BATCH, CHAINS, RATE = 500, 100, 100, 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6.0, help="training time, measured and kept")
    parser.add_argument("--epochs", type=int, help="train that long instead, on a machine too busy for a clock")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--dynamic", action="store_true", help="train on the grey images, binarised anew every epoch")
    parser.add_argument("--weight-decay", type=float, default=None, help="default: 1e-3 fixed, 3e-4 dynamic")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--temperatures", type=int, default=20_000, help="of the final estimate of log Z")
    parser.add_argument("--rungs", type=int, default=0, help="temper the chains: PT with so many rungs; 0: PCD")
    parser.add_argument("--replicas", type=int, default=30, help="of the ladder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="put the result into docs/benchmarks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    if options.write and (options.out / "result.json").exists():  # judged before: only put it on the page
        result = json.loads((options.out / "result.json").read_text())
        write(result, section(result["binarisation"], options), result["threads"])
        return
    fixed = hm.data.load("binarized_mnist")
    assert fixed.valid is not None and fixed.test is not None
    train = hm.data.load("mnist", binarize="dynamic").train if options.dynamic else fixed.train
    decay = options.weight_decay if options.weight_decay is not None else (3e-4 if options.dynamic else 1e-3)

    if (options.out / "config.json").exists():
        model, history = hm.resume(options.out, progress=True)
    else:
        model = hm.RBM(hm.Bernoulli((28, 28)), HIDDEN)
        seconds = seconds_per_update(train, objective_of(options))
        epochs = options.epochs or max(4, int(0.95 * options.minutes * 60 / (seconds * -(-len(train) // BATCH))))
        print(f"{seconds * 1e3:.2f} ms per update: {epochs} epochs in {options.minutes:g} minutes", flush=True)
        history = hm.fit(
            model,
            train,
            objective=objective_of(options),
            epochs=epochs,
            batch_size=BATCH,
            learning_rate=hm.schedules.Linear(RATE),
            penalties=[hm.training.WeightDecay(decay)] if decay else [],
            validation=fixed.valid,
            callbacks=[
                hm.training.Monitor(every=max(1, epochs // 10), cases=200),
                hm.training.LikelihoodMonitor(every=max(1, epochs // 10), start=epochs // 2, temperatures=1000),
                hm.training.EarlyStopping("log_likelihood_lower", patience=None),
            ],
            seed=options.seed,
            out=options.out,
            progress=True,
        )
    judge(model, history, fixed, decay, options)


def objective_of(options: argparse.Namespace) -> hm.objectives.Objective:
    return hm.PT(rungs=options.rungs, chains=options.replicas) if options.rungs else hm.PCD(k=1, chains=CHAINS)


def section(binarisation: str, options: argparse.Namespace) -> str:
    """Where the result stands in docs/benchmarks."""
    return f"mnist-{binarisation}-{options.minutes:g}" + ("-pt" if options.rungs else "")


def seconds_per_update(train: hm.data.Cases, objective: hm.objectives.TwoPhase) -> float:
    """Measured on a throw-away model: the plan must be fixed before training, or it could not be resumed exactly."""
    rows = hm.data.as_cases(train[: 400 * BATCH])
    times: list[float] = []

    class Clock(hm.training.Callback):
        def on_update(self, training) -> None:  # type: ignore[no-untyped-def]
            times.append(time.perf_counter())

    hm.fit(
        hm.RBM(rows.shape[1], HIDDEN), rows, objective=objective, batch_size=BATCH, epochs=1,
        penalties=[hm.training.WeightDecay(1e-4)], callbacks=[Clock()],
    )  # fmt: skip
    return (times[-1] - times[50]) / (len(times) - 51)


def judge(
    model: hm.models.Machine, history: hm.training.History, fixed: hm.data.Dataset, decay: float, options
) -> None:  # type: ignore[no-untyped-def]
    """Test and training nats by the upper log Z, with the bracket."""
    print("log Z, both directions ...", flush=True)
    begun = time.perf_counter()
    # A hundred chains give five hundred starts, at five times 1,000 sweeps apart; errors stay those of a hundred.
    states = [model.chains]
    for copy in range(5):
        states.append(hm.sample(model, len(states[-1]), sweeps=1000, init=states[-1], seed=copy))
    z = hm.log_partition(
        model, chains=1000, temperatures=options.temperatures, chains_from=torch.stack(states[1:]), seed=1
    )
    print(z)
    splits = {"train": fixed.train, "valid": fixed.valid, "test": fixed.test}
    scores = {name: hm.evaluate(model, cases, log_partition=z) for name, cases in splits.items()}
    last = history.rows[-1]
    result = {
        "binarisation": "dynamic" if options.dynamic else "fixed",
        "minutes": round(last["seconds"] / 60, 1),
        "updates": last["update"],
        "weight_decay": decay,
        "threads": options.threads,
        "best_epoch": history.best["epoch"] if history.best else last["epoch"],
        "epochs": last["epoch"],
        "test": scores["test"].lower,
        "test_stderr": scores["test"].stderr,
        "test_upper": scores["test"].upper,
        "test_value": scores["test"].mean,
        "valid": scores["valid"].lower,
        "train": scores["train"].lower,
        "bracket": z.upper - z.lower,
        "log_z": [z.lower, z.value, z.upper],
        "ess": z.ess,
        "trusted": z.trusted,
        "why": z.why,
        "judging_seconds": round(time.perf_counter() - begun, 1),
    }
    (options.out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    if options.write:
        write(result, section(result["binarisation"], options), options.threads)


def write(result: dict[str, Any], place: str, threads: int) -> None:
    """One small table in docs/benchmarks."""
    rows = [
        [
            f"{result['minutes']:g} min, {result['updates']:,} updates",
            f"{bound(result['test'])} +- {result['test_stderr']:.2f}",
            f"[{bound(result['test'])}, {result['test_upper']:.2f}]",
            f"{result['bracket']:.2f}" if result["bracket"] >= 0 else "the bounds cross",
            bound(result["valid"]),
            bound(result["train"]),
            f"{result['weight_decay']:g}",
            "yes" if result["trusted"] else "no",
        ]
    ]
    header = [
        "training",
        "test, by the upper log Z",
        "test, bracket",
        "width",
        "valid",
        "train",
        "weight decay",
        "trusted",
    ]
    note = machine(threads, {"torch": {torch.__version__}, "harmonium": {hm.__version__}})
    replace_section(place, f"{table(header, rows)}\n\n{note} log Z: {result['why']}.")


def bound(nats: float) -> str:
    return f"{nats:.2f}" if math.isfinite(nats) else "no bound"


if __name__ == "__main__":
    main()
