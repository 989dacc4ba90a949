"""Fields and pair couplings between the states of sites."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Couplings"]


@dataclass(frozen=True, eq=False)
class Couplings:
    """Fields and pair couplings: log p(v) = constant + sum_i h_i(v_i) + sum_(i<j) J_ij(v_i, v_j) + higher terms.

    Attributes:
        fields: h, (sites, states), in nats, float64.
        pairs: J, (sites, sites, states, states); ``pairs[i, j, a, b]`` is J_ij(a, b) = J_ji(b, a), and J_ii is 0.
        reference: the probabilities r_i(a) by which means over the states of a site are zero, (sites, states).
    """

    fields: Tensor
    pairs: Tensor
    reference: Tensor

    def zero_sum(self) -> Couplings:
        """Move the couplings to the zero-sum gauge, in which means over states with equal weights are zero.

        The sum of fields and pairs changes by a constant only.  Terms of more than two sites are not in it: if the
        model has any, its expansion under the uniform reference differs from this.
        """
        pairs = self.pairs - self.pairs.mean(-1, keepdim=True)
        fields = self.fields + self.pairs.mean(-1).sum(1)
        pairs = pairs - pairs.mean(-2, keepdim=True)
        return Couplings(
            fields - fields.mean(-1, keepdim=True), pairs, torch.full_like(self.reference, 1 / self.reference.shape[1])
        )

    def ising(self) -> tuple[Tensor, Tensor]:
        """Write couplings between sites of two states as those of spins: sum_i h_i s_i + sum_(i<j) J_ij s_i s_j.

        The second state of a site is s = +1.

        Returns:
            fields h (sites,) and couplings J (sites, sites), symmetric with diagonal 0, float64.

        Raises:
            ValueError: for sites with more than two states.
        """
        if self.fields.shape[1] != 2:
            raise ValueError(f"ising() is for sites with two states, found {self.fields.shape[1]}: read pairs instead")
        balanced = self.zero_sum()
        return balanced.fields[:, 1], balanced.pairs[..., 1, 1]

    def __repr__(self) -> str:
        sites, states = self.fields.shape
        return f"Couplings({sites} sites, {states} states)"
