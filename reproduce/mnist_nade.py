"""NADE with one ordering, 500 hidden units, on the fixed binarisation of MNIST: exact test nats.

    python reproduce/mnist_nade.py --out runs/mnist-nade --write

Adam with a rate that falls to zero; the best epoch by the exact likelihood of validation cases is kept.  Needs
HARMONIUM_DATA to point to a folder with binarized_mnist.npz (Larochelle & Murray 2011).  A run that was broken off
goes on when the command is given again.  The model is left in OUT/model.safetensors, the numbers in OUT/result.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

import harmonium as hm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
from report import machine, replace_section, table

HIDDEN, BATCH = 500, 100
PUBLISHED = -88.33  # Uria et al. 2016


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="put the result into docs/benchmarks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.write and (options.out / "result.json").exists():  # judged before: only put it on the page
        write(json.loads((options.out / "result.json").read_text()))
        return

    data = hm.data.load("binarized_mnist")
    assert data.valid is not None and data.test is not None
    if (options.out / "config.json").exists():
        model, history = hm.resume(options.out, progress=True)
    else:
        model = hm.NADE((28, 28), HIDDEN)
        history = hm.fit(
            model,
            data.train,
            epochs=options.epochs,
            batch_size=BATCH,
            learning_rate=hm.schedules.Linear(options.rate),
            penalties=[hm.training.WeightDecay(options.weight_decay)] if options.weight_decay else [],
            validation=data.valid,
            callbacks=[
                hm.training.LikelihoodMonitor(every=1),
                hm.training.EarlyStopping("log_likelihood", patience=10),
            ],
            seed=options.seed,
            out=options.out,
            progress=True,
        )
    last = history.rows[-1]
    splits = {"train": data.train, "valid": data.valid, "test": data.test}
    scores = {name: hm.evaluate(model, cases) for name, cases in splits.items()}
    result = {name: score.mean for name, score in scores.items()} | {
        "test_stderr": scores["test"].stderr,
        "minutes": round(last["seconds"] / 60, 1),
        "epochs": last["epoch"],
        "best_epoch": history.best["epoch"] if history.best else last["epoch"],
        "rate": options.rate,
        "weight_decay": options.weight_decay,
        "threads": options.threads,
    }
    (options.out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    if options.write:
        write(result)


def write(result: dict[str, Any]) -> None:
    """One small table in docs/benchmarks."""
    row = [
        f"{result['minutes']:g} min, {result['epochs']} epochs (best: {result['best_epoch']})",
        f"{result['test']:.2f} +- {result['test_stderr']:.2f}",
        f"{result['valid']:.2f}",
        f"{result['train']:.2f}",
        f"{PUBLISHED:.2f}",
        f"{result['rate']:g}",
        f"{result['weight_decay']:g}",
    ]
    header = ["training", "test, exact", "valid", "train", "published", "rate", "weight decay"]
    note = machine(result["threads"], {"torch": {torch.__version__}, "harmonium": {hm.__version__}})
    replace_section("mnist-nade", f"{table(header, [row])}\n\n{note}")


if __name__ == "__main__":
    main()
