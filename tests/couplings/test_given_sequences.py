"""Couplings given the other sites, against log-weights of all states."""

from __future__ import annotations

import pytest
import torch

import harmonium as hm

from .helpers import F64, all_log_weights, scattered

MODELS = {
    "categorical": lambda: hm.RBM(hm.Categorical(4, 3), 3, dtype=F64),
    "categorical hidden": lambda: hm.RBM(hm.Categorical(4, 3), hm.Categorical(2, 3), dtype=F64),
    "mixed hidden": lambda: hm.RBM(hm.Categorical(4, 3), hm.Mixed([hm.DReLU(2), hm.Spin(1)]), dtype=F64),
    "semi-restricted": lambda: hm.BoltzmannMachine(
        hm.Categorical(4, 3), 2, edges=[[0, 1], [2, 3], [0, 4], [1, 4], [2, 5], [0, 5]], dtype=F64
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_means_by_enumeration(name: str) -> None:
    model = scattered(MODELS[name]())
    f = all_log_weights(model)
    found = hm.couplings.mean_couplings(model, [[0, 2, 1, 1], [2, 2, 0, 1]], sample_weight=[1, 3])
    means = {
        (0, 2): f[:, 2, :, 1],  # of both
        (1, 3): 0.25 * f[0, :, 1, :] + 0.75 * f[2, :, 0, :],
        (0, 1): 0.25 * f[:, :, 1, 1] + 0.75 * f[:, :, 0, 1],
    }
    for (i, j), table in means.items():
        table = table - table.mean(0) - table.mean(1, keepdim=True) + table.mean()
        torch.testing.assert_close(found[i, j], table, atol=1e-10, rtol=0)
        torch.testing.assert_close(found[j, i], table.T, atol=1e-10, rtol=0)


def test_without_terms_of_three_sites_all_sequences_agree() -> None:
    model = scattered(hm.RBM(hm.Spin(4), hm.Gaussian(3), dtype=F64))
    found = hm.couplings.mean_couplings(model, [[1, 1, -1, 1]])
    torch.testing.assert_close(found, hm.couplings.effective_couplings(model).pairs, atol=1e-9, rtol=0)
