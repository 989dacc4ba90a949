"""Random words and fused loops.

CPU tensors in float32 and float64 use the compiled loops of `fused`, all others what `devices` chooses for their
device, with the same random bits.
"""

from __future__ import annotations

import os

import numpy as np
import torch
from torch import Tensor

from harmonium.core.random import RandomAddress
from harmonium.kernels import devices, portable
from harmonium.kernels.devices import Field, TwoStates
from harmonium.kernels.flips import REFRESH, add_flips_, flips_pay, list_flips
from harmonium.kernels.philox import binarise, fill_pairs, fill_rows, split
from harmonium.kernels.sparse import difference_of_outers, product

# After a fork, torch's products wait for OpenMP threads that the child does not have, unless there is one thread.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))

__all__ = [
    "REFRESH", "Field", "TwoStates", "add_flips_", "bernoulli_rows", "difference_of_outers", "flips_pay", "is_fused",
    "list_flips", "permutation", "product", "two_states_", "uniforms", "uniforms_at", "words",
]  # fmt: skip


def is_fused(x: Tensor) -> bool:
    """Whether the fused loops can process this tensor."""
    fits = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and not x.requires_grad
    return fits and devices.chosen() is None


def uniforms(draw: RandomAddress, rows: int, units: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return uniforms in (0, 1), shape (rows, units), one word each; rows have the global indices of ``draw``."""
    if device.type == "cpu" and devices.chosen() is None:
        return portable.uniform(torch.from_numpy(words(draw, rows, units)[:, :units].astype(np.int64)), dtype)
    return devices.way(device).uniforms(draw, rows, units, dtype, device)


def two_states_(field: Field, states: TwoStates, draw: RandomAddress) -> Tensor:
    """Draw units that have two states, (..., batch, n), where `is_fused` is false; may overwrite the input."""
    return devices.way(field.x.device).two_states_(field, states, draw)


def uniforms_at(draw: RandomAddress, rows: np.ndarray, units: np.ndarray) -> Tensor:
    """Return the entries (row, unit) of what `uniforms` gives in float64 on the CPU, (pairs,)."""
    found = np.empty(len(rows), np.uint32)
    fill_pairs(found, rows, units, draw.first, *split(draw.key, draw.step, draw.site))
    return portable.uniform(torch.from_numpy(found.astype(np.int64)), torch.float64)


def words(draw: RandomAddress, rows: int, units: int) -> np.ndarray:
    """Return the 32-bit words of a draw for the fused loops: (rows, units rounded up to a multiple of 4), uint32."""
    out = np.empty((rows, 4 * ((units + 3) // 4)), np.uint32)
    fill_rows(out, draw.first, *split(draw.key, draw.step, draw.site))
    return out


def bernoulli_rows(probability: Tensor, rows: Tensor, draw: RandomAddress) -> Tensor:
    """Draw 0/1 with the given probabilities, shape (rows, units); row r uses the words of global row ``rows[r]``.

    The draw of a case depends on its index alone, not on the other cases of the batch.
    """
    if is_fused(probability):
        out = probability.clone(memory_format=torch.contiguous_format)
        binarise(out.numpy(), rows.numpy(), *split(draw.key, draw.step, draw.site))
        return out
    draw, device = draw._replace(first=rows.to(probability.device)), probability.device
    u = devices.way(device).uniforms(draw, len(rows), probability.shape[1], probability.dtype, device)
    return (u < probability).to(probability.dtype)


def permutation(draw: RandomAddress, cases: int) -> Tensor:
    """Return a random permutation of ``cases`` indices, int64: the stable argsort of one 32-bit word per case."""
    return torch.from_numpy(np.argsort(words(draw, 1, cases)[0, :cases], kind="stable"))
