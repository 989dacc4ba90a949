"""Train an RBM on the Caltech-101 silhouettes (28 x 28, binary) and judge it by the upper log Z, with a bracket.

    python reproduce/caltech_silhouettes.py --hidden 500 --out runs/caltech-500
    python reproduce/caltech_silhouettes.py --hidden 2000 --out runs/caltech-2000
    python reproduce/caltech_silhouettes.py --write runs/caltech-500 runs/caltech-2000

In the file, objects are 0 on a background of 1; they are inverted here, so that the object is 1.  Inverting all bits is
a change of variables (W -> -W, biases shifted by sums of W) and leaves likelihoods as they are.  There are few images
and many parameters, so overfitting is the problem: weight decay, and the best of several models along training by the
lower bound of the validation likelihood.  Needs HARMONIUM_DATA with caltech101_silhouettes.npz.  An interrupted run
continues when the command is given again; the result is kept in OUT/result.json.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import experiment as ex

import harmonium as hm


class Conservative(hm.training.LikelihoodMonitor):
    """Adds "log_likelihood_worse", the worse end of the bracket.

    Chains that mix badly miss parts of the distribution; the upper bound of log Z is then below the lower one, and the
    model that mixes worst would seem the best.
    """

    def on_measure(self, training, row) -> None:  # type: ignore[no-untyped-def]
        super().on_measure(training, row)
        if row.get("log_likelihood_lower") is not None:
            row["log_likelihood_worse"] = min(row["log_likelihood_lower"], row["log_likelihood_upper"])

    def columns(self, training) -> set[str]:  # type: ignore[no-untyped-def]
        return {"log_likelihood", "log_likelihood_lower", "log_likelihood_upper", "log_likelihood_worse"}

    def config(self) -> None:  # passed again when a run is trained
        return None


def main() -> None:
    parser = ex.arguments(__doc__, runs=True)
    parser.add_argument("--hidden", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--rate", type=float, default=0.15, help="learning rate at the start; falls linearly to zero")
    parser.add_argument("--weight-decay", type=float, default=5e-3)
    parser.add_argument("--k", type=int, default=2, help="Gibbs sweeps per update")
    parser.add_argument("--chains", type=int, default=200, help="persistent ones, and those annealed for log Z")
    parser.add_argument("--copies", type=int, default=2, help="states per persistent chain, for the final log Z")
    parser.add_argument("--temperatures", type=int, default=10_000, help="of the final log Z")
    parser.add_argument("--judge", action="store_true", help="judge the model of a finished run again")
    options = ex.options_of(parser)
    if options.write:
        write([ex.load_result(run) for run in options.write])
        return
    splits = silhouettes()
    if options.judge:
        model = hm.load(options.out / "model.safetensors")
        ex.save_result(options.out, ex.load_result(options.out) | judged(model, splits, options))
        return
    model, history = train(splits, options)
    setting = {name: getattr(options, name) for name in ("hidden", "k", "rate", "weight_decay", "threads")}
    ex.save_result(options.out, judged(model, splits, options) | setting | ex.summary_of(history))


def train(splits: dict[str, Any], options: argparse.Namespace) -> tuple[hm.RBM, hm.training.History]:
    callbacks = [
        hm.training.Monitor(every=max(1, options.epochs // 20)),
        Conservative(every=max(1, options.epochs // 10), start=6 * options.epochs // 10),
        hm.training.EarlyStopping("log_likelihood_worse", patience=None),
    ]

    def plan() -> tuple[Any, dict[str, Any]]:
        model = hm.RBM(hm.Bernoulli((28, 28)), options.hidden)
        return model, {
            "objective": hm.PCD(k=options.k, chains=options.chains),
            "epochs": options.epochs,
            "batch_size": 100,
            "learning_rate": hm.schedules.Linear(options.rate),
            "average": hm.training.Average(),
            "penalties": [hm.training.WeightDecay(options.weight_decay)],
            "validation": splits["valid"],
            "callbacks": callbacks,
            "seed": options.seed,
        }

    again = {"data": splits["train"], "validation": splits["valid"], "callbacks": callbacks[1:2]}
    found: tuple[hm.RBM, hm.training.History] = ex.trained(options.out, splits["train"], plan, **again)
    return found


def silhouettes() -> dict[str, Any]:
    """The three splits, (n, 784) uint8, objects 1."""
    splits = hm.data.load("caltech101_silhouettes").splits
    return {name: (1 - cases[:]).astype("uint8") for name, cases in splits.items()}


def judged(model: hm.models.Machine, splits: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Nats per case of every split with the bracket of log Z."""
    begun = time.perf_counter()
    z = hm.log_partition(
        model, "ais", chains=options.chains, temperatures=options.temperatures,
        chains_from=ex.chain_states(model, options.copies), seed=1,
    )  # fmt: skip
    print(z, flush=True)
    return ex.judge(model, splits, z) | {"judging_minutes": round((time.perf_counter() - begun) / 60, 1)}


def write(results: list[dict[str, Any]]) -> None:
    """A table in docs/benchmarks for each number of hidden units."""
    header = [
        "hidden", "test, by the upper log Z", "test, bracket", "valid", "train", "objective, rate, weight decay",
        "best epoch", "training", "log Z reliable",
    ]  # fmt: skip
    for result in results:
        test = result["test"]
        row = [
            f"{result['hidden']:,}",
            ex.nats(test),
            ex.bracket(test[0], test[2]),
            f"{result['valid'][0]:.2f}",
            f"{result['train'][0]:.2f}",
            f"PCD-{result['k']}, {result['rate']:g}, {result['weight_decay']:g}",
            f"{result['best_epoch']} of {result['epochs']}",
            f"{result['minutes']:g} min, {result['updates']:,} updates",
            ex.yes(result["trusted"]),
        ]
        ex.publish(f"caltech-{result['hidden']}", header, [row], f"log Z: {result['why']}.", threads=result["threads"])


if __name__ == "__main__":
    main()
