"""What share of a model's probability each mode has, by tempered chains, with an error that counts renewals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.core.checks import check_int
from harmonium.core.random import Stream, stream_of
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.sampling.ladder import ExchangeStats, tempering_round
from harmonium.sampling.ladder_runs import burnt_in, doubts_about
from harmonium.sampling.tempering import ReplicaExchange, Tempering, check_sampler

__all__ = ["ModeShares", "mode_shares"]


@dataclass(frozen=True)
class ModeShares:
    """Result of `mode_shares`.

    Attributes:
        shares: of the probability of the model, (modes,); they sum to one but for states that belong to no mode.
        stderr: their standard errors, (modes,).
        renewals: walkers that went from the bottom of the ladder to its top and back, in all replicas.  Each brings a
            state to the top that does not depend on those before it.
        reliable: whether no reason was found to doubt the errors.
        why: the reasons in words.
    """

    shares: Tensor
    stderr: Tensor
    renewals: int
    reliable: bool
    why: str

    def __repr__(self) -> str:
        pairs = zip(self.shares.tolist(), self.stderr.tolist(), strict=True)
        listed = ", ".join(f"{share:.3f} +- {error:.3f}" for share, error in pairs)
        return f"ModeShares({listed}; {self.renewals} renewals{'' if self.reliable else ', NOT reliable'}: {self.why})"


@torch.no_grad()
def mode_shares(
    model: Machine,
    mode_of: Callable[[Tensor], Tensor | Sequence[int]],
    modes: int = 2,
    *,
    sampler: ReplicaExchange | None = None,
    replicas: int = 50,
    rounds: int = 500,
    seed: int | Stream = 0,
) -> ModeShares:
    """Estimate the share of each mode from the states at the top of a ladder.

    The standard error is the larger of two: the spread between independent replicas, and that of as many independent
    draws as there were renewals, sqrt(p (1 - p) / renewals), where p is kept half a draw away from 0 and 1.  The first
    one is too small where replicas have not forgotten how they began; few renewals tell.

    Args:
        model: any machine.
        mode_of: a function from visible states (states, n_visible) to the number of the mode of each, 0 ... modes - 1,
            or a negative number for none.
        modes: how many there are.
        sampler: the ladder, `Tempering` by default, or the `TrajectoryTempering` of a training.
        replicas: independent ladders.
        rounds: rounds that count, after a fifth as many that do not.
        seed: an int or a stream.

    Raises:
        TypeError: if the model is not a machine, or the sampler no ladder.
        ValueError: for fewer than two replicas or four rounds, or numbers of modes that there are not.

    >>> import harmonium as hm
    >>> rbm = hm.RBM(6, 3)
    >>> found = hm.diagnostics.mode_shares(rbm, lambda v: (v.sum(-1) > 2.5).long(), replicas=20, rounds=50)
    >>> bool(abs(found.shares[1] - 0.66) < 0.1)
    True
    """
    as_machine(model, "mode_shares")
    check_int("replicas", replicas, 2)
    check_int("rounds", rounds, 4)
    check_int("modes", modes, 1)
    stream = stream_of(seed, "mode_shares")
    ladder = check_sampler(Tempering() if sampler is None else sampler).ladder(model, stream.child("ladder"))
    walkers, moves = burnt_in(ladder, replicas, rounds, stream.child("rounds"))
    stats, counts = ExchangeStats(walkers), torch.zeros(replicas, modes, dtype=torch.float64)
    for _ in range(rounds):
        stats.count(walkers, *tempering_round(ladder, walkers, moves))
        v = ladder.on(walkers, -1)[0]
        assert v is not None
        counts += _one_hot(mode_of(model.visible.decode(v)), replicas, modes)
    trips = int(stats.trips.sum())
    shares, stderr = shares_with_errors(counts / rounds, trips)
    doubts = doubts_about(model, None, stats, replicas)
    why = "; ".join([f"{trips} renewals in {replicas} replicas of {ladder.rungs} rungs", *doubts])
    return ModeShares(shares, stderr, trips, not doubts, why)


def shares_with_errors(each: Tensor, renewals: int) -> tuple[Tensor, Tensor]:
    """Means of the shares in each replica, (replicas, modes), and their standard errors: see `mode_shares`."""
    shares, least = each.mean(0), 0.5 / max(1, renewals)
    between = each.std(0) / math.sqrt(len(each))
    kept = shares.clamp(min(0.5, least), max(0.5, 1 - least))
    return shares, torch.maximum(between, (kept * (1 - kept) / max(1, renewals)).sqrt())


def _one_hot(labels: Tensor | Sequence[int], rows: int, modes: int) -> Tensor:
    """(rows, modes), float64: 1 where a state is in a mode."""
    found = torch.as_tensor(labels).cpu()
    if found.shape != (rows,):
        raise ValueError(f"mode_of returned shape {tuple(found.shape)} for {rows} states; expected ({rows},)")
    if bool((found >= modes).any()):
        raise ValueError(f"mode_of returned {int(found.max())}; expected numbers below modes={modes}")
    return (found.long().unsqueeze(-1) == torch.arange(modes)).double()
