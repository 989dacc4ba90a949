"""Weights that are pictures of the visible units."""

from __future__ import annotations

import numpy as np
import pytest

import harmonium as hm
from harmonium.models.first_weights import FirstWeights, first_weights


def test_largest_first() -> None:
    W = np.diag([1.0, -3.0, 2.0])
    found = first_weights(hm.RBM.from_arrays(W, np.zeros(3), np.zeros(3)), 2)
    assert found is not None and found.kind == "hidden" and found.total == 3
    assert found.weights.tolist() == [[0.0, -3.0, 0.0], [0.0, 0.0, 2.0]]


@pytest.mark.parametrize(
    ("model", "kind", "shape"),
    [
        (hm.DBM([4, 3, 2]), "hidden", (3, 4)),
        (hm.DBN([4, 3, 2]), "hidden", (3, 4)),
        (hm.BoltzmannMachine(4), "visible", (4, 4)),
        (hm.NADE(4, hidden=3), "hidden", (3, 4)),
        (hm.OrderlessNADE(4, hidden=(3,)), "hidden", (3, 4)),
        (hm.VAE(4, 2, (3,)), "hidden", (3, 4)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_models_that_have_some(model: hm.models.Model, kind: str, shape: tuple[int, int]) -> None:
    found = first_weights(model)
    assert found is not None and (found.kind, found.weights.shape) == (kind, shape)


def test_models_that_have_none() -> None:
    assert first_weights(hm.models.baselines.Independent(4)) is None


def test_one_large_weight_does_not_make_the_rest_pale() -> None:
    weights = np.full((30, 30), 0.1)
    weights[0, 0] = 50.0
    assert FirstWeights("hidden", 30, weights).limit() == pytest.approx(0.1)
    assert FirstWeights("hidden", 1, np.zeros((1, 2))).limit() == 1.0
