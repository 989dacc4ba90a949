"""Does the 99 % bracket of log Z by tempering hold?  Machines with strong weights and two far modes, log Z known.

    python reproduce/tempering_calibration.py --write

Every seed draws another machine: 24 visible and 8 to 20 hidden spins as binary units, couplings of standard deviation
0.5 to 2 in those binary units, plus a pair of opposite patterns that every coupling favours by 1 to 2, with fields of
standard deviation 0.5: two modes, tens of nats deep, between which all units must flip.  log Z is summed exactly and
bracketed by `hm.log_partition(method="tempering")`, which gets nothing but the model.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import experiment as ex
import torch

import harmonium as hm


def main() -> None:
    parser = ex.arguments(__doc__, out=None, threads=None, seed=False)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--chains", type=int, default=100, help="replicas of the ladder")
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--out", type=Path, help="keep results here (JSON lines), and continue from them")
    options = ex.options_of(parser)
    rows = []
    if options.out is not None and options.out.exists():
        rows = [json.loads(line) for line in options.out.read_text().splitlines()]
    for seed in range(len(rows), options.runs):
        begun = time.perf_counter()
        rbm = two_modes(seed)
        exact = hm.log_partition(rbm, "exact").value
        middle = time.perf_counter()
        z = hm.log_partition(rbm, "tempering", chains=options.chains, sweeps=options.sweeps, seed=seed)
        ended = time.perf_counter()
        rows.append(
            {
                "seed": seed,
                "exact": exact,
                "lower": z.lower,
                "upper": z.upper,
                "trusted": z.reliable,
                "why": z.why,
                "seconds": ended - middle,
                "exact_seconds": middle - begun,
            }
        )
        if options.out is not None:
            with options.out.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
        print(seed, f"{exact:.3f} in [{z.lower:.3f}, {z.upper:.3f}]", z.lower <= exact <= z.upper, z.why, flush=True)
    covered = sum(row["lower"] <= row["exact"] <= row["upper"] for row in rows)
    believed = [row for row in rows if row["trusted"]]
    cells = [
        str(len(rows)),
        str(covered),
        f"{statistics.median(row['upper'] - row['lower'] for row in rows):.3f}",
        f"{max(row['upper'] - row['lower'] for row in rows):.2f}",
        f"{len(rows) - len(believed)}",
        f"{sum(row['lower'] <= row['exact'] <= row['upper'] for row in believed)} of {len(believed)}",
        f"{statistics.median(row['seconds'] for row in rows):.1f}",
    ]
    header = [
        "runs", "bracket holds the exact value", "median width, nats", "largest width", "not reliable",
        "bracket holds, of the reliable", "median seconds",
    ]  # fmt: skip
    print(ex.table(header, [cells]))
    if options.write:
        note = f"{options.chains} replicas, {options.sweeps:,} rounds; rungs by the pilot."
        ex.publish("tempering-calibration", header, [cells], note)


def two_modes(seed: int) -> hm.RBM:
    """A binary RBM with two far modes."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    visible, hidden = 24, 8 + int(torch.randint(13, (), generator=generator))
    W = uniform(0.5, 2.0) * torch.randn(visible, hidden, generator=generator, dtype=torch.float64)
    left, right = (2.0 * torch.randint(2, (units,), generator=generator).double() - 1 for units in (visible, hidden))
    W = W + uniform(1.0, 2.0) * torch.outer(left, right)
    fields = [0.5 * torch.randn(units, generator=generator, dtype=torch.float64) for units in (visible, hidden)]
    # As spins +-1 the couplings would be W / 4 and the fields these: no mode is favoured by the change of variables.
    return hm.RBM.from_arrays(W, fields[0] - W.sum(1) / 2, fields[1] - W.sum(0) / 2)


if __name__ == "__main__":
    main()
