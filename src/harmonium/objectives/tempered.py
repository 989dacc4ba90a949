"""Equilibrium samples of a trained machine by parallel tempering, with its log Z."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.likelihood.bridge import bennett_ladder, standard_error
from harmonium.models.machine.machine import Machine
from harmonium.sampling.ladder import tempering_round
from harmonium.sampling.path import Path
from harmonium.sampling.temperatures import Temperatures, place_rungs
from harmonium.sampling.tempering import default_base

__all__ = ["tempered_reservoir"]

_BURN_IN = 10  # rounds per rung before the first states are kept


@torch.no_grad()
def tempered_reservoir(machine: Machine, states: int, replicas: int, stream: Stream) -> tuple[Tensor, float, float]:
    """Draw states of a machine by parallel tempering, and estimate its log Z on the way.

    Args:
        machine: any machine.
        states: how many are wanted.
        replicas: of the ladder; the states are those at its top, taken as many rounds apart as it has rungs.
        stream: of all draws.

    Returns:
        (states, log Z, variance): packed states (states, columns), and Bennett's ratio along the ladder in nats with
        its variance between replicas.
    """
    path = Path(machine, default_base(machine))
    ladder = Temperatures(path, place_rungs(path, None, stream.child("rungs")))
    walkers, moves = ladder.start(replicas, stream.child("start")), stream.child("moves")
    for _ in range(_BURN_IN * ladder.rungs):
        tempering_round(ladder, walkers, moves)
    kept: list[Tensor] = []
    ups: list[list[Tensor]] = [[] for _ in range(ladder.rungs - 1)]
    downs: list[list[Tensor]] = [[] for _ in range(ladder.rungs - 1)]
    while len(kept) * replicas < states:
        for _ in range(ladder.rungs):
            lower, up, down = tempering_round(ladder, walkers, moves)
            for row, pair in enumerate(lower.tolist()):
                ups[pair].append(up[row].cpu())
                downs[pair].append(down[row].cpu())
        kept.append(machine.pack(ladder.on(walkers, -1)))
    value, influence = bennett_ladder([torch.stack(each) for each in ups], [torch.stack(each) for each in downs])
    log_z = ladder.log_partition_at_start() + value
    return torch.cat(kept)[:states].clone(), log_z, standard_error(influence) ** 2
