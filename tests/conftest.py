"""What all tests share.  HARMONIUM_TEST_DEVICE names the device of the tests that run on any."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from harmonium.models import RBM


@pytest.fixture(scope="session")
def device() -> torch.device:
    return torch.device(os.environ.get("HARMONIUM_TEST_DEVICE", "cpu"))


@pytest.fixture
def make_rbm() -> Callable[..., RBM]:
    """A binary machine with normal weights and biases."""

    def make(visible: int, hidden: int, scale: float = 1.0, seed: int = 0, dtype: type = np.float64) -> RBM:
        rng = np.random.default_rng(seed)
        shapes = ((visible, hidden), (visible,), (hidden,))
        return RBM.from_arrays(*[(scale * rng.standard_normal(shape)).astype(dtype) for shape in shapes])

    return make


@pytest.fixture(autouse=True)
def no_global_seed() -> Iterator[None]:
    """Nothing in the library draws from, or sets, a global generator."""
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    yield
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)
