"""The ladder of training: what neighbours weigh, which models are needed, log Z, samples of models with far modes.

That every rung keeps its distribution is checked for every machine by `hm.testing.check_model`.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import pytest
import torch

import harmonium as hm
from harmonium.likelihood.bridge import bennett, bennett_ladder, bennett_means
from harmonium.likelihood.exact import exact_log_partition
from harmonium.models.machine.batched import stack
from harmonium.sampling.ladder import acceptance, exchanged, pairs, tempering_round
from harmonium.sampling.tempering import default_base
from harmonium.sampling.trajectory import Trajectory, exchange_log_ratios, model_at, thin
from harmonium.testing.numeric import scatter


def two_modes(strength: float = 6.0, tilt: float = 0.5) -> hm.RBM:
    """All units on or all off; tilt is how much more, in nats, the units on weigh."""
    W = torch.full((6, 5), strength / 5, dtype=torch.float64)
    b, c = -W.sum(1) / 2 + tilt / 11, -W.sum(0) / 2 + tilt / 11
    return hm.RBM.from_arrays(W, b, c)


def on_the_way(machine: hm.models.Machine, points: list[float]) -> list[hm.models.Machine]:
    """What the machine might have been: models at these points from the base rate."""
    base = default_base(machine) or machine.base_rate()
    return [model_at(machine, base, t) for t in points]


def trajectory_of(machine: hm.models.Machine, points: list[float]) -> Trajectory:
    return Trajectory(stack([*on_the_way(machine, [0.0, *points]), machine]))


def test_acceptance_is_the_mean_over_all_pairs() -> None:
    up, down = torch.tensor([0.5, -2.0]).double(), torch.tensor([-1.0, 1.0]).double()
    by_hand = [min(1.0, 2.718281828 ** (a + b)) for a in (0.5, -2.0) for b in (-1.0, 1.0)]
    assert float(acceptance(up, down)) == pytest.approx(sum(by_hand) / 4)


def test_neighbours_weigh_each_others_states(make_rbm: Any) -> None:
    rbm = make_rbm(5, 4)
    models = [*on_the_way(rbm, [0.0, 0.4, 0.7]), rbm]
    ladder, stream = Trajectory(stack(models)), hm.Stream(3)
    walkers = ladder.start(7, stream)
    for _ in range(5):
        tempering_round(ladder, walkers, stream)
    for turn in (0, 1):
        lower = pairs(4, turn)
        up, down = ladder.log_ratios(walkers, lower)
        for i, r in enumerate(lower.tolist()):
            states = [ladder.on(walkers, rung) for rung in (r, r + 1)]
            expected = exchange_log_ratios(models[r], models[r + 1], *states)
            by_hand = models[r + 1].log_weight(states[0]) - models[r].log_weight(states[0])
            assert torch.allclose(up[i], by_hand, atol=1e-12)
            assert torch.allclose(torch.stack((up[i], down[i])), torch.stack(expected), atol=1e-12)


def test_states_that_are_exchanged_bring_their_inputs(make_rbm: Any) -> None:
    ladder, stream = trajectory_of(make_rbm(5, 4), [0.5]), hm.Stream(0)
    walkers = ladder.start(50, stream)
    tempering_round(ladder, walkers, stream)
    before, lower, who = ladder.on(walkers, 0)[0], pairs(3, 0), walkers.who
    ladder.log_ratios(walkers, lower)
    accepted = torch.arange(50).unsqueeze(0) % 3 == 0
    ladder.exchange(walkers, lower, accepted)
    assert before is not None
    now = ladder.on(walkers, 1)[0]
    assert now is not None and torch.equal(now[::3], before[::3])
    assert torch.equal(walkers.who, exchanged(who, lower, accepted))
    assert ladder._inputs is not None
    assert torch.allclose(ladder._inputs[1], ladder.machine.inputs(1, walkers.state), atol=1e-12)


def test_sums_say_what_all_weights_say() -> None:
    # Two Gaussians of work with the variance that the identity of Crooks demands; the true ratio is 1.5.
    generator = torch.Generator().manual_seed(1)
    up = 1.5 - 0.5 + torch.randn(400, 30, generator=generator, dtype=torch.float64)
    down = -1.5 - 0.5 + torch.randn(400, 30, generator=generator, dtype=torch.float64)
    value, influence = bennett_ladder([up], [down])
    for guess in (bennett(up.flatten(), down.flatten()), 1.5, 0.7):
        to, fro = torch.sigmoid(up - guess).sum(0), torch.sigmoid(down + guess).sum(0)
        again, parts = bennett_means(torch.tensor([guess]).double(), to.unsqueeze(0), fro.unsqueeze(0))
        # From the root itself the same number; from a guess that is off by 0.8, an estimate as consistent, whose
        # difference from the other is a fraction of their error, 0.012.
        assert again == pytest.approx(value, abs=1e-8 if guess == value else 0.012)
        assert float(parts.sum()) == pytest.approx(0.0, abs=1e-12)
        assert float(parts.square().sum().sqrt()) == pytest.approx(float(influence.square().sum().sqrt()), rel=0.2)


MACHINES = {
    "two modes": two_modes,
    "spins with categories": lambda: hm.RBM(hm.Categorical(3, 3, dtype=torch.float64), hm.Spin(4, dtype=torch.float64)),
    "reals": lambda: hm.RBM(hm.Gaussian(2, dtype=torch.float64), hm.Bernoulli(4, dtype=torch.float64)),
    "deep": lambda: hm.DBM([5, 4, 3]),
    "lateral": lambda: hm.BoltzmannMachine(5, 3),
}


@pytest.mark.parametrize("name", MACHINES)
def test_log_partition_holds_the_exact_value(name: str) -> None:
    machine = MACHINES[name]()
    if name != "two modes":
        scatter(machine, hm.Stream(1), 0.8)
        machine.constrain()
    if not machine.visible.finite:  # data say where a ladder begins that its own mean field must not
        machine.data_mean, machine.data_variance = torch.zeros(2).double(), 4 * torch.ones(2).double()
        machine.data_cases = torch.tensor(100.0).double()
    sampler = hm.sampling.TrajectoryTempering(on_the_way(machine, [0.2, 0.4, 0.6, 0.8]))
    z = hm.log_partition(machine, "tempering", chains=40, sweeps=300, sampler=sampler, seed=2)
    # Seeded; a 99 % interval, widened to the 5 standard errors of the house: 40 replicas make it 2.7 wide.
    around = 5 / 2.7 * (z.upper - z.lower) / 2
    assert z.reliable, z.why
    assert abs(z.value - float(exact_log_partition(machine))) < around
    assert z.upper - z.lower < 0.25


def test_a_trajectory_finds_both_modes_where_gibbs_chains_stay() -> None:
    rbm = two_modes(strength=14.0)
    v = rbm.visible.states(torch.arange(2**6))
    share = float(torch.softmax(rbm.log_weight(rbm.visible_only_state(v)), 0)[v.sum(-1) > 3].sum().detach())
    assert 0.55 < share < 0.75
    sampler = hm.sampling.TrajectoryTempering(on_the_way(rbm, [0.15, 0.25, 0.35, 0.5, 0.7]))
    found = hm.sample(rbm, 2000, sweeps=40, sampler=sampler, seed=1).mean(-1) > 0.5
    # Independent replicas: five standard errors of a share.
    assert abs(float(found.double().mean()) - share) < 5 * (share * (1 - share) / 2000) ** 0.5


def test_clamped_units_are_held_and_the_rest_follows_the_conditional() -> None:
    rbm = two_modes(strength=5.0)
    mask = torch.tensor([True, True, False, False, False, False])
    sampler = hm.sampling.TrajectoryTempering(on_the_way(rbm, [0.4, 0.7]))
    values = torch.tensor([1.0, 0.0, 0, 0, 0, 0])
    found = hm.sample(rbm, 4000, sweeps=20, clamp=(mask, values), sampler=sampler, seed=3)
    assert bool((found[:, 0] == 1).all() and (found[:, 1] == 0).all())
    v = rbm.visible.states(torch.arange(2**6))
    v = v[(v[:, 0] == 1) & (v[:, 1] == 0)]
    mean = torch.softmax(rbm.log_weight(rbm.visible_only_state(v)), 0).detach() @ v
    error = (mean * (1 - mean) / 4000).sqrt()
    assert bool(((found.mean(0) - mean).abs() <= 5 * error).all())


def test_the_pilot_leaves_out_what_is_not_needed_and_no_more() -> None:
    rbm = two_modes(strength=6.0)
    points = [i / 20 for i in range(20)]
    chosen, accepted = thin(stack([*on_the_way(rbm, points), rbm]), 0.3, hm.Stream(0), replicas=100)
    assert chosen[0] == 0 and chosen[-1] == 20
    assert 3 <= len(chosen) <= 8
    assert all(share >= 0.3 for share in accepted)
    # None can be left out: what a run measures between next but one is below the target, within its noise.
    models = [*on_the_way(rbm, [points[r] for r in chosen[:-1]]), rbm]
    ladder = Trajectory(stack(models))
    walkers, stream = ladder.start(500, hm.Stream(1)), hm.Stream(2)
    for _ in range(40):
        tempering_round(ladder, walkers, stream)
    for r in range(len(models) - 2):
        share = acceptance(
            *exchange_log_ratios(models[r], models[r + 2], ladder.on(walkers, r), ladder.on(walkers, r + 2))
        )
        if r + 2 < len(models) - 1:  # but the top, which ends the ladder wherever it is reached
            assert float(share) < 0.35
    for r, expected in enumerate(accepted):
        share = acceptance(
            *exchange_log_ratios(models[r], models[r + 1], ladder.on(walkers, r), ladder.on(walkers, r + 1))
        )
        assert float(share) == pytest.approx(expected, abs=0.1)  # the pilot's own noise is a few percent


def test_neighbours_that_are_too_far_apart_are_named() -> None:
    rbm = two_modes(strength=14.0)
    with pytest.warns(UserWarning, match=r"too far apart .*models\[0\] and the machine \(\d"):
        hm.sample(rbm, 2, sweeps=1, sampler=hm.sampling.TrajectoryTempering(on_the_way(rbm, [0.1])))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hm.sample(
            rbm, 2, sweeps=1, sampler=hm.sampling.TrajectoryTempering(on_the_way(rbm, [0.15, 0.25, 0.35, 0.5, 0.7]))
        )


def test_the_first_model_must_be_drawn_exactly(make_rbm: Any) -> None:
    with pytest.raises(ValueError, match="must have no couplings"):
        Trajectory(stack([make_rbm(4, 3), make_rbm(4, 3)]))


def test_a_model_on_the_line_is_what_the_path_says(make_rbm: Any) -> None:
    rbm, base = make_rbm(4, 3), make_rbm(4, 3, seed=5).base_rate()
    before = copy.deepcopy(rbm.state_dict())
    half = model_at(rbm, base, 0.25)
    assert torch.allclose(half.weights, 0.25 * rbm.weights)
    assert torch.allclose(half.visible_bias, 0.75 * base[0][0] + 0.25 * rbm.visible_bias)
    assert all(torch.equal(tensor, before[name]) for name, tensor in rbm.state_dict().items())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hm.sampling.TrajectoryTempering([]), "has no models"),
        (lambda: hm.sampling.TrajectoryTempering([hm.RBM(4, 2)], target=1.0), "between 0 and 1"),
        (
            lambda: hm.sample(hm.RBM(4, 2), sampler=hm.sampling.TrajectoryTempering([hm.RBM(4, 3)])),
            "of its own training",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_a_folder_without_models_says_so(tmp_path: Any) -> None:
    with pytest.raises(FileNotFoundError, match="KeepTrajectory"):
        hm.sampling.TrajectoryTempering.from_run(tmp_path)
