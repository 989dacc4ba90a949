"""Time Gibbs sweeps of the other machines against their bare matrix products, or against a plain loop over units.

    python benchmarks/families.py --write

One process, float32; each sweep is timed in turn with what it is compared with, and medians are taken.  Weights are
random, so that about half of the binary units are on: no product can be saved by states with few of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

import harmonium as hm

sys.path.insert(0, str(Path(__file__).resolve().parent / "contenders"))
from protocol import interleave
from report import duration, machine, quiet, replace_section, table

CHAINS, SWEEPS = 128, 20


class Contest(NamedTuple):
    """Two works of ``SWEEPS`` sweeps each, and what is asked of ours (seconds over seconds, at most)."""

    what: str
    against: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    asked: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    busy = quiet()
    rows = []
    with torch.no_grad():
        for contest in (categorical_rbm(), deep_machine(), dense_machine()):
            ours, theirs, ratio = interleave(contest.ours, contest.theirs, options.rounds, warmup=2)
            faster = contest.asked < 1
            rows.append(
                [
                    contest.what,
                    duration(ours / SWEEPS),
                    contest.against,
                    duration(theirs / SWEEPS),
                    f"{1 / ratio:.1f}x faster" if faster else f"{ratio:.2f}x",
                    f">= {1 / contest.asked:g}x faster" if faster else f"<= {contest.asked:g}x",
                    "yes" if ratio <= contest.asked else "**no**",
                ]
            )
    text = table(["one Gibbs sweep, 128 chains", "harmonium", "against", "takes", "ratio", "must reach", "met"], rows)
    note = machine(options.threads, {"torch": {torch.__version__}, "harmonium": {hm.__version__}})
    text += f"\n\n{note}" + (f" **Not a quiet machine:** {busy}." if busy else "")
    print(text)
    if options.write:
        replace_section("families", text)


def randomise(model: hm.Machine, scale: float) -> None:
    """Normal weights of standard deviation ``scale``, symmetric where lateral; biases stay zero."""
    generator = torch.Generator().manual_seed(0)
    for name, (a, b) in model.edges.items():
        W = scale * torch.randn(model.couplings[name].shape, generator=generator)
        model.couplings[name].copy_((W.triu(1) + W.triu(1).T) if a == b else W)


def sweeps(model: hm.Machine, state: tuple[torch.Tensor | None, ...]) -> Callable[[], object]:
    """A work of ``SWEEPS`` sweeps from one state."""
    stream = hm.Stream(0)
    return lambda: model.sweep(state, stream, SWEEPS)


def categorical_rbm() -> Contest:
    """53 variables of 21 states, 200 hidden units: a family of proteins."""
    model = hm.RBM(hm.Categorical(53, 21), 200)
    randomise(model, 0.1)
    state = model.sweep((model.visible.encode(hm.sample(model, CHAINS, steps=10)), None), hm.Stream(1))
    v, h, W = *state, model.weights.detach().clone()

    def products() -> None:
        for _ in range(SWEEPS):
            v @ W
            h @ W.T

    return Contest(
        "categorical RBM, 53 x 21 states, 200 hidden", "its two products", sweeps(model, state), products, 1.5
    )


def deep_machine() -> Contest:
    """784-500-1000: both layers of the even colour, then the odd one."""
    model = hm.DBM([784, 500, 1000])
    randomise(model, 0.05)
    half = [(torch.rand(CHAINS, n, generator=torch.Generator().manual_seed(n)) < 0.5).float() for n in (784, 500, 1000)]
    v, h1, h2 = state = model.sweep(tuple(half), hm.Stream(1), 10)
    W1, W2 = (W.detach().clone() for W in model.couplings.values())

    def products() -> None:
        for _ in range(SWEEPS):
            v @ W1
            h2 @ W2.T
            h1 @ W1.T
            h1 @ W2

    return Contest("DBM 784-500-1000", "its four products", sweeps(model, state), products, 1.3)


def dense_machine() -> Contest:
    """500 units, each coupled to all others and drawn in its turn."""
    model = hm.BoltzmannMachine(500)
    randomise(model, 0.05)
    v = (torch.rand(CHAINS, 500, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    W, b = model.couplings["visible_visible"].detach().clone(), model.visible.natural()[0].detach().clone()
    s = v.clone()

    def loop() -> None:
        for _ in range(SWEEPS):
            for j in range(500):
                s[:, j] = torch.bernoulli(torch.sigmoid(s @ W[:, j] + b[j]))

    return Contest(
        "dense Boltzmann machine, 500 units", "a torch loop over its units", sweeps(model, (v,)), loop, 1 / 20
    )


if __name__ == "__main__":
    main()
