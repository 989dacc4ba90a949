"""The base-rate model that a caller of `harmonium.log_partition` names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from harmonium.models.arrays import Array, as_batch, as_matrix
from harmonium.models.machine.machine import Machine
from harmonium.units import Natural

__all__ = ["Base", "as_base"]

Base = Sequence[Natural] | Array
"""Natural parameters of every layer, means of the visible units, or cases."""

_KNOWN_WELL = 1e4  # cases by whose number means are smoothed, if it is not known how many they are from


def as_base(model: Machine, base: Base) -> tuple[Natural, ...]:
    """Turn means of the visible units, or cases, into natural parameters of a base-rate model; hidden biases are 0.

    Args:
        model: the machine.
        base: means of the visible units (n_visible,), encoded ones (size,) or in the shape of the units; cases
            (n, n_visible); or natural parameters, a tuple of tensors for every layer, which are returned as they are.

    Raises:
        ValueError: for another shape, cases outside the domain, or means that no state of the units has.

    >>> import harmonium as hm
    >>> as_base(hm.RBM(2, 1), [0.5, 0.5])[0][0].tolist()
    [0.0, 0.0]
    """
    if _is_natural(base):
        if len(base) != len(model.names):
            raise ValueError(
                f"base has natural parameters of {len(base)} layers; expected those of {', '.join(model.names)}"
            )
        return tuple(base)
    units = model.visible
    given = as_matrix(base, "base", torch.float64, model.device)
    if tuple(given.shape) in ((units.columns,), (units.size,), units.shape):
        mean, variance, cases = *_of_means(model, given.reshape(-1)), _KNOWN_WELL
        if model.data_cases is not None:
            cases = float(model.data_cases)
    elif given.dim() > 1:
        v = as_batch(given, model, "base", domain=True).double()
        mean, variance, cases = v.mean(0), v.var(0, correction=0), float(len(v))
    else:
        raise ValueError(
            f"base has shape {tuple(given.shape)}; expected the means of the visible units ({units.columns},), cases "
            f"(n, {units.columns}), or natural parameters, a tuple of tensors for each of the layers "
            f"{', '.join(model.names)}"
        )
    hidden = [model.units(layer).neutral_natural() for layer in range(1, len(model.names))]
    natural = units.base_rate(mean, variance, cases)
    if not units.normalisable(natural):
        raise ValueError(f"base has means that {units!r} cannot have: pass those of cases in the domain of the units")
    return natural, *hidden


def _is_natural(base: Any) -> bool:
    return (
        isinstance(base, (tuple, list))
        and len(base) > 0
        and all(
            isinstance(layer, (tuple, list)) and layer and all(isinstance(eta, Tensor) for eta in layer)
            for layer in base
        )
    )


def _of_means(model: Machine, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Means and variances (size,) of visible units whose means are given."""
    units = model.visible
    if len(mean) != units.size:
        raise ValueError(
            f"base has one mean for each of {units.columns} variables, of which some are categories: pass cases "
            f"(n, {units.columns}), or the means of all {units.size} units"
        )
    if not bool(torch.isfinite(mean).all()):
        raise ValueError("base is not finite: pass the means of complete cases")
    if model.data_variance is not None:
        return mean, model.data_variance.double()
    if len(units.natural()) > 1:  # a family with a parameter for its variance
        raise ValueError(
            f"base has means alone, and the model knows no variances of its {units!r}: pass cases (n, {units.columns})"
        )
    return mean, torch.zeros_like(mean)
