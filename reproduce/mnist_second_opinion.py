"""A second estimate of log Z for trained RBMs: long parallel tempering, beside the annealing that judged them.

    python reproduce/mnist_second_opinion.py runs/mnist-15 runs/mnist-pt [--sweeps 8000] [--write]

Each RUN is one of reproduce/mnist_rbm.py, judged there by annealed importance sampling in both directions.  Here its
log Z comes from replicas that travel between the base rate and the model (`hm.log_partition(..., "tempering")`), which
do not depend on the chains of training.  Results are kept in RUN/tempering.json; with --write, the table goes into
docs/benchmarks.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import experiment as ex

import harmonium as hm


def main() -> None:
    parser = ex.arguments(__doc__, out=None, seed=False, write="put the table into docs/benchmarks")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--sweeps", type=int, default=8000, help="rounds of exchanges, after a fifth as many")
    parser.add_argument("--chains", type=int, default=20, help="independent replicas of the ladder")
    options = ex.options_of(parser)
    found = [judged(run, options) for run in options.runs]
    if options.write:
        write(found, options)


def judged(run: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Both estimates for one run."""
    path, known = run / "tempering.json", ex.load_result(run)
    if ex.load_result(path).get("sweeps") != options.sweeps:
        begun, test = time.perf_counter(), hm.data.load("binarized_mnist").test
        model = hm.load(run / "model.safetensors")
        assert test is not None and isinstance(model, hm.RBM)
        z = hm.log_partition(model, "tempering", chains=options.chains, sweeps=options.sweeps, seed=0)
        found = ex.judge(model, {"test": test}, z)
        ex.save_result(path, found | {"sweeps": options.sweeps, "seconds": round(time.perf_counter() - begun)})
    objective = json.loads((run / "config.json").read_text())["plan"]["objective"]["type"]
    return known | {"tempering": ex.load_result(path), "objective": objective}


def write(found: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """One row for each run."""
    rows = []
    for run in found:
        second = run["tempering"]
        rows.append(
            [
                f"{run['objective']}, {run['binarisation']}, {run['updates']:,} updates",
                ex.bracket(run["log_z"][0], run["log_z"][2]),
                "yes" if run["trusted"] else f"no: {run['why'].split('; ')[-1]}",
                ex.bracket(second["log_z"][0], second["log_z"][2]),
                "yes" if second["trusted"] else f"no: {second['why'].split('; ')[-1]}",
                ex.bracket(second["test"][0], second["test"][2]),
                f"{second['seconds']} s",
            ]
        )
    header = [
        "model", "log Z by annealing", "reliable", "log Z by tempering", "reliable", "test nats by tempering", "takes",
    ]  # fmt: skip
    note = (
        f"{options.chains} replicas, {options.sweeps:,} rounds after a fifth as many; intervals at 99 % from the "
        "spread between replicas."
    )
    ex.publish("mnist-second-opinion", header, rows, note, threads=options.threads)


if __name__ == "__main__":
    main()
