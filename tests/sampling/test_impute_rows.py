"""What a row is filled with depends on the row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.sampling.impute import impute


def _mixed_rows(draw: np.random.Generator, rows: int) -> np.ndarray:
    return np.c_[draw.integers(2, size=(rows, 3)), draw.normal(size=(rows, 3)), draw.integers(3, size=(rows, 2))]


ANY_MODEL: dict[str, tuple[Callable[[], hm.models.Model], Callable[[np.random.Generator, int], np.ndarray]]] = {
    "bernoulli": (lambda: hm.RBM(9, 5), lambda draw, rows: draw.integers(2, size=(rows, 9))),
    "spin": (lambda: hm.RBM(hm.Spin(9), 5), lambda draw, rows: 2 * draw.integers(2, size=(rows, 9)) - 1),
    "categorical": (lambda: hm.RBM(hm.Categorical(6, 4), 5), lambda draw, rows: draw.integers(4, size=(rows, 6))),
    "binomial": (lambda: hm.RBM(hm.Binomial(6, 4), 5), lambda draw, rows: draw.integers(4, size=(rows, 6))),
    "gaussian": (lambda: hm.RBM(hm.Gaussian(6), 5), lambda draw, rows: draw.normal(size=(rows, 6))),
    "mixed": (
        lambda: hm.RBM(hm.Mixed([hm.Bernoulli(3), hm.Gaussian(3), hm.Categorical(2, 3)]), 5),
        _mixed_rows,
    ),
    "dbm": (lambda: hm.DBM([9, 5, 3]), lambda draw, rows: draw.integers(2, size=(rows, 9))),
    "lateral": (lambda: hm.BoltzmannMachine(7), lambda draw, rows: draw.integers(2, size=(rows, 7))),
    "orderless": (lambda: hm.OrderlessNADE(7, [8]), lambda draw, rows: draw.integers(2, size=(rows, 7))),
    "mixture": (lambda: hm.baselines.BernoulliMixture(7, 3), lambda draw, rows: draw.integers(2, size=(rows, 7))),
}


@pytest.mark.parametrize("name", ANY_MODEL)
@pytest.mark.parametrize("options", [{"mean": True, "samples": 3}, {"samples": 2}, {}], ids=["means", "draws", "draw"])
def test_a_row_is_filled_by_its_own_values_alone(name: str, options: dict[str, Any]) -> None:
    """Neither other rows nor the order of rows change what a row gets, up to the rounding of float64 sums."""
    build, values = ANY_MODEL[name]
    model, draw = build(), np.random.default_rng(4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.as_tensor(0.3 * draw.normal(size=parameter.shape), dtype=parameter.dtype))
    x = values(draw, 30).astype(float)
    x[draw.random(x.shape) < 0.3] = np.nan
    x = x[np.unique(np.nan_to_num(x, nan=-9), axis=0, return_index=True)[1]]  # equal rows are numbered
    assert len(x) > 25
    whole = impute(model, x, sweeps=20, **options).numpy()
    order = draw.permutation(len(x))
    np.testing.assert_allclose(impute(model, x[order], sweeps=20, **options).numpy(), whole[..., order, :], atol=1e-6)
    for i in range(4):
        alone = impute(model, x[i : i + 1], sweeps=20, **options).numpy()
        np.testing.assert_allclose(alone[..., 0, :], whole[..., i, :], atol=1e-6)


def test_equal_rows_get_equal_means_and_independent_draws() -> None:
    rbm = hm.RBM(2, 1)  # independent coins: its weights are small
    x = np.full((2000, 2), np.nan)
    x[:, 0] = 1
    means = impute(rbm, x, mean=True, samples=2, sweeps=20)
    assert bool((means == means[0]).all())
    drawn = impute(rbm, x, sweeps=20)[:, 1].numpy()
    assert abs(drawn.mean() - 0.5) < 5 * 0.5 / np.sqrt(2000) + 0.01  # five standard errors, and the small weights
    assert np.array_equal(impute(rbm, x[:10], sweeps=20)[:, 1].numpy(), drawn[:10])


def test_fills_far_from_the_data_of_training_are_an_error() -> None:
    rbm = hm.RBM(hm.Gaussian(3), 2)
    rows = np.random.default_rng(0).normal(size=(50, 3))
    hm.fit(rbm, rows, epochs=1)
    x = rows[:2].copy()
    x[1, 2] = np.nan
    assert bool(torch.isfinite(impute(rbm, x)).all())
    with torch.no_grad():
        rbm.weights.mul_(0).add_(1e8)
    for mean in (False, True):
        with pytest.raises(
            hm.errors.DivergedError, match=r"row 1, column 2 would be filled with .*mean 0 and variance 1"
        ):
            impute(rbm, x, mean=mean)
    x[0, 1] = np.nan
    with pytest.raises(hm.errors.DivergedError, match="row 0, column 1"):
        impute(rbm, x)
