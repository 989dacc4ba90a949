"""Layerwise pretraining of a DBM: which machines, and that their parameters end where the mathematics says."""

from __future__ import annotations

import pytest
import torch

import harmonium as hm
from harmonium.likelihood.exact import exact_log_marginal
from harmonium.models.deep.dbm_pretraining import compose, layer_machines


def scattered(sizes: list[int], seed: int = 0) -> tuple[hm.DBM, list[hm.RBM]]:
    """A DBM and its machines with parameters of their own."""
    dbm = hm.DBM(sizes, dtype=torch.float64)
    machines = layer_machines(dbm, hm.Stream(seed))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for rbm in machines:
            for parameter in rbm.parameters():
                parameter.copy_(0.8 * torch.randn(parameter.shape, generator=generator))
    compose(dbm, machines)
    return dbm, machines


def hidden_log_weight(machine: hm.models.Machine, layer: int, states: torch.Tensor) -> torch.Tensor:
    """log sum over all other layers of exp(-E), for every state of one layer, up to a constant: normalised."""
    others = [units for k, units in enumerate(machine.unit_layers()) if k != layer]
    grids = [units.states(torch.arange(units.count)) for units in others]
    index = torch.cartesian_prod(*(torch.arange(len(grid)) for grid in grids)).reshape(-1, len(grids))
    parts = [grid[index[:, j]] for j, grid in enumerate(grids)]
    log_weight = []
    for state in states:
        parts_here = [*parts[:layer], state.expand(len(index), -1), *parts[layer:]]
        log_weight.append(torch.logsumexp(-machine.joint_energy(parts_here), 0))
    return torch.log_softmax(torch.stack(log_weight).detach(), 0)


def test_the_shared_layer_has_the_geometric_mean_of_what_both_machines_say() -> None:
    """log p(h1) = (log p1(h1) + log p2(h1)) / 2 + constant, by enumeration of every other layer."""
    dbm, (first, second) = scattered([4, 3, 2])
    h = dbm.units(1).states(torch.arange(8))
    mean = (hidden_log_weight(first, 1, h) + hidden_log_weight(second, 0, h)) / 2
    found = hidden_log_weight(dbm, 1, h)
    torch.testing.assert_close(found, torch.log_softmax(mean, 0), rtol=0, atol=1e-12)
    assert float((found - hidden_log_weight(first, 1, h)).abs().max()) > 0.1  # the two do say different things


@pytest.mark.parametrize("sizes", [[4, 3, 2], [4, 3, 2, 3], [3, 2, 3, 2, 3]], ids=str)
@torch.no_grad()
def test_conditionals_are_the_means_of_those_of_the_machines(sizes: list[int]) -> None:
    dbm, machines = scattered(sizes)
    top = len(machines)
    generator = torch.Generator().manual_seed(1)
    s = [torch.randint(0, 2, (7, n), generator=generator).double() for n in sizes]
    doubled = [2 * layer if k in (0, top) else layer for k, layer in enumerate(s)]  # two copies that are alike

    def log_odds(machine: hm.models.Machine, layer: int, state: list[torch.Tensor]) -> torch.Tensor:
        return machine.inputs(layer, tuple(state)) + machine.units(layer).natural()[0]

    for k in range(1, top):
        below = log_odds(machines[k - 1], 1, [doubled[k - 1], s[k]])
        above = log_odds(machines[k], 0, [s[k], doubled[k + 1]])
        torch.testing.assert_close(log_odds(dbm, k, s), (below + above) / 2, rtol=0, atol=1e-12)
    for layer, rbm, side, pair in ((0, machines[0], 0, s[:2]), (top, machines[-1], 1, s[-2:])):
        found = log_odds(rbm, side, pair)  # of one of the two copies
        torch.testing.assert_close(log_odds(dbm, layer, s), found, rtol=0, atol=1e-12)


@torch.no_grad()
def test_with_the_first_machine_turned_over_the_dbm_is_what_it_has_learned() -> None:
    """Both machines then agree on h1, so p(v) of the DBM is that of one copy of v under the first machine."""
    dbm = hm.DBM([3, 4, 3], dtype=torch.float64)
    first, second = layer_machines(dbm, hm.Stream(0))
    generator = torch.Generator().manual_seed(2)
    for parameter in first.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator))
    second.weights.copy_(first.weights.mT)
    second.visible_bias.copy_(first.hidden_bias)
    second.hidden_bias.copy_(first.visible_bias)
    compose(dbm, [first, second])
    v, h = dbm.visible.states(torch.arange(8)), dbm.units(1).states(torch.arange(16))
    log_h = hidden_log_weight(first, 1, h)
    one = torch.sigmoid(h @ first.weights.mT + first.visible_bias)  # of one of the copies given h1
    given = (v.unsqueeze(1) * one.log() + (1 - v).unsqueeze(1) * (-one).log1p()).sum(-1)
    expected = torch.logsumexp(given + log_h, -1)
    found = exact_log_marginal(dbm, v) - hm.log_partition(dbm, method="exact").value
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_moments_of_the_data_are_those_of_one_copy() -> None:
    dbm = hm.DBM([16, 5, 4])
    patterns = hm.data.load("bars-and-stripes").train
    hm.greedy(dbm, patterns, epochs=1, batch_size=8)
    summary = patterns.statistics()
    assert dbm.data_mean is not None and dbm.data_variance is not None and dbm.data_cases is not None
    torch.testing.assert_close(dbm.data_mean, summary.mean)
    torch.testing.assert_close(dbm.data_variance, summary.variance)
    assert float(dbm.data_cases) == 32


def test_other_units_are_refused() -> None:
    with pytest.raises(ValueError, match=r"copies of Bernoulli layers, found Gaussian\(4\)"):
        layer_machines(hm.DBM([hm.Gaussian(4), 3, 2]), hm.Stream(0))
