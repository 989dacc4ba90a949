"""Classify MNIST (the original IDX files) by a network that a deep belief network has pretrained, and by the same
network from a random start: with all labels, and with 100, 1,000 and 10,000 of them, five seeds each.

    python reproduce/mnist_finetune.py --out runs/mnist-finetune            # about 35 minutes on one thread
    python reproduce/mnist_finetune.py --out runs/mnist-finetune --write    # put the results into docs/benchmarks.md

Needs HARMONIUM_DATA to point to a folder with mnist/*.gz.  The DBN 784-1000-1000 learns from 50,000 training images
without labels, binarised anew every epoch; the networks see the greys.  The other 10,000 training images are for
validation: as many of them as there are labelled training images choose the epoch and, per number of labels and start,
whether dropout is used.  Every finished training is kept in OUT/results.json; when the command is given again, after
--minutes or otherwise, it goes on with what is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import harmonium as hm
from harmonium.recipes.finetune import errors, random_start

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
from report import machine, replace_section, table

LAYERS, RATE = [784, 1000, 1000], 1e-3
DROPOUT = {"none": (0.0, 0.0), "dropout": (0.2, 0.5)}
STARTS = ("pretrained", "random")
EPOCHS = {100: 60, 1000: 40, 10_000: 20, 50_000: 40}
BATCH = {100: 10, 1000: 50, 10_000: 100, 50_000: 100}
SEEDS = {100: 5, 1000: 5, 10_000: 5, 50_000: 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of runs and results")
    parser.add_argument("--minutes", type=float, default=60.0, help="start no further training after so many")
    parser.add_argument("--pretrain-epochs", type=int, default=8, help="of each machine")
    parser.add_argument("--labels", type=int, nargs="*", choices=list(EPOCHS), default=list(EPOCHS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the results into docs/benchmarks.md")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    end = time.monotonic() + 60 * options.minutes
    options.out.mkdir(parents=True, exist_ok=True)

    store = options.out / "results.json"
    results: dict[str, Any] = json.loads(store.read_text()) if store.exists() else {}
    if options.write and store.exists():
        write(results, options)
        return
    data = hm.data.load("mnist", binarize="dynamic", valid=10_000)
    dbn = hm.DBN(LAYERS)
    # Not from the transpose of the first machine: its hidden units would start as copies of the pixels.
    hm.greedy(
        dbn, data.train, transposed=False, out=options.out, objective=hm.PCD(k=1, chains=100),
        epochs=options.pretrain_epochs, learning_rate=hm.Linear(0.05), penalties=[hm.WeightDecay(2e-4)],
        batch_size=100, progress=True,
    )  # fmt: skip
    grey = hm.data.load("mnist", binarize="grey", valid=10_000)
    for labels in options.labels:
        for seed in range(SEEDS[labels]):
            for start in STARTS:
                for dropout in DROPOUT if seed == 0 else [best_dropout(results, labels, start)]:
                    key = f"{labels}/{start}/{dropout}/{seed}"
                    if key in results:
                        continue
                    if time.monotonic() > end:
                        print(f"time is up before {key}: give the command again", flush=True)
                        return
                    results[key] = train(dbn, grey, labels, start, dropout, seed)
                    store.write_text(json.dumps(results, indent=1) + "\n")
                    print(key, results[key], flush=True)
    write(results, options) if options.write else print(*rows_of(results), sep="\n")


def train(dbn: hm.DBN, grey: hm.data.Dataset, labels: int, start: str, dropout: str, seed: int) -> dict[str, float]:
    """One network: errors in percent of validation and test cases."""
    begun = time.perf_counter()
    stream = hm.Stream(seed).child("mnist_finetune", labels)
    (x, y), valid = (balanced(cases, own, labels, seed) for cases, own in (
        (grey.train, grey.labels.train), (grey.valid, grey.labels.valid)))  # fmt: skip
    network = dbn.to_classifier(10, stream)
    if start == "random":
        network = random_start(network, stream)
    rows = hm.finetune(
        network, x, y, validation=valid, epochs=EPOCHS[labels], batch_size=BATCH[labels], learning_rate=RATE,
        dropout=DROPOUT[dropout], seed=stream,
    )  # fmt: skip
    test = errors(network, grey.test, torch.as_tensor(np.asarray(grey.labels.test), dtype=torch.int64))
    best = min(rows, key=lambda row: (row["error"], row["valid_cross_entropy"]))
    return {
        "valid": 100 * best["error"],
        "valid_cross_entropy": best["valid_cross_entropy"],
        "test": 100 * test[0],
        "epoch": best["epoch"],
        "seconds": round(time.perf_counter() - begun, 1),
    }


def balanced(cases: hm.data.Cases, y: Any, labels: int, seed: int) -> tuple[hm.data.Cases, Any]:
    """So many cases at random, as many of each class; all where there are no more."""
    y = np.asarray(y)
    if labels >= len(y):
        return cases, y
    order = np.random.default_rng(seed).permutation(len(y))
    index = np.concatenate([order[y[order] == digit][: labels // 10] for digit in range(10)])
    return cases.select(index), y[index]


def best_dropout(results: dict[str, Any], labels: int, start: str) -> str:
    """The better setting by the validation cases of seed 0."""
    keys = {name: f"{labels}/{start}/{name}/0" for name in DROPOUT}
    tried = {name: results[key] for name, key in keys.items() if key in results}
    return min(tried, key=lambda name: (tried[name]["valid"], tried[name]["valid_cross_entropy"]))


def rows_of(results: dict[str, Any]) -> list[list[str]]:
    """One row per number of labels for which both starts have results."""
    rows = []
    for labels in EPOCHS:
        found, cells = {}, []
        for start in STARTS:
            if not any(f"{labels}/{start}/{name}/0" in results for name in DROPOUT):
                break
            dropout = best_dropout(results, labels, start)
            own = [results.get(f"{labels}/{start}/{dropout}/{seed}") for seed in range(SEEDS[labels])]
            found[start] = np.array([result["test"] for result in own if result is not None])
            spread = f" +- {found[start].std(ddof=1):.2f}" if len(found[start]) > 1 else ""
            cells.append(f"{found[start].mean():.2f}{spread} ({'with' if dropout == 'dropout' else 'no'} dropout)")
        if len(cells) == 2:
            seeds = min(map(len, found.values()))
            gain = found["random"].mean() - found["pretrained"].mean()
            rows.append([f"{labels:,}", *cells, f"{gain:+.2f}", str(seeds)])
    return rows


def write(results: dict[str, Any], options: argparse.Namespace) -> None:
    """One table in docs/benchmarks.md."""
    header = ["labels", "pretrained, test error in %", "random start, test error in %", "gain in points", "seeds"]
    note = (
        f"MNIST, original files; network {'-'.join(map(str, LAYERS))}-10 with sigmoid units; +- is the standard "
        f"deviation over seeds (other labelled cases, order and dropout). The DBN saw 50,000 images without labels "
        f"({options.pretrain_epochs} epochs per machine). As many validation as training labels, 10,000 at most, chose "
        "the epoch and whether dropout (0.2 of the inputs, 0.5 of the hidden units) is used, in fine-tuning only."
    )
    versions = {"torch": {torch.__version__}, "harmonium": {hm.__version__}}
    replace_section(
        "mnist-finetune", f"{table(header, rows_of(results))}\n\n{note} {machine(options.threads, versions)}"
    )


if __name__ == "__main__":
    main()
