"""What exchanges cost: a round of parallel tempering with ten rungs against ten plain sweeps of as many chains.

    python benchmarks/tempering.py MODEL --write

MODEL is a binary RBM, such as `python reproduce/mnist_rbm.py` leaves.  Both are timed as a training calls them, one
sweep per update: the ladder is built anew, because the weights have changed.  In turn within one process, medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path as File

import torch
from report import machine, replace_section, table

import harmonium as hm
from harmonium.sampling.ladder import tempering_round
from harmonium.sampling.path import Path
from harmonium.sampling.temperatures import Temperatures, adapted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=File)
    parser.add_argument("--chains", type=int, default=100)
    parser.add_argument("--rungs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = hm.load(options.model)
    assert model.chains is not None
    stream = hm.Stream(0)
    t = adapted(Path(model), options.rungs, stream.child("pilot"))
    walkers = Temperatures(Path(model), t).start(options.chains, stream.child("start"))
    index = torch.arange(options.chains) % len(model.chains)
    plain = model.unpack(model.chains[index].clone())
    for _ in range(100):  # until walkers are where they belong
        tempering_round(Temperatures(Path(model), t), walkers, stream)

    def ladder() -> None:
        tempering_round(Temperatures(Path(model), t), walkers, stream)

    def sweeps() -> None:
        nonlocal plain
        for _ in range(options.rungs):
            plain = model.sweep(plain, stream, 1)

    def without() -> None:
        Temperatures(Path(model), t).step(walkers, stream.advance())

    took: dict[str, list[float]] = {"ladder": [], "sweeps": [], "without": []}
    works: dict[str, Callable[[], None]] = {"ladder": ladder, "sweeps": sweeps, "without": without}
    for _ in range(options.repeats):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            took[name].append(time.perf_counter() - begun)
    over = statistics.median(a / b for a, b in zip(took["ladder"], took["sweeps"], strict=True))
    own = statistics.median(a / b for a, b in zip(took["ladder"], took["without"], strict=True))
    seconds = {name: 1e3 * statistics.median(times) for name, times in took.items()}
    text = table(
        ["round of the ladder, ms", "ten plain sweeps, ms", "overhead", "the round without exchanges, ms", "overhead"],
        [[f"{seconds['ladder']:.1f}", f"{seconds['sweeps']:.1f}", f"{100 * (over - 1):+.0f} %",
          f"{seconds['without']:.1f}", f"{100 * (own - 1):+.0f} %"]],
    )  # fmt: skip
    print(text)
    if options.write:
        measured = machine(options.threads, {"torch": {torch.__version__}})
        note = f"{options.rungs} rungs, {options.chains} chains. {measured}"
        replace_section("tempering-cost", f"{text}\n\n{note}")


if __name__ == "__main__":
    main()
