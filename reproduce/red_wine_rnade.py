"""RNADE on red wine: test nats of the standardised data over ten folds.

    python reproduce/red_wine_rnade.py --out runs/red-wine --write

The folds are those of the RNADE papers, in HARMONIUM_DATA/red_wine.hdf5 (read with h5py).  Of the nine training parts
of a fold the last is held out; all are standardised by the moments of the other eight.  The setting with the best mean
validation over all folds is chosen, and the best epoch of each training is kept by validation too; the page shows the
test parts of the chosen setting only.  A result is the mean log-density of the *standardised* values, as published: no
Jacobian is added.  Results of a setting are kept in OUT/FAMILY-SETTING.json and not computed again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import experiment as ex
import h5py
import numpy as np

import harmonium as hm

PUBLISHED = {"gaussian": -9.36, "laplace": -9.46}
COMPONENTS, BATCH, FLOOR = 10, 50, 0.05
HIDDEN, RATES, DECAYS = (100,), (0.01, 0.03), (0.01,)


def main() -> None:
    parser = ex.arguments(__doc__, out="folder of the results", seed=False)
    parser.add_argument("--families", nargs="*", default=list(PUBLISHED))
    parser.add_argument("--folds", type=int, default=10, help="number of folds, from the first")
    parser.add_argument("--epochs", type=int, default=25)
    options = ex.options_of(parser)
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for family in options.families:
        settings = [setting_of(options, family, *values) for values in itertools.product(HIDDEN, RATES, DECAYS)]
        best = max(settings, key=lambda setting: setting["valid"])
        tests = [fold["test"] for fold in best["folds"]]
        rows.append(
            [
                {"gaussian": "mixtures of 10 Gaussians", "laplace": "mixtures of 10 Laplace distributions"}[family],
                f"{statistics.mean(tests):.2f} +- {statistics.stdev(tests) / len(tests) ** 0.5:.2f}",
                f"{best['valid']:.2f}",
                f"{PUBLISHED[family]:.2f}",
                f"{best['hidden']}",
                f"{best['rate']:g}",
                f"{best['weight_decay']:g}",
                f"{sum(setting['seconds'] for setting in settings):.0f} s",
            ]
        )
        print(rows[-1], flush=True)
    if options.write:
        header = [
            "outputs", "test, exact, nats of standardised data (error over folds)", "valid", "published (unverified)",
            "hidden", "rate", "weight decay", "all settings and folds",
        ]  # fmt: skip
        ex.publish("red-wine-rnade", header, rows, threads=options.threads)


def setting_of(options: argparse.Namespace, family: str, hidden: int, rate: float, decay: float) -> dict[str, Any]:
    """Results of one setting on all folds, read from its file as far as they are there."""
    path = options.out / f"{family}-{hidden}-{rate:g}-{decay:g}.json"
    done: dict[str, Any] = ex.load_result(path) or {"folds": [], "seconds": 0.0}
    for fold in range(len(done["folds"]) + 1, options.folds + 1):
        begun = time.perf_counter()
        train, valid, test = split_of(fold)
        model = hm.NADE(11, hidden, outputs=hm.models.MixtureConditional(11, COMPONENTS, family, FLOOR))
        history = hm.fit(
            model,
            train,
            epochs=options.epochs,
            batch_size=BATCH,
            learning_rate=hm.schedules.Linear(rate),
            penalties=[hm.training.WeightDecay(decay)],
            validation=valid,
            callbacks=[
                hm.training.LikelihoodMonitor(every=1),
                hm.training.EarlyStopping("log_likelihood", patience=30),
            ],
        )
        assert history.best is not None
        done["folds"].append(
            {"valid": history.best["log_likelihood"], "epoch": history.best["epoch"],
             "test": hm.evaluate(model, test).mean}
        )  # fmt: skip
        done["seconds"] += time.perf_counter() - begun
        done |= {"hidden": hidden, "rate": rate, "weight_decay": decay}
        done["valid"] = statistics.mean(fold["valid"] for fold in done["folds"])
        path.write_text(json.dumps(done, indent=2) + "\n")
        print(path.stem, f"fold {fold}", done["folds"][-1]["valid"], history.best["epoch"], flush=True)
    return done


def split_of(fold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, validation and test cases of a fold, 1 ... 10, standardised."""
    with h5py.File(Path(os.environ["HARMONIUM_DATA"]) / "red_wine.hdf5") as file:
        group = file[f"folds/{fold}"]
        parts = [group[f"training/{part}/data"][:] for part in range(1, 10)]
        train, valid, test = np.concatenate(parts[:-1]), parts[-1], group["tests/1/data"][:]
    mean, deviation = train.mean(0), train.std(0)
    return (train - mean) / deviation, (valid - mean) / deviation, (test - mean) / deviation


if __name__ == "__main__":
    main()
