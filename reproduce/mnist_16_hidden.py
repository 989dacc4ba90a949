"""An RBM with 16 hidden units on MNIST thresholded at 0.5, exact log-likelihood; and on its negative.

    python reproduce/mnist_16_hidden.py [--epochs 50] [--write]

The set-up of Melchior, Fischer & Wiskott 2016: centered PCD-1, 50 epochs, learning rate 0.01, batches of 100.
Centering makes a data set and its negative equally easy; the plain gradient does not.  Needs HARMONIUM_DATA with
mnist/*.gz.
"""

from __future__ import annotations

import time

import experiment as ex

import harmonium as hm


def main() -> None:
    parser = ex.arguments(__doc__, out=None, threads=2, seed=False, write="put the table into docs/benchmarks")
    parser.add_argument("--epochs", type=int, default=50)
    options = ex.options_of(parser)
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
    header = ["metric", "data", "train, exact", "test, exact", "training"]
    print(ex.table(header, rows))
    if options.write:
        ex.publish("mnist-16", header, rows, threads=options.threads)


if __name__ == "__main__":
    main()
