"""An RBM with 16 hidden units on MNIST thresholded at 0.5, exact log-likelihood; and on its negative.

    python reproduce/mnist_16_hidden.py [--epochs 50] [--write]

The set-up of Melchior, Fischer & Wiskott 2016: centered PCD-1, 50 epochs, learning rate 0.01, batches of 100.
Centering makes a data set and its negative equally easy; the plain gradient does not.  Needs HARMONIUM_DATA with
mnist/*.gz.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

import harmonium as hm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
from report import machine, replace_section, table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    mnist = hm.data.load("mnist", binarize="threshold")
    assert mnist.test is not None
    splits = {"MNIST": (mnist.train[:], mnist.test[:])}
    splits["negative"] = tuple(1 - rows for rows in splits["MNIST"])
    rows = []
    for metric in ("centered", "plain"):
        for name, (train, test) in splits.items():
            begun = time.perf_counter()
            rbm = hm.RBM(784, 16)
            hm.fit(
                rbm, train.astype("uint8"), objective=hm.PCD(k=1, chains=100), metric=metric, learning_rate=0.01,
                epochs=options.epochs, batch_size=100,
            )  # fmt: skip
            seconds = time.perf_counter() - begun
            z = hm.log_partition(rbm, method="exact")
            scores = [hm.evaluate(rbm, cases, log_partition=z) for cases in (train, test)]
            rows.append(
                [metric, name, *(f"{score.mean:.2f} +- {score.stderr:.2f}" for score in scores), f"{seconds:.0f} s"]
            )
            print(rows[-1], flush=True)
    text = table(["metric", "data", "train, exact", "test, exact", "training"], rows)
    print(text)
    if options.write:
        replace_section("mnist-16", f"{text}\n\n{machine(options.threads, {'torch': {torch.__version__}})}")


if __name__ == "__main__":
    main()
