"""Layers in the form that the compiled loop of updates takes (see `harmonium.kernels.fused_updates`)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor, nn

from harmonium.core.registry import is_builtin
from harmonium.kernels.columns import choice
from harmonium.kernels.philox import split
from harmonium.units.bernoulli import Bernoulli
from harmonium.units.categorical import Categorical
from harmonium.units.gaussian import Gaussian
from harmonium.units.layer import Units
from harmonium.units.mixed import part_key
from harmonium.units.spin import Spin

__all__ = ["bounds", "joined", "loop_of_updates", "part_table", "put_back"]

_DRAWS = tuple(kind.loops.columns for kind in (Bernoulli, Spin, Categorical, Gaussian))
_choice = functools.cache(choice)


def loop_of_updates(visible: Units, hidden: Units) -> Any | None:
    """The loop for RBMs of these layers, compiled when it is first called; None if there is none."""
    types = [part for part, _ in visible.by_type()]
    if (
        hidden.loops.updates is None
        or any(part.loops.columns not in _DRAWS for part in types)
        or not all(is_builtin(type(units)) for units in (hidden, *types))  # others may have formulas of their own
    ):
        return None
    return hidden.loops.updates(_choice(*_kinds(visible)))


def _kinds(visible: Units) -> tuple[Any, ...]:
    """The draws that the loop for a layer knows: that of its units if they are alike, else all, so that few are made.

    A loop that knows all takes twice as long to compile.
    """
    own = {part.loops.columns for part, _ in visible.by_type()}
    return tuple(own) if len(own) == 1 else _DRAWS


def part_table(visible: Units, key: int) -> Any:
    """Number of the draw, first column, last column + 1, constant and two words of the key of each part, (parts, 6)."""
    kinds = _kinds(visible)
    return np.array(
        [
            (
                kinds.index(part.loops.columns),
                columns.start,
                columns.stop,
                part.constant,
                *split(part_key(key, i), 0, 0)[:2],
            )
            for i, (part, columns) in enumerate(visible.by_type())
        ],
        np.int64,
    )


def joined(visible: Units, of: Callable[[nn.Parameter], Tensor], dtype: Any) -> Any:
    """Copy the parameters of all parts side by side: biases, and below them log-variances if some units are real.

    Args:
        visible: the layer.
        of: the tensor to copy for a parameter, such as its data or its velocity.
        dtype: of the result.

    Returns:
        (1 or 2, size); 0 where a unit has no log-variance.
    """
    out = np.zeros((2 if visible.real_valued else 1, visible.size), dtype)
    for row, columns, parameter in _places(visible):
        out[row, columns] = of(parameter).numpy()
    return out


def put_back(visible: Units, rows: Any, of: Callable[[nn.Parameter], Tensor]) -> None:
    """Copy what `joined` returned back to where it came from."""
    for row, columns, parameter in _places(visible):
        of(parameter).numpy()[...] = rows[row, columns]


def bounds(visible: Units) -> Any:
    """Lowest and highest log-variances, (2, size) float64; 0 and 0 for units that have none."""
    out = np.zeros((2, visible.size))
    for part, columns in visible.by_type():
        if isinstance(part, Gaussian):
            out[:, columns] = np.array(part.log_variance_bounds)[:, np.newaxis]
    return out


def _places(visible: Units) -> list[tuple[int, slice, nn.Parameter]]:
    """Every parameter with its row and columns in `joined`."""
    return [
        (row, columns, parameter)
        for part, columns in visible.by_type()
        for row, parameter in enumerate(part.parameters_by_name().values())
    ]
