"""Time Gibbs sweeps of the other machines against their bare matrix products, or against a plain loop over units.

    python benchmarks/families.py --write --model runs/mnist/model.safetensors

One process, float32; each sweep is timed in turn with what it is compared with, and medians are taken.  Weights are
random, so that about half of the binary units are on: no product can be saved by states with few of them.  Long runs at
fixed weights are timed on a trained model, named by --model or trained here for a minute.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

import harmonium as hm

sys.path.insert(0, str(Path(__file__).resolve().parent / "contenders"))
from protocol import interleave
from report import duration, machine, quiet, replace_section, table
from with_harmonium import prepare

CHAINS, SWEEPS = 128, 20
LONG = 64  # sweeps of a long run: inputs are multiplied out once in as many


class Contest(NamedTuple):
    """Two works of ``sweeps`` sweeps each, and what is asked of ours (seconds over seconds, at most)."""

    what: str
    against: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    asked: float
    sweeps: int = SWEEPS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--model", type=Path, help="a trained RBM (default: one of 784 x 500 is trained for a minute)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    busy = quiet()
    rows = []
    with torch.no_grad():
        contests = [categorical_rbm(), deep_machine(), dense_machine(0.05), dense_machine(0.2)]
        for contest in (*contests, long_run(trained(options.model))):
            ours, theirs, ratio = interleave(contest.ours, contest.theirs, options.rounds, warmup=2)
            faster = contest.asked <= 0.1
            rows.append(
                [
                    contest.what,
                    duration(ours / contest.sweeps),
                    contest.against,
                    duration(theirs / contest.sweeps),
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


def randomise(model: hm.models.Machine, scale: float) -> None:
    """Normal weights of standard deviation ``scale``, symmetric where lateral; biases stay zero."""
    generator = torch.Generator().manual_seed(0)
    for name, (a, b) in model.edges.items():
        W = scale * torch.randn(model.couplings[name].shape, generator=generator)
        model.couplings[name].copy_((W.triu(1) + W.triu(1).T) if a == b else W)


def sweeps(model: hm.models.Machine, state: tuple[torch.Tensor | None, ...]) -> Callable[[], object]:
    """A work of ``SWEEPS`` sweeps from one state."""
    stream = hm.Stream(0)
    return lambda: model.sweep(state, stream, SWEEPS)


def flip_shares(model: hm.models.Machine, state: tuple[torch.Tensor | None, ...], count: int = 20) -> list[float]:
    """The mean number of units of each layer that change in a sweep."""
    stream, flips = hm.Stream(2), torch.zeros(len(state))
    for _ in range(count):
        after = model.sweep(state, stream)
        flips += torch.stack([(a != b).float().sum(-1).mean() for a, b in zip(state, after, strict=True)])
        state = after
    return (flips / count).tolist()


def categorical_rbm() -> Contest:
    """53 variables of 21 states, 200 hidden units: a family of proteins."""
    model = hm.RBM(hm.Categorical(53, 21), 200)
    randomise(model, 0.1)
    state = model.sweep((model.visible.encode(hm.sample(model, CHAINS, sweeps=10)), None), hm.Stream(1))
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


def dense_machine(scale: float) -> Contest:
    """500 units, each coupled to all others and drawn in its turn."""
    model = hm.BoltzmannMachine(500)
    randomise(model, scale)
    half = (torch.rand(CHAINS, 500, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    state = model.sweep((half,), hm.Stream(1), 100)
    W, b = model.couplings["visible_visible"].detach().clone(), model.visible.natural()[0].detach().clone()
    s = state[0].clone()

    def loop() -> None:
        for _ in range(SWEEPS):
            for j in range(500):
                s[:, j] = torch.bernoulli(torch.sigmoid(s @ W[:, j] + b[j]))

    share = flip_shares(model, state)[0] / 500
    return Contest(
        f"dense Boltzmann machine, 500 units, couplings of {scale:g} ({share:.0%} of the units flip)",
        "a torch loop over its units", sweeps(model, state), loop, 1 / 20,
    )  # fmt: skip


def trained(path: Path | None) -> hm.RBM:
    """The model in a file, or one trained for a minute."""
    if path is not None:
        return hm.load(path)
    with tempfile.TemporaryDirectory(prefix="harmonium-families-") as folder:
        sizes = {
            "visible": 784,
            "hidden": 500,
            "chains": 100,
            "prepare_epochs": 20,
            "cases": 1,
            "prepare_cases": 50_000,
        }
        with torch.enable_grad():
            prepare({"folder": folder, "threads": torch.get_num_threads(), **sizes})
        return hm.load(Path(folder) / "model.safetensors")


def long_run(model: hm.RBM) -> Contest:
    """A run at fixed weights, whose inputs follow the units that flip, from chains of the model."""
    assert model.chains is not None
    start = model.chains[torch.arange(CHAINS) % len(model.chains)]
    v, h = state = model.sweep((start, None), hm.Stream(1), 100)
    W, stream = model.weights.detach().clone(), hm.Stream(0)

    def products() -> None:
        for _ in range(LONG):
            v @ W
            h @ W.T

    flips = " and ".join(
        f"{count:.0f} of {units.size}"
        for count, units in zip(flip_shares(model, state), model.unit_layers(), strict=True)
    )
    return Contest(
        f"trained RBM, {LONG} sweeps at fixed weights ({flips} units flip)",
        "its two products", lambda: model.sweep(state, stream, LONG), products, 0.6, LONG,
    )  # fmt: skip


if __name__ == "__main__":
    main()
