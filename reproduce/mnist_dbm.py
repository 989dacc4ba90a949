"""Train a deep Boltzmann machine 784-500-1000 on binary MNIST (the fixed binarisation) and judge it.

    python reproduce/mnist_dbm.py --out runs/mnist-dbm                                # from nothing
    python reproduce/mnist_dbm.py --out runs/mnist-dbm --bottom runs/mnist-15/model.safetensors

Needs HARMONIUM_DATA to point to a folder with binarized_mnist.npz (Larochelle & Murray 2011).  All layers learn
jointly, centered (Melchior, Fischer & Wiskott 2016), with persistent chains and a mean field.  With ``--bottom`` the
lower half starts as a trained RBM 784-500 and the upper couplings at almost nothing, so that the machine starts as good
as the RBM.  An interrupted run continues when the command is given again.  The model is kept in
OUT/model.safetensors, the result in OUT/result.json and, with --write, in docs/benchmarks.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import experiment as ex
import torch

import harmonium as hm

HIDDEN, TOP, BATCH, CHAINS = 500, 1000, 100, 100


def main() -> None:
    parser = ex.arguments(__doc__, threads=2)
    parser.add_argument("--bottom", type=Path, help="a trained RBM 784-500 to start from")
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--rate", type=float, default=0.02, help="falling linearly to 0")
    parser.add_argument("--weight-decay", type=float, default=1e-3)
    parser.add_argument("--iterations", type=int, default=8, help="of the mean field in training, at most")
    parser.add_argument("--temperatures", type=int, default=10_000, help="of the final estimate of log Z")
    options = ex.options_of(parser)
    if not (options.write and ex.load_result(options.out)):  # a judged run is only published
        data = hm.data.load("binarized_mnist")
        dbm, history = ex.trained(options.out, data.train, lambda: plan(data, options))
        ex.save_result(options.out, judged(dbm, data, options) | ex.summary_of(history))
    if options.write:
        write(ex.load_result(options.out))


def plan(data: hm.data.Dataset, options: argparse.Namespace) -> tuple[hm.DBM, dict[str, Any]]:
    model = hm.DBM([hm.Bernoulli((28, 28)), HIDDEN, TOP], seed=options.seed)
    if options.bottom:
        grow(model, hm.load(options.bottom))
    return model, {
        "objective": hm.PCD(k=1, chains=CHAINS, inference=hm.objectives.MeanField(options.iterations, 1e-2)),
        "epochs": options.epochs,
        "batch_size": BATCH,
        "learning_rate": hm.schedules.Linear(options.rate),
        "average": hm.training.Average(),
        "penalties": [hm.training.WeightDecay(options.weight_decay)],
        "validation": data.valid,
        "callbacks": [
            hm.training.Monitor(every=5, cases=200),
            hm.training.LikelihoodMonitor(every=10, start=min(20, options.epochs), temperatures=1000),
            hm.training.EarlyStopping("log_likelihood_lower", patience=None),
        ],
        "seed": options.seed,
    }


@torch.no_grad()
def grow(dbm: hm.DBM, rbm: hm.RBM) -> None:
    """Start as an RBM with an upper layer that is almost decoupled from it."""
    dbm.couplings["weights1"].copy_(rbm.weights)
    dbm.couplings["weights2"].mul_(0.1)
    dbm.visible.bias.copy_(rbm.visible_bias)
    dbm.units(1).bias.copy_(rbm.hidden_bias)
    assert rbm.chains is not None
    dbm.chains = dbm.pack(dbm.state_from_visible(rbm.chains, hm.Stream(0, "grow")))


def judged(dbm: hm.DBM, data: hm.data.Dataset, options: argparse.Namespace) -> dict[str, Any]:
    """Variational bounds by the upper log Z, and the estimate by importance sampling."""
    begun = time.perf_counter()
    # A hundred chains give three hundred starts, 1,000 sweeps apart.
    z = hm.log_partition(
        dbm, chains=300, temperatures=options.temperatures, chains_from=ex.chain_states(dbm, 3), seed=1
    )
    print(z, flush=True)
    test = hm.evaluate(dbm, data.test, log_partition=z, samples=50)
    valid = hm.evaluate(dbm, data.valid, log_partition=z, samples=1)
    train = hm.evaluate(dbm, data.train[:10_000], log_partition=z, samples=1)
    return {
        "from_rbm": options.bottom is not None,
        "weight_decay": options.weight_decay,
        "rate": options.rate,
        "threads": options.threads,
        "test_bound": test.bound,
        "test_stderr": test.stderr,
        "test_lower": test.lower,
        "test_upper": test.upper,
        "test_value": test.mean,
        "valid_bound": valid.bound,
        "train_bound": train.bound,
        "bracket": z.upper - z.lower,
        "trusted": z.reliable,
        "why": z.why,
        "judging_seconds": round(time.perf_counter() - begun, 1),
    }


def write(result: dict[str, Any]) -> None:
    """One small table in docs/benchmarks."""
    start = "grown from a trained RBM 784-500" if result["from_rbm"] else "from nothing, without pretraining"
    header = [
        "joint training", "test, variational bound by the upper log Z", "test, estimate by 50 importance samples",
        "the same by log Z itself", "width of log Z", "valid, bound", "train, bound", "log Z reliable",
    ]  # fmt: skip
    row = [
        f"{result['minutes']:g} min, {result['updates']:,} updates, {start}",
        f"{result['test_bound']:.2f} +- {result['test_stderr']:.2f}",
        ex.bracket(result["test_lower"], result["test_upper"]),
        f"{result['test_value']:.2f}",
        f"{result['bracket']:.2f}",
        f"{result['valid_bound']:.2f}",
        f"{result['train_bound']:.2f}",
        ex.yes(result["trusted"]),
    ]
    ex.publish("mnist-dbm", header, [row], f"log Z: {result['why']}.", threads=result["threads"])


if __name__ == "__main__":
    main()
