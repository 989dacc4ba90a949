"""Annealed importance sampling (Neal 2001; Salakhutdinov & Murray 2008), forward and reverse."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.models.state import State
from harmonium.sampling.path import Path

__all__ = ["Annealing", "anneal"]


class Annealing(NamedTuple):
    """log-weights (chains,), float64, the state that the chains ended in, what each step added where it was kept."""

    log_weights: Tensor
    state: State
    steps: Tensor | None = None


@torch.no_grad()
def anneal(path: Path, t: Tensor, state: State, stream: Stream, keep: bool = False) -> Annealing:
    """Walk chains along the temperatures t[0], t[1], ..., summing log p*_{t[k+1]}(s) - log p*_{t[k]}(s).

    With t rising from 0 and ``state`` drawn from the base-rate model, the mean of exp(log-weight) is Z(1) / Z(0).  With
    t falling from 1 and ``state`` drawn from the model, it is Z(0) / Z(1): the steps of a path are reversible, so the
    same transition serves both directions.

    Args:
        path: the path.
        t: temperatures in the order they are visited, (points,) or one column per chain, (points, chains): so both
            directions can walk in one batch.
        state: where the chains stand, distributed as the model at t[0].
        stream: of the transitions.
        keep: whether to keep what each step added, (points - 1, chains).
    """
    machine, path = path.machine, path.run()
    kept = state[path.sampled_layers[0]]
    assert kept is not None
    rows = kept.shape[0]
    t = t.to(machine.device, machine.dtype)
    walk = t.unsqueeze(-1).expand(len(t), rows) if t.dim() == 1 else t
    total = torch.zeros(rows, dtype=torch.float64, device=machine.device)
    steps: list[Tensor] = []
    for k in range(len(walk) - 1):
        inputs = path.inputs(state)
        added = path.log_ratio(state, inputs, walk[k : k + 2].T)
        total += added
        if keep:
            steps.append(added)
        if k < len(walk) - 2:  # the last state is not moved: its weight is complete
            state = path.step(state, inputs, walk[k + 1], stream.advance())
    return Annealing(total, state, torch.stack(steps) if keep else None)
