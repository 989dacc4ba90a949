"""Train an RBM on the Caltech-101 silhouettes (28 x 28, binary) and judge it by the upper log Z, with a bracket.

    python reproduce/caltech_silhouettes.py --hidden 500 --out runs/caltech-500
    python reproduce/caltech_silhouettes.py --hidden 2000 --out runs/caltech-2000
    python reproduce/caltech_silhouettes.py --write runs/caltech-500 runs/caltech-2000

The file's objects are 0 on a background of 1; they are turned round here, so that the object is 1.  Turning all bits
round is a change of variables (W -> -W, biases shifted by W's sums): likelihoods mean the same.  There are few images
and many parameters, so that everything is about not overfitting: weight decay, and the best of several models along
training by the lower bound of the validation likelihood.  Needs HARMONIUM_DATA with caltech101_silhouettes.npz.  A run
that was broken off goes on when the command is given again; the numbers are left in OUT/result.json.
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

SWEEPS = 1000  # between two states of one chain from which the reverse direction starts


class Conservative(hm.training.LikelihoodMonitor):
    """Adds "log_likelihood_worse", the worse end of the bracket.

    Chains that mix badly miss parts of the distribution; the upper bound of log Z is then below the lower one, and the
    model that is worst at mixing would seem the best one.
    """

    def on_measure(self, training, row) -> None:  # type: ignore[no-untyped-def]
        super().on_measure(training, row)
        if row.get("log_likelihood_lower") is not None:
            row["log_likelihood_worse"] = min(row["log_likelihood_lower"], row["log_likelihood_upper"])

    def columns(self, training) -> set[str]:  # type: ignore[no-untyped-def]
        return {"log_likelihood", "log_likelihood_lower", "log_likelihood_upper", "log_likelihood_worse"}

    def config(self) -> None:  # handed over anew when a run is resumed
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="run folder")
    parser.add_argument("--hidden", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=250)
    parser.add_argument("--rate", type=float, default=0.04, help="learning rate at the start; falls linearly to zero")
    parser.add_argument("--weight-decay", type=float, default=3e-3)
    parser.add_argument("--k", type=int, default=2, help="Gibbs sweeps per update")
    parser.add_argument("--chains", type=int, default=200, help="persistent ones, and those annealed for log Z")
    parser.add_argument("--copies", type=int, default=2, help="states per persistent chain, for the final log Z")
    parser.add_argument("--temperatures", type=int, default=10_000, help="of the final log Z")
    parser.add_argument("--judge", action="store_true", help="judge the model of a finished run again")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, nargs="+", metavar="RUN", help="only put finished runs on the page")
    options = parser.parse_args()
    if options.write:
        write([json.loads((run / "result.json").read_text()) for run in options.write])
        return
    if options.out is None:
        parser.error("--out RUN is needed, or --write RUN ...")
    torch.set_num_threads(options.threads)
    splits = silhouettes()
    if options.judge:
        result = json.loads((options.out / "result.json").read_text())
        result |= judge(hm.load(options.out / "model.safetensors"), splits, options)
        (options.out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
        print(json.dumps(result, indent=2))
        return
    callbacks = [
        hm.training.Monitor(every=max(1, options.epochs // 20)),
        Conservative(every=max(1, options.epochs // 10), start=6 * options.epochs // 10),
        hm.training.EarlyStopping("log_likelihood_worse", patience=None),
    ]
    if (options.out / "config.json").exists():
        model, history = hm.resume(
            options.out, data=splits["train"], validation=splits["valid"], callbacks=callbacks[1:2], progress=True
        )
    else:
        model = hm.RBM(hm.Bernoulli((28, 28)), options.hidden)
        history = hm.fit(
            model,
            splits["train"],
            objective=hm.PCD(k=options.k, chains=options.chains),
            epochs=options.epochs,
            batch_size=100,
            learning_rate=hm.schedules.Linear(options.rate),
            penalties=[hm.training.WeightDecay(options.weight_decay)],
            validation=splits["valid"],
            callbacks=callbacks,
            seed=options.seed,
            out=options.out,
            progress=True,
        )
    result = judge(model, splits, options) | {
        "hidden": options.hidden,
        "k": options.k,
        "rate": options.rate,
        "weight_decay": options.weight_decay,
        "threads": options.threads,
        "epochs": history.rows[-1]["epoch"],
        "best_epoch": history.best["epoch"] if history.best else history.rows[-1]["epoch"],
        "updates": history.rows[-1]["update"],
        "minutes": round(history.rows[-1]["seconds"] / 60, 1),
    }
    (options.out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def silhouettes() -> dict[str, Any]:
    """The three splits, (n, 784) uint8, objects 1."""
    data = hm.data.load("caltech101_silhouettes")
    assert data.valid is not None and data.test is not None
    splits = {"train": data.train, "valid": data.valid, "test": data.test}
    return {name: (1 - cases[:]).astype("uint8") for name, cases in splits.items()}


def judge(model: hm.models.Machine, splits: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Nats per case of every split with the bracket of log Z."""
    begun = time.perf_counter()
    # The persistent chains, at several times; errors stay those of as many chains as there are.
    states = [model.chains]
    for copy in range(options.copies):
        states.append(hm.sample(model, options.chains, sweeps=SWEEPS, init=states[-1], seed=copy))
    z = hm.log_partition(
        model, "ais", chains=options.chains, temperatures=options.temperatures, chains_from=torch.stack(states[1:]),
        seed=1,
    )  # fmt: skip
    print(z, flush=True)
    scores = {name: hm.evaluate(model, cases, log_partition=z) for name, cases in splits.items()}
    return {
        **{name: [score.lower, score.mean, score.upper, score.stderr] for name, score in scores.items()},
        "log_z": [z.lower, z.value, z.upper],
        "ess": z.ess,
        "trusted": z.trusted,
        "why": z.why,
        "judging_minutes": round((time.perf_counter() - begun) / 60, 1),
    }


def write(results: list[dict[str, Any]]) -> None:
    """One table in docs/benchmarks."""
    rows = []
    for result in results:
        lower, _, upper, stderr = result["test"]
        rows.append(
            [
                f"{result['hidden']:,}",
                f"{lower:.2f} +- {stderr:.2f}",
                f"[{lower:.2f}, {upper:.2f}]",
                f"{result['valid'][0]:.2f}",
                f"{result['train'][0]:.2f}",
                f"PCD-{result['k']}, {result['rate']:g}, {result['weight_decay']:g}",
                f"{result['best_epoch']} of {result['epochs']}",
                f"{result['minutes']:g} min, {result['updates']:,} updates",
                "yes" if result["trusted"] else "no",
            ]
        )
    header = [
        "hidden", "test, by the upper log Z", "test, bracket", "valid", "train", "objective, rate, weight decay",
        "best epoch", "training", "trusted",
    ]  # fmt: skip
    note = machine(results[0]["threads"], {"torch": {torch.__version__}})
    why = " ".join(f"log Z of {result['hidden']:,} hidden units: {result['why']}." for result in results)
    replace_section("caltech", f"{table(header, rows)}\n\n{note} {why}")


if __name__ == "__main__":
    main()
