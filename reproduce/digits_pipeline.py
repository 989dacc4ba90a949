"""scikit-learn's gallery example, digits by BernoulliRBM and logistic regression, with the RBMs of both libraries.

    python reproduce/digits_pipeline.py [--seeds 3] [--write]

The set-up of "Restricted Boltzmann Machine features for digit classification": the 1,797 digits and each shifted by one
pixel in four directions, scaled to [0, 1], a fifth for the test; 100 hidden units, learning rate 0.06, 10 passes,
batches of 10; logistic regression with C = 6000 on the features, and with C = 100 on the pixels.  Their solver is
run to its default tolerance: at theirs of 1, recent versions of scikit-learn stop before the first step.
"""

from __future__ import annotations

import statistics
from typing import Any

import experiment as ex
import numpy as np
import sklearn
from scipy.ndimage import convolve
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import BernoulliRBM as Theirs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import minmax_scale

from harmonium.sklearn import BernoulliRBM

SHIFTS = [
    [[0, 1, 0], [0, 0, 0], [0, 0, 0]],
    [[0, 0, 0], [1, 0, 0], [0, 0, 0]],
    [[0, 0, 0], [0, 0, 1], [0, 0, 0]],
    [[0, 0, 0], [0, 0, 0], [0, 1, 0]],
]


def shifted() -> tuple[Any, Any, Any, Any]:
    """Training and test cases, training and test labels."""
    X, y = load_digits(return_X_y=True)
    moved = [np.array([convolve(x.reshape(8, 8), w, mode="constant").ravel() for x in X]) for w in SHIFTS]
    X, y = minmax_scale(np.concatenate([X, *moved]), feature_range=(0, 1)), np.tile(y, 5)
    return tuple(train_test_split(X, y, test_size=0.2, random_state=0))  # type: ignore[return-value]


def accuracy(features: Any | None, C: float, cases: tuple[Any, Any, Any, Any]) -> float:
    """Of logistic regression on features, or on pixels."""
    train, test, y_train, y_test = cases
    steps = [] if features is None else [features]
    classifier = LogisticRegression(solver="newton-cg", C=C, max_iter=200)
    return float(make_pipeline(*steps, classifier).fit(train, y_train).score(test, y_test))


def main() -> None:
    parser = ex.arguments(__doc__, out=None, threads=None, seed=False, write="put the table into docs/benchmarks")
    parser.add_argument("--seeds", type=int, default=3)
    options = ex.options_of(parser)
    cases = shifted()
    rows = [["pixels", f"{100 * accuracy(None, 100.0, cases):.2f} %", ""]]
    for name, kind in (("harmonium.sklearn.BernoulliRBM", BernoulliRBM), ("scikit-learn's BernoulliRBM", Theirs)):
        found = []
        for seed in range(options.seeds):
            rbm = kind(n_components=100, learning_rate=0.06, n_iter=10, random_state=seed)
            found.append(100 * accuracy(rbm, 6000.0, cases))
            print(name, seed, f"{found[-1]:.2f} %", flush=True)
        rows.append([name, f"{statistics.mean(found):.2f} %", ", ".join(f"{value:.2f}" for value in found)])
    header = ["features", "test accuracy", "by seed"]
    print(ex.table(header, rows))
    if options.write:
        note = f"{len(cases[3])} test cases, so that a standard error is about 0.5 points."
        ex.publish("digits-pipeline", header, rows, note, versions={"scikit-learn": sklearn.__version__})


if __name__ == "__main__":
    main()
