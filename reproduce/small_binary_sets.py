"""RBMs with 23 hidden units on six small binary sets: exact test log-likelihoods.

    python reproduce/small_binary_sets.py [adult connect4 ...] --out runs/small    # about 15 minutes on one busy thread
    python reproduce/small_binary_sets.py --write --out runs/small                 # put finished results on the page

Settings are chosen, and the best model along each training is kept, by the exact log-likelihood of validation cases;
test cases are looked at once, at the end.  With 23 hidden units log Z is a sum over 2^23 states.  Needs HARMONIUM_DATA
with NAME.npz (the splits of the NADE papers).  Results of a set are left in OUT/NAME.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import harmonium as hm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
from report import machine, replace_section, table

HIDDEN = 23
MEASUREMENTS = 5  # exact validation likelihoods along each training


@dataclass(frozen=True)
class Plan:
    """How one set is trained: every rate with every weight decay, each for as many updates."""

    published: float
    rates: tuple[float, ...]
    decays: tuple[float, ...]
    updates: int
    batch: int = 100
    k: int = 5
    chains: int = 200


PLANS = {
    "adult": Plan(-16.26, (1.0, 0.5), (0.0,), 12_000),
    "connect4": Plan(-22.66, (0.5, 0.2), (0.0,), 6_000),
    "dna": Plan(-96.74, (0.1,), (0.003, 0.01, 0.02), 4_000),
    "mushrooms": Plan(-15.15, (0.2, 0.1), (0.0,), 18_000),
    "nips": Plan(-277.37, (0.05,), (0.01, 0.03, 0.06), 1_500),
    "ocr_letters": Plan(-43.05, (1.0, 0.5), (0.0,), 16_000),
}


class ExactLikelihood(hm.training.Callback):
    """Adds "log_likelihood" of the validation cases, in nats per case, every so many epochs and after the last."""

    def __init__(self, every: int) -> None:
        self.every = every

    def on_measure(self, training, row) -> None:  # type: ignore[no-untyped-def]
        if row["epoch"] % self.every == 0 or row["epoch"] == training.plan.epochs:
            row["log_likelihood"] = hm.evaluate(training.model, training.validation, method="exact").mean

    def columns(self, training) -> set[str]:  # type: ignore[no-untyped-def]
        return {"log_likelihood"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PLANS)} (default: all)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="only put the finished results into docs/benchmarks")
    options = parser.parse_args()
    if unknown := set(options.names) - set(PLANS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(PLANS)}")
    if options.write:
        write(options.out)
        return
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or PLANS:
        result = run(name, PLANS[name]) | {"threads": options.threads}
        (options.out / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
        print(json.dumps(result), flush=True)


def run(name: str, plan: Plan) -> dict[str, Any]:
    """Every setting trained; the best by validation judged on all three splits."""
    data = hm.data.load(name)
    assert data.valid is not None and data.test is not None
    begun, tried = time.perf_counter(), []
    best: tuple[float, hm.RBM, dict[str, Any]] | None = None
    for rate in plan.rates:
        for decay in plan.decays:
            model, row = train(data, plan, rate, decay)
            setting = {"rate": rate, "weight_decay": decay, "valid": row["log_likelihood"], "epoch": row["epoch"]}
            tried.append(setting)
            print(name, setting, f"{time.perf_counter() - begun:.0f} s", flush=True)
            if best is None or row["log_likelihood"] > best[0]:
                best = (row["log_likelihood"], model, setting)
    assert best is not None
    seconds = time.perf_counter() - begun
    _, model, setting = best
    z = hm.log_partition(model, method="exact")
    scores = {
        split: hm.evaluate(model, cases, log_partition=z)
        for split, cases in (("train", data.train), ("valid", data.valid), ("test", data.test))
    }
    return {
        "name": name,
        "visible": data.train.shape[1],
        **{split: [score.mean, score.stderr] for split, score in scores.items()},
        "published": plan.published,
        "setting": setting,
        "tried": tried,
        "updates": plan.updates,
        "seconds": round(seconds),
    }


def train(data: hm.data.Dataset, plan: Plan, rate: float, decay: float) -> tuple[hm.RBM, dict[str, Any]]:
    """The best model along one training, and its row of the history."""
    epochs = max(MEASUREMENTS, plan.updates // -(-len(data.train) // plan.batch))
    model = hm.RBM(data.train.shape[1], HIDDEN)
    history = hm.fit(
        model, data.train, objective=hm.PCD(k=plan.k, chains=plan.chains), epochs=epochs, batch_size=plan.batch,
        learning_rate=hm.schedules.Linear(rate), penalties=[hm.training.WeightDecay(decay)], validation=data.valid,
        callbacks=[
            hm.training.Monitor(every=epochs),
            ExactLikelihood(max(1, epochs // MEASUREMENTS)),
            hm.training.EarlyStopping("log_likelihood", patience=None),
        ],
    )  # fmt: skip
    assert history.best is not None
    return model, history.best


def write(folder: Path) -> None:
    """One table in docs/benchmarks."""
    results = [json.loads((folder / f"{name}.json").read_text()) for name in PLANS]
    rows = []
    for result in results:
        train, valid, test = (result[split] for split in ("train", "valid", "test"))
        setting = result["setting"]
        rows.append(
            [
                result["name"],
                f"{result['visible']}",
                f"{train[0]:.2f}",
                f"{valid[0]:.2f}",
                f"{test[0]:.2f} +- {test[1]:.2f}",
                f"{result['published']:.2f}",
                f"{test[0] - result['published']:+.2f}",
                f"{setting['rate']:g}",
                f"{setting['weight_decay']:g}",
                f"{result['updates']:,} x {len(result['tried'])}",
                f"{result['seconds']} s",
            ]
        )
    header = [
        "set", "visible", "train", "valid", "test, exact", "published (unverified)", "difference", "rate",
        "weight decay", "updates x settings", "all settings",
    ]  # fmt: skip
    note = machine(results[0]["threads"], {"torch": {torch.__version__}})
    total = sum(result["seconds"] for result in results)
    replace_section("small-binary-sets", f"{table(header, rows)}\n\nAll together {total / 60:.0f} minutes. {note}")


if __name__ == "__main__":
    main()
