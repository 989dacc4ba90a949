"""Sampling from a model."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.core.checks import check_int
from harmonium.core.processes import processes
from harmonium.core.progress import Progress, showing
from harmonium.core.random import Stream, stream_of
from harmonium.core.shards import divided, in_blocks
from harmonium.models.arrays import Array, as_batch, as_clamp
from harmonium.models.deep.dbn import DBN
from harmonium.models.directed import Directed
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.models.model import Model
from harmonium.models.vae.vae import VAE
from harmonium.sampling.chains import part_of_clamp, swept
from harmonium.sampling.path import independent_sample
from harmonium.sampling.tempering import ReplicaExchange, check_sampler

__all__ = ["affordable_sweeps", "sample"]

_MULTIPLICATIONS = 5e11  # seconds of one core


@torch.no_grad()
def sample(
    model: Model,
    n: int = 1,
    *,
    sweeps: int = 1000,
    seed: int | Stream = 0,
    init: Array | None = None,
    clamp: tuple[Array, Array] | None = None,
    sampler: ReplicaExchange | None = None,
    steps: int | None = None,
    progress: Progress = "auto",
    shards: int | None = None,
) -> Tensor:
    """Draw visible states by Gibbs sampling, from an independent chain for each sample.

    Gibbs chains of a model with distant modes do not reach equilibrium in any practical number of sweeps; the states
    that are returned are then samples near the start of the chain.

    Args:
        model: the model.  For a DBN the top machine is sampled, followed by a downward pass; likewise for a VAE whose
            prior is a machine.  Other directed models are sampled from their roots, without chains.
        n: number of samples.
        sweeps: Gibbs sweeps of each chain.
        seed: an int or a stream.
        init: initial states of the chains, (n, n_visible).  Default: draws of the base-rate model.
        clamp: (mask, values) over the visible units, each (n_visible,) or (n, n_visible): where the mask is true the
            value is held, and the rest is drawn given it.  Not for a DBN: given some visible units, its directed layers
            depend on each other, and no Gibbs sweep of a machine draws from them.
        sampler: a ladder such as `Tempering` for models with distant modes; each sample then has its own ladder, and
            ``sweeps`` counts its rounds.  Default: plain Gibbs sampling.
        steps: another name of ``sweeps``.
        progress: whether to show a progress bar.  "auto": in terminals and notebooks, after two seconds.
        shards: divide samples into blocks, at most this number and fewer of few rows: the same bits on any number of
            processes (see `harmonium.fit`).  Default: 8 where `torchrun` started several, else none.

    Returns:
        raw samples (n, n_visible) in the model's precision, one column per variable.

    Raises:
        TypeError: for a model that cannot be sampled, or a sampler that is not one.
        ValueError: for ``n`` or ``sweeps`` out of range, states of another shape or outside the domain, or arguments
            that do not apply to this model.

    >>> import harmonium as hm
    >>> hm.sample(hm.RBM(4, 2), 3, sweeps=10).shape
    torch.Size([3, 4])
    """
    n = check_int("n", n)
    sweeps = check_int("sweeps", sweeps, least=0) if steps is None else check_int("steps", steps, least=0)
    with showing(progress if processes().first else False), divided(shards):
        return _sample(model, n, sweeps, stream_of(seed, "sample"), init, clamp, sampler)


def _sample(
    model: Model,
    n: int,
    sweeps: int,
    stream: Stream,
    init: Array | None,
    clamp: tuple[Array, Array] | None,
    sampler: ReplicaExchange | None,
) -> Tensor:
    if isinstance(model, DBN):
        if clamp is not None:
            raise ValueError("a DBN cannot be sampled with clamp: given some visible units, Gibbs sampling of its "
                             "directed layers is impossible; clamp an RBM or a DBM")  # fmt: skip
        if init is not None:
            init = [as_batch(init, model.machines[0], "init", domain=True),
                    *model.sample_up(init, stream.child("up"))][-1]  # fmt: skip
        h = sample(model.top, n, sweeps=sweeps, seed=stream.child("top"), init=init, sampler=sampler)
        return [h, *model.sample_down(h, stream.child("down"))][-1]
    if isinstance(model, VAE) and model.prior is not None and clamp is None and init is None:
        z = sample(model.prior, n, sweeps=sweeps, seed=stream.child("prior"), sampler=sampler)
        return model.visible.decode(model.sample_down(z, stream.child("down")))
    if isinstance(model, Directed):
        if init is not None or (sampler is not None and model.energy_part is None):
            raise ValueError(f"a {type(model).__name__} is sampled from its roots, without chains: leave out "
                             f"{'init' if init is not None else 'sampler'}")  # fmt: skip
        mask = None
        if clamp is not None:
            # Any states of the domain will do: units that are not held are drawn.
            x = torch.zeros(n, model.visible.size, dtype=model.dtype, device=model.device)
            mask = as_clamp(clamp, model.visible.mode(x), model)
            mask = mask[0].expand_as(x), mask[1].expand_as(x)
        held = mask

        def of_rows(part: slice) -> list[Tensor]:
            return [model.draw(part.stop - part.start, stream, part_of_clamp(held, part))]

        return model.visible.decode(in_blocks(n, stream, of_rows)[0])
    as_machine(model, "sample").refuse_batched("sample")
    assert isinstance(model, Machine)
    if sampler is not None and init is not None:
        raise ValueError("init does not apply to a ladder, whose chains start at the base-rate model: leave out init "
                         "or sampler")  # fmt: skip
    if init is None:
        state = model.unpack(independent_sample(model, n, stream.child("start")))
    else:
        v = as_batch(init, model, "init", domain=True)
        if len(v) != n:
            raise ValueError(f"init has {len(v)} rows; expected n = {n}")
        state = model.state_from_visible(v, stream.child("start"))
    assert state[0] is not None
    held = None if clamp is None else as_clamp(clamp, state[0], model)
    if held is not None:
        state = (held[1], *state[1:])
    if sampler is not None:
        top = check_sampler(sampler).sample(model, n, sweeps, stream.child("exchange"), held)[0]
        assert top is not None
        return model.visible.decode(top)
    out = model.unpack(swept(model, state, stream.child("sweeps"), sweeps, held))[0]
    assert out is not None
    return model.visible.decode(out)


def affordable_sweeps(model: Model, chains: int, most: int = 1000) -> int:
    """Number of sweeps for a quick look: ``most``, or fewer (at least 10) for tens of millions of couplings.

    Args:
        model: the model.
        chains: number of chains.
        most: number of sweeps of a small model.
    """
    couplings = sum(parameter.numel() for parameter in model.parameters())
    return max(min(most, 10), min(most, int(_MULTIPLICATIONS / (2 * chains * max(1, couplings)))))
