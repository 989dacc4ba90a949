"""NADE with one ordering on six small binary sets: exact test log-likelihoods.

    python reproduce/small_binary_nade.py [adult connect4 ...] --out runs/small-nade
    python reproduce/small_binary_nade.py --write --out runs/small-nade            # put finished results on the page

Settings are chosen, and the best epoch of each training is kept, by the exact log-likelihood of validation cases; test
cases are looked at once, at the end.  Needs HARMONIUM_DATA with NAME.npz (the splits of the NADE papers).  Results of a
set are left in OUT/NAME.json.
"""

from __future__ import annotations

import argparse
import itertools
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


@dataclass(frozen=True)
class Plan:
    """How one set is trained: every width with every rate and every weight decay, each for as many epochs."""

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
        result = run(name, PLANS[name], options.out) | {"threads": options.threads}
        (options.out / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
        print(json.dumps(result), flush=True)


def run(name: str, plan: Plan, out: Path) -> dict[str, Any]:
    """Every setting trained; the best by validation judged on all three splits."""
    data = hm.data.load(name)
    assert data.valid is not None and data.test is not None
    tried, best = [], None
    for hidden, rate, decay in itertools.product(plan.hidden, plan.rates, plan.decays):
        setting = {"hidden": hidden, "rate": rate, "weight_decay": decay}
        begun = time.perf_counter()
        model, history = trained(data, plan, setting, out / f"{name}-{hidden}-{rate:g}-{decay:g}")
        assert history.best is not None
        tried.append(setting | {"valid": history.best["log_likelihood"], "epoch": history.best["epoch"]})
        print(name, tried[-1], f"{time.perf_counter() - begun:.0f} s", flush=True)
        if best is None or tried[-1]["valid"] > best[0]["valid"]:
            best = tried[-1], model
    assert best is not None
    scores = {
        split: hm.evaluate(best[1], cases)
        for split, cases in (("train", data.train), ("valid", data.valid), ("test", data.test))
    }
    return {
        "name": name,
        "visible": data.train.shape[1],
        "published": plan.published,
        "setting": best[0],
        "epochs": plan.epochs,
        "tried": tried,
        **{split: [score.mean, score.stderr] for split, score in scores.items()},
    }


def trained(
    data: hm.data.Dataset, plan: Plan, setting: dict[str, Any], out: Path
) -> tuple[hm.NADE, hm.training.History]:
    """One training, or what is left of it."""
    if (out / "config.json").exists():
        model, history = hm.resume(out)
        return model, history
    model = hm.NADE(data.train.shape[1], setting["hidden"])
    history = hm.fit(
        model,
        data.train,
        epochs=plan.epochs,
        batch_size=plan.batch,
        learning_rate=hm.schedules.Linear(setting["rate"]),
        penalties=[hm.training.WeightDecay(setting["weight_decay"])] if setting["weight_decay"] else [],
        validation=data.valid,
        callbacks=[hm.training.LikelihoodMonitor(every=1), hm.training.EarlyStopping("log_likelihood", patience=15)],
        out=out,
    )
    return model, history


def write(out: Path) -> None:
    """One row for each finished set."""
    results = [json.loads((out / f"{name}.json").read_text()) for name in PLANS if (out / f"{name}.json").exists()]
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
                f"{setting['hidden']}",
                f"{setting['rate']:g}",
                f"{setting['weight_decay']:g}",
                f"{len(result['tried'])}",
            ]
        )
    header = [
        "set", "visible", "train", "valid", "test, exact", "published (unverified)", "difference", "hidden", "rate",
        "weight decay", "settings tried",
    ]  # fmt: skip
    note = machine(results[0]["threads"], {"torch": {torch.__version__}})
    replace_section("small-binary-nade", f"{table(header, rows)}\n\n{note}")


if __name__ == "__main__":
    main()
