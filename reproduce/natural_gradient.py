"""The natural gradient beside centering: equal updates and equal seconds, each metric with its own best learning rate.

    python reproduce/natural_gradient.py [--updates 1500] [--out FILE] [--write]

Machines with 16 hidden units, so that all likelihoods are exact, on bars-and-stripes 4x4 (batches of all 32 patterns)
and on the binary digits 8x8 (batches of 100): PCD-1 with 100 chains, a learning rate that falls linearly to zero, from
one grid for all.  Six machines are trained side by side as one batch; three choose the rate, the other three are
reported.  Seconds are those of a single machine: metrics take turns, and each gets the number of updates that it makes
in the time in which the natural gradient makes --updates.  Measurements in FILE, one JSON object per line, are not
repeated.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import experiment as ex
import numpy as np

import harmonium as hm

METRICS = {"plain": hm.training.Plain(), "centered": hm.training.Centered(), "natural": hm.training.NaturalGradient()}
RATES = (0.01, 0.03, 0.05, 0.1, 0.2, 0.3, 1.0, 2.0, 4.0)
SETS = {"bars-and-stripes": 32, "digits": 100}  # cases per update
HIDDEN, CHOOSE, REPORT = 16, 3, 3
ROUNDS, TIMED = 5, 200  # of the clock: rounds, updates in each


def members(cases: np.ndarray, count: int) -> hm.RBM:
    """Several machines as one, initialised like `fit` does: small weights, visible biases at the means."""
    mean = (cases.sum(0) + 0.5) / (len(cases) + 1)
    bias = np.log(mean / (1 - mean)).astype(np.float32)
    weights = np.stack([hm.RBM(cases.shape[1], HIDDEN, seed=seed).to_arrays()[0] for seed in range(count)])
    return hm.RBM.from_arrays(weights, np.broadcast_to(bias, (count, len(bias))), np.zeros((count, HIDDEN), np.float32))


def train(
    model: hm.RBM,
    cases: np.ndarray,
    size: int,
    metric: hm.training.Centered | hm.training.Plain,
    rate: float,
    updates: int,
    seed: int,
) -> None:
    """Train for at least this number of updates, in whole epochs."""
    batches = -(-len(cases) // size)
    hm.fit(
        model, cases, objective=hm.PCD(k=1, chains=100), metric=metric, learning_rate=hm.schedules.Linear(rate),
        epochs=-(-updates // batches), batch_size=size, seed=seed, initialise=False,
    )  # fmt: skip


def likelihoods(
    cases: np.ndarray, size: int, metric: hm.training.Centered | hm.training.Plain, rate: float, updates: int
) -> list[float]:
    """Exact mean log-likelihoods of the training cases, one per machine; minus infinity if training diverged."""
    stack = members(cases, CHOOSE + REPORT)
    try:
        train(stack, cases, size, metric, rate, updates, seed=0)
    except hm.errors.DivergedError:
        return [-np.inf] * (CHOOSE + REPORT)
    arrays = stack.to_arrays()
    single = [hm.RBM.from_arrays(*[a[r] for a in arrays]) for r in range(CHOOSE + REPORT)]
    return [hm.evaluate(rbm, cases, method="exact").mean for rbm in single]


def clock(cases: np.ndarray, size: int) -> dict[str, float]:
    """Seconds per update of one machine, by metric: medians over rounds in which metrics take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in METRICS}
    for round_ in range(ROUNDS + 1):
        for name, metric in METRICS.items():
            model = hm.RBM.from_arrays(*[a[0] for a in members(cases, 1).to_arrays()])
            begun = time.process_time()
            train(model, cases, size, metric, 0.01, TIMED, seed=0)
            if round_:  # the first one compiles
                seconds[name].append((time.process_time() - begun) / TIMED)
    return {name: statistics.median(values) for name, values in seconds.items()}


class Notes:
    """Measurements by what was measured, kept in a file if there is one."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path is not None and path.exists() else []
        self.known = {json.dumps(note["what"]): note["found"] for note in map(json.loads, lines)}

    def __call__(self, what: list[Any], measure: Callable[[], Any]) -> Any:
        key = json.dumps(what)
        if key not in self.known:
            self.known[key] = measure()
            line = json.dumps({"what": what, "found": self.known[key]})
            print(line, flush=True)
            if self.path is not None:
                with self.path.open("a") as file:
                    file.write(line + "\n")
        return self.known[key]


def main() -> None:
    parser = ex.arguments(__doc__, out=None, threads=None, seed=False, write="put the table into docs/benchmarks")
    parser.add_argument("--updates", type=int, default=1500)
    parser.add_argument("--out", type=Path, metavar="FILE", help="of measurements, to continue from")
    options = ex.options_of(parser)
    loud, rows, notes = ex.quiet(), [], Notes(options.out)
    for name, size in SETS.items():
        cases = np.asarray(hm.data.load(name).train)[:].astype(np.float32)
        seconds: dict[str, float] = notes([name, "seconds"], lambda: clock(cases, size))  # noqa: B023
        for budget in ("equal updates", "equal seconds"):
            for key, metric in METRICS.items():
                updates = options.updates
                if budget == "equal seconds":
                    updates = round(updates * seconds["natural"] / seconds[key])
                done: dict[float, list[float]] = {}
                for rate in RATES:
                    done[rate] = notes(
                        [name, key, rate, updates],
                        lambda: likelihoods(cases, size, metric, rate, updates),  # noqa: B023
                    )
                chosen = max(RATES, key=lambda rate: statistics.mean(done[rate][:CHOOSE]))
                reported = done[chosen][CHOOSE:]
                rows.append(
                    [
                        name,
                        budget,
                        key,
                        f"{1000 * seconds[key]:.2f} ms",
                        f"{updates:,}",
                        f"{chosen:g}" + (" (edge)" if chosen in (RATES[0], RATES[-1]) else ""),
                        f"{statistics.mean(reported):.3f}",
                        f"{min(reported):.3f} to {max(reported):.3f}",
                    ]
                )
    header = ["set", "budget", "metric", "one update", "updates", "best rate", "nats per training case", "range"]
    print(ex.table(header, rows))
    if options.write:
        noise = f"**Not a quiet machine:** {loud}; times are processor times." if loud else ""
        ex.publish("natural-gradient", header, rows, noise)


if __name__ == "__main__":
    main()
