"""Train a deep Boltzmann machine 784-500-1000 on binary MNIST (the fixed binarisation) and judge it.

    python reproduce/mnist_dbm.py --out runs/mnist-dbm                                # from nothing
    python reproduce/mnist_dbm.py --out runs/mnist-dbm --bottom runs/mnist-15/model.safetensors

Needs HARMONIUM_DATA to point to a folder with binarized_mnist.npz (Larochelle & Murray 2011).  All layers learn
jointly, centered (Melchior, Fischer & Wiskott 2016), with persistent chains and a mean field.  With ``--bottom`` the
lower half starts as a trained RBM 784-500 and the upper couplings at almost nothing, so that the machine starts as good
as the RBM.  A run that was broken off goes on when the command is given again.  The model is left in
OUT/model.safetensors, the numbers in OUT/result.json and, with --write, in docs/benchmarks.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

import harmonium as hm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
from report import machine, replace_section, table

HIDDEN, TOP, BATCH, CHAINS = 500, 1000, 100, 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--bottom", type=Path, help="a trained RBM 784-500 to start from")
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--rate", type=float, default=0.02, help="falling linearly to 0")
    parser.add_argument("--weight-decay", type=float, default=1e-3)
    parser.add_argument("--iterations", type=int, default=8, help="of the mean field in training, at most")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--temperatures", type=int, default=10_000, help="of the final estimate of log Z")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="put the result into docs/benchmarks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.write and (options.out / "result.json").exists():  # judged before: only put it on the page
        write(json.loads((options.out / "result.json").read_text()))
        return
    data = hm.data.load("binarized_mnist")
    if (options.out / "config.json").exists():
        dbm, history = hm.resume(options.out, progress=True)
    else:
        dbm = hm.DBM([hm.Bernoulli((28, 28)), HIDDEN, TOP], seed=options.seed)
        if options.bottom:
            grow(dbm, hm.load(options.bottom))
        history = hm.fit(
            dbm,
            data.train,
            objective=hm.PCD(k=1, chains=CHAINS, inference=hm.objectives.MeanField(options.iterations, 1e-2)),
            epochs=options.epochs,
            batch_size=BATCH,
            learning_rate=hm.schedules.Linear(options.rate),
            penalties=[hm.training.WeightDecay(options.weight_decay)],
            validation=data.valid,
            callbacks=[
                hm.training.Monitor(every=5, cases=200),
                hm.training.LikelihoodMonitor(every=10, start=min(20, options.epochs), temperatures=1000),
                hm.training.EarlyStopping("log_likelihood_lower", patience=None),
            ],
            seed=options.seed,
            out=options.out,
            progress=True,
        )
    judge(dbm, history, data, options)


@torch.no_grad()
def grow(dbm: hm.DBM, rbm: hm.RBM) -> None:
    """Start as an RBM with an upper layer that is almost decoupled from it."""
    dbm.couplings["weights1"].copy_(rbm.weights)
    dbm.couplings["weights2"].mul_(0.1)
    dbm.visible.bias.copy_(rbm.visible_bias)
    dbm.units(1).bias.copy_(rbm.hidden_bias)
    assert rbm.chains is not None
    dbm.chains = dbm.pack(dbm.complete(rbm.chains, hm.Stream(0, "grow")))


def judge(dbm: hm.DBM, history: hm.training.History, data: hm.data.Dataset, options: argparse.Namespace) -> None:
    """Variational bounds by the upper log Z, and the estimate by importance sampling."""
    print("log Z, both directions ...", flush=True)
    begun = time.perf_counter()
    assert dbm.chains is not None
    # A hundred chains give three hundred starts, 1,000 sweeps apart; errors stay those of a hundred.
    states = [dbm.unpack(dbm.chains)]
    for copy in range(3):
        states.append(dbm.sweep(states[-1], hm.Stream(copy, "judge"), 1000))
    starts = torch.stack([dbm.pack(state) for state in states[1:]])
    z = hm.log_partition(dbm, chains=300, temperatures=options.temperatures, chains_from=starts, seed=1)
    print(z)
    test = hm.evaluate(dbm, data.test, log_partition=z, samples=50)
    valid = hm.evaluate(dbm, data.valid, log_partition=z, samples=1)
    train = hm.evaluate(dbm, data.train[:10_000], log_partition=z, samples=1)
    last = history.rows[-1]
    result = {
        "minutes": round(last["seconds"] / 60, 1),
        "updates": last["update"],
        "from_rbm": options.bottom is not None,
        "weight_decay": options.weight_decay,
        "rate": options.rate,
        "threads": options.threads,
        "best_epoch": history.best["epoch"] if history.best else last["epoch"],
        "test_bound": test.bound,
        "test_stderr": test.stderr,
        "test_lower": test.lower,
        "test_upper": test.upper,
        "valid_bound": valid.bound,
        "train_bound": train.bound,
        "bracket": z.upper - z.lower,
        "trusted": z.trusted,
        "why": z.why,
        "judging_seconds": round(time.perf_counter() - begun, 1),
    }
    (options.out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    if options.write:
        write(result)


def write(result: dict[str, Any]) -> None:
    """One small table in docs/benchmarks."""
    start = "grown from a trained RBM 784-500" if result["from_rbm"] else "from nothing, without pretraining"
    header = [
        "joint training", "test, variational bound by the upper log Z", "test, estimate by 50 importance samples",
        "width of log Z", "valid, bound", "train, bound", "trusted",
    ]  # fmt: skip
    rows = [
        [
            f"{result['minutes']:g} min, {result['updates']:,} updates, {start}",
            f"{result['test_bound']:.2f} +- {result['test_stderr']:.2f}",
            f"[{result['test_lower']:.2f}, {result['test_upper']:.2f}]",
            f"{result['bracket']:.2f}",
            f"{result['valid_bound']:.2f}",
            f"{result['train_bound']:.2f}",
            "yes" if result["trusted"] else "no",
        ]
    ]
    note = machine(result["threads"], {"torch": {torch.__version__}, "harmonium": {hm.__version__}})
    replace_section("mnist-dbm", f"{table(header, rows)}\n\n{note} log Z: {result['why']}.")


if __name__ == "__main__":
    main()
