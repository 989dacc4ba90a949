"""The deep Boltzmann machine: two colours of layers, a mean field, a bound."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.random import Stream
from harmonium.likelihood.annealing import with_hidden
from harmonium.likelihood.exact import exact_clamped_moments, exact_log_marginal
from harmonium.models.machine.mean_field import FactorisedPosterior, mean_field, variational_bound
from harmonium.testing import check_model
from harmonium.testing.joint import Joint, start_at
from harmonium.testing.law import Law


def deep(sizes: list[int], scale: float = 0.7, seed: int = 0) -> hm.DBM:
    dbm = hm.DBM(sizes, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in dbm.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return dbm


STACKS = [
    [3, 3, 2],
    [3, 2, 3, 2],
    [hm.Gaussian(2), 3, 2],
    [2, hm.Gaussian(1), 2],
    [2, 2, hm.Gaussian(1)],
    [hm.Categorical(2, 3), hm.Spin(2), hm.Binomial(2, 2)],
    [hm.Spin(3), hm.Categorical(1, 3), 2],
    [hm.Mixed([hm.Bernoulli(1), hm.Categorical(1, 3)]), hm.Binomial(2, 3), hm.Spin(2)],
    [hm.Poisson(1), 2, 2],
]


@pytest.mark.parametrize("sizes", STACKS, ids=str)
def test_enumeration_gradients_and_stationarity(sizes: list) -> None:  # type: ignore[type-arg]
    check_model(hm.DBM(sizes))


@pytest.mark.parametrize("sizes", [[4, 3, 3], [3, 3, 2, 3]])
def test_the_bound_lies_below_and_is_close_for_weak_couplings(sizes: list[int]) -> None:
    for scale, gap in ((0.1, 1e-2), (0.7, 0.5)):
        dbm = deep(sizes, scale)
        v = dbm.visible.states(torch.arange(2 ** sizes[0]))
        bound, exact = variational_bound(dbm, v), exact_log_marginal(dbm, v)
        assert bool((bound <= exact + 1e-12).all())
        assert float((exact - bound).max()) < gap


def test_the_bound_is_the_expectation_it_claims_to_be() -> None:
    """E_q[-E] + H(q) by enumerating the hidden states, for arbitrary fields."""
    dbm, v = deep([3, 2, 3]), torch.tensor([[1.0, 0, 1]], dtype=torch.float64)
    fields = FactorisedPosterior((torch.tensor([[0.3, -1.2]]).double(), torch.tensor([[0.1, 2.0, -0.4]]).double()))
    q1 = torch.sigmoid(fields.inputs[0] + dbm.units(1).bias)
    q2 = torch.sigmoid(fields.inputs[1] + dbm.units(2).bias)
    expected = torch.zeros(()).double()
    for h1 in dbm.units(1).states(torch.arange(4)):
        for h2 in dbm.units(2).states(torch.arange(8)):
            log_q = (h1 * q1.log() + (1 - h1) * (-q1).log1p()).sum() + (h2 * q2.log() + (1 - h2) * (-q2).log1p()).sum()
            expected += log_q.exp() * (-dbm.joint_energy([v, h1[None], h2[None]])[0] - log_q)
    torch.testing.assert_close(variational_bound(dbm, v, fields)[0], expected.detach(), rtol=0, atol=1e-12)


def test_the_mean_field_solves_its_equations_and_maximises_the_bound() -> None:
    dbm = deep([4, 3, 3, 2])
    v = dbm.visible.states(torch.arange(16))
    fields = mean_field(dbm, v, iterations=500, tolerance=1e-14)
    means = [v, *(dbm.units(layer).mean(x) for layer, x in enumerate(fields.inputs, 1))]
    for layer, x in enumerate(fields.inputs, 1):
        torch.testing.assert_close(x, dbm.inputs(layer, tuple(means)).detach(), rtol=0, atol=1e-9)
    best = variational_bound(dbm, v, fields)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        near = FactorisedPosterior(
            tuple(x + 0.1 * torch.randn(x.shape, generator=generator).double() for x in fields.inputs)
        )
        assert bool((variational_bound(dbm, v, near) <= best + 1e-12).all())


def test_the_mean_field_of_a_restricted_machine_is_exact() -> None:
    rbm = hm.RBM.from_arrays(
        torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(4), torch.ones(3)
    )
    v = rbm.visible.states(torch.arange(16))
    torch.testing.assert_close(variational_bound(rbm, v), rbm.log_weight((v, None)).detach())


def test_clamped_moments_by_enumeration_and_by_mean_field() -> None:
    """A mean field misses the covariance of coupled hidden units, at most |W| / 16: 0.02 at couplings of 0.1."""
    dbm = deep([4, 3, 3], scale=0.1)
    v = dbm.visible.states(torch.arange(16))
    exact, approximate = exact_clamped_moments(dbm, v), dbm.moments(dbm.infer(v))
    assert exact.keys() == approximate.keys()
    for name, moment in exact.items():
        torch.testing.assert_close(moment, approximate[name].detach(), rtol=0, atol=0.02)


@pytest.mark.slow
def test_joint_training_without_pretraining_climbs_the_likelihood() -> None:
    """Bars and stripes 3x3 (14 patterns, entropy 2.60 nats): centered PCD brings the exact likelihood above -3.2 nats,
    from -6.2 of independent units; the exact gradient reaches -2.90."""
    data = _bars()
    dbm = hm.DBM([9, 8, 4], seed=1)
    hm.fit(
        dbm, data, objective=hm.PCD(k=5, chains=100), epochs=2000, batch_size=16, learning_rate=hm.schedules.Linear(0.3)
    )
    with torch.no_grad():
        found = float((exact_log_marginal(dbm, data) - hm.log_partition(dbm, method="exact").value).mean())
    assert found > -3.2
    assert dbm.chains is not None and dbm.chains.shape == (100, 9 + 4)
    z = hm.log_partition(dbm, method="ais", chains=200, temperatures=500)
    exact = hm.log_partition(dbm, method="exact").value
    assert z.lower < exact < z.upper


@torch.no_grad()
def test_chains_may_come_without_their_hidden_layers() -> None:
    """Visible states from the table, completed: the kept layers follow it (chi-square, alarm at 1e-6), and the bracket
    from such chains holds log Z, which it misses by three standard errors in 1 of 400 seeds."""
    dbm = deep([3, 3, 3])
    joint = Joint(dbm)
    state = start_at(joint, 20_000, Stream(4))
    assert state[0] is not None
    whole = dbm.unpack(with_hidden(state[0], dbm, Stream(5)))
    law = Law(joint, joint.log_weights())
    law.assert_followed("visible and second hidden layer", whole, dbm.sampled_layers)
    for copies in (1, 3):  # three states of each of 200 chains
        v = state[0][: 200 * copies].view(copies, 200, -1)
        z = hm.log_partition(dbm, method="ais", chains=200, temperatures=300, chains_from=v if copies > 1 else v[0])
        assert "no drift" in z.why and z.upper - z.lower < 0.5
        assert z.lower < hm.log_partition(dbm, method="exact").value < z.upper
    with pytest.raises(ValueError, match="or visible states alone"):
        hm.log_partition(dbm, method="ais", chains_from=np.zeros((30, 4)))


def _bars() -> torch.Tensor:
    columns = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    stripes = columns.unsqueeze(1).expand(8, 3, 3)
    return torch.cat((stripes.reshape(8, 9), stripes.mT.reshape(8, 9)))


@pytest.mark.parametrize("model", [deep([4, 3, 3]), deep([3, 2, 3, 2])], ids=str)
def test_evaluation_by_importance_sampling(model: hm.DBM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unbiased weights: 400 samples of ten copies of 8 cases, ten times their standard error of 0.4 % is 0.03 nats."""
    v = model.visible.states(torch.arange(8))
    z = hm.log_partition(model, method="exact")
    exact = float(exact_log_marginal(model, v).mean()) - z.value
    summed = hm.evaluate(model, v, log_partition=z)
    assert summed.method == "exact" and summed.bound is None
    assert summed.mean == pytest.approx(exact, abs=1e-9)
    monkeypatch.setattr(sys.modules["harmonium.likelihood.evaluate"], "EXACT_HIDDEN_BITS", -1)
    found = hm.evaluate(model, v.repeat(10, 1), log_partition=z, samples=400)
    assert found.method == "importance, exact"
    assert found.mean == pytest.approx(exact, abs=0.03)
    assert found.bound == pytest.approx(float(variational_bound(model, v).mean()) - z.value, abs=1e-3)
    assert found.bound is not None and found.bound < exact


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([4, 3], "at least two hidden"),
        (4, "at least two hidden"),
        ([hm.Gaussian(4), hm.Gaussian(3), 2], "neither has finitely many states"),
    ],
)
def test_impossible_stacks(layers: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hm.DBM(layers)  # type: ignore[arg-type]


def test_packed_states_are_checked() -> None:
    dbm = hm.DBM([6, 4, 3])
    with pytest.raises(ValueError, match=r"expected \(chains, 9\)"):
        hm.log_partition(dbm, method="ais", chains_from=torch.zeros(30, 7))
