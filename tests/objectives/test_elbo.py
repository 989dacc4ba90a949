"""ELBO and importance-weighted bound: their values, and gradients against finite differences and in expectation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import harmonium as hm
from harmonium.objectives import Batch
from harmonium.objectives.elbo import evidence_bound

D = torch.float64
V = torch.tensor([[1.0, 0, 1, 1], [0, 0, 1, 0]], dtype=D)
MODELS: dict[str, Callable[[], hm.VAE]] = {
    "one layer": lambda: hm.VAE(4, latent=2, hidden=(3,), dtype=D, seed=1),
    "two layers": lambda: hm.VAE(4, latent=(2, 2), hidden=((3,), (3,)), dtype=D, seed=1),
    "gaussian": lambda: hm.VAE(hm.Gaussian(4), latent=2, hidden=(3,), dtype=D, seed=1),
}


def livelier(vae: hm.VAE) -> hm.VAE:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=D)
    return vae


def with_prior() -> hm.VAE:
    return livelier(hm.VAE(4, hidden=(5,), prior=hm.RBM(3, 2, dtype=D), dtype=D, seed=1))


def gradients(
    vae: hm.VAE, objective: hm.objectives.Objective, v: Tensor, stream: hm.Stream, **batch: Any
) -> dict[str, Tensor]:
    """Of the bound (`fit` descends), by parameter."""
    if vae.data_cases is None:
        vae.data_cases = torch.tensor(2.0, dtype=D)
    objective.gradient(vae, Batch(v, **batch), objective.init_state(vae, hm.Stream(9)), stream)
    return {name: -parameter.grad.clone() for name, parameter in vae.named_parameters()}  # type: ignore[union-attr]


def check_differences(vae: hm.VAE, bound: Callable[[], Tensor], found: dict[str, Tensor]) -> None:
    """Central differences in every parameter: h^2 and rounding leave 1e-8."""
    h = 1e-5
    with torch.no_grad():
        for name, parameter in vae.named_parameters():
            if name not in found:
                continue
            flat = parameter.view(-1)
            for i in range(len(flat)):
                ends = []
                for sign in (h, -h):
                    flat[i] += sign
                    ends.append(float(bound()))
                    flat[i] -= sign
                assert float(found[name].view(-1)[i]) == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=1e-7), name


# ----------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("name", MODELS)
def test_what_is_known_in_closed_form_changes_no_expectation(name: str) -> None:
    vae, n = livelier(MODELS[name]()), 40_000
    v = V.repeat(n, 1)  # one draw for each of many copies of a case: all of them at once
    noise = vae.noise(hm.Stream(0), 1, len(v))
    with torch.no_grad():
        sampled = vae.importance_weights(v, noise)
        bound = evidence_bound(vae, v, vae.infer(v, noise))
    difference = (sampled - bound).view(n, len(V))
    error = difference.std(0) / math.sqrt(n)
    assert bool((error > 1e-4).all())  # they do differ draw by draw
    assert bool((difference.mean(0).abs() < 5 * error).all())
    assert torch.allclose(sampled, vae.log_weights(v, hm.Stream(0)), rtol=0, atol=1e-9)


def test_the_bounds_rise_with_the_samples_to_log_p() -> None:
    vae, n = livelier(MODELS["one layer"]()), 60_000
    log_w = vae.log_weights(V.repeat(n, 1), hm.Stream(0)).view(n, len(V))
    means = []
    for k in (1, 5, 50):
        bound = torch.logsumexp(log_w.view(-1, k, 2), 1) - math.log(k)
        means.append(bound.mean(0))
    log_p = torch.logsumexp(log_w, 0) - math.log(n)
    assert bool((means[0] < means[1]).all() and (means[1] < means[2]).all() and (means[2] < log_p).all())


def test_binary_latent_units_against_enumeration() -> None:
    vae, n = with_prior(), 40_000
    states = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)), dtype=D)
    with torch.no_grad():
        q = vae.latents[0].distribution(vae.encoders[0](V))
        z = states.unsqueeze(1).expand(-1, 2, -1)
        log_q = q.log_prob(z).sum(-1)
        exact = (log_q.exp() * (vae.log_joint(V, [z]) - log_q)).sum(0)
        many = V.repeat(n, 1)
        bound = evidence_bound(vae, many, vae.infer(many, vae.noise(hm.Stream(0), 1, len(many)))).view(n, len(V))
    error = bound.std(0) / math.sqrt(n)
    assert bool(((bound.mean(0) - exact).abs() < 5 * error).all())


# -------------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("warm_up", [0, 4])
@pytest.mark.parametrize("name", MODELS)
def test_the_gradient_of_the_elbo(name: str, warm_up: int) -> None:
    vae = livelier(MODELS[name]())
    found = gradients(vae, hm.ELBO(k=2, warm_up=warm_up), V, hm.Stream(3))
    noise = vae.noise(hm.Stream(3), 2, len(V))
    beta = 1 / 4 if warm_up else 1.0
    check_differences(vae, lambda: evidence_bound(vae, V, vae.infer(V, noise), beta).mean(), found)


@pytest.mark.parametrize("name", MODELS)
def test_the_plain_gradient_of_the_importance_weighted_bound(name: str) -> None:
    vae = livelier(MODELS[name]())
    weight = torch.tensor([3.0, 1.0], dtype=D)
    found = gradients(vae, hm.IWAE(3, doubly_reparametrised=False), V, hm.Stream(3), weight=weight)
    noise = vae.noise(hm.Stream(3), 3, len(V))

    def bound() -> Tensor:
        each = torch.logsumexp(vae.importance_weights(V, noise), 0) - math.log(3)
        return (weight * each).sum() / 4

    check_differences(vae, bound, found)


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("name", MODELS)
def test_the_doubly_reparametrised_gradient_has_the_same_expectation(name: str, k: int) -> None:
    vae, rows, batches = livelier(MODELS[name]()), 4000, 50
    if name == "two layers":  # less noise, and a second encoder that depends much on the first one's draws
        hm.fit(vae, V, epochs=300, learning_rate=0.01)
        with torch.no_grad():
            for parameter in vae.encoders[1].parameters():
                parameter *= 3
    v = V[:1].expand(rows, -1)
    plain, double = (
        [gradients(vae, hm.IWAE(k, double), v, hm.Stream(seed)) for seed in range(batches)] for double in (False, True)
    )
    for parameter in plain[0]:
        one, two = (torch.stack([each[parameter] for each in found]) for found in (plain, double))
        error = torch.sqrt((one.var(0) + two.var(0)) / batches)
        # Fifty independent means of each: with Student's t of 49 degrees and some hundred numbers, six errors.
        assert bool(((one.mean(0) - two.mean(0)).abs() < 6 * error + 1e-12).all()), parameter
        if parameter.startswith("decoders"):
            assert torch.allclose(one, two, rtol=0, atol=1e-10)  # the same derivative of the same draws


@pytest.mark.parametrize("double", [False, True])
def test_products_in_bfloat16(double: bool) -> None:
    """Rounded products: another gradient by no more than their rounding, parameters in their own precision."""
    vae = hm.VAE(16, latent=(4, 2), hidden=((20,), (10,)))
    v = torch.as_tensor(hm.data.load("bars-and-stripes").train[:], dtype=torch.float32)
    hm.fit(vae, v, epochs=20, batch_size=10, learning_rate=0.003)  # gradients of an untrained encoder are near zero
    exact, rounded = (
        gradients(vae, hm.IWAE(5, double, bfloat16=bfloat16), v, hm.Stream(3)) for bfloat16 in (False, True)
    )
    for name, parameter in vae.named_parameters():
        assert parameter.dtype == rounded[name].dtype == torch.float32
        difference = (exact[name] - rounded[name]).norm() / exact[name].norm()
        assert 0 < float(difference) < 0.05, name  # 2^-8 = 0.004 for each product, a dozen on the way


def test_the_encoder_hears_more_of_many_samples() -> None:
    """Signal to noise of the encoder's gradient: it falls with k (Rainforth et al. 2018), reparametrised it does not.

    So it is where q is near the posterior, as it is in training: far from it neither hears much.
    """
    vae, v = livelier(MODELS["one layer"]()), V[:1]
    hm.fit(vae, V, epochs=500, learning_rate=0.01)
    share = {}
    for double in (False, True):
        found = [gradients(vae, hm.IWAE(100, double), v, hm.Stream(seed)) for seed in range(200)]
        each = torch.cat([torch.stack([g[name].view(-1) for g in found]) for name in found[0] if "enc" in name], 1)
        share[double] = float((each.mean(0).abs() / each.std(0)).nan_to_num(0).mean())
    assert share[True] > 4 * share[False]


def test_the_relaxed_gradient_is_that_of_the_relaxed_bound() -> None:
    vae = with_prior()
    found = gradients(vae, hm.ELBO(relaxation=0.7), V, hm.Stream(3))
    noise = vae.noise(hm.Stream(3), 1, len(V))
    networks = {name: gradient for name, gradient in found.items() if not name.startswith("prior")}
    assert any(name.startswith("encoders") for name in networks)
    check_differences(vae, lambda: evidence_bound(vae, V, vae.infer(V, noise, 0.7)).mean(), networks)


def test_the_prior_learns_the_draws_of_the_encoder() -> None:
    """Exact log Z, and many draws: the gradient of E_q[log p(z)], by enumeration."""
    vae, rows, batches = with_prior(), 2000, 50
    prior = vae.prior
    assert prior is not None
    states = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)), dtype=D)
    with torch.no_grad():
        q = vae.latents[0].distribution(vae.encoders[0](V[:1]))
        share = q.log_prob(states).sum(-1).exp()
    hm.Exact().gradient(prior, Batch(states, share), {}, hm.Stream(0))
    exact = {f"prior.{name}": -p.grad.clone() for name, p in prior.named_parameters()}  # type: ignore[union-attr]
    objective = hm.ELBO(prior=hm.Exact())
    found = [gradients(vae, objective, V[:1].expand(rows, -1), hm.Stream(seed)) for seed in range(batches)]
    for name, expected in exact.items():
        each = torch.stack([g[name] for g in found])
        assert bool(((each.mean(0) - expected).abs() < 6 * each.std(0) / math.sqrt(batches)).all()), name


def test_the_base_rate_of_the_prior_follows_the_encoder() -> None:
    vae = with_prior()
    objective, stream = hm.ELBO(prior=hm.PCD(chains=10)), hm.Stream(0)
    vae.data_cases = torch.tensor(100.0, dtype=D)
    state = objective.init_state(vae, hm.Stream(1))
    for _ in range(400):
        objective.gradient(vae, Batch(V), state, stream)
    with torch.no_grad():
        mean = torch.sigmoid(vae.encoders[0](V)).mean(0)
    assert vae.prior is not None and vae.prior.data_mean is not None
    # The running mean of the last hundred pairs or so: variance at most 1/4 / 2 * 0.01 / 2, five of its roots.
    assert float((vae.prior.data_mean - mean).abs().max()) < 0.13
    chains = objective.model_chains(state)
    assert chains is not None and chains.shape == (10, 3)


@pytest.mark.slow
def test_an_rbm_prior_beats_independent_latent_units_on_what_it_was_made_for() -> None:
    """Training from end to end: the exact log Z, and a likelihood near that of the data."""
    data = hm.data.load("bars-and-stripes").train
    vae = hm.VAE(16, hidden=(40,), prior=hm.RBM(8, 16))
    hm.fit(vae, data, objective=hm.ELBO(prior=hm.PCD(k=5, chains=100)), epochs=1500, batch_size=32, learning_rate=5e-3)
    found = hm.evaluate(vae, data, samples=500)
    assert found.method == "importance, exact"
    assert found.mean > -6.0  # uniform over the patterns: -3.4; independent pixels: -11.1


# --------------------------------------------------------------------------------------------------------- refusals


def test_other_models_are_named() -> None:
    for objective in (hm.ELBO(), hm.IWAE()):
        with pytest.raises(TypeError, match=f"{type(objective).__name__} trains models that infer latent units"):
            hm.fit(hm.RBM(4, 2), V, objective=objective)
    with pytest.raises(TypeError, match=r"those of a machine prior are binary: use ELBO"):
        hm.fit(with_prior(), V, objective=hm.IWAE())
    with pytest.raises(TypeError, match=r"use ELBO\(\)"):
        hm.fit(MODELS["one layer"](), V, objective=hm.MaximumLikelihood())


@pytest.mark.parametrize("options", [{"k": 0}, {"warm_up": -1}, {"relaxation": 0.0}, {"prior": hm.PTT()}])
def test_options_out_of_range_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"ELBO\({next(iter(options))}=\.\.\.\)"):
        hm.ELBO(**options)


def test_a_bound_of_no_samples_is_refused() -> None:
    with pytest.raises(ValueError, match=r"IWAE\(k=\.\.\.\)"):
        hm.IWAE(0)
