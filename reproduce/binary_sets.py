"""Six of the twenty binary sets of Lowd and Davis: the best single model by validation, ten minutes of one core each.

    python reproduce/binary_sets.py [nltcs kdd ...] --out runs/binary-sets      # ten minutes for every set
    python reproduce/binary_sets.py --write --out runs/binary-sets             # put finished results on the page

A round of short trainings, all of the same length, compares models and weight decays; the best one by the validation
likelihood is trained once more for the time that is left, and the better of the two is judged once by the test cases.
Needs HARMONIUM_DATA with NAME.npz.  Trainings that were interrupted go on; results of a set are kept in OUT/NAME.json.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import experiment as ex

import harmonium as hm

PUBLISHED = {  # HCLT, regularised, means of 5 runs
    "nltcs": -5.999, "kdd": -2.183, "plants": -14.263, "jester": -52.463, "dna_lowd": -79.056, "bbc": -251.049,
}  # fmt: skip
SECONDS = 600.0  # of one core, for everything but the test
SHORT = 0.08  # of it, for each training of the first round
ORDERINGS = 16  # of an order-agnostic model


class Candidate(NamedTuple):
    """A model, and the weight decay of its training (None: that of the plan)."""

    make: Callable[[int, int], hm.models.Model]
    decay: float | None = None


CANDIDATES = {
    "RBM": Candidate(lambda columns, hidden: hm.RBM(columns, hidden)),
    "NADE": Candidate(lambda columns, hidden: hm.NADE(columns, hidden), 0.0),
    "NADE, decay 0.001": Candidate(lambda columns, hidden: hm.NADE(columns, hidden), 0.001),
    "NADE, decay 0.01": Candidate(lambda columns, hidden: hm.NADE(columns, hidden), 0.01),
    "MADE": Candidate(lambda columns, hidden: hm.MADE(columns, (hidden,)), 0.0),
    "MADE, decay 0.001": Candidate(lambda columns, hidden: hm.MADE(columns, (hidden,)), 0.001),
    "order-agnostic NADE": Candidate(lambda columns, hidden: hm.OrderlessNADE(columns, (hidden, hidden)), 0.0),
    "order-agnostic NADE, decay 0.001": Candidate(
        lambda columns, hidden: hm.OrderlessNADE(columns, (hidden, hidden)), 0.001
    ),
}


class Trained(NamedTuple):
    model: Any
    valid: float
    seconds: float


def run(name: str, out: Path, seconds: float, seed: int) -> dict[str, Any]:
    """Choose by validation within the time, and judge once."""
    data = hm.data.load(name)
    tried, spent = {}, 0.0
    best: tuple[str, Trained] | None = None
    for candidate in CANDIDATES:
        found = train(data, candidate, SHORT * seconds, out / name / _folder(candidate), seed)
        spent += found.seconds
        tried[candidate] = found.valid
        print(f"{name}: {candidate}: {found.valid:.3f} (valid), {found.seconds:.0f} s", flush=True)
        if best is None or found.valid > best[1].valid:
            best = candidate, found
    assert best is not None
    chosen, short = best
    long = train(data, chosen, max(1.0, seconds - spent), out / name / f"{_folder(chosen)}-long", seed)
    print(f"{name}: {chosen}, longer: {long.valid:.3f} (valid), {long.seconds:.0f} s", flush=True)
    model = max(short, long, key=lambda found: found.valid).model
    result = hm.evaluate(model, data.test)
    return {
        "name": name, "chosen": chosen, "valid": max(short.valid, long.valid), "kind": result.kind,
        "test": [result.lower, result.mean, result.stderr], "reliable": result.reliable,
        "seconds": round(spent + long.seconds), "tried": tried | {f"{chosen}, longer": long.valid},
    }  # fmt: skip


def train(data: hm.data.Dataset, name: str, seconds: float, out: Path, seed: int) -> Trained:
    """Train a candidate for this time of one core, its choice by validation cases and their likelihood included."""
    done = ex.load_result(out)
    began = time.process_time()
    model, _ = ex.trained(out, data.train, lambda: planned(data, CANDIDATES[name], seconds, seed), progress=False)
    if isinstance(model, hm.OrderlessNADE):
        model = model.ensemble(ORDERINGS)
    if not done:
        valid = hm.evaluate(model, data.valid)
        done = {"valid": valid.lower, "seconds": time.process_time() - began}
        (out / ex.RESULT).write_text(ex.json.dumps(done))
    return Trained(model, done["valid"], done["seconds"])


def planned(data: hm.data.Dataset, candidate: Candidate, seconds: float, seed: int) -> tuple[Any, dict[str, Any]]:
    columns = data.train.shape[1]
    hidden = min(500 if len(data.train) > 10_000 else 200, max(64, 3 * columns))
    options = {"validation": data.valid, "minutes": 0.8 * seconds / 60, "progress": False, "seed": seed}
    if candidate.decay is not None:
        options["penalties"] = [hm.training.WeightDecay(candidate.decay)] if candidate.decay else []
    return candidate.make(columns, hidden), options


def _folder(name: str) -> str:
    return "-".join("".join(letter if letter.isalnum() or letter == "." else " " for letter in name).split())


def cells(result: dict[str, Any]) -> list[str]:
    lower, mean, error = result["test"]
    published = PUBLISHED[result["name"]]
    test = f"{mean:.3f}" if result["kind"] == "exact" else f"at least {lower:.3f}"
    return [
        result["name"], result["chosen"], f"{result['valid']:.3f}", f"{test} ± {error:.3f}", f"{published:.3f}",
        f"{lower - published:+.3f}", f"{result['seconds']}", "yes" if lower > published else "no",
    ]  # fmt: skip


def main() -> None:
    parser = ex.arguments(__doc__, out="folder of the results", write="only publish finished results")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PUBLISHED)} (default: all)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of one core for every set (default: 600)")
    options = ex.options_of(parser)
    if unknown := set(options.names) - set(PUBLISHED):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(PUBLISHED)}")
    options.out.mkdir(parents=True, exist_ok=True)
    results = []
    for name in options.names or PUBLISHED:
        path = options.out / f"{name}.json"
        found = ex.load_result(path)
        if not found and not options.write:
            found = run(name, options.out, options.seconds, options.seed)
            ex.save_result(path, found)
        results += [found] if found else []
    header = [
        "set", "chosen by validation", "valid", "test, nats", "HCLT", "difference", "seconds of one core", "met",
    ]  # fmt: skip
    rows = [cells(result) for result in results]
    print(ex.table(header, rows))
    if options.write:
        ex.publish("binary-sets", header, rows, threads=options.threads)


if __name__ == "__main__":
    main()
