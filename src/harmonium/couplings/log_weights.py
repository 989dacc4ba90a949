"""The log-weight of a machine, hidden units summed out, as tables over the states of its sites."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.couplings.sites import states_per_site, summable
from harmonium.models.arrays import Array, as_matrix
from harmonium.models.machine.machine import Machine
from harmonium.units import Bernoulli, Categorical, Spin, Units

__all__ = ["HiddenTable", "SiteTables", "as_reference", "site_tables"]


class HiddenTable(NamedTuple):
    """Hidden units of one type.

    Attributes:
        units: the units.
        x: what each state of each site adds to their inputs, (sites, states, units).
    """

    units: Units
    x: Tensor


class SiteTables(NamedTuple):
    """log p*(v) = constant + sum_i own_i(v_i) + sum_(i<j) lateral_ij(v_i, v_j) + sum over hidden units of A(x).

    Attributes:
        own: (sites, states), float64.
        lateral: couplings among visible units, (sites, sites, states, states); None if there are none.
        hidden: the hidden units.
    """

    own: Tensor
    lateral: Tensor | None
    hidden: list[HiddenTable]


def site_tables(model: Machine, function: str) -> SiteTables:
    """Write the log-weight of a machine as tables, in float64 on the CPU.

    Raises:
        TypeError: for a model that is no machine, or whose hidden units have couplings among themselves.
        ValueError: for visible units that have not finitely and equally many states each.
    """
    machine = summable(model, function)
    visible = machine.visible
    table = states_per_site(visible, function)
    # One site in turn, the others in their first state.
    base = table[:, 0].sum(0)
    rows = (base - table[:, :1] + table).to(machine.device, machine.dtype)
    own = visible.neg_energy(rows.flatten(0, 1)).double().cpu().view(table.shape[:2])
    lateral: Tensor | None = None
    hidden = []
    for name, (a, b) in machine.edges.items():
        W = machine.form(name).dense(machine.couplings[name]).double().cpu()
        if a == b:
            half = torch.einsum("iau,uw->iaw", table, W)
            lateral = torch.einsum("iaw,kbw->ikab", half, table)
            continue
        x = torch.einsum("iau,uh->iah", table, W)
        hidden += [HiddenTable(part, x[..., where]) for part, where in machine.units(b).by_type()]
    return SiteTables(own, lateral, hidden)


def as_reference(reference: Array | str | None, model: Machine, shape: tuple[int, int]) -> Tensor:
    """The probabilities of the states of each site, (sites, states), float64; see `effective_couplings`.

    Raises:
        ValueError: for another shape, negative numbers, or rows that do not sum to 1; for "data" if the model has no
            means of data.
    """
    sites, states = shape
    if reference is None:
        return torch.full(shape, 1 / states, dtype=torch.float64)
    if isinstance(reference, str):
        return _of_data(reference, model, shape)
    r = as_matrix(reference, "reference", torch.float64)
    if tuple(r.shape) != shape:
        raise ValueError(f"reference has shape {tuple(r.shape)}; expected ({sites}, {states}): sites and their states")
    if not bool(torch.isfinite(r).all()) or bool((r < 0).any()) or bool(((r.sum(1) - 1).abs() > 1e-6).any()):
        raise ValueError("reference must hold the probabilities of the states of each site: each row sums to 1")
    return r / r.sum(1, keepdim=True)


def _of_data(reference: str, model: Machine, shape: tuple[int, int]) -> Tensor:
    if reference != "data":
        raise ValueError(f'reference must be None, "data" or probabilities (sites, states), found {reference!r}')
    if model.data_mean is None:
        raise ValueError('reference="data" takes the means of the training data: this model has not been fitted')
    mean, visible = model.data_mean.double().cpu(), model.visible
    if isinstance(visible, Categorical):
        return mean.view(shape) / mean.view(shape).sum(1, keepdim=True)
    if isinstance(visible, (Bernoulli, Spin)):
        up = mean if isinstance(visible, Bernoulli) else (mean + 1) / 2
        return torch.stack([1 - up, up], 1)
    raise ValueError(f'reference="data" is for Categorical, Bernoulli and Spin units, found {visible!r}')
