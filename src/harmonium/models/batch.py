"""What users pass in becomes a (batch, features) tensor here, once, with clear refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from harmonium.models.machine import Machine

__all__ = ["Array", "as_batch", "as_matrix"]

Array = Any
"""NumPy array (bool, integer or float), SciPy sparse matrix, torch tensor, `Cases` or nested list."""


def as_matrix(data: Array, name: str, dtype: torch.dtype, device: torch.device | str = "cpu") -> Tensor:
    """``data`` as a dense tensor.

    Raises:
        TypeError: where it is not numeric.
    """
    if isinstance(data, Tensor):
        return data.to(device, dtype)
    if hasattr(data, "toarray"):
        data = data.toarray()
    array = np.asarray(data)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be numeric, found dtype {array.dtype}: convert text and objects to numbers first")
    # torch takes no read-only, big-endian or negatively strided memory.
    return torch.from_numpy(np.array(array, dtype=np.float64 if dtype == torch.float64 else np.float32)).to(
        device, dtype
    )


def as_batch(data: Array, model: Machine, name: str, layer: int = 0, domain: bool = False) -> Tensor:
    """States of one layer of a model as (batch, n) in the model's precision and on its device.

    Raises:
        ValueError: for another width, values that are not finite or, with ``domain``, outside the units' domain.
    """
    x = as_matrix(data, name, model.dtype, model.device)
    units = model.units(layer)
    if x.dim() == 1 and len(x) == units.size:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}; expected (batch, {units.size}): pass {name}[None] for one case"
        )
    if x.dim() < 2 or x.shape[-1] != units.size:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected (batch, {units.size}), one column per unit")
    if not bool(torch.isfinite(x.sum())) and not bool(torch.isfinite(x).all()):  # the sum may overflow by itself
        row, column = (int(i) for i in (~torch.isfinite(x)).nonzero()[0][-2:])
        raise ValueError(f"{name} is not finite in row {row}, column {column}: remove or impute such values first")
    if domain:
        units.check(x, name)
    return x
