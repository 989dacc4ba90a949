"""Effective couplings: the log-weight of a machine, hidden units summed out, as fields, pairs and triples of sites."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.couplings.groups import check_groups
from harmonium.couplings.log_weights import as_reference, site_tables
from harmonium.couplings.result import Couplings
from harmonium.couplings.site_means import site_means
from harmonium.models.arrays import Array
from harmonium.models.machine.machine import Machine

__all__ = ["effective_couplings", "three_body"]


@torch.no_grad()
def effective_couplings(model: Machine, reference: Array | str | None = None) -> Couplings:
    """Sum hidden units out, and expand the log-weight of visible states in fields and pair couplings.

    Let f(v) = log p*(v), and let the sites be independent with probabilities r_i(a), the *reference*.  With
    E[f | v_S] the mean of f over all sites outside S under the reference,

        h_i(a) = E[f | a] - E[f],     J_ij(a, b) = E[f | a, b] - E[f | a] - E[f | b] + E[f],

    and so on for three sites and more (`three_body`): the analysis of variance of f.  All terms together are f, for any
    reference, and each has mean zero over the states of any of its sites.  Under the uniform reference these are the
    couplings in the zero-sum gauge (Decelle et al. 2024 for Ising spins); for a reference that is a single sequence,
    the expansion about it.  A Boltzmann machine without hidden units has its own couplings back, in this gauge, and
    no others.

    Fields and pairs are exact for every number of sites, up to rounding (about 1e-9 nats): no chain is run and nothing
    is sampled.  For Bernoulli and Spin hidden units log-normalisers are sums of cosines, whose means are products over
    sites; for Gaussian ones there is a closed form.  For hidden units of other types all states are listed: 262,144 at
    most.  What fields and pairs leave out are terms of three and more sites, which a model may have as well; whether a
    pair of sites is coupled where the data are is asked by a reference near the data, or by `mean_couplings`.

    Args:
        model: an RBM, or a Boltzmann machine whose hidden units have no couplings among themselves, with Categorical,
            Bernoulli, Spin or Binomial visible units.
        reference: None for the uniform one; "data" for the means of the training data, which a fitted model has; or
            probabilities (sites, states).

    Returns:
        fields and pairs, in nats.  Time grows like sites^2 states^2 hidden units; memory is that of the pairs.

    Raises:
        TypeError: for a model that is no machine, or has couplings among its hidden units.
        ValueError: for visible units without finitely and equally many states each, for a reference that does not fit,
            or hidden units of other types if there are more states.

    >>> import harmonium as hm
    >>> rbm = hm.RBM.from_arrays([[2.0], [2.0]], [0.0, 0.0], [-2.0])
    >>> found = hm.couplings.effective_couplings(rbm)
    >>> found.pairs[0, 1].shape, round(float(found.pairs[0, 1, 1, 1]), 3)
    (torch.Size([2, 2]), 0.217)
    """
    tables = site_tables(model, "effective_couplings")
    sites, states = tables.own.shape
    r = as_reference(reference, model, (sites, states))
    fields = tables.own - (r * tables.own).sum(1, keepdim=True)
    pairs = torch.zeros(sites, sites, states, states, dtype=torch.float64)
    if tables.lateral is not None:
        lateral = tables.lateral
        half = lateral - (lateral * r.view(sites, 1, states, 1)).sum(2, keepdim=True)
        means = (half * r.view(1, sites, 1, states)).sum(3)
        fields = fields + means.sum(1)
        pairs += half - means.unsqueeze(3)
    for hidden in tables.hidden:
        for part in site_means(hidden, r):
            fields = fields + torch.stack([part.term((i,)) for i in range(sites)])
            for i, j in itertools.combinations(range(sites), 2):
                term = part.term((i, j))
                pairs[i, j] += term
                pairs[j, i] += term.T
    return Couplings(fields, pairs, r)


@torch.no_grad()
def three_body(model: Machine, triples: Sequence[tuple[int, int, int]], reference: Array | str | None = None) -> Tensor:
    """Couplings of three sites, J_ijk(a, b, c), in the expansion of `effective_couplings`: exact in the same sense.

    Args:
        model: as in `effective_couplings`.
        triples: groups of three different sites, counted from 0.
        reference: as in `effective_couplings`.

    Returns:
        (triples, states, states, states), in nats, float64.  Zero for machines without hidden units.

    Raises:
        TypeError: as in `effective_couplings`.
        ValueError: as there, or for triples that are none.

    >>> import harmonium as hm
    >>> hm.couplings.three_body(hm.RBM(hm.Categorical(4, 3), 2), [(0, 1, 3)]).shape
    torch.Size([1, 3, 3, 3])
    """
    tables = site_tables(model, "three_body")
    sites, states = tables.own.shape
    r = as_reference(reference, model, (sites, states))
    groups = check_groups("triples", triples, 3, sites)
    found = torch.zeros(len(groups), states, states, states, dtype=torch.float64)
    for hidden in tables.hidden:
        for part in site_means(hidden, r):
            found += torch.stack([part.term(group) for group in groups])
    return found
