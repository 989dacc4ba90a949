"""The Ising model on a square lattice by Gibbs sampling: energies and magnetisation against the exact values.

    python reproduce/ising.py [--side 64] [--threads 1] [--write]

32 chains of a periodic 64 x 64 lattice; a few minutes on one core.  The energy per spin is compared with that of the
same finite lattice (Kaufman 1949, the exact partition function of a torus) and of the infinite one (Onsager 1944), the
magnetisation below the critical temperature with Yang's (1952), and log Z by tempering with Kaufman's.  Standard errors
are those of 32 independent chains, and autocorrelation times follow from them.
"""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

import experiment as ex
import numpy as np
import report
import torch
from scipy.special import ellipk

import harmonium as hm
from harmonium.sampling.tempering import Tempering

CRITICAL = 0.5 * math.log1p(math.sqrt(2))
COUPLINGS = (0.2, 0.3, 0.4, 0.43, CRITICAL, 0.45, 0.5, 0.6)
CHAINS = 32
EVERY = 10  # sweeps between two measurements
SECTION = "ising"


class Measured(NamedTuple):
    """What the chains say at one coupling, per spin.

    Attributes:
        energy: mean and standard error.
        magnetisation: mean absolute value and standard error.
        time: autocorrelation time of the energy, in sweeps.
        sweeps: of each chain, after as many that were not counted as a quarter of them.
        seconds: of processor time.
    """

    energy: tuple[float, float]
    magnetisation: tuple[float, float]
    time: float
    sweeps: int
    seconds: float


def lattice(side: int) -> np.ndarray[Any, Any]:
    """Edges (edges, 2) of a periodic square lattice."""
    site = np.arange(side * side).reshape(side, side)
    return np.concatenate([np.stack((site, np.roll(site, -1, axis)), -1).reshape(-1, 2) for axis in (0, 1)])


def sampled(side: int, coupling: float, sweeps: int, seed: int) -> Measured:
    """Run the chains: from random spins above the critical temperature, from all up below it."""
    begun = time.process_time()
    edges = lattice(side)
    machine = hm.BoltzmannMachine(hm.Spin((side, side)), edges=edges, sparse=True)
    with torch.no_grad():
        machine.couplings["visible_visible"].fill_(coupling)
    stream = hm.Stream(seed)
    s = torch.ones(CHAINS, side * side)
    if coupling < CRITICAL:
        s = machine.visible.sample(torch.zeros(CHAINS, side * side), stream.child("start").advance())
    state = machine.sweep((s,), stream, sweeps // 4)
    energies, magnetisations = [], []
    with torch.no_grad():
        for _ in range(sweeps // EVERY):
            state = machine.sweep(state, stream, EVERY)
            assert state[0] is not None
            energies.append(-machine.neg_coupling_energy("visible_visible", state) / coupling / side**2)
            magnetisations.append(state[0].double().mean(-1).abs())
    energy, time_of = _mean(torch.stack(energies).numpy())
    return Measured(energy, _mean(torch.stack(magnetisations).numpy())[0], time_of, sweeps, time.process_time() - begun)


def _mean(values: np.ndarray[Any, Any]) -> tuple[tuple[float, float], float]:
    """Mean and standard error over chains of values (measurements, chains); autocorrelation time in sweeps.

    The variance of a chain's mean is 2 tau / length times the variance of a value.
    """
    of_chains = values.mean(0)
    variance = float(of_chains.var(ddof=1))
    length = EVERY * len(values)
    spread = float(((values - values.mean()) ** 2).mean())
    return (float(of_chains.mean()), math.sqrt(variance / values.shape[1])), length * variance / (2 * spread)


def onsager(coupling: float) -> float:
    """Energy per spin of the infinite lattice (Onsager 1944), in units of J."""
    if abs(coupling - CRITICAL) < 1e-12:
        return -math.sqrt(2)
    k = 2 * math.sinh(2 * coupling) / math.cosh(2 * coupling) ** 2
    bracket = 1 + 2 / math.pi * (2 * math.tanh(2 * coupling) ** 2 - 1) * float(ellipk(k * k))
    return -bracket / math.tanh(2 * coupling)


def yang(coupling: float) -> float:
    """Magnetisation per spin of the infinite lattice (Yang 1952); 0 above the critical temperature."""
    return (1 - math.sinh(2 * coupling) ** -4) ** 0.125 if coupling > CRITICAL else 0.0


def kaufman(side: int, coupling: float) -> float:
    """log Z of a periodic square lattice (Kaufman 1949)."""
    r = np.arange(2 * side)
    c = math.cosh(2 * coupling) / math.tanh(2 * coupling)
    gamma = np.arccosh(np.maximum(c - np.cos(np.pi * r / side), 1.0))
    gamma[0] = 2 * coupling + math.log(math.tanh(coupling))  # which changes its sign at the critical point
    half = side * gamma / 2
    log_cosh = np.abs(half) + np.log1p(np.exp(-2 * np.abs(half)))
    with np.errstate(divide="ignore"):
        log_sinh = np.abs(half) + np.log(-np.expm1(-2 * np.abs(half)))
    exponents = np.array([log_cosh[1::2].sum(), log_sinh[1::2].sum(), log_cosh[0::2].sum(), log_sinh[0::2].sum()])
    highest = exponents.max()
    products = np.exp(exponents - highest) @ [1, 1, 1, np.sign(half[0])]
    return float(side**2 / 2 * math.log(2 * math.sinh(2 * coupling)) - math.log(2) + highest + math.log(products))


def energy_of_torus(side: int, coupling: float, step: float = 1e-5) -> float:
    """Energy per spin of the periodic lattice: minus the derivative of log Z by the coupling, in units of J."""
    return -(kaufman(side, coupling + step) - kaufman(side, coupling - step)) / (2 * step) / side**2


def tempered(side: int, coupling: float, seed: int) -> tuple[Any, float]:
    """log Z by tempering, and the processor time it took."""
    machine = hm.BoltzmannMachine(hm.Spin((side, side)), edges=lattice(side), sparse=True)
    with torch.no_grad():
        machine.couplings["visible_visible"].fill_(coupling)
    begun = time.process_time()
    z = hm.log_partition(machine, method="tempering", sampler=Tempering(), seed=seed)
    return z, time.process_time() - begun


def pm(value: tuple[float, float]) -> str:
    return f"{value[0]:.5f} ± {value[1]:.5f}"


def main() -> None:
    parser = ex.arguments(__doc__, out=None, write="put the table into docs/how-to/ising.md")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument(
        "--sweeps", type=int, default=8000, help="of each chain; ten times as many near the critical point"
    )
    options = ex.options_of(parser)
    header = [
        "coupling K = J / T", "sweeps", "energy per spin", f"exact, {options.side} x {options.side}", "errors apart",
        "exact, infinite", "magnetisation", "exact, infinite", "autocorrelation time, sweeps",
    ]  # fmt: skip
    cells, seconds = [], 0.0
    for k, coupling in enumerate(COUPLINGS):
        near = abs(coupling / CRITICAL - 1) < 0.04
        found = sampled(options.side, coupling, options.sweeps * (10 if near else 1), 100 * options.seed + k)
        exact = energy_of_torus(options.side, coupling)
        cells.append([
            f"{coupling:.6f}, critical" if coupling == CRITICAL else f"{coupling:g}",
            f"{found.sweeps:,}", pm(found.energy), f"{exact:.5f}",
            f"{(found.energy[0] - exact) / found.energy[1]:+.1f}", f"{onsager(coupling):.5f}",
            *((pm(found.magnetisation), f"{yang(coupling):.5f}") if coupling > CRITICAL else ("", "")),
            f"{found.time:.0f}" if found.time > EVERY else f"below {EVERY}",
        ])  # fmt: skip
        seconds += found.seconds
        print(*cells[-1], f"{found.seconds:.0f} s", sep=" | ", flush=True)
    lines = [f"{CHAINS} chains, {seconds:.0f} s of processor time for all rows."]
    for side, coupling in ((16, 0.4), (32, CRITICAL)):
        z, took = tempered(side, coupling, options.seed)
        lines.append(
            f"log Z of {side} x {side} spins at K = {coupling:.4g} by tempering: {z.value:.3f}, bracket "
            f"[{z.lower:.3f}, {z.upper:.3f}], in {took:.0f} s; exactly {kaufman(side, coupling):.3f}."
        )
        print(lines[-1], flush=True)
    text = "\n\n".join((report.table(header, cells), *lines))
    print(text)
    if options.write:
        report.replace_section(SECTION, text, report.ROOT / "docs" / "how-to" / "ising.md")


if __name__ == "__main__":
    main()
