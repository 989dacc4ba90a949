"""Gauges leave all probabilities as they are, and have the sums that they promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import harmonium as hm

from .helpers import F64, all_log_weights, scattered

MODELS = {
    "binary hidden": lambda: hm.RBM(hm.Categorical(3, 4, dtype=F64), 2, dtype=F64),
    "categorical hidden": lambda: hm.RBM(hm.Categorical(3, 3, dtype=F64), hm.Categorical(2, 4, dtype=F64), dtype=F64),
    "gaussian hidden": lambda: hm.RBM(hm.Categorical(3, 3, dtype=F64), hm.Gaussian(2, dtype=F64), dtype=F64),
    "drelu hidden": lambda: hm.RBM(hm.Categorical(3, 3, dtype=F64), hm.DReLU(2, dtype=F64), dtype=F64),
    "Potts": lambda: hm.BoltzmannMachine(hm.Categorical(4, 3, dtype=F64), dtype=F64),
    "sparse Potts": lambda: hm.BoltzmannMachine(
        hm.Categorical(4, 3), edges=[[0, 1], [1, 2], [0, 3]], sparse=True, dtype=F64
    ),
    "mixed": lambda: hm.RBM(hm.Mixed([hm.Bernoulli(2), hm.Categorical(1, 3), hm.Spin(1)]), 2, dtype=F64),
    "semi-restricted": lambda: hm.BoltzmannMachine(hm.Categorical(3, 2), hm.Categorical(2, 3), dtype=F64, edges=[
        [0, 1], [1, 2], [0, 3], [1, 3], [2, 4]]),
}  # fmt: skip


@pytest.mark.parametrize("gauge", [hm.couplings.zero_sum, hm.couplings.lattice_gas])
@pytest.mark.parametrize("name", MODELS)
def test_probabilities_are_the_same(name: str, gauge: Callable[[Any], Any]) -> None:
    model = scattered(MODELS[name]())
    before = {key: value.clone() for key, value in model.state_dict().items()}
    difference = all_log_weights(gauge(model)) - all_log_weights(model)
    torch.testing.assert_close(difference, difference.flatten()[0].expand_as(difference), atol=1e-10, rtol=0)
    assert difference.abs().max() > 1e-3  # something was moved
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def blocks(model: hm.models.Machine) -> list[torch.Tensor]:
    """Couplings and biases with the states of one categorical variable along axis 0."""
    found = []
    for name, (a, b) in model.edges.items():
        W = model.form(name).dense(model.couplings[name]).detach()
        for matrix, layer in ((W, a), (W.T, b)):
            units = model.units(layer)
            if isinstance(units, hm.Categorical):
                found += list(matrix.unflatten(0, (-1, units.constant)))
    for units in model.unit_layers():
        if isinstance(units, hm.Categorical):
            found += list(units.bias.detach().view(-1, units.constant))
    return found


@pytest.mark.parametrize("name", [name for name in MODELS if name != "mixed"])
def test_sums_and_zeros(name: str) -> None:
    model = scattered(MODELS[name]())
    assert all(block.sum(0).abs().max() < 1e-12 for block in blocks(hm.couplings.zero_sum(model)))
    assert all(block[0].abs().max() == 0 for block in blocks(hm.couplings.lattice_gas(model)))
    assert all(block[1].abs().max() == 0 for block in blocks(hm.couplings.lattice_gas(model, 1)))


def test_gauges_go_into_each_other() -> None:
    model = scattered(MODELS["categorical hidden"]())
    direct = hm.couplings.zero_sum(model)
    around = hm.couplings.zero_sum(hm.couplings.lattice_gas(model, 2))
    for name, parameter in direct.named_parameters():
        torch.testing.assert_close(parameter, around.get_parameter(name), atol=1e-12, rtol=0)


def test_states_of_a_deep_machine_keep_their_probabilities() -> None:
    dbm = scattered(hm.DBM([hm.Categorical(2, 3), 2, hm.Categorical(1, 3)], dtype=F64))
    moved = hm.couplings.zero_sum(dbm)
    states = [units.states(torch.arange(4) % units.count) for units in dbm.unit_layers()]
    difference = moved.joint_energy(states) - dbm.joint_energy(states)
    torch.testing.assert_close(difference, difference[0].expand(4), atol=1e-10, rtol=0)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="takes a model with Categorical units"):
        hm.couplings.zero_sum(hm.RBM(3, 2))
    with pytest.raises(ValueError, match=r"state must be .* 0 ... 2, found 3"):
        hm.couplings.lattice_gas(hm.RBM(hm.Categorical(3, 3), 2), 3)
    with pytest.raises(TypeError, match="machine"):
        hm.couplings.zero_sum(hm.NADE(hm.Categorical(3, 3), 2))
