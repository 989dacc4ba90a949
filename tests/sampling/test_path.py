"""Paths between the base-rate model and a machine."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import harmonium as hm
from harmonium.sampling.path import Path


@pytest.mark.parametrize("gaussian", [False, True])
def test_log_ratio_is_the_difference_of_two_weights(make_rbm: Any, gaussian: bool) -> None:
    rbm = hm.RBM(hm.Gaussian(3), 2, dtype=torch.float64) if gaussian else make_rbm(5, 3)
    if gaussian:
        with torch.no_grad():
            for parameter in rbm.parameters():
                parameter.add_(0.3)
    path, stream = Path(rbm), hm.Stream(2)
    state = path.start(7, stream.advance())
    t = torch.stack((torch.linspace(0, 0.6, 7), torch.linspace(0.3, 1.0, 7)), -1).double()
    inputs = path.inputs(state)
    pair = path.log_weights(state, {layer: x.clone() for layer, x in inputs.items()}, t)
    found = path.log_ratio(state, inputs, t)
    assert found.numpy() == pytest.approx((pair[:, 1] - pair[:, 0]).numpy(), rel=1e-10)
