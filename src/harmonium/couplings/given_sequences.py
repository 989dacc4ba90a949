"""Couplings of pairs of sites while the other sites are as in given sequences."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from harmonium.couplings.log_weights import site_tables
from harmonium.couplings.sites import states_per_site
from harmonium.models.arrays import Array, as_batch, as_weights
from harmonium.models.machine.machine import Machine

__all__ = ["mean_couplings"]

_ENTRIES = 1 << 24  # inputs of hidden units at once


@torch.no_grad()
def mean_couplings(model: Machine, sequences: Array, sample_weight: Array | None = None) -> Tensor:
    """Pair couplings with all other sites as in a sequence, in the zero-sum gauge, averaged over sequences.

    For each sequence, log p(a, b, others of the sequence) is a table over the states of sites i and j; its means over
    a and over b are taken off, and the tables are averaged (Tubiana, Cocco & Monasson 2019).  For each sequence this is
    exact, and it includes terms of every order; its mean depends on the sequences.  If the model has no terms of more
    than two sites, it is equal to the pairs of `effective_couplings` whatever the sequences.

    Works for hidden units of any type, since sites are not averaged independently of each other.

    Args:
        model: an RBM, or a Boltzmann machine whose hidden units have no couplings among themselves.
        sequences: raw states (batch, sites), such as a hundred sequences of the family.
        sample_weight: weights of the sequences, (batch,).

    Returns:
        (sites, sites, states, states), in nats, float64.  Time grows like sites^2 states^2 hidden units sequences.

    Raises:
        TypeError: for a model that is no machine, or has couplings among its hidden units.
        ValueError: for visible units without finitely and equally many states each, or sequences that do not fit.

    >>> import harmonium as hm
    >>> hm.couplings.mean_couplings(hm.RBM(hm.Categorical(4, 3), 2), [[0, 2, 1, 1], [1, 1, 0, 2]]).shape
    torch.Size([4, 4, 3, 3])
    """
    tables = site_tables(model, "mean_couplings")
    sites, q = tables.own.shape
    v = as_batch(sequences, model, "sequences", domain=True).double().cpu()
    weight = torch.ones(len(v), dtype=torch.float64) if sample_weight is None else as_weights(sample_weight, len(v))
    weight = weight / weight.sum()
    pairs = torch.zeros(sites, sites, q, q, dtype=torch.float64)
    if tables.lateral is not None:
        pairs += _zero_sum(tables.lateral)
    # Which state each site of each sequence is in.
    table = states_per_site(model.visible, "mean_couplings")
    variable = model.visible.variable_of_column()
    present = torch.stack([(v[:, None, variable == i] == table[i][:, variable == i]).all(-1) for i in range(sites)], 1)
    for units, x in tables.hidden:
        own = torch.einsum("nia,iah->nih", present.double(), x)
        total = own.sum(1)
        dtype, rows = units.natural()[0].dtype, max(1, _ENTRIES // (q * q * x.shape[2]))
        for i, j in itertools.combinations(range(sites), 2):
            both = x[i].unsqueeze(1) + x[j].unsqueeze(0)
            for some in torch.split(torch.arange(len(v)), rows):
                inputs = (total[some] - own[some, i] - own[some, j]).view(-1, 1, 1, x.shape[2]) + both
                values = units.log_normalizer(inputs.view(-1, x.shape[2]).to(model.device, dtype)).double().cpu()
                pairs[i, j] += _zero_sum(torch.einsum("n,nab->ab", weight[some], values.view(-1, q, q)))
            pairs[j, i] = pairs[i, j].T
    return pairs


def _zero_sum(tables: Tensor) -> Tensor:
    """Tables (..., states, states) without the means of their rows and columns."""
    tables = tables - tables.mean(-1, keepdim=True)
    return tables - tables.mean(-2, keepdim=True)
