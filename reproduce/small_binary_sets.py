"""RBMs with 23 hidden units on six small binary sets: exact test log-likelihoods.

    python reproduce/small_binary_sets.py [adult connect4 ...] --out runs/small    # about 15 minutes on one busy thread
    python reproduce/small_binary_sets.py --write --out runs/small                 # put finished results on the page

Settings, and the best model along each training, are chosen by the exact log-likelihood of validation cases; test cases
are used once, at the end.  With 23 hidden units log Z is a sum over 2^23 states.  Needs HARMONIUM_DATA with NAME.npz
(the splits of the NADE papers).  Results of a set are kept in OUT/NAME.json.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import experiment as ex
from small_binary import reproduce

import harmonium as hm

HIDDEN = 23
MEASUREMENTS = 5  # exact validation likelihoods along each training


@dataclass(frozen=True)
class Plan:
    """Training of one set: every rate with every weight decay, each for this number of updates."""

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


def run(name: str, plan: Plan, out: Path) -> dict[str, Any]:
    """Train every setting, and return the best by validation."""
    data = hm.data.load(name)
    begun, tried = time.perf_counter(), []
    best: tuple[hm.RBM, dict[str, Any]] | None = None
    for rate, decay in itertools.product(plan.rates, plan.decays):
        model, row = train(data, plan, rate, decay)
        tried.append({"rate": rate, "weight_decay": decay, "valid": row["log_likelihood"], "epoch": row["epoch"]})
        print(name, tried[-1], f"{time.perf_counter() - begun:.0f} s", flush=True)
        if best is None or tried[-1]["valid"] > best[1]["valid"]:
            best = model, tried[-1]
    assert best is not None
    seconds = round(time.perf_counter() - begun)
    return {"model": best[0], "setting": best[1], "tried": tried, "updates": plan.updates, "seconds": seconds}


def train(data: hm.data.Dataset, plan: Plan, rate: float, decay: float) -> tuple[hm.RBM, dict[str, Any]]:
    """The best model along one training, and its row of the history."""
    epochs = max(MEASUREMENTS, plan.updates // -(-len(data.train) // plan.batch))
    model = hm.RBM(data.train.shape[1], HIDDEN)
    history = hm.fit(
        model, data.train, objective=hm.PCD(k=plan.k, chains=plan.chains), epochs=epochs, batch_size=plan.batch,
        learning_rate=hm.schedules.Linear(rate), penalties=[hm.training.WeightDecay(decay)], validation=data.valid,
        callbacks=[
            hm.training.Monitor(every=epochs),
            ex.Exact(max(1, epochs // MEASUREMENTS)),
            hm.training.EarlyStopping("log_likelihood", patience=None),
        ],
    )  # fmt: skip
    assert history.best is not None
    return model, history.best


if __name__ == "__main__":
    reproduce(
        __doc__,
        PLANS,
        run,
        "small-binary-sets",
        {
            "rate": lambda result: f"{result['setting']['rate']:g}",
            "weight decay": lambda result: f"{result['setting']['weight_decay']:g}",
            "updates x settings": lambda result: f"{result['updates']:,} x {len(result['tried'])}",
            "all settings": lambda result: f"{result['seconds']} s",
        },
        lambda results: f"All together {sum(result['seconds'] for result in results) / 60:.0f} minutes.",
    )
