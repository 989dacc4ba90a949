"""Machines whose chains can be put anywhere, for tests of what watches chains."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from harmonium.models import RBM

WIDTH, FIELD = 20, 2.5


def far_modes(second: float = 0.5) -> RBM:
    """Two modes, nearly all zeros and nearly all ones, the second with this probability; it knows its data.

    Given h the visible units are independent with field -2.5 or +2.5, and the hidden bias balances both sums over v.
    """
    bias = np.log(second / (1 - second)) + WIDTH * (np.logaddexp(0, -FIELD) - np.logaddexp(0, FIELD))
    rbm = RBM.from_arrays(np.full((WIDTH, 1), 2 * FIELD), np.full(WIDTH, -FIELD), np.array([bias]))
    on = 1 / (1 + np.exp(-FIELD))
    mean = torch.full((WIDTH,), second * on + (1 - second) * (1 - on), dtype=torch.float64)
    rbm.data_mean, rbm.data_variance, rbm.data_cases = mean, mean * (1 - mean), torch.tensor(1000.0)
    return rbm


def in_modes(chains: int, second: float, seed: int = 0) -> Tensor:
    """Exact draws within the modes of `far_modes`, a fixed share of them in the second."""
    rng = np.random.default_rng(seed)
    h = np.arange(chains) < round(second * chains)
    on = 1 / (1 + np.exp(-FIELD))
    return torch.as_tensor((rng.random((chains, WIDTH)) < np.where(h, on, 1 - on)[:, None]).astype(float))


def knowing(rbm: RBM, data: Tensor) -> RBM:
    """The machine with the means and variances of these cases, as training leaves them in it."""
    rbm.data_mean, rbm.data_variance = data.double().mean(0), data.double().var(0, correction=0)
    rbm.data_cases = torch.tensor(float(len(data)))
    return rbm


def strong(seed: int = 0) -> RBM:
    """Strongly coupled, its mass far from the state of all ones."""
    rng = np.random.default_rng(seed)
    return RBM.from_arrays(2 * rng.standard_normal((10, 8)), np.full(10, -1.0), np.full(8, -1.0))
