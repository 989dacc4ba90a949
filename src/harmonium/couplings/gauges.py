"""Gauges of categorical units: other parameters, the same probabilities.

A categorical variable is in exactly one of its states, so a constant may be moved from the rows of W that belong to
its states into the field at the other end, and the biases of a variable are defined up to a constant.  With a reference
r_i(a), sum_a r_i(a) = 1, the parameters are unique if the mean over a, weighted by r_i(a), of every row, column and
bias of every categorical variable is zero.  The zero-sum gauge (r = 1/q) has the smallest couplings in the sense of
squares (Ekeberg et al. 2013); in the lattice-gas gauge (r = 1 for one state) all couplings of that state are zero.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor

from harmonium.core.checks import check_int
from harmonium.models.machine.forms import Sparse
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.units import Categorical, Units

__all__ = ["lattice_gas", "zero_sum"]

M = TypeVar("M", bound=Machine)


def zero_sum(model: M) -> M:
    """Return the model in the zero-sum gauge: sums over the states of each categorical variable are zero.

    This holds for couplings (of visible and of hidden categorical units) and for biases.  Probabilities are the same;
    energies and log Z change by one constant.

    Args:
        model: a machine with categorical units, such as ``RBM(Categorical(n, q), 10)`` or
            ``BoltzmannMachine(Categorical(n, q))``.

    Returns:
        A copy of the model.

    Raises:
        TypeError: for a model that is no machine.
        ValueError: for a model without categorical units, whose parameters are unique.

    >>> import harmonium as hm
    >>> rbm = hm.couplings.zero_sum(hm.RBM(hm.Categorical(4, 3), 2))
    >>> bool(rbm.weights.view(4, 3, 2).sum(1).abs().max() < 1e-6)
    True
    """
    return _moved(model, None, "zero_sum")


def lattice_gas(model: M, state: int = 0) -> M:
    """Return the model in the lattice-gas gauge: couplings and biases of one state of each categorical variable are 0.

    Probabilities are the same; energies and log Z change by one constant.

    Args:
        model: a machine with categorical units.
        state: the state whose parameters become zero, such as the gap of an alignment, 0.

    Returns:
        A copy of the model.

    Raises:
        TypeError: for a model that is no machine.
        ValueError: for a model without categorical units, or a state that some categorical variable does not have.

    >>> import harmonium as hm
    >>> rbm = hm.couplings.lattice_gas(hm.RBM(hm.Categorical(4, 3), 2))
    >>> bool((rbm.weights.view(4, 3, 2)[:, 0] == 0).all())
    True
    """
    return _moved(model, check_int("state", state, least=0), "lattice_gas")


@torch.no_grad()
def _moved(model: M, state: int | None, function: str) -> M:
    as_machine(model, function).refuse_batched(function)
    if not any(isinstance(part, Categorical) for units in model.unit_layers() for part, _ in units.by_type()):
        raise ValueError(
            f"{function} takes a model with Categorical units, found {model!r}: the parameters of other units are "
            "unique. hm.couplings.effective_couplings(model) gives couplings between any finite units"
        )
    model = copy.deepcopy(model)
    references = [_reference(units, state) for units in model.unit_layers()]
    moved = [torch.zeros_like(reference) for reference in references]
    for name, (a, b) in model.edges.items():
        form = model.form(name)
        W = form.dense(model.couplings[name]).double()
        # s.W.t = s.CWC'.t + s.(CW r_t) + (r_s W).t for one-hot states, where C takes the means off.
        half = _centred(W.T, model.units(a), references[a]).T
        whole = _centred(half, model.units(b), references[b])
        moved[a] += half @ references[b]
        if a != b:  # of a lateral coupling half the energy counts, and both ends are one layer
            moved[b] += references[a] @ W
        if isinstance(form, Sparse):
            whole = whole[torch.as_tensor(form.edges.rows), torch.as_tensor(form.edges.columns)]
        model.couplings[name].copy_(whole)
    for units, reference, shift in zip(model.unit_layers(), references, moved, strict=True):
        field, *rest = units.natural()
        units.set_natural((_centred(field.double() + shift, units, reference).to(field), *rest))
    return model


def _reference(units: Units, state: int | None) -> Tensor:
    """The weights of the states of categorical variables in the means that become zero, 0 elsewhere: (size,)."""
    reference = torch.zeros(units.size, dtype=torch.float64, device=units.natural()[0].device)
    for part, where in units.by_type():
        if not isinstance(part, Categorical):
            continue
        q = part.constant
        if state is not None and state >= q:
            raise ValueError(f"state must be one of all categorical variables, 0 ... {q - 1}, found {state}")
        groups = reference[where].view(-1, q)
        groups[:, slice(None) if state is None else state] = 1 / q if state is None else 1.0
    return reference


def _centred(x: Tensor, units: Units, reference: Tensor) -> Tensor:
    """x (..., size) without the means over the states of each categorical variable."""
    x = x.clone()
    for part, where in units.by_type():
        if isinstance(part, Categorical):
            groups = x[..., where].reshape(*x.shape[:-1], part.columns, part.constant)
            means = (groups * reference[where].view(-1, part.constant)).sum(-1, keepdim=True)
            x[..., where] = (groups - means).flatten(-2)
    return x
