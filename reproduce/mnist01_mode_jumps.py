"""Modes of an RBM of the digits 0 and 1, trained and sampled by trajectory tempering, and their jumps.

    python reproduce/mnist01_mode_jumps.py --out runs/mnist01 --write

Trains 200 hidden units on the zeros and ones of MNIST, binarised at one half, by `hm.PTT` at a learning rate that falls
to zero, and keeps the models of the training.  The share of ones is that of the chains at the end of training, of the
reservoir, and of the top of a ladder of all models that starts from independent units.
A state is a zero or a one once its projection on the first principal direction of the data lies beyond the median of
that digit, and until it lies beyond the median of the other, which is a jump.  Gibbs chains start from the states that
the ladder has reached; a round on a ladder of R rungs counts as R sweeps.

Needs HARMONIUM_DATA to point to a folder with mnist/*.gz.  An interrupted run continues when the command is given
again; the result is kept in OUT/result.json.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import Any

import experiment as ex
import numpy as np
import torch

import harmonium as hm
from harmonium.sampling.ladder import ExchangeStats, tempering_round
from harmonium.sampling.trajectory import Trajectory

HIDDEN, BATCH, CHAINS, RATE = 200, 500, 200, 0.02


def main() -> None:
    parser = ex.arguments(__doc__, threads=None, seed=False)
    parser.add_argument("--updates", type=int, default=10_000)
    parser.add_argument("--k", type=int, default=10, help="Gibbs sweeps per update")
    parser.add_argument("--chains", type=int, default=100, help="replicas of the ladder, and Gibbs chains")
    parser.add_argument("--rounds", type=int, default=1000, help="on the ladder, after a fifth as many")
    parser.add_argument("--sweeps", type=int, default=100_000, help="of Gibbs sampling at most")
    parser.add_argument("--jumps", type=int, default=30, help="of the Gibbs chains, at which they stop")
    options = ex.options_of(parser)
    if not ex.load_result(options.out):
        data = hm.data.load("mnist", binarize="threshold")
        labels = data.labels.train
        digits = data.train.select(np.flatnonzero(labels <= 1))
        model, last = train(digits, options)
        result = counted(model, digits, labels[labels <= 1], options) | {"last": last, "updates": options.updates}
        ex.save_result(options.out, result | {"k": options.k})
    text = page(ex.load_result(options.out))
    print(text)
    if options.write:
        ex.replace_section("mnist01-mode-jumps", text)


def train(digits: hm.data.Cases, options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The model, its trajectory in the run folder, and the last row of the history."""

    def plan() -> tuple[Any, dict[str, Any]]:
        model = hm.RBM(hm.Bernoulli((28, 28)), HIDDEN)
        return model, {
            "objective": hm.PTT(k=options.k, chains=CHAINS),
            "learning_rate": hm.schedules.Linear(RATE),
            "batch_size": BATCH,
            "epochs": max(1, round(options.updates * BATCH / len(digits))),
            "callbacks": [hm.training.KeepTrajectory(growth=1.05)],
        }

    model, history = ex.trained(options.out, digits, plan, data=digits)
    return model, history.rows[-1]


class Digit:
    """The digit that each chain shows, and the number of changes."""

    def __init__(self, cases: torch.Tensor, labels: torch.Tensor) -> None:
        self.mean = cases.mean(0)
        direction = torch.linalg.svd(cases - self.mean, full_matrices=False)[2][0]
        zeros, ones = (((cases[labels == digit] - self.mean) @ direction).median() for digit in (0, 1))
        # Turned and scaled so that the medians are at -1 and 1.
        self.direction = direction * 2 / (ones - zeros)
        self.middle = (ones + zeros) / (ones - zeros)
        self.shown: torch.Tensor | None = None
        self.jumps = 0

    def look(self, v: torch.Tensor) -> None:
        """Record the states of all chains (chains, 784)."""
        p = (v - self.mean) @ self.direction - self.middle
        seen = (p >= 1).long() - (p <= -1).long()
        if self.shown is not None:
            self.jumps += int((seen * self.shown == -1).sum())
            seen = torch.where(seen == 0, self.shown, seen)
        self.shown = seen

    def share(self) -> float:
        """The share of ones among the states that were seen last."""
        assert self.shown is not None
        return float((self.shown == 1).double().sum() / (self.shown != 0).double().sum())


@torch.no_grad()
def counted(model: Any, digits: hm.data.Cases, labels: np.ndarray, options: argparse.Namespace) -> dict[str, Any]:
    """Jumps on the ladder and of Gibbs chains."""
    cases, classes = digits.rows(torch.arange(len(digits))), torch.as_tensor(labels)
    sampler, stream = hm.sampling.TrajectoryTempering.from_run(options.out), hm.Stream(0, "jumps")
    begun = time.perf_counter()
    ladder = sampler.ladder(model, stream.child("ladder"))
    piloted = time.perf_counter() - begun
    print(f"{ladder.rungs} of {len(sampler.models)} models, pilot {piloted:.0f} s", flush=True)
    digit = Digit(cases, classes)
    digit.look(model.chains)
    trained_ones = digit.share()
    ladder_digit, traffic, states, seconds = along(ladder, Digit(cases, classes), stream, options)
    print(f"{ladder_digit.jumps} jumps in {options.rounds} rounds, {seconds:.0f} s", flush=True)
    digit, v, sweeps = Digit(cases, classes), states, 0
    digit.look(v)
    begun, moves = time.perf_counter(), stream.child("gibbs")
    while sweeps < options.sweeps and digit.jumps < options.jumps:
        v = model.gibbs(v, 1, moves)
        digit.look(v)
        sweeps += 1
    print(f"{digit.jumps} jumps in {sweeps} Gibbs sweeps, {time.perf_counter() - begun:.0f} s", flush=True)
    return {
        "rungs": ladder.rungs,
        "kept": len(sampler.models),
        "chains": options.chains,
        "rounds": options.rounds,
        "ladder_jumps": ladder_digit.jumps,
        "trips": int(traffic.trips.sum()),
        "acceptance": [round(float(a), 3) for a in traffic.acceptance],
        "ones": [trained_ones, ladder_digit.share(), digit.share()],
        "ones_data": float((classes == 1).double().mean()),
        "sweeps": sweeps,
        "gibbs_jumps": digit.jumps,
        "pilot_seconds": piloted,
        "ladder_seconds": seconds,
        "gibbs_seconds": time.perf_counter() - begun,
    }


def along(
    ladder: Trajectory, digit: Digit, stream: hm.Stream, options: argparse.Namespace
) -> tuple[Digit, ExchangeStats, torch.Tensor, float]:
    """Run the ladder, and look at its top: (digits, exchange statistics, last states, seconds)."""
    walkers, moves = ladder.start(options.chains, stream.child("start")), stream.child("moves")
    for _ in range(options.rounds // 5):
        tempering_round(ladder, walkers, moves)
    traffic, begun = ExchangeStats(walkers), time.perf_counter()
    for _ in range(options.rounds):
        traffic.count(walkers, *tempering_round(ladder, walkers, moves))
        v = ladder.on(walkers, -1)[0]
        assert v is not None
        digit.look(v)
    return digit, traffic, v, time.perf_counter() - begun


def page(result: dict[str, Any]) -> str:
    """The table with its note."""
    rungs, chains = result["rungs"], result["chains"]
    per_round = result["ladder_jumps"] / (result["rounds"] * chains)
    gibbs, stated = result["gibbs_jumps"], ""
    if gibbs < 10:
        # A 99 % upper bound of the Poisson mean.
        gibbs, stated = poisson_upper(gibbs), ", at most (99 %)"
    per_sweep = gibbs / (result["sweeps"] * chains)
    least = ">= " if stated else ""
    header = ["sampler", "sweeps of each chain", "jumps seen", "jumps per 10,000 sweeps", "against Gibbs"]
    rows = [
        ["Gibbs", f"{result['sweeps']:,}", f"{result['gibbs_jumps']}", f"{1e4 * per_sweep:.3g}{stated}", "1"],
        [
            f"trajectory of {rungs} rungs, a round as one sweep",
            f"{result['rounds']:,}",
            f"{result['ladder_jumps']:,}",
            f"{1e4 * per_round:.3g}",
            f"{least}{per_round / per_sweep:.3g}x",
        ],
        [
            f"a round as {rungs} sweeps",
            f"{result['rounds'] * rungs:,}",
            "",
            f"{1e4 * per_round / rungs:.3g}",
            f"{least}{per_round / rungs / per_sweep:.3g}x",
        ],
    ]
    versions = {"torch": {torch.__version__}, "harmonium": {hm.__version__}}
    travelled = ""
    if result["trips"] < result["chains"]:
        travelled = (
            " Few walkers completed the way from independent units to the top and back, so the share at the top of "
            "this ladder is that of the states that came up at the start."
        )
    last = result["last"]
    share, top, gibbs = result["ones"]
    note = (
        f"The share of ones is {result['ones_data']:.3f} in the data and **{share:.3f}** in the chains at the end of "
        f"training. It is {top:.3f} at the top of a ladder of {rungs} rungs, which were chosen from {result['kept']} "
        f"models of the training, and {gibbs:.3f} in Gibbs chains that began there. The ladder has {chains} replicas; "
        f"its exchanges are accepted with a probability of {min(result['acceptance']):.2f} to "
        f"{max(result['acceptance']):.2f}, and states made {result['trips']:,} round trips.{travelled}\n\n"
        f"The model has {HIDDEN} hidden units. `hm.PTT` trained it with {CHAINS} chains and {result['k']} sweeps per "
        f"update, in batches of {BATCH}, at a learning rate that fell from {RATE} to 0: {result['updates']:,} updates "
        f"in {last['seconds'] / 60:.0f} minutes. The model was frozen {last['frozen_models']} times, "
        f"{last['lagging']} of them before its chains had caught up; all chains were renewed {last['renewals']} times. "
        f"Training paused for {last['pauses']:,} rounds until the chains had caught up, took back "
        f"{last['undone_updates']} updates that changed the model too much, and drew {last['redrawn']} reservoirs "
        "again. "
        f"{ex.machine(1, versions)}"
    )
    return f"{ex.table(header, rows)}\n\n{note}"


def poisson_upper(events: int, level: float = 0.99) -> float:
    """The Poisson mean at which at most ``events`` events have probability 1 - level."""
    low, high = 0.0, 100.0
    for _ in range(60):
        mean = (low + high) / 2
        below = sum(math.exp(-mean) * mean**n / math.factorial(n) for n in range(events + 1))
        low, high = (mean, high) if below > 1 - level else (low, mean)
    return high


if __name__ == "__main__":
    main()
