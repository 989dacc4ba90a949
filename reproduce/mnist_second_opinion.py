"""log Z of trained RBMs once more, by another road: long parallel tempering beside the annealing that judged them.

    python reproduce/mnist_second_opinion.py runs/mnist-15 runs/mnist-pt [--sweeps 8000] [--write]

Each RUN is one of reproduce/mnist_rbm.py, judged there by annealed importance sampling in both directions.  Here its
log Z comes from replicas that travel between the base rate and the model (`hm.log_partition(..., "tempering")`), which
no chain that training left can mislead.  Results are kept in RUN/tempering.json; with --write, the table goes into
docs/benchmarks.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

import harmonium as hm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
from report import machine, replace_section, table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--sweeps", type=int, default=8000, help="rounds of exchanges, after a fifth as many")
    parser.add_argument("--chains", type=int, default=20, help="independent replicas of the ladder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = [judged(run, options) for run in options.runs]
    if options.write:
        write(found, options)


def judged(run: Path, options: argparse.Namespace) -> dict[str, Any]:
    """What both roads say of one run."""
    path = run / "tempering.json"
    known: dict[str, Any] = json.loads((run / "result.json").read_text())
    if not path.exists() or json.loads(path.read_text())["sweeps"] != options.sweeps:
        begun, test = time.perf_counter(), hm.data.load("binarized_mnist").test
        model = hm.load(run / "model.safetensors")
        assert test is not None and isinstance(model, hm.RBM)
        z = hm.log_partition(model, "tempering", chains=options.chains, sweeps=options.sweeps, seed=0)
        score = hm.evaluate(model, test, log_partition=z)
        result = {
            "sweeps": options.sweeps,
            "log_z": [z.lower, z.value, z.upper],
            "trusted": z.trusted,
            "why": z.why,
            "test": [score.lower, score.mean, score.upper],
            "seconds": round(time.perf_counter() - begun),
        }
        path.write_text(json.dumps(result, indent=2) + "\n")
        print(run, json.dumps(result), flush=True)
    objective = json.loads((run / "config.json").read_text())["plan"]["objective"]["type"]
    return known | {"tempering": json.loads(path.read_text()), "objective": objective}


def write(found: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """One row for each run."""
    rows = []
    for run in found:
        second = run["tempering"]
        rows.append(
            [
                f"{run['objective']}, {run['binarisation']}, {run['updates']:,} updates",
                f"[{run['log_z'][0]:.2f}, {run['log_z'][2]:.2f}]",
                "yes" if run["trusted"] else f"no: {run['why'].split('; ')[-1]}",
                f"[{second['log_z'][0]:.2f}, {second['log_z'][2]:.2f}]",
                "yes" if second["trusted"] else f"no: {second['why'].split('; ')[-1]}",
                f"[{second['test'][0]:.2f}, {second['test'][2]:.2f}]",
                f"{second['seconds']} s",
            ]
        )
    header = [
        "model", "log Z by annealing", "trusted", "log Z by tempering", "trusted", "test nats by tempering", "takes",
    ]  # fmt: skip
    note = machine(options.threads, {"torch": {torch.__version__}, "harmonium": {hm.__version__}})
    replace_section(
        "mnist-second-opinion",
        f"{table(header, rows)}\n\n{options.chains} replicas, {options.sweeps:,} rounds after a fifth as many; "
        f"intervals at 99 % from the spread between replicas. {note}",
    )


if __name__ == "__main__":
    main()
