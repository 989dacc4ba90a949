from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from harmonium.data import load
from harmonium.data.split import split_off


@pytest.fixture
def table() -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(200, 3)) * [2.0, 0.01, 1.0] + [0.0, 1e4, 0.1]
    values[:, 2] = 0.1  # constant
    return values


def test_the_training_cases_set_the_scale_of_all(tmp_path: Path, table: np.ndarray) -> None:
    np.savez(tmp_path / "x.npz", train=table[:150], test=table[150:])
    data = load(tmp_path / "x.npz", standardize=True)
    mean, scale = table[:150].mean(0), table[:150].std(0)
    scale[2] = 1.0
    for cases, original in ((data.train, table[:150]), (data.test, table[150:])):
        assert np.allclose(np.asarray(cases), (original - mean) / scale, rtol=1e-5, atol=1e-6)
    assert np.asarray(data.train)[:, 2] == pytest.approx(0.0, abs=1e-12)
    assert data.shape == (3,) and "standardised" in repr(data) and "standardised" in repr(data.train)


def test_the_jacobian_gives_the_density_before_standardising(tmp_path: Path, table: np.ndarray) -> None:
    table = table[:, :2]
    np.save(tmp_path / "x.npy", table)
    cases = load(tmp_path / "x.npy", standardize=True).train
    z = cases.rows(np.arange(200), dtype=torch.float64)
    standard = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) + cases.log_jacobian
    mean, scale = torch.from_numpy(table.mean(0)), torch.from_numpy(table.std(0))
    direct = torch.distributions.Normal(mean, scale).log_prob(torch.from_numpy(table)).sum(1)
    assert torch.allclose(standard, direct, atol=1e-6)
    assert cases.log_jacobian == pytest.approx(-np.log(table.std(0)).sum())
    assert load(tmp_path / "x.npy").train.log_jacobian == 0.0


def test_grey_images_can_be_standardised(tmp_path: Path) -> None:
    data = load("digits", standardize=True)
    assert data.binarization is None
    variance = data.train.statistics().variance
    assert ((variance - 1).abs() < 1e-9).logical_or(variance == 0).all()
    grey = load("digits", binarize="grey")
    spread = np.sqrt(grey.train.statistics().variance.numpy())
    assert data.train.log_jacobian == pytest.approx(-np.log(spread[spread > 0]).sum())


def test_binarising_and_bad_values_are_refused(tmp_path: Path, table: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"standardize=True .*binarize="):
        load("digits", standardize=True, binarize="fixed")
    table[7, 1] = np.inf
    np.save(tmp_path / "x.npy", table)
    with pytest.raises(ValueError, match=r"x\.npy, train, row 7, column 1 .*inf.*remove"):
        load(tmp_path / "x.npy", standardize=True)
    seed = next(seed for seed in range(20) if 7 in split_off(len(table), {"valid": 0.5}, seed)["train"])
    with pytest.raises(ValueError, match=r"x\.npy, train, row \d+ \(row 7 before cases were set aside\), column 1 "):
        load(tmp_path / "x.npy", standardize=True, valid=0.5, seed=seed)
