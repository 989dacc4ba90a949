"""Annealing latent units to the posterior, against a closed form and quadrature."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import harmonium as hm

D = torch.float64


def linear_gaussian() -> tuple[hm.VAE, torch.distributions.MultivariateNormal]:
    """v = A z + b + noise, and its density."""
    vae = hm.VAE(hm.Gaussian(4), latent=2, hidden=(), dtype=D, seed=3)
    variance = torch.tensor([0.5, 1.0, 1.5, 0.3], dtype=D)
    with torch.no_grad():
        vae.visible.log_variance.copy_(variance.log())
        vae.visible.bias.copy_(torch.tensor([0.4, -0.3, 0.0, 1.0], dtype=D))
        vae.decoders[0][0].weight.mul_(1.5)
        A = variance[:, None] * vae.decoders[0][0].weight
        mean = variance * vae.visible.bias
    return vae, torch.distributions.MultivariateNormal(mean, A @ A.mT + torch.diag(variance))


def test_a_linear_gaussian_model() -> None:
    vae, density = linear_gaussian()
    v = torch.tensor([[0.3, -1.0, 0.5, 0.2], [1.0, 2.4, -1.6, 0.0], [-2.0, 0.0, 2.0, 1.0]], dtype=D)
    found = hm.likelihood.anneal_posterior(vae, v, chains=200, temperatures=60, leapfrog=5, seed=1)
    assert bool((found.stderr < 0.1).all()) and bool((found.stderr > 0.001).all())
    assert bool(((found.log_prob - density.log_prob(v)).abs() < 4 * found.stderr).all())


def test_a_pilot_tunes_the_steps_of_each_case() -> None:
    vae, density = linear_gaussian()
    v = torch.tensor([[0.3, -1.0, 0.5, 0.2], [1.0, 2.4, -1.6, 0.0]], dtype=D)
    found = hm.likelihood.anneal_posterior(vae, v, chains=500, temperatures=200, leapfrog=3, seed=1)
    assert bool(((found.accepted > 0.55) & (found.accepted < 0.85)).all())  # it aims at 0.65, from a cautious start
    # Large steps, of which a third is refused: only the right ones may be.
    assert bool(((found.log_prob - density.log_prob(v)).abs() < 4 * found.stderr).all())


def test_moves_correct_what_too_few_temperatures_miss() -> None:
    """Without moves annealing is importance sampling from the prior, whose error is much larger."""
    vae, _ = linear_gaussian()
    v = torch.tensor([[-2.0, 2.0, 2.0, 1.0]], dtype=D)
    still, moved = (
        hm.likelihood.anneal_posterior(vae, v, chains=200, temperatures=temperatures, leapfrog=5).stderr
        for temperatures in (2, 60)
    )
    assert float(moved) < 0.5 * float(still)


def test_two_layers_agree_with_importance_sampling() -> None:
    vae = hm.VAE(5, latent=(2, 1), hidden=((4,), (3,)), dtype=D, seed=2)
    v = torch.tensor([[1.0, 0, 1, 1, 0], [0, 0, 0, 1, 0]], dtype=D)
    found = hm.likelihood.anneal_posterior(vae, v, chains=200, temperatures=50, leapfrog=5)
    by_importance = hm.evaluate(vae, v, samples=20_000)
    assert float(found.log_prob.mean()) == pytest.approx(by_importance.mean, abs=4 * float(found.stderr.mean()) + 0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chains": 0}, "chains must be "),
        ({"temperatures": 1}, "temperatures must be "),
        ({"leapfrog": 0}, "leapfrog must be "),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hm.likelihood.anneal_posterior(hm.VAE(2, 1, (2,)), [[0, 1]], **options)


def test_what_has_no_gradient_is_refused() -> None:
    with pytest.raises(ValueError, match="those of a machine prior are binary"):
        hm.likelihood.anneal_posterior(hm.VAE(2, hidden=(2,), prior=hm.RBM(2, 1)), [[0, 1]])
    with pytest.raises(TypeError, match="takes a VAE, found RBM"):
        hm.likelihood.anneal_posterior(hm.RBM(2, 1), [[0, 1]])  # type: ignore[arg-type]
