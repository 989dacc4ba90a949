"""An RBM learns a quantum state from measurements: the transverse-field Ising chain of 10 spins, exact KL divergence.

    python reproduce/tfim1d.py [--updates 1000] [--write]

10,000 measurements of the ground state in the basis of the spins; the wave function psi is known, and real and
positive, so p = psi^2 can be compared with the model's distribution state by state.  Training uses measurements only;
the number of hidden units is chosen by five-fold cross-validation of the log-likelihood, and the wave function is used
at the end.  Needs HARMONIUM_DATA with tfim1d_data.txt and tfim1d_psi.txt (QuCumber's example).
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import experiment as ex
import numpy as np

import harmonium as hm

SPINS, FOLDS, TARGET = 10, 5, 0.01
HIDDEN = (2, 4, 6, 8, 10, 15)


def main() -> None:
    parser = ex.arguments(__doc__, out=None, threads=None, seed=False, write="put the table into docs/benchmarks")
    parser.add_argument("--updates", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=0.05, help="of Adam, falling linearly to zero")
    options = ex.options_of(parser)
    folder = Path(os.environ["HARMONIUM_DATA"])
    samples = number(np.loadtxt(folder / "tfim1d_data.txt"))
    rows = []
    for hidden in HIDDEN:
        begun = time.perf_counter()
        held_out = cross_validated(samples, hidden, options)
        model = learn(samples, hidden, options)
        rows.append((hidden, held_out, log_p(model), time.perf_counter() - begun))
        print(f"{hidden} hidden units: {held_out:.4f} nats held out, {rows[-1][-1]:.0f} s", flush=True)
    chosen = max(rows, key=lambda row: row[1])[0]

    psi = np.loadtxt(folder / "tfim1d_psi.txt")[:, 0]
    p = psi**2 / (psi**2).sum()
    counts = np.bincount(samples, minlength=2**SPINS) / len(samples)
    header = ["hidden units", "held out, nats", "KL(p, model), exact", "KL(counts, model)", "chosen", "time"]
    cells = [
        [
            f"{hidden}",
            f"{held_out:.4f}",
            f"{divergence(p, model):.4f}",
            f"{divergence(counts, model):.4f}",
            "yes" if hidden == chosen else "",
            f"{seconds:.0f} s",
        ]
        for hidden, held_out, model, seconds in rows
    ]
    entropy = -float((p[p > 0] * np.log(p[p > 0])).sum())
    reached = next(divergence(p, model) for hidden, _, model, _ in rows if hidden == chosen)
    note = (
        f"KL(p, model) of the chosen model: {reached:.4f}. The counts themselves lie "
        f"{divergence(counts, np.log(p)):.4f} nats from p as KL(counts, p), and KL(p, counts) is infinite: "
        f"{(counts == 0).sum()} of {len(p)} states were never measured, {p[counts == 0].sum():.1%} of the mass. "
        f"The entropy of p, {entropy:.4f} nats, bounds the expected held-out column: -{entropy:.4f}."
    )
    print(f"{ex.table(header, cells)}\n\n{note}\n\n(must reach: KL(p, model) <= {TARGET:g})")
    if options.write:
        ex.publish("tfim1d", header, cells, note)


def number(states: np.ndarray) -> np.ndarray:
    """Joint states (n, 10) as numbers, the first spin the most significant: the order of the wave function's file."""
    weights: np.ndarray = 2 ** np.arange(SPINS - 1, -1, -1)
    return np.asarray(states @ weights, dtype=np.int64)


def states() -> np.ndarray:
    """All joint states (1024, 10) in the order of their numbers."""
    return (np.arange(2**SPINS)[:, None] >> np.arange(SPINS - 1, -1, -1)) & 1


def learn(samples: np.ndarray, hidden: int, options: argparse.Namespace) -> hm.RBM:
    """Maximum likelihood by the exact gradient; every distinct state is one case, with its count as weight."""
    model = hm.RBM(SPINS, hidden)
    counts = np.bincount(samples, minlength=2**SPINS)
    hm.fit(
        model, states(), sample_weight=counts, objective=hm.Exact(), epochs=options.updates, batch_size=2**SPINS,
        learning_rate=hm.schedules.Linear(options.rate), optimizer="adam",
    )  # fmt: skip
    return model


def log_p(model: hm.RBM) -> np.ndarray:
    """The exact log-probabilities (1024,) of all states."""
    return model.log_prob(states(), hm.log_partition(model, "exact")).numpy()


def cross_validated(samples: np.ndarray, hidden: int, options: argparse.Namespace) -> float:
    """Mean log-likelihood of cases left out, nats."""
    fold = np.arange(len(samples)) % FOLDS
    scores = [log_p(learn(samples[fold != i], hidden, options))[samples[fold == i]] for i in range(FOLDS)]
    return float(np.concatenate(scores).mean())


def divergence(p: np.ndarray, log_q: np.ndarray) -> float:
    """KL(p || q) in nats."""
    seen = p > 0
    return float((p[seen] * (np.log(p[seen]) - log_q[seen])).sum())


if __name__ == "__main__":
    main()
