"""Mutation scans: what every substitution in a sequence does to its log-probability."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.couplings.groups import check_groups
from harmonium.couplings.sites import states_per_site, summable
from harmonium.models.arrays import CHUNK, Array, as_batch
from harmonium.models.directed import Tractable
from harmonium.models.machine.machine import as_machine
from harmonium.models.model import Model

__all__ = ["mutation_scan", "pair_scan"]


@torch.no_grad()
def mutation_scan(model: Model, sequence: Array) -> Tensor:
    """The change of log p for every single substitution of a sequence: log p(mutant) - log p(sequence), in nats.

    Exact for machines whose hidden units are summed out, since log Z cancels, and for directed models whose log p is
    known.

    Args:
        model: an RBM, a Boltzmann machine, or a model such as NADE, with finitely many states per site, equally many at
            each: Categorical, Bernoulli, Spin or Binomial visible units.
        sequence: one raw state, such as codes, (sites,).

    Returns:
        (sites, states), float64: entry (i, a) puts state a on site i.  It is 0 for the state that the sequence has.
        States are in the order of codes; of spins -1 comes first.

    Raises:
        TypeError: for a model whose log p is only estimated.
        ValueError: for a sequence of another length, or a state that does not exist.

    >>> import harmonium as hm
    >>> hm.couplings.mutation_scan(hm.RBM(hm.Categorical(4, 3), 2), [0, 2, 1, 1]).shape
    torch.Size([4, 3])
    """
    v, table = _encoded(model, sequence, "mutation_scan")
    sites, states = table.shape[:2]
    changes = _log_weights(model, [_with(v, table, (i,)) for i in range(sites)]) - _log_weights(model, [v])
    return changes.view(sites, states)


@torch.no_grad()
def pair_scan(model: Model, sequence: Array, pairs: Sequence[tuple[int, int]]) -> Tensor:
    """The change of log p for every double substitution at given pairs of sites, in nats.

    What it adds to the sum of both single changes is the epistasis of the pair in this sequence.

    Args:
        model: as in `mutation_scan`.
        sequence: one raw state, (sites,).
        pairs: pairs of different sites (i, j), counted from 0.

    Returns:
        (pairs, states, states), float64: entry (k, a, b) puts state a on the first site of pair k, b on the second.

    Raises:
        TypeError: for a model whose log p is only estimated.
        ValueError: for a sequence of another length, a state that does not exist, or pairs that are none.

    >>> import harmonium as hm
    >>> hm.couplings.pair_scan(hm.RBM(hm.Categorical(4, 3), 2), [0, 2, 1, 1], [(0, 3)]).shape
    torch.Size([1, 3, 3])
    """
    v, table = _encoded(model, sequence, "pair_scan")
    groups = check_groups("pairs", pairs, 2, len(table))
    changes = _log_weights(model, [_with(v, table, pair) for pair in groups]) - _log_weights(model, [v])
    return changes.view(len(groups), table.shape[1], table.shape[1])


def _encoded(model: Model, sequence: Array, function: str) -> tuple[Tensor, Tensor]:
    """The encoded sequence (1, size), and the encoded states of every site alone (sites, states, size)."""
    if not isinstance(model, Tractable):
        summable(model, function)
    table = states_per_site(model.visible, function).to(model.device, model.dtype)
    if len(shape := tuple(getattr(sequence, "shape", (len(sequence),)))) != 1:
        raise ValueError(f"sequence has shape {shape}; expected ({len(table)},): give one sequence, sequences[0]")
    return as_batch([list(sequence)], model, "sequence", domain=True), table


def _with(v: Tensor, table: Tensor, sites: tuple[int, ...]) -> Tensor:
    """The sequence with all states of some sites, the last one fastest: (states ** sites, size)."""
    kept = v[0].clone()
    for site in sites:
        kept[table[site].abs().sum(0) > 0] = 0
    rows = kept.unsqueeze(0)
    for site in sites:
        rows = (rows.unsqueeze(1) + table[site]).flatten(0, 1)
    return rows


def _log_weights(model: Model, blocks: list[Tensor]) -> Tensor:
    """log p up to a constant of encoded states, float64."""
    found = []
    for v in torch.split(torch.cat(blocks), CHUNK):
        if isinstance(model, Tractable):
            found.append(model.log_likelihood(v))
        else:
            machine = as_machine(model, "mutation_scan")
            found.append(machine.log_weight(machine.visible_only_state(v)))
    return torch.cat(found)
