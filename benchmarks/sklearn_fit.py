"""Time `BernoulliRBM.fit` of harmonium.sklearn against scikit-learn's, same settings, and compare what they learned.

    python benchmarks/sklearn_fit.py [--rounds 5] [--threads 1] [--write]

Every fit runs in a fresh process after a short one; both take turns, and the table shows medians.  Both machines are
judged by the exact pseudo-likelihood of 1,000 training cases.  MNIST needs HARMONIUM_DATA; without it, its rows are
left out.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import report
import torch
from launch import contend
from sklearn.datasets import load_digits

import harmonium as hm
from harmonium.likelihood.flipped import flipped_log_likelihood

MODULES = {"harmonium": "harmonium.sklearn", "scikit-learn": "sklearn.neural_network"}
MUST = {"digits": 1.0, "MNIST": 1.6}
HEADER = (
    "data", "hidden", "batch", "precision", "ours", "scikit-learn", "faster", "must reach", "pseudo-likelihood, ours",
    "scikit-learn's",
)  # fmt: skip


def data_sets() -> dict[str, dict[str, Any]]:
    """Cases and settings by name."""
    digits = load_digits().data / 16
    found = {"digits, greys": {"cases": digits, "hidden": 100, "epochs": 10, "rate": 0.06}}
    try:
        mnist = hm.data.load("mnist").train
    except FileNotFoundError as error:
        print(f"MNIST is left out: {error}", file=sys.stderr)
        return found
    rows = mnist.rows(torch.arange(10_000)).numpy()
    mnist_settings = {"hidden": 256, "epochs": 1, "rate": 0.05}
    found["MNIST, 10,000 binary"] = {"cases": rows > 0.5, **mnist_settings}
    found["MNIST, 10,000 greys"] = {"cases": rows, **mnist_settings}
    return found


def judged(path: str, cases: np.ndarray) -> float:
    """Mean pseudo-likelihood of 1,000 cases under a machine in a file, nats per case."""
    with np.load(path) as arrays:
        rbm = hm.RBM.from_arrays(*(arrays[name].astype(np.float64) for name in ("W", "b", "c")))
    return float(flipped_log_likelihood(rbm, torch.from_numpy(cases[:1000].astype(np.float64))).mean())


def measured(spec: dict[str, Any], rounds: int) -> tuple[dict[str, float], dict[str, float], dict[str, set[str]]]:
    """Median seconds and mean pseudo-likelihood by library, and versions."""
    times: dict[str, list[float]] = {name: [] for name in MODULES}
    scores: dict[str, list[float]] = {name: [] for name in MODULES}
    versions: dict[str, set[str]] = {}
    for seed in range(rounds):
        for name, module in MODULES.items():
            answer = contend(sys.executable, "bernoulli_rbm.py", spec | {"module": module, "seed": seed})
            if "seconds" not in answer:
                sys.exit(f"{name}: {answer}")
            times[name].append(answer["seconds"])
            scores[name].append(judged(answer["model"], np.load(spec["cases"])))
            for library, version in answer["versions"].items():
                versions.setdefault(library, set()).add(version)
    return (
        {name: statistics.median(seconds) for name, seconds in times.items()},
        {name: statistics.mean(score) for name, score in scores.items()},
        versions,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks")
    options = parser.parse_args()
    noise = report.quiet()
    rows, versions = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for name, settings in data_sets().items():
            path = Path(folder) / "cases.npy"
            np.save(path, settings.pop("cases"))
            for batch, dtype in ((10, "float32"), (10, "float64"), (100, "float32")):
                spec = {"task": "fit", "cases": str(path), "batch": batch, "dtype": dtype,
                        "threads": options.threads, **settings}  # fmt: skip
                seconds, scores, versions = measured(spec, options.rounds)
                faster = seconds["scikit-learn"] / seconds["harmonium"]
                rows.append([
                    name, str(settings["hidden"]), str(batch), dtype,
                    *(report.duration(seconds[library]) for library in MODULES), f"{faster:.2f}x",
                    f"{MUST[name.partition(',')[0]]}x", *(f"{scores[library]:.2f}" for library in MODULES),
                ])  # fmt: skip
                print(*rows[-1], sep=" | ", flush=True)
    text = report.table(HEADER, rows)
    print(text)
    if options.write:
        about = report.machine(options.threads, versions)
        report.replace_section("sklearn-fit", "\n\n".join(filter(None, (text, about, noise and f"Note: {noise}."))))


if __name__ == "__main__":
    main()
