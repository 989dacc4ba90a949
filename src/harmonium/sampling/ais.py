"""Annealed importance sampling, forward and reverse."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.core.shards import in_blocks
from harmonium.models.state import State
from harmonium.sampling.path import Path

__all__ = ["Annealing", "anneal"]


class Annealing(NamedTuple):
    """Result of `anneal`.

    Attributes:
        log_weights: (chains,), float64.
        state: final states of the chains, sampled layers alone.
        steps: contribution of each step to the log-weights, (points - 1, chains), if it was kept.
    """

    log_weights: Tensor
    state: State
    steps: Tensor | None = None


@torch.no_grad()
def anneal(path: Path, t: Tensor, state: State, stream: Stream, keep: bool = False) -> Annealing:
    """Anneal chains along the temperatures t[0], t[1], ..., summing log p*_{t[k+1]}(s) - log p*_{t[k]}(s).

    Annealed importance sampling (Neal 2001; for RBMs Salakhutdinov & Murray 2008).  With t rising from 0 and ``state``
    drawn from the base-rate model, the expectation of exp(log-weight) is Z(1) / Z(0).  With t falling from 1 and
    ``state`` drawn from the model, it is Z(0) / Z(1): the steps of a path are reversible, so the same transition serves
    both directions.

    Args:
        path: the path.
        t: temperatures in the order of visits, (points,), or one column per chain, (points, chains), so that both
            directions can run in one batch.
        state: initial states, distributed as the model at t[0].
        stream: of the transitions.
        keep: whether to keep the contribution of each step, (points - 1, chains).
    """
    machine = path.machine
    first = state[path.sampled_layers[0]]
    assert first is not None
    rows = first.shape[0]
    t = t.to(machine.device, machine.dtype)
    schedule = t.unsqueeze(-1).expand(len(t), rows) if t.dim() == 1 else t

    def of_rows(part: slice) -> list[Tensor]:
        own = tuple(None if s is None else s[part] for s in state)
        run = _anneal(path.run(), schedule[:, part], own, stream, keep)
        return [run.log_weights, *path.sampled(run.state), *([] if run.steps is None else [run.steps.T])]

    log_weights, *rest = in_blocks(rows, stream, of_rows)
    steps = rest.pop().T if keep else None
    return Annealing(log_weights, path.state(rest), steps)


def _anneal(path: Path, schedule: Tensor, state: State, stream: Stream, keep: bool) -> Annealing:
    machine, rows = path.machine, schedule.shape[1]
    total = torch.zeros(rows, dtype=torch.float64, device=machine.device)
    steps: list[Tensor] = []
    for k in range(len(schedule) - 1):
        inputs = path.inputs(state)
        added = path.log_ratio(state, inputs, schedule[k : k + 2].T)
        total += added
        if keep:
            steps.append(added)
        if k < len(schedule) - 2:  # the last state is not moved: its weight is complete
            state = path.step(state, inputs, schedule[k + 1], stream.advance())
    return Annealing(total, state, torch.stack(steps) if keep else None)
