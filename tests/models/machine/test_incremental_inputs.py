"""Inputs kept through a run: the same chains as by products, and no drift."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

import harmonium as hm
from harmonium import kernels
from harmonium.models.machine.incremental_inputs import CachedInput
from harmonium.models.machine.machine import Machine
from harmonium.sampling.ais import anneal
from harmonium.sampling.path import Path
from harmonium.testing.numeric import scatter


class Counted:
    """Counts the products asked for and the times when inputs followed the flips."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.products = self.follows = 0
        gather, follow = Machine.layer_input, kernels.add_flips_

        def counted_gather(*arguments: object) -> torch.Tensor:
            self.products += 1
            return gather(*arguments)  # type: ignore[arg-type]

        def counted_follow(*arguments: torch.Tensor) -> torch.Tensor:
            self.follows += 1
            return follow(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(Machine, "layer_input", counted_gather)
        monkeypatch.setattr(kernels, "add_flips_", counted_follow)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    return Counted(monkeypatch)


def cold(machine: hm.RBM | hm.DBM | hm.BoltzmannMachine, spread: float = 0.3) -> Machine:
    """A machine whose chains flip few units: biases of 3 to either side."""
    scatter(machine, hm.Stream(1), spread / 3)
    with torch.no_grad():
        for units in machine.unit_layers():
            for eta in units.natural():
                eta.add_(3 * torch.sign(eta))
    return machine


MACHINES = {
    "binary": lambda: cold(hm.RBM(150, 130)),
    "float64": lambda: cold(hm.RBM(150, 130, dtype=torch.float64)),
    "spins": lambda: cold(hm.RBM(hm.Spin(150), hm.Spin(130)), 0.1),
    "categories": lambda: cold(hm.RBM(hm.Categorical(40, 4), 140)),
    "deep": lambda: cold(hm.DBM([150, 130, 140])),
}


@pytest.mark.parametrize("name", MACHINES)
def test_chains_are_those_of_the_products(name: str, counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same seed, 200 sweeps of 8 chains.  Draws compare a uniform with a probability, and rounding of about 1e-6 in the
    input changes one draw of a million or so; what follows such a draw is another chain.  With this seed there is
    none among 400,000, so all bits agree."""
    machine = MACHINES[name]()
    path = Path(machine)
    start = path.start(8, hm.Stream(2).advance())
    counted.products = 0
    kept = machine.pack(machine.sweep(start, hm.Stream(3), 200))
    assert counted.follows > 5 * counted.products > 0
    monkeypatch.setattr(kernels, "flips_pay", lambda weights: False)
    followed = counted.follows
    dense = machine.pack(machine.sweep(start, hm.Stream(3), 200))
    assert counted.follows == followed
    assert int((kept != dense).sum()) == 0
    assert not torch.equal(kept, machine.pack(start))


def test_kept_inputs_do_not_drift() -> None:
    """1,000 sweeps: the error stays below that of 64 times 20 additions to a sum of size 10, at half an ulp each."""
    machine = cold(hm.RBM(150, 130))
    receive = machine.cached_input(1, machine.neighbours(1))
    assert isinstance(receive, CachedInput)
    state, stream, worst = Path(machine).start(8, hm.Stream(2).advance()), hm.Stream(3), 0.0
    for _ in range(1000):
        state = machine.sweep(state, stream)
        exact = state[0].double() @ machine.couplings["weights"].detach().double()
        worst = max(worst, float((receive(state) - exact).abs().max()))
    assert 0 < worst < 64 * 20 * 10 * 2**-24 / 4


def test_a_product_is_taken_every_so_many_calls(counted: Counted) -> None:
    machine = cold(hm.RBM(150, 130))
    receive = machine.cached_input(1, machine.neighbours(1))
    v = torch.zeros(4, 150)
    for call in range(1, 2 * kernels.REFRESH + 2):
        v = v.clone()
        v[0, call % 150] = 1 - v[0, call % 150]
        v[:, 149] = 1  # or more would change than is on
        receive((v, None))
        assert counted.products == 1 + (call - 1) // kernels.REFRESH


def test_kept_inputs_are_right_whatever_comes() -> None:
    """Rows change their places, all of them change, or none does; what was handed out may be written into."""
    machine = hm.RBM(150, 130, seed=1)
    receive = machine.cached_input(1, machine.neighbours(1))
    W = machine.weights.detach()
    v = (torch.rand(9, 150, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    moved = v.clone()
    moved[:, 3] = 1 - moved[:, 3]
    half = torch.where(torch.arange(9).unsqueeze(-1) < 5, 1 - moved, moved)
    for state in (v, v, moved, half, moved, moved.flip(0), *[1 - moved, v] * 5, v[:5], v, moved):
        x = receive((state, None))
        torch.testing.assert_close(x, state @ W, rtol=0, atol=1e-6)
        x.fill_(torch.nan)


def test_a_layer_that_is_not_set_is_named() -> None:
    machine = hm.RBM(150, 130)
    receive = machine.cached_input(1, machine.neighbours(1))
    with pytest.raises(ValueError, match="layer 'visible' is not set"):
        receive((None, None))


def test_clamped_units_and_layers_that_stay_still() -> None:
    machine = cold(hm.RBM(150, 130))
    v = (torch.rand(6, 150, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    held = torch.zeros(150, dtype=torch.bool)
    held[:50] = True
    out, h = machine.sweep((v, None), hm.Stream(3), 30, clamp=(held, v))
    assert torch.equal(out[:, :50], v[:, :50])
    same, h = machine.sweep((v, None), hm.Stream(3), 30, still=(0,))
    assert same is v
    expected = machine.hidden.sample(v @ machine.weights.detach(), hm.Stream(3, step=29).advance().at(1))
    assert torch.equal(h, expected)


def test_annealing_follows_the_flips(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both directions in one batch, each row at its own temperature: log-weights differ by rounding alone.

    Near t = 0 half of the hidden units flip, so that some rows are multiplied out while others follow."""
    machine = cold(hm.RBM(150, 130))
    path, t = Path(machine), torch.linspace(0, 1, 100, dtype=torch.float64)
    state = path.start(8, hm.Stream(2).advance())
    walk = torch.cat((t.unsqueeze(-1).expand(-1, 4), t.flip(0).unsqueeze(-1).expand(-1, 4)), -1)
    counted.products = 0
    kept = anneal(path, walk, state, hm.Stream(3))
    assert counted.follows > 150  # of 98 steps of two layers
    monkeypatch.setattr(kernels, "flips_pay", lambda weights: False)
    dense = anneal(path, walk, state, hm.Stream(3))
    torch.testing.assert_close(kept.log_weights, dense.log_weights, rtol=0, atol=1e-3)
    assert torch.equal(machine.pack(kept.state), machine.pack(dense.state))


def test_a_path_remembers_within_a_run_only() -> None:
    path = Path(cold(hm.RBM(150, 130)))
    assert not any(isinstance(receive, CachedInput) for receive in path._receive)
    assert all(isinstance(receive, CachedInput) for receive in path.run()._receive)
    assert path.run()._receive[0] is not path.run()._receive[0]


@pytest.mark.parametrize("units", [hm.Bernoulli, hm.Spin], ids=lambda units: units.__name__)
def test_lateral_inputs_are_kept_through_a_run(units: type[hm.Bernoulli]) -> None:
    """100 sweeps in one run, refreshed once, against 100 runs of one sweep, which multiply out: 120,000 draws, of which
    rounding changes one in a million or so; with this seed none."""
    machine = hm.BoltzmannMachine(units(150), seed=1)
    with torch.no_grad():
        machine.couplings["visible_visible"].mul_(20)
        machine.visible.bias.fill_(0.1)
    start = machine.state_from_visible(machine.visible.mode(torch.zeros(8, 150)), hm.Stream(0))
    kept = machine.sweep(start, hm.Stream(3), 100)[0]
    alone, stream = start, hm.Stream(3)
    for _ in range(100):
        alone = machine.sweep(alone, stream)
    assert torch.equal(kept, alone[0])


def test_lateral_inputs_follow_to_rounding() -> None:
    """1,000 steps of a path, there and back: errors of 64 calls with 60 additions each to a sum of size 10."""
    machine = hm.BoltzmannMachine(150, seed=1)
    with torch.no_grad():
        machine.couplings["visible_visible"].mul_(20)
    path, stream, worst = Path(machine).run(), hm.Stream(3), 0.0
    state = path.start(8, stream.advance())
    W = machine.couplings["visible_visible"].detach()
    for _ in range(1000):
        state = path.step(state, {}, torch.linspace(0.5, 1, 8), stream.advance())
        lateral = path._lateral[0]
        assert lateral._state is state[0]
        worst = max(worst, float((lateral._within - state[0].double() @ W.double()).abs().max()))
    assert 0 < worst < 64 * 60 * 10 * 2**-24 / 4
