"""Maximum likelihood by backpropagation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import harmonium as hm
from harmonium.core.registry import build
from harmonium.objectives.base import Batch


def test_products_in_bfloat16() -> None:
    """Rounded products: another gradient by no more than their rounding, parameters in their own precision."""
    v = torch.as_tensor(hm.data.load("bars-and-stripes").train[:], dtype=torch.float32)
    for model in (hm.OrderlessNADE(16, hidden=(30, 30)), hm.MADE(16, hidden=(30,))):
        gradients = []
        for bfloat16 in (False, True):
            hm.MaximumLikelihood(bfloat16=bfloat16).gradient(model, Batch(v), {}, hm.Stream(3))
            gradients.append([parameter.grad.clone() for parameter in model.parameters()])
        assert all(parameter.dtype == parameter.grad.dtype == torch.float32 for parameter in model.parameters())
        for exact, rounded in zip(*gradients, strict=True):
            difference = (exact - rounded).norm() / exact.norm().clamp(min=1e-6)
            assert 0 < float(difference) < 0.02  # 2^-8 = 0.004 for each product, a few of them on the way


def test_what_it_refuses_and_how_it_is_stored(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a RBM does not know: use PCD"):
        hm.MaximumLikelihood().check(hm.RBM(3, 2))
    objective = hm.MaximumLikelihood(bfloat16=True)
    assert build(json.loads(json.dumps(objective.config()))) == objective
