"""The terms of the expansion of hidden units, by three ways of taking means over independent sites.

Each has a method ``term(sites)``: with E[A | v_S] the mean of the units' log-normalisers A over all other sites, the
alternating sum f_S = sum_{T in S} (-1)^(|S| - |T|) E[A | v_T], (states, ..., states), one axis for each site of S.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from harmonium.couplings.log_cosh import cosines
from harmonium.couplings.log_weights import HiddenTable
from harmonium.units import Bernoulli, Categorical, Gaussian, Spin

__all__ = ["SiteMeans", "site_means"]

_ENTRIES = 1 << 22  # complex numbers at once
_ENUMERATED = 1 << 18  # states of all sites


class SiteMeans(Protocol):
    """Terms of the expansion of some hidden units."""

    def term(self, sites: Sequence[int]) -> Tensor:
        """f_S, (states, ..., states), float64."""


def site_means(table: HiddenTable, reference: Tensor) -> Iterator[SiteMeans]:
    """Yield objects whose terms add up to those of the hidden units of a table.

    Raises:
        ValueError: for units of other types than Bernoulli, Spin and Gaussian if there are many joint states.
    """
    units, x = table
    field = units.natural()[0].detach().double().cpu()
    if isinstance(units, Categorical) and units.constant == 2:
        # log(exp(x_0) + exp(x_1)) = x_0 + log(1 + exp(x_1 - x_0))
        yield Linear(x[..., 0::2].sum(-1), reference)
        x, field = x[..., 1::2] - x[..., 0::2], field[1::2] - field[0::2]
    elif isinstance(units, Gaussian):
        yield Squares(x, field, torch.exp(units.log_variance.detach().double().cpu()), reference)
        return
    elif isinstance(units, Spin):
        x, field = 2 * x, 2 * field
    elif not isinstance(units, Bernoulli):
        yield Enumerated(table, reference)
        return
    if not isinstance(units, Spin):
        yield Linear(x.sum(-1) / 2, reference)
    largest = field.abs() + x.abs().amax(1).sum(0)
    some: list[int] = []
    columns = 0
    for unit, terms in enumerate(len(cosines(float(bound))[0]) for bound in largest):
        if some and (columns + terms) * x.shape[0] * x.shape[1] > _ENTRIES:
            yield Cosines(x[..., some], field[some], largest[some], reference)
            some, columns = [], 0
        some.append(unit)
        columns += terms
    yield Cosines(x[..., some], field[some], largest[some], reference)


class Linear:
    """A part of the log-weight that is a sum over sites: y (sites, states)."""

    def __init__(self, y: Tensor, reference: Tensor) -> None:
        self.y = y - (reference * y).sum(1, keepdim=True)

    def term(self, sites: Sequence[int]) -> Tensor:
        if len(sites) == 1:
            return self.y[sites[0]]
        return torch.zeros((self.y.shape[1],) * len(sites), dtype=torch.float64)


class Cosines:
    """Binary units, by sums of cosines: the mean of a product of exp(i w x) is the product of the means."""

    def __init__(self, x: Tensor, field: Tensor, largest: Tensor, reference: Tensor) -> None:
        found = [cosines(float(bound)) for bound in largest]
        unit = torch.repeat_interleave(torch.tensor([len(w) for w, _ in found]))
        w = torch.cat([w for w, _ in found])
        waves = _waves(w * x[..., unit])
        self.means = (reference.to(waves.dtype).unsqueeze(-1) * waves).sum(1)
        self.deviations = waves - self.means.unsqueeze(1)
        self.amplitudes = torch.cat([g for _, g in found]) * torch.polar(
            torch.ones((), dtype=torch.float64), w * field[unit]
        )
        self._without_first: tuple[int, Tensor] | None = None

    def term(self, sites: Sequence[int]) -> Tensor:
        left = self.amplitudes * self._mean_of_others(sites)
        for site in sites[:-1]:
            left = left.unsqueeze(-2) * self.deviations[site]
        # The real part of a sum of products, as one real product.
        plain, conjugate = (
            torch.view_as_real(z).flatten(-2) for z in (left, self.deviations[sites[-1]].conj().resolve_conj())
        )
        return plain @ conjugate.mT

    def _mean_of_others(self, sites: Sequence[int]) -> Tensor:
        """The product of the means of all other sites, without a division: means may be 0."""
        if len(sites) != 2:
            rest = torch.ones(len(self.means), dtype=torch.bool)
            rest[list(sites)] = False
            return self.means[rest].prod(0)
        first, second = sites
        if self._without_first is None or self._without_first[0] != first:
            means = self.means.clone()
            means[first] = 1
            ones = torch.ones_like(means[:1])
            before = torch.cat([ones, means[:-1]]).cumprod(0)
            after = torch.cat([means[1:], ones]).flip(0).cumprod(0).flip(0)
            self._without_first = first, before * after
        return self._without_first[1][second]


def _waves(angles: Tensor) -> Tensor:
    return torch.complex(torch.cos(angles), torch.sin(angles))


class Squares:
    """Gaussian units: A is the variance times (c + x)^2 / 2 up to a constant, and has no terms beyond pairs."""

    def __init__(self, x: Tensor, field: Tensor, variance: Tensor, reference: Tensor) -> None:
        means = (reference.unsqueeze(-1) * x).sum(1)
        self.deviations = x - means.unsqueeze(1)
        self.total = field + means.sum(0)
        self.variance, self.reference = variance, reference

    def term(self, sites: Sequence[int]) -> Tensor:
        d = self.deviations[sites[0]]
        if len(sites) == 1:
            squares = (d * d) @ self.variance / 2
            return d @ (self.variance * self.total) + squares - (self.reference[sites[0]] * squares).sum()
        if len(sites) == 2:
            return (d * self.variance) @ self.deviations[sites[1]].mT
        return torch.zeros((d.shape[0],) * len(sites), dtype=torch.float64)


class Enumerated:
    """Units of any type, by a list of the states of all sites."""

    def __init__(self, table: HiddenTable, reference: Tensor) -> None:
        sites, states, _ = table.x.shape
        if states**sites > _ENUMERATED:
            raise ValueError(
                f"the means over all states of {sites} sites with {states} states are computed for Bernoulli, Spin and "
                f"Gaussian hidden units, and for others only where the states can be listed; found {table.units!r}. "
                "hm.couplings.mean_couplings(model, sequences) takes the means over sequences instead"
            )
        x = torch.zeros(1, table.x.shape[2], dtype=torch.float64)
        for site in table.x:
            x = (x.unsqueeze(1) + site).flatten(0, 1)
        with torch.no_grad():
            self.values = table.units.log_normalizer(x.to(table.units.natural()[0])).double().cpu()
        self.values = self.values.view((states,) * sites)
        self.reference = reference

    def term(self, sites: Sequence[int]) -> Tensor:
        values = self.values
        for site in range(len(self.reference)):
            weights = self.reference[site].view(-1, *[1] * (len(self.reference) - 1 - site))
            mean = (values * weights).sum(site, keepdim=True)
            values = values - mean if site in sites else mean
        order = sorted(sites)
        values = values.reshape((self.reference.shape[1],) * len(order))
        return values.permute([order.index(site) for site in sites])
