"""Train the 500-unit RBM of docs/benchmarks on binary MNIST for a given number of minutes, and judge it.

    python reproduce/mnist_rbm.py --minutes 6 --out runs/mnist-6              # the fixed binarisation
    python reproduce/mnist_rbm.py --minutes 30 --dynamic --out runs/mnist-30  # resampled every epoch from grey images

Needs HARMONIUM_DATA to point to a folder with binarized_mnist.npz (Larochelle & Murray 2011) and, for --dynamic,
mnist/*.gz.  An interrupted run continues when the command is given again.  The model is kept in OUT/model.safetensors,
the result in OUT/result.json and, with --write, in docs/benchmarks.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import Any

import experiment as ex

import harmonium as hm

HIDDEN, BATCH, CHAINS, RATE = 500, 100, 100, 0.4


def main() -> None:
    parser = ex.arguments(__doc__, threads=2)
    parser.add_argument("--minutes", type=float, default=6.0, help="training time, planned by a measured update")
    parser.add_argument("--epochs", type=int, help="train that long instead, on a machine too busy for a clock")
    parser.add_argument("--dynamic", action="store_true", help="train on the grey images, binarised in every epoch")
    parser.add_argument("--weight-decay", type=float, default=None, help="default: 1e-3 fixed, 3e-4 dynamic")
    parser.add_argument("--rate", type=float, default=RATE, help="learning rate at the start; it falls to zero")
    parser.add_argument("--temperatures", type=int, default=10_000, help="of the final estimate of log Z")
    parser.add_argument("--particles", type=int, default=300, help="of the final estimate of log Z, in each direction")
    parser.add_argument("--rungs", type=int, default=0, help="temper the chains: rungs of PT; 0: PCD")
    parser.add_argument("--replicas", type=int, default=30, help="of the ladder")
    options = ex.options_of(parser)
    if not (options.write and ex.load_result(options.out)):  # a judged run is only published
        fixed = hm.data.load("binarized_mnist")
        decay = options.weight_decay if options.weight_decay is not None else (3e-4 if options.dynamic else 1e-3)
        cases = hm.data.load("mnist", binarize="dynamic").train if options.dynamic else fixed.train
        model, history = ex.trained(options.out, cases, lambda: plan(cases, fixed.valid, decay, options))
        begun = time.perf_counter()
        # A hundred chains give three hundred starts, at three times 1,000 sweeps apart.
        z = hm.log_partition(
            model, chains=options.particles, temperatures=options.temperatures,
            chains_from=ex.chain_states(model, -(-options.particles // CHAINS)), seed=1,
        )  # fmt: skip
        print(z, flush=True)
        result = ex.judge(model, fixed.splits, z) | ex.summary_of(history)
        result |= {
            "binarisation": "dynamic" if options.dynamic else "fixed",
            "weight_decay": decay,
            "rate": options.rate,
            "threads": options.threads,
            "judging_seconds": round(time.perf_counter() - begun, 1),
        }
        ex.save_result(options.out, result)
    if options.write:
        write(ex.load_result(options.out), options)


def plan(cases: hm.data.Cases, valid: Any, decay: float, options: argparse.Namespace) -> tuple[hm.RBM, dict[str, Any]]:
    objective = hm.PT(rungs=options.rungs, chains=options.replicas) if options.rungs else hm.PCD(k=1, chains=CHAINS)
    rows = hm.data.as_cases(cases[: 400 * BATCH])
    seconds = ex.seconds_per_update(
        lambda clock: hm.fit(
            hm.RBM(784, HIDDEN), rows, objective=objective, batch_size=BATCH, epochs=1,
            penalties=[hm.training.WeightDecay(1e-4)], callbacks=[clock],
        ), skip=50, processor=False,
    )  # fmt: skip
    epochs = options.epochs or max(4, int(0.95 * options.minutes * 60 / (seconds * -(-len(cases) // BATCH))))
    print(f"{seconds * 1e3:.2f} ms per update: {epochs} epochs in {options.minutes:g} minutes", flush=True)
    model = hm.RBM(hm.Bernoulli((28, 28)), HIDDEN)
    return model, {
        "objective": objective,
        "epochs": epochs,
        "batch_size": BATCH,
        "learning_rate": hm.schedules.Linear(options.rate),
        "average": hm.training.Average(),
        "penalties": [hm.training.WeightDecay(decay)] if decay else [],
        "validation": valid,
        "callbacks": [
            hm.training.Monitor(every=max(1, epochs // 10), cases=200),
            hm.training.LikelihoodMonitor(every=max(1, epochs // 10), start=max(1, epochs // 2), temperatures=1000),
            hm.training.EarlyStopping("log_likelihood_lower", patience=None),
        ],
        "seed": options.seed,
    }


def write(result: dict[str, Any], options: argparse.Namespace) -> None:
    """One small table in docs/benchmarks."""
    test = result["test"]
    row = [
        f"{result['minutes']:g} min, {result['updates']:,} updates",
        ex.nats(test),
        f"{test[1]:.2f}",
        ex.bracket(test[0], test[2]),
        f"{result['bracket']:.2f}" if 0 <= result["bracket"] < math.inf else "no bound",
        f"{result['valid'][0]:.2f}",
        f"{result['train'][0]:.2f}",
        f"{result['rate']:g}, {result['weight_decay']:g}",
        f"{(result['minutes'] * 60 + result['judging_seconds']) / 60:.1f} min",
        ex.yes(result["trusted"]),
    ]
    header = [
        "training", "test, by the upper log Z", "by log Z itself", "test, bracket", "width", "valid", "train",
        "rate, weight decay", "training and judging", "log Z reliable",
    ]  # fmt: skip
    section = f"mnist-{result['binarisation']}-{options.minutes:g}" + ("-pt" if options.rungs else "")
    ex.publish(section, header, [row], f"log Z: {result['why']}.", threads=result["threads"])


if __name__ == "__main__":
    main()
