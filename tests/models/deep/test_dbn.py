"""Deep belief networks against enumeration: joint, likelihood, bound, samples, networks, files."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.registry import build
from harmonium.models import DBN, RBM
from harmonium.recipes.greedy import transpose

Make = Callable[..., RBM]


def states(n: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=n)), dtype=torch.float64)


def log_conditional(rbm: RBM, below: torch.Tensor, above: torch.Tensor) -> torch.Tensor:
    """log p(below | above) for all pairs, (below, above), written out for binary units."""
    W, b, _ = (torch.as_tensor(a) for a in rbm.to_arrays())
    x = above @ W.T + b
    return below @ x.T - torch.nn.functional.softplus(x).sum(-1)


def exact_log_prob(dbn: DBN) -> torch.Tensor:
    """log p(v) of all visible states by summing out every hidden one, from the definition."""
    top = dbn.machines[-1]
    W, b, c = (torch.as_tensor(a) for a in top.to_arrays())
    h, g = states(W.shape[0]), states(W.shape[1])
    joint = h @ W @ g.T + (h @ b)[:, None] + g @ c
    log_p = joint.logsumexp(1) - joint.logsumexp((0, 1))
    for rbm in reversed(dbn.machines[:-1]):
        below = states(rbm.visible.size)
        log_p = (log_conditional(rbm, below, h) + log_p).logsumexp(1)
        h = below
    return log_p


@pytest.fixture
def dbn(make_rbm: Make) -> DBN:
    return DBN.from_rbms([make_rbm(5, 4, 0.7, seed=1), make_rbm(4, 3, 0.7, seed=2), make_rbm(3, 4, 0.7, seed=3)])


@pytest.fixture
def untied(dbn: DBN, make_rbm: Make) -> DBN:
    """With recognition parameters that are not the generative ones."""
    recognition = [make_rbm(5, 4, scale=0.4, seed=8), make_rbm(4, 3, scale=0.4, seed=9)]
    return DBN.from_rbms(dbn.machines, recognition)


@pytest.mark.parametrize("which", ["dbn", "untied"])
def test_importance_weights_are_unbiased_and_their_logs_bound(which: str, request: pytest.FixtureRequest) -> None:
    model: DBN = request.getfixturevalue(which)
    v = states(5)[::3]
    exact = exact_log_prob(model)[::3]
    assert float(exact_log_prob(model).exp().sum()) == pytest.approx(1, abs=1e-12)  # the judge is sound
    samples = 40_000
    log_z = hm.log_partition(model.top).value
    weights = (model.log_weights(v, hm.Stream(0), samples) - log_z).exp()
    error = weights.std(0) / math.sqrt(samples)
    # Eleven cases: the largest of so many normal deviations is above 4 once in a thousand seeds.
    assert bool(((weights.mean(0) - exact.exp()).abs() < 4 * error).all())
    assert float((error / exact.exp()).max()) < 0.05  # tight enough to tell
    bound, spread = weights.log().mean(0), weights.log().std(0) / math.sqrt(samples)
    assert bool((bound < exact + 4 * spread).all()) and float((exact - bound).max()) > 0.05


def test_the_bound_is_the_expectation_over_q(make_rbm: Make) -> None:
    model = DBN.from_rbms([make_rbm(4, 3, seed=1), make_rbm(3, 2, seed=2)], [make_rbm(4, 3, seed=5)])
    v, h = states(4)[[3, 6, 9]], states(3)
    encoder, (generative, top) = model.encoders[0], model.machines
    W, _, c = (torch.as_tensor(a) for a in encoder.to_arrays())
    x = v @ W + c
    log_q = x @ h.T - torch.nn.functional.softplus(x).sum(-1, keepdim=True)
    log_p = log_conditional(generative, v, h) - top.free_energy(h).detach()
    bound = (log_q.exp() * (log_p - log_q)).sum(1)
    found = model.log_weights(v, hm.Stream(3), 20_000)
    assert bool(((found.mean(0) - bound).abs() < 4 * found.std(0) / math.sqrt(20_000)).all())


def test_evaluate_reports_estimate_bound_and_bracket(dbn: DBN) -> None:
    v = states(5)
    exact = float(exact_log_prob(dbn).mean())
    found = hm.evaluate(dbn, v, samples=2000, seed=1)
    # The relative error of a mean weight of 2,000 is below 0.1 in every case here, its square the bias: 0.005.
    assert found.mean == pytest.approx(exact, abs=0.02)
    assert found.bound is not None and found.bound < exact - 0.05
    assert (found.method, found.reliable, found.cases) == ("importance, exact", True, 32)
    assert (found.lower, found.upper) == (found.mean, found.mean)
    assert "variational bound" in str(found)
    z = hm.likelihood.LogPartition(2.0, 1.5, 4.0, 9.0, "ais", False, "so")
    given = hm.evaluate(dbn, v, log_partition=z, samples=2000, seed=1)
    assert given.lower == pytest.approx(given.mean - 2.0) and given.upper == pytest.approx(given.mean + 0.5)
    assert given.bound == pytest.approx(found.bound + hm.log_partition(dbn.top).value - 4.0)
    with pytest.raises(ValueError, match="samples"):
        hm.evaluate(dbn, v, samples=0)
    with pytest.raises(ValueError, match="columns"):
        hm.evaluate(dbn, v[:, 1:])


def test_a_machine_under_itself_turned_over_is_that_machine(make_rbm: Make) -> None:
    below = make_rbm(5, 4)
    below.chains = states(5)[:7]
    model = DBN.from_rbms([below, RBM(4, 8, dtype=torch.float64)])
    assert transpose(below, model.top, hm.Stream(0))
    with torch.no_grad():  # units beyond the transpose are small: at zero, the identity is exact
        model.top.weights[:, 5:] = 0
    expected = below.log_prob(states(5), hm.log_partition(below)).detach()
    torch.testing.assert_close(exact_log_prob(model), expected)
    log_z = hm.log_partition(model.top).value
    weights = model.log_weights(states(5), hm.Stream(1), 3) - log_z  # q is the posterior: no draw differs
    torch.testing.assert_close(weights, expected.expand(3, -1))
    assert model.top.chains is not None and model.top.chains.shape == (7, 4)
    assert not transpose(below, RBM(4, 4, dtype=torch.float64), hm.Stream(0))  # too few units


def test_samples_have_the_distribution_of_the_model(dbn: DBN) -> None:
    n = 20_000
    v = hm.sample(dbn, n, sweeps=60, seed=2)
    index = (v.double() @ 2.0 ** torch.arange(4, -1, -1, dtype=torch.float64)).long()
    counts = torch.bincount(index, minlength=32).double()
    expected = n * exact_log_prob(dbn).exp()
    # Chi-square with 31 degrees of freedom: above 70 with probability 1e-4.
    assert float(((counts - expected) ** 2 / expected).sum()) < 70
    assert torch.equal(v, hm.sample(dbn, n, sweeps=60, seed=2))


def test_sampling_from_given_states_and_refusals(dbn: DBN) -> None:
    v = states(5)[:6]
    assert hm.sample(dbn, 6, sweeps=0, init=v).shape == (6, 5)
    with pytest.raises(ValueError, match="clamp"):
        hm.sample(dbn, 1, clamp=(np.ones(5), np.ones(5)))
    with pytest.raises(ValueError, match="Bernoulli units take 0 and 1"):
        hm.sample(dbn, 6, init=v * 0.5)
    with pytest.raises(TypeError, match=r"harmonium\.greedy"):
        hm.fit(dbn, v)  # type: ignore[arg-type]


def test_a_dbn_of_one_machine_is_the_machine(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3)
    model, v = DBN.from_rbms([rbm]), states(4)
    assert hm.evaluate(model, v, samples=1).mean == pytest.approx(hm.evaluate(rbm, v).mean)
    assert hm.sample(model, 3, sweeps=2).shape == (3, 4)


@pytest.mark.parametrize("which", ["dbn", "untied"])
def test_networks_compute_the_mean_field(which: str, request: pytest.FixtureRequest) -> None:
    model: DBN = request.getfixturevalue(which)
    v = torch.rand(7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected, mean = [], v
    for rbm in model.encoders:  # from the definition, not from hidden_means
        W, _, c = (torch.as_tensor(a) for a in rbm.to_arrays())
        mean = torch.sigmoid(mean @ W + c)
        expected.append(mean)
    for found, mean in zip(model.hidden_means(v), expected, strict=True):
        torch.testing.assert_close(found, mean)

    classifier = model.to_classifier(3, seed=1)
    assert [type(layer).__name__ for layer in classifier] == ["Linear", "Sigmoid"] * 3 + ["Linear"]
    for depth, mean in enumerate(expected, start=1):
        torch.testing.assert_close(classifier[: 2 * depth](v), mean)
    assert classifier[-1].weight.shape == (3, 4) and 0 < float(classifier[-1].weight.detach().abs().max()) < 0.05

    down = expected[-1]
    for rbm in reversed(model.machines):
        W, b, _ = (torch.as_tensor(a) for a in rbm.to_arrays())
        down = torch.sigmoid(down @ W.T + b)
    autoencoder = model.to_autoencoder()
    torch.testing.assert_close(autoencoder(v), down)
    with torch.no_grad():  # copies: training the networks leaves the model alone
        classifier[0].weight.zero_(), autoencoder[0].weight.zero_()
    torch.testing.assert_close(model.hidden_means(v)[-1], expected[-1])


def test_files(untied: DBN, tmp_path: Path) -> None:
    untied.top.chains = states(3)[:2]
    hm.save(untied, tmp_path / "dbn.safetensors")
    loaded = hm.load(tmp_path / "dbn.safetensors")
    assert isinstance(loaded, DBN) and loaded.recognition is not None
    before, after = untied.state_dict(), loaded.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert repr(loaded) == "DBN([Bernoulli(5), Bernoulli(4), Bernoulli(3), Bernoulli(4)])"
    assert isinstance(build(DBN([4, 3, 2]).config()), DBN)


def test_impossible_stacks(make_rbm: Make) -> None:
    for layers in ([4], 4, "4", hm.Bernoulli(4)):
        with pytest.raises(ValueError, match="layers must be a list of at least two"):
            DBN(layers)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"layer 1 .*must be Bernoulli, found Gaussian"):
        DBN([4, hm.Gaussian(3), 2])
    with pytest.raises(ValueError, match="machine 1 has 3 hidden units, but machine 2 has 2 visible"):
        DBN.from_rbms([make_rbm(4, 3), make_rbm(2, 3)])
    with pytest.raises(ValueError, match="recognition has weights"):
        DBN.from_rbms([make_rbm(4, 3), make_rbm(3, 3)], [make_rbm(4, 2)])
    with pytest.raises(ValueError, match="dtype"):
        DBN.from_rbms([make_rbm(4, 3), make_rbm(3, 2, dtype=np.float32)])
    with pytest.raises(ValueError, match="empty"):
        DBN.from_rbms([])
    with pytest.raises(ValueError, match="neither has finitely many states"):
        DBN([hm.Gaussian(3), hm.Gaussian(2)])
    with pytest.raises(ValueError, match="n_classes"):
        DBN([3, 2]).to_classifier(1)
    with pytest.raises(ValueError, match="to_autoencoder"):
        DBN([hm.Gaussian(3), 2]).to_autoencoder()


def test_real_values_below() -> None:
    """Importance weights with Gaussian visible units integrate to one over the line."""
    model = DBN([hm.Gaussian(1), 3, 2], dtype=torch.float64)
    v = torch.linspace(-12, 12, 1201, dtype=torch.float64).unsqueeze(1)
    weights = (model.log_weights(v, hm.Stream(0), 50) - hm.log_partition(model.top).value).exp().mean(0)
    assert float(weights.sum()) * 0.02 == pytest.approx(1, abs=0.01)  # small weights: hardly any variance


def test_functions_of_machines_refuse_a_network() -> None:
    dbn = DBN([4, 3, 2])
    v = torch.zeros(2, 4)
    calls = [
        lambda: hm.impute(dbn, v),  # type: ignore[arg-type]
        lambda: hm.conditional_log_prob(dbn, v, [1, 0, 0, 0]),  # type: ignore[arg-type]
        lambda: hm.likelihood.pseudo_log_likelihood(dbn, v),  # type: ignore[arg-type]
        lambda: hm.log_partition(dbn),  # type: ignore[arg-type]
        lambda: hm.gradient(dbn, v),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(TypeError, match="takes a model that is a machine, such as an RBM or a DBM, found DBN"):
            call()
