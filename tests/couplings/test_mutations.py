"""Scans of mutations, against log-probabilities of all states."""

from __future__ import annotations

import pytest
import torch

import harmonium as hm

from .helpers import F64, all_log_weights, scattered

MODELS = {
    "rbm": lambda: hm.RBM(hm.Categorical(4, 3), 2, dtype=F64),
    "categorical hidden": lambda: hm.RBM(hm.Categorical(4, 3), hm.Categorical(2, 3), dtype=F64),
    "drelu hidden": lambda: hm.RBM(hm.Categorical(4, 3), hm.DReLU(2), dtype=F64),
    "Potts": lambda: hm.BoltzmannMachine(hm.Categorical(4, 3), dtype=F64),
    "semi-restricted": lambda: hm.BoltzmannMachine(
        hm.Categorical(4, 3), 2, edges=[[0, 1], [2, 3], [0, 4], [1, 4], [2, 5]], dtype=F64
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_scans_by_enumeration(name: str) -> None:
    model = scattered(MODELS[name]())
    log_p = all_log_weights(model)
    scan = hm.couplings.mutation_scan(model, [2, 0, 1, 1])
    pairs = hm.couplings.pair_scan(model, [2, 0, 1, 1], [(0, 2), (3, 1)])
    torch.testing.assert_close(scan[1], log_p[2, :, 1, 1] - log_p[2, 0, 1, 1], atol=1e-10, rtol=0)
    torch.testing.assert_close(scan[3], log_p[2, 0, 1, :] - log_p[2, 0, 1, 1], atol=1e-10, rtol=0)
    torch.testing.assert_close(pairs[0], log_p[:, 0, :, 1] - log_p[2, 0, 1, 1], atol=1e-10, rtol=0)
    torch.testing.assert_close(pairs[1], log_p[2, :, 1, :].T - log_p[2, 0, 1, 1], atol=1e-10, rtol=0)


@pytest.mark.parametrize("units", [hm.Bernoulli(5), hm.Spin(5), hm.Binomial(5, 3)])
def test_other_finite_units(units: hm.units.Units) -> None:
    model = scattered(hm.RBM(units, 2, dtype=F64))
    log_p = all_log_weights(model)
    first = model.visible.unit_states()[0]
    scan = hm.couplings.mutation_scan(model, [float(first)] * 5)
    torch.testing.assert_close(scan[2], log_p[0, 0, :, 0, 0] - log_p[0, 0, 0, 0, 0], atol=1e-10, rtol=0)


def test_directed_models() -> None:
    nade = hm.NADE(hm.Categorical(3, 3), 2, dtype=F64, seed=3)
    scan = hm.couplings.mutation_scan(nade, torch.tensor([0, 2, 1]))
    changed, own = nade.log_prob([[0, 1, 1], [0, 2, 1]])
    torch.testing.assert_close(scan[1, 1], changed - own)


def test_wrong_arguments() -> None:
    rbm = hm.RBM(hm.Categorical(3, 3), 2)
    with pytest.raises(ValueError, match="sequence has shape"):
        hm.couplings.mutation_scan(rbm, [0, 1])
    with pytest.raises(ValueError, match="give one sequence"):
        hm.couplings.mutation_scan(rbm, torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"0 \.\.\. 2"):
        hm.couplings.mutation_scan(rbm, [0, 1, 3])
    with pytest.raises(ValueError, match=r"different sites, each 0 ... 2, found \(1, 1\)"):
        hm.couplings.pair_scan(rbm, [0, 1, 2], [(1, 1)])
    with pytest.raises(ValueError, match="pairs is empty"):
        hm.couplings.pair_scan(rbm, [0, 1, 2], [])
    with pytest.raises(ValueError, match="finitely many states"):
        hm.couplings.mutation_scan(hm.RBM(hm.Gaussian(3), 2), [0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="between 2 and 3"):
        hm.couplings.mutation_scan(hm.RBM(hm.Mixed([hm.Bernoulli(1), hm.Categorical(1, 3)]), 2), [0, 2])
    with pytest.raises(TypeError, match="no couplings among themselves"):
        hm.couplings.mutation_scan(hm.DBM([hm.Categorical(3, 3), 2, 2]), [0, 1, 2])
