"""Gibbs sampling of the Ising model on a square lattice by thrml."""

from __future__ import annotations

from protocol import Answer, Spec, answer, both_times, peak_bytes, seconds


def sweeps(spec: Spec) -> Answer:
    """Updates a second of its `sample_states`, compiled, one program for all chains (`jax.vmap`)."""
    import jax
    import numpy as np
    from jax import numpy as jnp
    from thrml import Block, SamplingSchedule, SpinNode, sample_states
    from thrml.models import IsingEBM, IsingSamplingProgram, hinton_init

    before = peak_bytes()
    edges, colour = np.load(spec["edges"]), np.load(spec["colour"])
    programs: list[tuple[IsingEBM, IsingSamplingProgram, list[Block]]] = []

    def build() -> None:
        nodes = [SpinNode() for _ in colour]
        pairs = [(nodes[i], nodes[j]) for i, j in edges.tolist()]
        J = jnp.full(len(pairs), spec["coupling"])
        model = IsingEBM(nodes, pairs, jnp.zeros(len(nodes)), J, jnp.array(1.0))
        free = [Block([nodes[i] for i in np.flatnonzero(colour == c)]) for c in range(colour.max() + 1)]
        programs.append((model, IsingSamplingProgram(model, free, clamped_blocks=[]), free))

    built = seconds(build)
    model, program, free = programs[0]
    schedule = SamplingSchedule(n_warmup=spec["sweeps"], n_samples=1, steps_per_sample=1)

    def chain(key: jax.Array) -> jax.Array:
        first, then = jax.random.split(key)
        init = hinton_init(first, model, free, ())
        return sample_states(then, program, schedule, init, [], [Block(model.nodes)])[0]

    run = jax.jit(jax.vmap(chain))
    keys = jax.random.split(jax.random.key(0), spec["chains"])
    first = seconds(lambda: run(keys).block_until_ready())
    times = [both_times(lambda: run(keys).block_until_ready()) for _ in range(spec["repeats"])]
    s = 2.0 * np.asarray(run(keys)).reshape(spec["chains"], -1) - 1
    energy = -(s[:, edges[:, 0]] * s[:, edges[:, 1]]).sum(1).mean() / len(colour)
    updates = len(colour) * spec["chains"] * spec["sweeps"]
    return {
        "rates": [updates / wall for wall, _ in times],
        "per_processor_second": [updates / processor for _, processor in times],
        "built": built,
        "compiled": first - min(wall for wall, _ in times),
        "memory": peak_bytes() - before,
        "energy": float(energy),
    }


if __name__ == "__main__":
    answer("thrml", {"sweeps": sweeps})
