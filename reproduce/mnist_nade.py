"""NADE with one ordering, 500 hidden units, on the fixed binarisation of MNIST: exact test nats.

    python reproduce/mnist_nade.py --out runs/mnist-nade --write

Adam with a learning rate that falls to zero; the best epoch by the exact likelihood of validation cases is kept.  Needs
HARMONIUM_DATA to point to a folder with binarized_mnist.npz (Larochelle & Murray 2011).  An interrupted run continues
when the command is given again.  The model is kept in OUT/model.safetensors, the result in OUT/result.json.
"""

from __future__ import annotations

import argparse
from typing import Any

import experiment as ex

import harmonium as hm

HIDDEN, BATCH = 500, 100
PUBLISHED = -88.33  # Uria et al. 2016


def main() -> None:
    parser = ex.arguments(__doc__)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    options = ex.options_of(parser)
    if not (options.write and ex.load_result(options.out)):  # a judged run is only published
        data = hm.data.load("binarized_mnist")
        model, history = ex.trained(options.out, data.train, lambda: plan(data, options))
        setting = {"rate": options.rate, "weight_decay": options.weight_decay, "threads": options.threads}
        ex.save_result(options.out, ex.judge(model, data.splits) | ex.summary_of(history) | setting)
    if options.write:
        write(ex.load_result(options.out))


def plan(data: hm.data.Dataset, options: argparse.Namespace) -> tuple[hm.NADE, dict[str, Any]]:
    model = hm.NADE((28, 28), HIDDEN)
    return model, {
        "epochs": options.epochs,
        "batch_size": BATCH,
        "learning_rate": hm.schedules.Linear(options.rate),
        "penalties": [hm.training.WeightDecay(options.weight_decay)] if options.weight_decay else [],
        "validation": data.valid,
        "callbacks": [hm.training.LikelihoodMonitor(every=1), hm.training.EarlyStopping("log_likelihood", patience=10)],
        "seed": options.seed,
    }


def write(result: dict[str, Any]) -> None:
    """One small table in docs/benchmarks."""
    row = [
        f"{result['minutes']:g} min, {result['epochs']} epochs (best: {result['best_epoch']})",
        ex.nats(result["test"]),
        f"{result['valid'][1]:.2f}",
        f"{result['train'][1]:.2f}",
        f"{PUBLISHED:.2f}",
        f"{result['rate']:g}",
        f"{result['weight_decay']:g}",
    ]
    header = ["training", "test, exact", "valid", "train", "published", "rate", "weight decay"]
    ex.publish("mnist-nade", header, [row], threads=result["threads"])


if __name__ == "__main__":
    main()
