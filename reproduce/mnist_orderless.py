"""Train the order-agnostic NADE of docs/benchmarks on binary MNIST, and judge it under many orderings.

    python reproduce/mnist_orderless.py --out runs/orderless                    # train, then 16 orderings
    python reproduce/mnist_orderless.py --out runs/orderless --orderings 128    # continue with more orderings

The model of docs/benchmarks was trained in two steps, the second because the weight decay of the first kept even
training cases below what they reach without:

    python reproduce/mnist_orderless.py --epochs 600 --weight-decay 0.1 --out runs/first
    python reproduce/mnist_orderless.py --start runs/first/model.safetensors --epochs 200 --learning-rate 5e-4 \\
        --weight-decay 0.02 --cases 2500 --orderings 128 --out runs/orderless

Two hidden layers of 500 rectified linear units on the fixed binarisation of Larochelle & Murray (2011), which needs
HARMONIUM_DATA to point to a folder with binarized_mnist.npz.  The epoch is chosen on 1,000 validation cases under one
ordering.  Test cases are judged under one random ordering after the other, each written to OUT/orderings.  An
interrupted run continues when the command is given again.  The result is kept in OUT/result.json and, with --write, in
docs/benchmarks.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import experiment as ex
import numpy as np
import torch

import harmonium as hm
from harmonium.models.autoregressive.orderings import random_orderings

# Uria et al. (2016): N orderings -> nats per test case.
PUBLISHED = {1: -89.17, 2: -87.96, 4: -87.10, 8: -86.41, 16: -85.96, 32: -85.60, 64: -85.28, 128: -85.10}


def main() -> None:
    parser = ex.arguments(__doc__)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--hidden", type=int, nargs="+", default=[500, 500])
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="of Adam at the start; it falls to 0")
    parser.add_argument("--weight-decay", type=float, default=0.0, help="of AdamW, times the learning rate")
    parser.add_argument("--start", type=Path, help="start from this trained model")
    parser.add_argument("--orderings", type=int, default=16)
    parser.add_argument("--cases", type=int, default=10_000, help="of the test set that are judged")
    options = ex.options_of(parser)
    data = hm.data.load("binarized_mnist")
    assert data.test is not None
    model, history = train(data, options)
    result = judge(model, history, spread(data.test, options.cases), options)
    if options.write:
        write(result)


def spread(cases: hm.data.Cases, count: int) -> torch.Tensor:
    """Evenly spaced cases of a split: the digits of the test set are ordered."""
    return torch.as_tensor(cases[:: len(cases) // count][:count])


def train(data: hm.data.Dataset, options: argparse.Namespace) -> tuple[Any, hm.training.History]:
    assert data.valid is not None
    valid = spread(data.valid, 1000)

    def adam(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
        weights = [p for p in parameters if p.ndim > 1]
        biases = [p for p in parameters if p.ndim <= 1]  # a pixel that is never on keeps its base rate
        groups = [{"params": weights, "weight_decay": options.weight_decay}, {"params": biases, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=1e-3, fused=True)

    def plan() -> tuple[Any, dict[str, Any]]:
        model = hm.load(options.start) if options.start else hm.OrderlessNADE((28, 28), options.hidden)
        return model, {
            "objective": hm.MaximumLikelihood(bfloat16=True),
            "epochs": options.epochs,
            "batch_size": options.batch_size,
            "learning_rate": hm.schedules.Linear(options.learning_rate),
            "optimizer": adam,
            "validation": valid,
            "callbacks": [
                hm.training.LikelihoodMonitor(every=max(1, options.epochs // 5), samples=1),
                hm.training.EarlyStopping("log_likelihood", patience=None),
            ],
            "seed": options.seed,
        }

    found: tuple[Any, hm.training.History] = ex.trained(options.out, data.train, plan, validation=valid, optimizer=adam)
    return found


def judge(
    model: hm.OrderlessNADE, history: hm.training.History, test: torch.Tensor, options: argparse.Namespace
) -> dict[str, Any]:
    """Nats per case of the ensembles of the first 1, 2, 4, ... orderings."""
    folder = options.out / "orderings"
    folder.mkdir(exist_ok=True)
    orderings = random_orderings(options.orderings, model.visible.columns, hm.Stream(options.seed).child("judge"))
    seconds = []
    for k, ordering in enumerate(orderings):
        path = folder / f"{k:03d}.npy"
        if path.exists():
            continue
        begun = time.perf_counter()
        log_p = model.under(ordering).log_prob(test)
        seconds.append(time.perf_counter() - begun)
        np.save(path, log_p.numpy())
        print(f"ordering {k}: {log_p.mean():.3f} nats, {seconds[-1]:.1f} s", flush=True)
    each = torch.from_numpy(np.stack([np.load(folder / f"{k:03d}.npy") for k in range(options.orderings)]))
    nats, stderr = {}, {}
    for count in (2**i for i in range(int(math.log2(options.orderings)) + 1)):
        together = torch.logsumexp(each[:count], 0) - math.log(count)
        nats[count], stderr[count] = float(together.mean()), float(together.std() / math.sqrt(len(test)))
    result = ex.summary_of(history) | {
        "hidden": options.hidden,
        "valid_one_ordering": (history.best or history.rows[-1]).get("log_likelihood"),
        "weight_decay": options.weight_decay,
        "before": earlier(options.start),
        "learning_rate": options.learning_rate,
        "batch_size": options.batch_size,
        "cases": len(test),
        "threads": options.threads,
        "nats": nats,
        "stderr": stderr,
        "one_ordering_mean": float(each.mean()),
        "one_ordering_spread": float(each.mean(1).std()) if len(each) > 1 else None,
        "seconds_per_ordering": float(np.median(seconds))
        if seconds
        else ex.load_result(options.out).get("seconds_per_ordering"),
    }
    ex.save_result(options.out, result)
    return result


def earlier(start: Path | None) -> dict[str, Any] | None:
    """The training of the model that this one started from, as far as it is known."""
    known = ex.load_result(start.parent) if start is not None else {}
    return {n: known[n] for n in ("epochs", "updates", "minutes", "learning_rate", "weight_decay")} if known else None


def write(result: dict[str, Any]) -> None:
    """One small table in docs/benchmarks."""
    rows = [
        [
            str(count),
            f"{nats:.2f} +- {result['stderr'][count]:.2f}",
            f"{PUBLISHED[count]:.2f}" if count in PUBLISHED else "",
        ]
        for count, nats in result["nats"].items()
    ]
    header = ["orderings", f"test, nats ({result['cases']:,} cases)", "Uria et al. 2016"]
    shape = " x ".join(str(units) for units in result["hidden"])
    before = result.get("before")
    after = (
        f", after {before['epochs']} epochs ({before['updates']:,} updates, {before['minutes']:g} minutes) from "
        f"{before['learning_rate']:g} to 0 at a weight decay of {before['weight_decay']:g}"
        if before
        else ""
    )
    note = (
        f"{shape} hidden units, {result['epochs']} epochs ({result['updates']:,} updates of {result['batch_size']} "
        f"cases) in {result['minutes']:g} minutes on a shared machine, Adam from {result['learning_rate']:g} to 0, "
        f"weight decay {result['weight_decay']:g}{after}; "
        f"products of training in bfloat16; epoch {result['best_epoch']} chosen on 1,000 validation cases "
        f"({result['valid_one_ordering']:.2f} under one ordering). The first ordering alone is the first line; "
        f"the mean over all orderings is {result['one_ordering_mean']:.2f}"
        + (f", their standard deviation {result['one_ordering_spread']:.2f}" if result["one_ordering_spread"] else "")
        + f". One ordering takes {result['seconds_per_ordering']:.0f} s."
    )
    ex.publish("mnist-orderless", header, rows, note, threads=result["threads"])


if __name__ == "__main__":
    main()
