"""Ladders of temperatures: exchanges, spacing, log Z with its bracket, samples of models with far modes.

That every rung keeps its distribution is checked for every machine by `hm.testing.check_model`.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

import harmonium as hm
from harmonium.likelihood import ladder_log_z
from harmonium.likelihood.bridge import bennett_ladder
from harmonium.likelihood.exact import exact_log_partition
from harmonium.likelihood.ladder_log_z import bridge
from harmonium.sampling.ladder import ExchangeStats, Replicas, exchanged, pairs
from harmonium.sampling.path import Path
from harmonium.sampling.temperatures import Temperatures, place_rungs, spaced


def two_modes(strength: float = 6.0, tilt: float = 0.5) -> hm.RBM:
    """All units on or all off; tilt is how much more, in nats, the units on weigh."""
    W = torch.full((6, 5), strength / 5, dtype=torch.float64)
    b, c = -W.sum(1) / 2 + tilt / 11, -W.sum(0) / 2 + tilt / 11
    return hm.RBM.from_arrays(W, b, c)


@torch.no_grad()
def exact_share_on(rbm: hm.RBM) -> float:
    """The probability that most visible units are on."""
    v = rbm.visible.states(torch.arange(2**6))
    p = torch.softmax(rbm.log_weight(rbm.visible_only_state(v)), 0)
    return float(p[v.sum(-1) > 3].sum())


def test_pairs_take_turns_and_cover_the_ladder() -> None:
    assert pairs(5, 0).tolist() == [0, 2]
    assert pairs(5, 1).tolist() == [1, 3]
    assert pairs(2, 1).tolist() == []


def test_exchanged_moves_what_was_accepted_and_nothing_else() -> None:
    values = torch.tensor([[1, 2], [3, 4], [5, 6], [7, 8]])
    accepted = torch.tensor([[True, False], [False, True]])
    assert exchanged(values, torch.tensor([0, 2]), accepted).tolist() == [[3, 2], [1, 4], [5, 8], [7, 6]]


def test_round_trips_go_from_the_bottom_to_the_top_and_back() -> None:
    walkers = Replicas((None,), torch.tensor([[0], [1], [2]]))
    traffic = ExchangeStats(walkers)
    nothing = (torch.tensor([], dtype=torch.long), torch.zeros(0, 1), torch.zeros(0, 1))
    orders = [[0, 1, 2], [1, 0, 2], [1, 2, 0], [1, 0, 2], [0, 1, 2], [2, 1, 0]]
    # Walker 0 is at the bottom, at the top in the third and back at the bottom in the fifth; walker 2 was at the top
    # first, but came from nowhere.
    trips = []
    for order in orders:
        walkers.who = torch.tensor(order).unsqueeze(-1)
        traffic.count(walkers, *nothing)
        trips.append(int(traffic.trips))
    assert trips == [0, 0, 0, 0, 1, 1]


def test_temperatures_are_spaced_by_equal_rejection() -> None:
    t = spaced(torch.tensor([0.0, 0.5, 1.0]).double(), torch.tensor([0.7, 0.1]).double(), 5)
    # The barrier is 0.3 up to t = 0.5 and 1.2 at the top: a quarter of it, 0.3, ends at 0.5; the rest is equal thirds.
    assert t.tolist() == pytest.approx([0.0, 0.5, 0.5 + 1 / 6, 0.5 + 2 / 6, 1.0])


def test_the_pilot_equalises_acceptance(make_rbm: Any) -> None:
    rbm = make_rbm(8, 6)
    with torch.no_grad():
        rbm.couplings["weights"].mul_(4)
    path = Path(rbm)
    t = place_rungs(path, 6, hm.Stream(0), replicas=50)
    stats = bridge(Temperatures(path, t), 100, 400, hm.Stream(1)).stats
    spread = float(stats.acceptance.max() - stats.acceptance.min())
    even = bridge(Temperatures(path, torch.linspace(0, 1, 6).double()), 100, 400, hm.Stream(1)).stats
    assert spread < 0.5 * float(even.acceptance.max() - even.acceptance.min())
    assert spread < 0.1  # the pilot's own noise is a few percent


def test_bennetts_error_is_that_between_replicas() -> None:
    # Gaussian work with the variance that the identity of Crooks demands: log-weights of both directions around -+ 0.5.
    generator = torch.Generator().manual_seed(0)
    values, errors = [], []
    for _ in range(300):
        common = 0.5 * torch.randn(2, 10, generator=generator, dtype=torch.float64)  # what a replica's samples share
        up = -0.5 + (common[0] + 0.75**0.5 * torch.randn(20, 10, generator=generator, dtype=torch.float64))
        down = -0.5 + (common[1] + 0.75**0.5 * torch.randn(20, 10, generator=generator, dtype=torch.float64))
        value, influence = bennett_ladder([up], [down])
        values.append(value)
        errors.append(float((influence**2).sum()) ** 0.5)
        assert float(influence.sum()) == pytest.approx(0.0, abs=1e-9)
    found = torch.tensor(values).std()
    assert float(torch.tensor(values).mean()) == pytest.approx(0.0, abs=5 * float(found) / 300**0.5)
    # A standard deviation from 300 values is right within 4 %, the mean of errors from 10 replicas each low by a few.
    assert torch.tensor(errors).mean() == pytest.approx(float(found), rel=0.2)


MACHINES = {
    "two modes": two_modes,
    "spins with categories": lambda: hm.RBM(hm.Categorical(3, 3, dtype=torch.float64), hm.Spin(4, dtype=torch.float64)),
    "counts": lambda: hm.RBM(hm.Binomial(4, trials=3, dtype=torch.float64), hm.Bernoulli(4, dtype=torch.float64)),
    "deep": lambda: hm.DBM([5, 4, 3]),
    "lateral": lambda: hm.BoltzmannMachine(5, 3),
}


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("method", ["tempering", "integration"])
def test_log_partition_holds_the_exact_value(name: str, method: str) -> None:
    machine = MACHINES[name]()
    if name != "two modes":
        hm.testing.numeric.scatter(machine, hm.Stream(1), 0.8)
        machine.constrain()
    exact = float(exact_log_partition(machine))
    sampler = hm.sampling.Tempering(rungs=20, adapt=False) if method == "integration" else None
    z = hm.log_partition(machine, method, chains=40, sweeps=300, sampler=sampler, seed=2)
    # Seeded; a 99 % interval, widened to the 5 standard errors of the house: 40 replicas make it 2.7 wide.
    around = 5 / 2.7 * (z.upper - z.lower) / 2
    assert z.reliable, z.why
    assert abs(z.value - exact) < around
    assert z.upper - z.lower < 0.25
    assert z.method == method


def test_a_ladder_finds_both_modes_where_gibbs_chains_stay() -> None:
    rbm = two_modes(strength=14.0)
    share = exact_share_on(rbm)
    ladder = hm.sample(rbm, 2000, sweeps=30, sampler=hm.sampling.Tempering(), seed=1).mean(-1) > 0.5
    error = (share * (1 - share) / 2000) ** 0.5
    assert 0.55 < share < 0.75
    assert abs(float(ladder.double().mean()) - share) < 5 * error
    stuck = hm.sample(rbm, 2000, sweeps=30, init=torch.zeros(2000, 6), seed=1).mean(-1) > 0.5
    assert float(stuck.double().mean()) < 0.05


def test_clamped_units_are_held_and_the_rest_follows_the_conditional() -> None:
    rbm = two_modes(strength=5.0)
    mask = torch.tensor([True, True, False, False, False, False])
    values = torch.tensor([1.0, 0.0, 0, 0, 0, 0])
    found = hm.sample(rbm, 4000, sweeps=20, clamp=(mask, values), sampler=hm.sampling.Tempering(rungs=4), seed=3)
    assert bool((found[:, 0] == 1).all() and (found[:, 1] == 0).all())
    v = rbm.visible.states(torch.arange(2**6))
    v = v[(v[:, 0] == 1) & (v[:, 1] == 0)]
    p = torch.softmax(rbm.log_weight(rbm.visible_only_state(v)), 0).detach()
    mean = p @ v
    error = (mean * (1 - mean) / 4000).sqrt()
    assert bool(((found.mean(0) - mean).abs() <= 5 * error).all())


def test_a_base_within_one_mode_is_named_as_a_doubt() -> None:
    rbm = two_modes(strength=14.0)
    base = rbm.base_rate()  # the mean field of the model: one of the modes
    z = hm.log_partition(rbm, "tempering", base=base, chains=20, sweeps=100)
    assert not z.reliable
    assert "base" in z.why


def test_few_round_trips_are_named_as_a_doubt() -> None:
    z = hm.log_partition(two_modes(40.0), "tempering", sampler=hm.sampling.Tempering(rungs=2), chains=5, sweeps=20)
    assert not z.reliable
    assert "round trips" in z.why


def test_walkers_that_have_not_come_round_are_named_as_a_doubt() -> None:
    """All replicas begin at the bottom's states and agree on what they have not forgotten: no spread shows it."""
    z = hm.log_partition(
        two_modes(), "tempering", sampler=hm.sampling.Tempering(rungs=12), chains=20, sweeps=60, seed=1
    )
    assert z.why.count("240 walkers made") == 1 and not z.reliable
    z = hm.log_partition(
        two_modes(), "tempering", sampler=hm.sampling.Tempering(rungs=12), chains=20, sweeps=300, seed=1
    )
    assert z.reliable


@pytest.mark.parametrize(("halves", "reliable"), [(3.0, True), (4.0, False)])
def test_halves_that_lie_apart_are_named_as_a_doubt(
    halves: float, reliable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty replicas: 99.7 % of Student's t of 19 degrees of freedom lie within 3.4."""
    run = ladder_log_z.bridge
    monkeypatch.setattr(ladder_log_z, "bridge", lambda *given: run(*given)._replace(halves=halves))
    z = hm.log_partition(two_modes(), "tempering", chains=20, sweeps=300, seed=1)
    assert z.reliable == reliable and ("halves" in z.why) != reliable


def test_auto_tempers_where_no_chains_are_left() -> None:
    rbm = hm.RBM(30, 25)
    z = hm.log_partition(rbm, sweeps=50, chains=10)
    assert z.method == "tempering"
    assert z.upper - z.lower < 0.1
    # A fresh model is nearly independent; the second order of its weights, 0.01^2 W^2 / 8 per pair, is all there is.
    assert z.value == pytest.approx(55 * 0.6931, abs=0.1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hm.sampling.Tempering(rungs=1), "at least 2"),
        (lambda: hm.sampling.Tempering(adapt=False), "needs rungs"),
        (
            lambda: hm.log_partition(hm.RBM(4, 2), "ais", sampler=hm.sampling.Tempering()),
            "sampler is for method=.tempering.",
        ),
        (lambda: hm.log_partition(hm.RBM(4, 2), "bennett"), "'tempering'"),
        (lambda: hm.log_partition(hm.RBM(4, 2), "tempering", sweeps=0), "sweeps must be "),
        (lambda: hm.sample(hm.RBM(4, 2), 2, init=torch.zeros(2, 4), sampler=hm.sampling.Tempering()), "init"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_exchanges_never_decide_about_lengths_of_documents() -> None:
    model = hm.RBM(hm.ReplicatedSoftmax(5, lengths=[4, 20]), 3)
    with pytest.raises(ValueError, match="documents of one length"):
        hm.sample(model, 4, sweeps=2, sampler=hm.sampling.Tempering(rungs=3))
    for objective in (hm.PT(rungs=3, chains=4), hm.PTT(chains=4)):
        with pytest.raises(ValueError, match="documents of one length"):
            hm.fit(model, [[4, 0, 0, 0, 0], [0, 0, 0, 0, 20]] * 3, objective=objective, epochs=1)
    one = hm.sample(hm.models.at_length(model, 4), 3, sweeps=2, sampler=hm.sampling.Tempering(rungs=3))
    assert one.sum(-1).tolist() == [4, 4, 4]


def test_a_ladder_for_clamped_rows_is_that_of_the_freest_row() -> None:
    rbm = two_modes(strength=14.0)
    mask, values = torch.zeros(400, 6, dtype=torch.bool), torch.zeros(400, 6)
    mask[0] = True  # nothing is left to be drawn in the first row
    found = hm.sample(rbm, 400, sweeps=30, clamp=(mask, values), sampler=hm.sampling.Tempering(), seed=1)
    share = exact_share_on(rbm)
    on = float((found[1:].mean(-1) > 0.5).double().mean())
    assert abs(on - share) < 5 * (share * (1 - share) / 399) ** 0.5


def test_two_rungs_cannot_show_the_error_of_integration() -> None:
    with pytest.raises(ValueError, match="at least 3 rungs"):
        hm.log_partition(two_modes(), "integration", sampler=hm.sampling.Tempering(rungs=2))


@pytest.mark.parametrize("sampler", ["pt", hm.PT()])
def test_what_is_no_ladder_is_refused(sampler: Any) -> None:
    with pytest.raises(TypeError, match=r"such as .*Tempering"):
        hm.sample(two_modes(), 2, sampler=sampler)
    with pytest.raises(TypeError, match=r"such as .*Tempering"):
        hm.log_partition(two_modes(), "tempering", sampler=sampler)


def test_too_few_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="sweeps of at least 4"):
        hm.log_partition(two_modes(), "tempering", sweeps=3)
