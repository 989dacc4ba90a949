"""NADE with one ordering on six small binary sets: exact test log-likelihoods.

    python reproduce/small_binary_nade.py [adult connect4 ...] --out runs/small-nade
    python reproduce/small_binary_nade.py --write --out runs/small-nade            # put finished results on the page

Settings, and the best epoch of each training, are chosen by the exact log-likelihood of validation cases; test cases
are used once, at the end.  Needs HARMONIUM_DATA with NAME.npz (the splits of the NADE papers).  Results of a set are
kept in OUT/NAME.json.
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


@dataclass(frozen=True)
class Plan:
    """Training of one set: every width with every rate and every weight decay, each for this number of epochs."""

    published: float
    hidden: tuple[int, ...]
    rates: tuple[float, ...]
    decays: tuple[float, ...]
    epochs: int
    batch: int = 100


PLANS = {
    "adult": Plan(-13.19, (100,), (0.01, 0.003), (0.0, 1e-4), 60),
    "connect4": Plan(-11.99, (500,), (0.01, 0.003), (0.0,), 60),
    "dna": Plan(-84.81, (200, 400), (0.003,), (0.001, 0.003), 60, batch=20),
    "mushrooms": Plan(-9.81, (100, 300), (0.01,), (0.0, 1e-4), 100),
    "nips": Plan(-273.08, (50, 200), (0.003,), (0.003, 0.01, 0.03), 80, batch=20),
    "ocr_letters": Plan(-27.22, (500,), (0.005,), (0.0,), 60),
}


def run(name: str, plan: Plan, out: Path) -> dict[str, Any]:
    """Train every setting, and return the best by validation."""
    data = hm.data.load(name)
    tried, best = [], None
    for hidden, rate, decay in itertools.product(plan.hidden, plan.rates, plan.decays):
        setting = {"hidden": hidden, "rate": rate, "weight_decay": decay}
        begun, folder = time.perf_counter(), out / f"{name}-{hidden}-{rate:g}-{decay:g}"
        model, history = ex.trained(folder, data.train, lambda: planned(data, plan, setting))  # noqa: B023
        assert history.best is not None
        tried.append(setting | {"valid": history.best["log_likelihood"], "epoch": history.best["epoch"]})
        print(name, tried[-1], f"{time.perf_counter() - begun:.0f} s", flush=True)
        if best is None or tried[-1]["valid"] > best[0]["valid"]:
            best = tried[-1], model
    assert best is not None
    return {"model": best[1], "setting": best[0], "epochs": plan.epochs, "tried": tried}


def planned(data: hm.data.Dataset, plan: Plan, setting: dict[str, Any]) -> tuple[hm.NADE, dict[str, Any]]:
    model = hm.NADE(data.train.shape[1], setting["hidden"])
    return model, {
        "epochs": plan.epochs,
        "batch_size": plan.batch,
        "learning_rate": hm.schedules.Linear(setting["rate"]),
        "penalties": [hm.training.WeightDecay(setting["weight_decay"])] if setting["weight_decay"] else [],
        "validation": data.valid,
        "callbacks": [hm.training.LikelihoodMonitor(every=1), hm.training.EarlyStopping("log_likelihood", patience=15)],
    }


if __name__ == "__main__":
    reproduce(
        __doc__,
        PLANS,
        run,
        "small-binary-nade",
        {
            "hidden": lambda result: f"{result['setting']['hidden']}",
            "rate": lambda result: f"{result['setting']['rate']:g}",
            "weight decay": lambda result: f"{result['setting']['weight_decay']:g}",
            "settings tried": lambda result: f"{len(result['tried'])}",
        },
        lambda results: "",
    )
