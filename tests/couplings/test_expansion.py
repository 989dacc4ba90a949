"""Effective couplings against sums over all states."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

import harmonium as hm

from .helpers import F64, all_log_weights, scattered

MODELS = {
    "binary": lambda: hm.RBM(5, 3, dtype=F64),
    "spins": lambda: hm.RBM(hm.Spin(4), hm.Spin(3), dtype=F64),
    "categorical": lambda: hm.RBM(hm.Categorical(4, 3), 3, dtype=F64),
    "categorical, spin hidden": lambda: hm.RBM(hm.Categorical(4, 3), hm.Spin(3), dtype=F64),
    "categorical hidden": lambda: hm.RBM(hm.Categorical(4, 3), hm.Categorical(2, 3), dtype=F64),
    "two states hidden": lambda: hm.RBM(hm.Categorical(4, 3), hm.Categorical(3, 2), dtype=F64),
    "gaussian hidden": lambda: hm.RBM(hm.Categorical(4, 3), hm.Gaussian(3), dtype=F64),
    "drelu hidden": lambda: hm.RBM(hm.Categorical(4, 3), hm.DReLU(3), dtype=F64),
    "mixed hidden": lambda: hm.RBM(hm.Categorical(4, 3), hm.Mixed([hm.Bernoulli(2), hm.Gaussian(1)]), dtype=F64),
    "binomial": lambda: hm.RBM(hm.Binomial(4, 2), 2, dtype=F64),
    "Potts": lambda: hm.BoltzmannMachine(hm.Categorical(4, 3), dtype=F64),
    "semi-restricted": lambda: hm.BoltzmannMachine(
        hm.Categorical(4, 3), 2, edges=[[0, 1], [2, 3], [0, 4], [1, 4], [2, 5], [0, 5]], dtype=F64
    ),
}


def term(f: Tensor, r: Tensor, sites: tuple[int, ...]) -> Tensor:
    """The term of the expansion of f (states, ..., states), by the alternating sum of its means."""
    total = torch.zeros((r.shape[1],) * len(sites), dtype=F64)
    for size in range(len(sites) + 1):
        for kept in itertools.combinations(sites, size):
            weighted = f
            for site in set(range(f.dim())) - set(kept):
                weighted = (weighted * r[site].view(-1, *[1] * (f.dim() - 1 - site))).sum(site, keepdim=True)
            shape = [r.shape[1] if site in kept else 1 for site in sites]
            total = total + (-1) ** (len(sites) - size) * weighted.reshape(shape)
    return total


def references(sites: int, states: int) -> list[Tensor | None]:
    generator = torch.Generator().manual_seed(7)
    uneven = torch.rand(sites, states, generator=generator, dtype=F64) ** 2
    sequence = torch.eye(states, dtype=F64)[torch.arange(sites) % states]
    return [None, uneven / uneven.sum(1, keepdim=True), sequence]


@pytest.mark.parametrize("name", MODELS)
def test_terms_by_enumeration(name: str) -> None:
    model = scattered(MODELS[name]())
    f = all_log_weights(model)
    sites, states = f.dim(), f.shape[0]
    for reference in references(sites, states):
        r = torch.full((sites, states), 1 / states, dtype=F64) if reference is None else reference
        found = hm.couplings.effective_couplings(model, reference)
        triples = hm.couplings.three_body(model, [(0, 1, 2), (3, 0, 2)], reference)
        for i in range(sites):
            torch.testing.assert_close(found.fields[i], term(f, r, (i,)), atol=1e-8, rtol=0)
        for i, j in itertools.combinations(range(sites), 2):
            torch.testing.assert_close(found.pairs[i, j], term(f, r, (i, j)), atol=1e-8, rtol=0)
        torch.testing.assert_close(found.pairs, found.pairs.permute(1, 0, 3, 2), atol=1e-12, rtol=0)
        torch.testing.assert_close(triples[0], term(f, r, (0, 1, 2)), atol=1e-8, rtol=0)
        torch.testing.assert_close(triples[1], term(f, r, (0, 2, 3)).permute(2, 0, 1), atol=1e-8, rtol=0)


@pytest.mark.parametrize(("bias", "largest"), [(-45.0, 1.0), (90.0, 0.0)])  # on with all sites only; always on
def test_hidden_biases_as_large_as_all_weights(bias: float, largest: float) -> None:
    model = hm.RBM.from_arrays(torch.tensor([[15.0], [18.0], [20.0]], dtype=F64), torch.zeros(3), torch.tensor([bias]))
    f = all_log_weights(model)
    r = torch.full((3, 2), 0.5, dtype=F64)
    found = hm.couplings.effective_couplings(model).pairs
    for i, j in itertools.combinations(range(3), 2):
        torch.testing.assert_close(found[i, j], term(f, r, (i, j)), atol=1e-8, rtol=0)
    assert found.abs().max() >= largest


def test_terms_of_three_sites_add_up_to_the_log_weight() -> None:
    model = scattered(hm.RBM(hm.Categorical(3, 4), 4, dtype=F64))
    f = all_log_weights(model)
    found = hm.couplings.effective_couplings(model)
    h, J = found.fields, found.pairs
    total = h[0].view(4, 1, 1) + h[1].view(1, 4, 1) + h[2]
    total = total + J[0, 1].unsqueeze(2) + J[0, 2].unsqueeze(1) + J[1, 2].unsqueeze(0)
    total = total + hm.couplings.three_body(model, [(0, 1, 2)])[0]
    torch.testing.assert_close(f - f.mean(), total, atol=1e-8, rtol=0)
    assert hm.couplings.three_body(model, [(0, 1, 2)]).abs().max() > 1e-3


def test_strong_weights_and_many_sites() -> None:
    # The model: 12 sites, so that 4,096 states can be listed, and inputs up to a hundred.
    model = scattered(hm.RBM(hm.Spin(12), 2, dtype=F64))
    with torch.no_grad():
        model.weights.mul_(8)
    f = all_log_weights(model)
    found = hm.couplings.effective_couplings(model)
    r = torch.full((12, 2), 0.5, dtype=F64)
    torch.testing.assert_close(found.fields[3], term(f, r, (3,)), atol=1e-7, rtol=0)
    torch.testing.assert_close(found.pairs[2, 9], term(f, r, (2, 9)), atol=1e-7, rtol=0)


def test_a_machine_without_hidden_units_has_its_own_couplings() -> None:
    potts = scattered(hm.BoltzmannMachine(hm.Categorical(4, 3), dtype=F64))
    own = hm.couplings.zero_sum(potts)
    W = own.couplings["visible_visible"].detach().view(4, 3, 4, 3).permute(0, 2, 1, 3)
    found = hm.couplings.effective_couplings(potts)
    torch.testing.assert_close(found.pairs, W, atol=1e-12, rtol=0)
    torch.testing.assert_close(found.fields, own.visible.bias.detach().view(4, 3), atol=1e-12, rtol=0)
    assert not hm.couplings.three_body(potts, [(0, 1, 2)]).any()
    uneven = hm.couplings.effective_couplings(potts, references(4, 3)[1]).zero_sum()
    torch.testing.assert_close(uneven.pairs, W, atol=1e-12, rtol=0)
    torch.testing.assert_close(uneven.fields, found.fields, atol=1e-12, rtol=0)


def test_spins_have_their_couplings_back() -> None:
    ising = scattered(hm.BoltzmannMachine(hm.Spin(4), dtype=F64))
    h, J = hm.couplings.effective_couplings(ising).ising()
    torch.testing.assert_close(J, ising.couplings["visible_visible"].detach(), atol=1e-12, rtol=0)
    torch.testing.assert_close(h, ising.visible.bias.detach(), atol=1e-12, rtol=0)
    with pytest.raises(ValueError, match="two states, found 3"):
        hm.couplings.effective_couplings(hm.RBM(hm.Categorical(3, 3), 2)).ising()


def test_the_means_of_the_data_as_reference() -> None:
    data = torch.tensor([[0, 1, 2], [0, 2, 2], [1, 1, 0], [0, 0, 2]])
    rbm = hm.RBM(hm.Categorical(3, 3), 2, dtype=F64)
    hm.fit(rbm, data, epochs=1)
    share = torch.nn.functional.one_hot(data, 3).double().mean(0)
    by_name = hm.couplings.effective_couplings(rbm, "data")
    torch.testing.assert_close(by_name.reference, share)
    torch.testing.assert_close(by_name.pairs, hm.couplings.effective_couplings(rbm, share).pairs)
    spins = hm.RBM(hm.Spin(3), 2, dtype=F64)
    hm.fit(spins, [[1, 1, -1], [1, -1, -1]], epochs=1)
    assert hm.couplings.effective_couplings(spins, "data").reference.tolist() == [[0, 1], [0.5, 0.5], [1, 0]]


def test_wrong_arguments() -> None:
    rbm = hm.RBM(hm.Categorical(3, 3), 2)
    deep: Any = hm.DBM([hm.Categorical(3, 3), 2, 2])
    with pytest.raises(TypeError, match="no couplings among themselves"):
        hm.couplings.effective_couplings(deep)
    with pytest.raises(ValueError, match=r"reference has shape \(3,\); expected \(3, 3\)"):
        hm.couplings.effective_couplings(rbm, [0.1, 0.2, 0.7])
    with pytest.raises(ValueError, match="each row sums to 1"):
        hm.couplings.effective_couplings(rbm, torch.ones(3, 3))
    with pytest.raises(ValueError, match="has not been fitted"):
        hm.couplings.effective_couplings(rbm, "data")
    with pytest.raises(ValueError, match="mean_couplings"):
        hm.couplings.effective_couplings(hm.RBM(hm.Categorical(30, 3), hm.DReLU(2)))
    with pytest.raises(ValueError, match="groups of 3 different sites"):
        hm.couplings.three_body(rbm, [(0, 1, 1)])
