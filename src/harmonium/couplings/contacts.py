"""Which sites are in contact: one score for each pair of sites."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.core.checks import check_flag, check_int
from harmonium.couplings.result import Couplings
from harmonium.models.arrays import Array, as_matrix

__all__ = ["contact_scores"]


def contact_scores(couplings: Couplings | Array, *, gap: int | None = None, correction: bool = True) -> Tensor:
    """Score pairs of sites by the Frobenius norm of their couplings, with average-product correction.

    F_ij = sqrt(sum_ab J_ij(a, b)^2) in the zero-sum gauge, without the states of gaps, and
    F_ij - F_i F_j / F with the means F_i of F_ij over j and F over all pairs (Dunn et al. 2008; Ekeberg et al. 2013,
    equations 21 and 22).  High scores are pairs that are coupled more than their sites are on average.

    Args:
        couplings: what `effective_couplings` returned, or pair couplings (sites, sites, states, states).
        gap: the state to leave out of the norm, such as 0 for alignments that the library has read.
        correction: whether the product of the means is taken off; False gives the norms F_ij.

    Returns:
        (sites, sites), symmetric, float64; the diagonal is 0.

    Raises:
        ValueError: for another shape, fewer than three sites with correction, or a state that does not exist.

    >>> import harmonium as hm
    >>> potts = hm.BoltzmannMachine(hm.Categorical(5, 3))
    >>> hm.couplings.contact_scores(hm.couplings.effective_couplings(potts)).shape
    torch.Size([5, 5])
    """
    pairs = couplings.pairs if isinstance(couplings, Couplings) else as_matrix(couplings, "couplings", torch.float64)
    if pairs.dim() != 4 or pairs.shape[0] != pairs.shape[1] or pairs.shape[2] != pairs.shape[3]:
        raise ValueError(f"couplings have shape {tuple(pairs.shape)}; expected (sites, sites, states, states)")
    correction = check_flag("correction", correction)
    sites, states = len(pairs), pairs.shape[2]
    if sites < 3 and correction:
        raise ValueError(f"couplings are of {sites} sites: the correction needs three; pass correction=False")
    pairs = pairs - pairs.mean(-1, keepdim=True)
    pairs = pairs - pairs.mean(-2, keepdim=True)
    if gap is not None:
        kept = [state for state in range(states) if state != check_int("gap", gap, least=0, most=states - 1)]
        pairs = pairs[:, :, kept][..., kept]
    norms = pairs.square().sum((-2, -1)).sqrt()
    norms = norms.fill_diagonal_(0)
    if not correction or not bool(norms.any()):
        return norms
    means = norms.sum(1) / (sites - 1)
    return (norms - torch.outer(means, means) / means.mean()).fill_diagonal_(0)
