"""Samples from a model."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.core.random import Stream, stream_of
from harmonium.models.arrays import Array, as_batch, as_clamp
from harmonium.models.deep.dbn import DBN
from harmonium.models.directed import Directed
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.models.model import Model
from harmonium.models.vae.vae import VAE
from harmonium.sampling.path import independent_sample
from harmonium.sampling.tempering import ReplicaExchange, check_sampler

__all__ = ["affordable_sweeps", "sample"]

_MULTIPLICATIONS = 5e11  # seconds of one core


@torch.no_grad()
def sample(
    machine: Model,
    n: int = 1,
    *,
    steps: int = 1000,
    seed: int | Stream = 0,
    init: Array | None = None,
    clamp: tuple[Array, Array] | None = None,
    sampler: ReplicaExchange | None = None,
) -> Tensor:
    """Visible states after Gibbs sampling, (n, n_visible), as users see them: one independent chain each.

    Args:
        machine: the model.  Of a DBN the top machine is sampled, and one pass goes down from there; likewise of a VAE
            whose prior is a machine.  Other directed models are sampled from their roots, without chains.
        n: number of samples.
        steps: sweeps of each chain.
        seed: an int or a stream.
        init: where the chains start, (n, n_visible).  Default: draws of the base-rate model.
        clamp: (mask, values) over the visible units, each (n_visible,) or (n, n_visible): where the mask is true the
            value is held, and the rest is drawn given it.  A DBN takes none: given some visible units, its directed
            layers depend on each other in a way that no sweep of a machine draws from (only an approximation by its
            recognition model could be had).
        sampler: a ladder such as `Tempering` for models with far modes; each sample then has a ladder of its own, of
            which ``steps`` counts the rounds.  Default: Gibbs sampling alone.

    Gibbs chains of a model with far modes do not reach equilibrium in any practical number of steps; the returned
    states are then samples near where they started.

    >>> import harmonium as hm
    >>> hm.sample(hm.RBM(4, 2), 3, steps=10).shape
    torch.Size([3, 4])
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"n must be a positive integer, found {n!r}")
    if not isinstance(steps, int) or steps < 0:
        raise ValueError(f"steps must be a non-negative integer, found {steps!r}")
    stream = stream_of(seed, "sample")
    if isinstance(machine, DBN):
        if clamp is not None:
            raise ValueError("a DBN cannot be sampled with clamp: given some visible units, its layers are no chain "
                             "that Gibbs sampling could walk; clamp an RBM or a DBM")  # fmt: skip
        if init is not None:
            init = [as_batch(init, machine.machines[0], "init", domain=True),
                    *machine.sample_up(init, stream.child("up"))][-1]  # fmt: skip
        h = sample(machine.top, n, steps=steps, seed=stream.child("top"), init=init, sampler=sampler)
        return [h, *machine.sample_down(h, stream.child("down"))][-1]
    if isinstance(machine, VAE) and machine.prior is not None and clamp is None and init is None:
        z = sample(machine.prior, n, steps=steps, seed=stream.child("prior"), sampler=sampler)
        return machine.visible.decode(machine.sample_down(z, stream.child("down")))
    if isinstance(machine, Directed):
        if init is not None or (sampler is not None and machine.energy_part is None):
            raise ValueError(f"a {type(machine).__name__} is sampled from its roots, without chains: leave out "
                             f"{'init' if init is not None else 'sampler'}")  # fmt: skip
        mask = None
        if clamp is not None:
            # Any states of the domain: what is not held is drawn.
            x = torch.zeros(n, machine.visible.size, dtype=machine.dtype, device=machine.device)
            mask = as_clamp(clamp, machine.visible.mode(x), machine)
            mask = mask[0].expand_as(x), mask[1].expand_as(x)
        return machine.visible.decode(machine.draw(n, stream, mask))
    as_machine(machine, "sample").refuse_batched("sample")
    assert isinstance(machine, Machine)
    if sampler is not None and init is not None:
        raise ValueError("init has no place on a ladder, whose chains begin at the base-rate model: leave out one of "
                         "init and sampler")  # fmt: skip
    if init is None:
        state = machine.unpack(independent_sample(machine, n, stream.child("start")))
    else:
        v = as_batch(init, machine, "init", domain=True)
        if len(v) != n:
            raise ValueError(f"init has {len(v)} rows; expected n = {n}")
        state = machine.state_from_visible(v, stream.child("start"))
    assert state[0] is not None
    held = None if clamp is None else as_clamp(clamp, state[0], machine)
    if held is not None:
        state = (held[1], *state[1:])
    if sampler is not None:
        top = check_sampler(sampler).sample(machine, n, steps, stream.child("exchange"), held)[0]
        assert top is not None
        return machine.visible.decode(top)
    out = machine.sweep(state, stream.child("sweeps"), steps, clamp=held)[0]
    assert out is not None
    return machine.visible.decode(out)


def affordable_sweeps(model: Model, chains: int, most: int = 1000) -> int:
    """How many sweeps of so many chains a picture or a page is worth: ``most``, and fewer of models with tens of
    millions of couplings, but ten at least."""
    couplings = sum(parameter.numel() for parameter in model.parameters())
    return max(min(most, 10), min(most, int(_MULTIPLICATIONS / (2 * chains * max(1, couplings)))))
