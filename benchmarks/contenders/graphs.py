"""Gibbs sampling of Boltzmann machines on graphs by harmonium."""

from __future__ import annotations

import tempfile
from pathlib import Path

from protocol import Answer, Spec, answer, both_times, peak_bytes, seconds


def sweeps(spec: Spec) -> Answer:
    """Updates a second of `sweep` on a graph of spins; seconds to build the machine, and memory above start-up."""
    import numpy as np
    import torch

    import harmonium as hm

    torch.set_num_threads(spec["threads"])
    _warm_up(hm, torch, spec["chains"])
    edges, units = np.load(spec["edges"]), spec["units"]
    before = peak_bytes()
    machines: list[hm.BoltzmannMachine] = []
    built = seconds(lambda: machines.append(hm.BoltzmannMachine(hm.Spin(units), edges=edges)))
    machine = machines[0]
    with torch.no_grad():
        machine.couplings["visible_visible"].fill_(spec["coupling"])
    stream = hm.Stream(0)
    state = machine.unpack(hm.sampling.path.independent_sample(machine, spec["chains"], stream.child("start")))
    state = machine.sweep(state, stream, spec["sweeps"])
    times = [both_times(lambda: machine.sweep(state, stream, spec["sweeps"])) for _ in range(spec["repeats"])]
    memory = peak_bytes() - before
    state = machine.sweep(state, stream, spec["sweeps"])
    assert state[0] is not None
    energy = -machine.neg_coupling_energy("visible_visible", state).mean() / (units * spec["coupling"])
    updates = units * spec["chains"] * spec["sweeps"]
    return {
        "rates": [updates / wall for wall, _ in times],
        "per_processor_second": [updates / processor for _, processor in times],
        "built": built,
        "memory": memory,
        "energy": float(energy.detach()),
    }


def files(spec: Spec) -> Answer:
    """Seconds to build, save and load a machine, and the size of its file."""
    import numpy as np

    import harmonium as hm

    _warm_up(hm, None, 1)
    edges = np.load(spec["edges"])
    before = peak_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "machine.safetensors"
        made: list[hm.BoltzmannMachine] = []
        built = seconds(lambda: made.append(hm.BoltzmannMachine(hm.Spin(spec["units"]), edges=edges)))
        saved = seconds(lambda: hm.save(made[0], path))
        loaded = seconds(lambda: made.append(hm.load(path)))
        one, other = (machine.couplings["visible_visible"] for machine in made)
        assert bool((one == other).all())
        return {
            "built": built,
            "saved": saved,
            "loaded": loaded,
            "bytes": path.stat().st_size,
            "entries": len(one),
            "memory": peak_bytes() - before,
        }


def _warm_up(hm: object, torch: object, chains: int) -> None:
    """Compile everything on a small ring."""
    ring = [[i, (i + 1) % 50] for i in range(50)]
    machine = hm.BoltzmannMachine(hm.Spin(50), edges=ring)  # type: ignore[attr-defined]
    if torch is not None:
        machine.sweep((torch.ones(chains, 50),), hm.Stream(0), 2)  # type: ignore[attr-defined]


if __name__ == "__main__":
    answer("harmonium", {"sweeps": sweeps, "files": files})
