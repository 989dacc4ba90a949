"""The VAE: its likelihood against quadrature, enumeration and a closed form; files, draws, refusals."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import harmonium as hm
from harmonium.core.registry import build
from harmonium.models.vae import vae as module

from ...training.helpers import Break

D = torch.float64


def bits(n: int) -> Tensor:
    """All binary states."""
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=n)), dtype=D)


def quadrature(n: int, points: int = 40) -> tuple[Tensor, Tensor]:
    """Nodes (points^n, n) and weights of expectations under n standard normal variables."""
    x, w = np.polynomial.hermite_e.hermegauss(points)
    nodes = torch.tensor(list(itertools.product(x, repeat=n)), dtype=D)
    weights = torch.tensor(list(itertools.product(w / w.sum(), repeat=n)), dtype=D).prod(-1)
    return nodes, weights


def livelier(vae: hm.VAE, seed: int = 0) -> hm.VAE:
    """With biases, so that nothing is symmetric, and an encoder wider than the posterior: weights have light tails."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in vae.named_parameters():
            if name.endswith("bias"):
                parameter += 0.5 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        if vae.prior is None:
            for encoder, layer in zip(vae.encoders, vae.latents, strict=True):
                encoder[-1].weight *= 0.3
                encoder[-1].bias[: layer.n] *= 0.3
                encoder[-1].bias[layer.n :] = 0.2
            for decoder, layer in zip(vae.decoders[1:], vae.latents, strict=False):
                decoder[-1].weight *= 0.5
                decoder[-1].bias[layer.n :] = 0.0
    vae.mark_untrained()
    return vae


def two_latents(visible: Any = 4, **options: Any) -> hm.VAE:
    return livelier(hm.VAE(visible, latent=2, hidden=(5,), dtype=D, seed=3, **options))


def by_quadrature(vae: hm.VAE, v: Tensor) -> Tensor:
    """log p(v) of a VAE with one layer of latent units."""
    nodes, weights = quadrature(vae.latents[0].n)
    with torch.no_grad():
        fit = vae.log_layer(0, nodes.unsqueeze(1).expand(-1, len(v), -1), v)
    return torch.logsumexp(fit + weights.log().unsqueeze(-1), 0)


def many_weights(vae: hm.VAE, v: Tensor, samples: int) -> Tensor:
    """Log-weights (samples, cases) from one draw for each of so many copies of every case: all of them at once."""
    return vae.log_weights(v.repeat(samples, 1), hm.Stream(1)).view(samples, len(v))


def check_weights(vae: hm.VAE, v: Tensor, log_p: Tensor, samples: int = 20_000) -> None:
    """The mean weight is p(v), within five standard errors."""
    ratio = torch.exp(many_weights(vae, v, samples) - log_p)
    error = ratio.std(0) / math.sqrt(samples)
    assert float(error.max()) < 0.05  # else the check says nothing
    assert bool(((ratio.mean(0) - 1).abs() < 5 * error).all())


# ---------------------------------------------------------------------------------------------------- likelihoods


@pytest.mark.parametrize(
    "visible",
    [4, hm.Categorical(2, 3), hm.Spin(3), hm.Mixed([hm.Bernoulli(2), hm.Categorical(1, 3)])],
    ids=lambda visible: type(visible).__name__,
)
def test_probabilities_sum_to_one_and_importance_sampling_finds_them(visible: Any) -> None:
    vae = two_latents(visible)
    units = vae.visible
    v = units.states(torch.arange(units.count))
    log_p = by_quadrature(vae, v)
    assert float(torch.logsumexp(log_p, 0)) == pytest.approx(0, abs=1e-9)
    check_weights(vae, v, log_p)


def test_two_stochastic_layers_against_quadrature() -> None:
    vae = livelier(hm.VAE(3, latent=(1, 1), hidden=((4,), (3,)), dtype=D, seed=1))
    v = bits(3)
    top, w_top = quadrature(1, 60)
    with torch.no_grad():
        q = vae.latents[0].distribution(vae.decoders[1](top))  # p(z_1 | z_2) at the nodes of z_2
        x, w = quadrature(1, 60)
        z = q.mean + q.stddev * x.T  # type: ignore[attr-defined]  # nodes of z_1 given each of them
        fit = vae.log_layer(0, z.reshape(-1, 1, 1).expand(-1, len(v), 1), v)
        log_weight = (w_top.log()[:, None] + w.log()).reshape(-1, 1)
    log_p = torch.logsumexp(fit + log_weight, 0)
    assert float(torch.logsumexp(log_p, 0)) == pytest.approx(0, abs=1e-9)
    check_weights(vae, v, log_p, 40_000)


def linear_gaussian(seed: int = 0) -> tuple[hm.VAE, torch.distributions.MultivariateNormal]:
    """v = A z + b + noise: a VAE without hidden layers, and its density."""
    vae = livelier(hm.VAE(hm.Gaussian(4), latent=2, hidden=(), dtype=D, seed=seed))
    generator = torch.Generator().manual_seed(seed)
    variance = torch.exp(0.5 * torch.randn(4, generator=generator, dtype=D))
    with torch.no_grad():
        vae.visible.log_variance.copy_(variance.log())
        # The decoder's numbers are fields: what they say of the mean is scaled by the variance.
        A = variance[:, None] * vae.decoders[0][0].weight
        mean = variance * vae.visible.bias
    return vae, torch.distributions.MultivariateNormal(mean, A @ A.mT + torch.diag(variance))


def test_a_linear_gaussian_model_has_the_density_of_probabilistic_pca() -> None:
    vae, density = linear_gaussian()
    v = torch.tensor([[0.3, -1.0, 0.5, 0.2], [1.0, 0.4, -0.6, 0.0]], dtype=D)
    log_p = density.log_prob(v)
    assert torch.allclose(by_quadrature(vae, v), log_p, rtol=0, atol=1e-9)
    z = torch.tensor([[0.5, -2.0]], dtype=D)
    A = density.loc + vae.visible.log_variance.exp() * (z @ vae.decoders[0][0].weight.mT)
    assert torch.allclose(vae.decode(z), A)


def test_mixture_outputs_against_quadrature() -> None:
    vae = two_latents(hm.Gaussian(1), outputs=hm.models.MixtureConditional(1, 3))
    v = torch.linspace(-15, 15, 301, dtype=D).unsqueeze(-1)
    log_p = by_quadrature(vae, v)
    assert float(log_p.exp().sum() * 0.1) == pytest.approx(1, abs=1e-3)  # a rule of rectangles
    check_weights(vae, v[130:171:10], log_p[130:171:10])


def machine_prior(dtype: torch.dtype = D) -> hm.VAE:
    """A VAE with four binary latent units under an RBM of some temper."""
    generator = torch.Generator().manual_seed(5)
    arrays = [torch.randn(shape, generator=generator, dtype=dtype) for shape in ((4, 3), (4,), (3,))]
    return livelier(hm.VAE(5, hidden=(6,), prior=hm.RBM.from_arrays(*arrays), dtype=dtype, seed=2))


def enumerated(vae: hm.VAE, v: Tensor) -> Tensor:
    """log p(v) by the sum over all binary latent states."""
    assert vae.prior is not None
    z = bits(vae.latents[0].n).to(vae.dtype)
    with torch.no_grad():
        joint = vae.log_joint(v, [z.unsqueeze(1).expand(-1, len(v), -1)])
    return torch.logsumexp(joint, 0) - hm.log_partition(vae.prior).value


def test_a_machine_prior_against_enumeration() -> None:
    vae = machine_prior()
    v = bits(5)
    log_p = enumerated(vae, v)
    assert float(torch.logsumexp(log_p, 0)) == pytest.approx(0, abs=1e-9)
    assert vae.prior is not None and vae.energy_part is vae.prior
    check_weights(vae, v, log_p + hm.log_partition(vae.prior).value)
    found = hm.evaluate(vae, v, samples=4000)
    assert found.method == "importance, exact"
    assert found.mean == pytest.approx(float(log_p.mean()), abs=0.05)
    assert found.bound is not None and found.bound < found.mean


def test_evaluate_says_that_it_is_an_estimate_from_below() -> None:
    vae, v = two_latents(), bits(4)
    found = hm.evaluate(vae, v, samples=5000, seed=1)
    assert found.method == "importance" and found.upper == math.inf and found.log_partition is None
    assert found.mean == pytest.approx(float(by_quadrature(vae, v).mean()), abs=0.01)
    few = hm.evaluate(vae, v, samples=1)
    assert few.bound == pytest.approx(few.mean) and few.mean < found.mean


def test_what_a_sample_is_does_not_depend_on_how_many_are_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    vae, v = livelier(hm.VAE(4, latent=(3, 2), hidden=((5,), (4,)), dtype=D)), bits(4)
    at_once = vae.log_weights(v, hm.Stream(0), 6)
    monkeypatch.setattr(module, "ROWS", 32)
    # Products of other shapes round otherwise.
    assert torch.allclose(vae.log_weights(v, hm.Stream(0), 6), at_once, rtol=0, atol=1e-12)
    assert not torch.allclose(at_once[0], at_once[1])


# ---------------------------------------------------------------------------------------------------------- draws


@pytest.mark.parametrize("prior", [False, True])
def test_draws_have_the_probabilities_of_the_model(prior: bool) -> None:
    vae = machine_prior() if prior else two_latents(5)
    v = bits(5)
    p = (enumerated(vae, v) if prior else by_quadrature(vae, v)).exp()
    n = 20_000
    drawn = hm.sample(vae, n, sweeps=100, seed=3)
    code = (drawn @ (2.0 ** torch.arange(4, -1, -1, dtype=D))).long()
    found = torch.bincount(code, minlength=32) / n
    # Thirty-two binomial shares: five standard errors, and the smallest possible one.
    assert bool(((found - p).abs() < 5 * torch.sqrt(p / n) + 1 / n).all())
    assert torch.equal(hm.sample(vae, 3, sweeps=5, seed=1), hm.sample(vae, 3, sweeps=5, seed=1))


def test_two_layers_are_drawn_from_the_top() -> None:
    vae = livelier(hm.VAE(3, latent=(1, 1), hidden=((4,), (3,)), dtype=D, seed=1))
    v, n = bits(3), 20_000
    p = torch.exp(torch.logsumexp(many_weights(vae, v, n), 0) - math.log(n))
    found = torch.bincount((hm.sample(vae, n, seed=3) @ torch.tensor([4.0, 2, 1], dtype=D)).long(), minlength=8) / n
    assert bool(((found - p).abs() < 6 * torch.sqrt(p / n)).all())  # both sides are estimates


def test_given_visible_units_it_does_not_draw() -> None:
    vae = hm.VAE(4, latent=2, hidden=(3,))
    with pytest.raises(ValueError, match="a VAE cannot draw visible units given others"):
        hm.sample(vae, 2, clamp=([1, 0, 0, 0], [1, 0, 0, 0]))
    with pytest.raises(ValueError, match="a VAE cannot draw visible units given others"):
        hm.impute(vae, [[1, float("nan"), 0, 0]])


def test_codes_and_pictures() -> None:
    vae = livelier(hm.VAE(hm.Categorical(2, 3), latent=(3, 2), hidden=((4,), (4,))))
    mean, scale = vae.encode([[0, 2], [1, 1]])
    assert mean.shape == scale.shape == (2, 2) and bool((scale > 0).all())
    p = vae.decode(mean).detach()
    assert p.shape == (2, 6)
    assert torch.allclose(p.view(2, 2, 3).sum(-1), torch.ones(2, 2))
    with pytest.raises(ValueError, match=r"z has shape \(2, 3\); expected \(batch, 2\)"):
        vae.decode(torch.zeros(2, 3))


# ---------------------------------------------------------------------------------------------- training and files


def patterns() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, (40, 6))


MODELS = {
    "dense": lambda: hm.VAE(6, latent=2, hidden=(5,)),
    "two layers": lambda: hm.VAE(6, latent=(3, 2), hidden=((5,), (4,)), dtype=D),
    "convolutional": lambda: hm.VAE((2, 3), latent=2, hidden=hm.models.Convolutional((2, 3), 4)),
    "categorical": lambda: hm.VAE(hm.Categorical((2, 3), 2), latent=2, hidden=hm.models.Convolutional((2,), 4)),
    "mixture": lambda: hm.VAE(
        hm.Gaussian(6), latent=2, hidden=(5,), outputs=hm.models.MixtureConditional(6, 2, "laplace")
    ),
    "mixed": lambda: hm.VAE(hm.Mixed([hm.Bernoulli(3), hm.Categorical(3, 2)]), latent=2, hidden=(5,)),
    "rbm prior": lambda: hm.VAE(6, hidden=(5,), prior=hm.RBM(3, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_a_file_holds_all_of_it(name: str, tmp_path: Path) -> None:
    vae = MODELS[name]()
    hm.fit(vae, patterns(), epochs=2, batch_size=20)
    hm.save(vae, tmp_path / "vae.safetensors")
    again = hm.load(tmp_path / "vae.safetensors")
    assert repr(again) == repr(vae) and again.config() == vae.config()
    v = vae.visible.encode(torch.as_tensor(patterns()).to(vae.dtype))
    assert torch.equal(again.log_weights(v, hm.Stream(0), 3), vae.log_weights(v, hm.Stream(0), 3))
    if vae.prior is not None:
        assert torch.equal(again.prior.chains, vae.prior.chains)
        assert torch.equal(again.prior.data_mean, vae.prior.data_mean)


@pytest.mark.parametrize("objective", [hm.ELBO(k=2, warm_up=7, prior=hm.PCD(chains=8)), hm.IWAE(k=3)])
@pytest.mark.parametrize("name", ["two layers", "rbm prior"])
def test_a_resumed_run_ends_bit_for_bit_alike(name: str, objective: hm.objectives.Objective, tmp_path: Path) -> None:
    if name == "rbm prior" and isinstance(objective, hm.IWAE):
        objective = hm.ELBO()
    options: dict[str, Any] = {
        "objective": objective, "epochs": 3, "batch_size": 10, "validation": patterns(), "seed": 7,
    }  # fmt: skip
    whole = MODELS[name]()
    history = hm.fit(whole, patterns(), out=tmp_path / "whole", **options)
    with pytest.raises((KeyboardInterrupt, hm.errors.InterruptedRunError)):
        hm.fit(MODELS[name](), patterns(), out=tmp_path / "part", callbacks=[Break(5)], **options)
    config = json.loads((tmp_path / "part" / "config.json").read_text())
    del config["digest"]  # because it is changed on purpose
    config["callbacks"] = [entry for entry in config["callbacks"] if entry is not None]
    (tmp_path / "part" / "config.json").write_text(json.dumps(config))
    model, resumed = hm.resume(tmp_path / "part", data=patterns(), validation=patterns())
    state, expected = model.state_dict(), whole.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], expected[key]) for key in state)
    assert resumed["log_likelihood"] == history["log_likelihood"]


def test_training_begins_at_the_base_rate_and_improves() -> None:
    data = hm.data.load("digits")
    vae = hm.VAE((8, 8), latent=10, hidden=(40,))
    history = hm.fit(vae, data.train, epochs=15, batch_size=50, learning_rate=3e-3, validation=data.valid)
    base = hm.RBM(64, 1)
    base.data_mean, base.data_variance = vae.data_mean, vae.data_variance
    base.data_cases = vae.data_cases
    with torch.no_grad():
        base.visible.set_natural(base.base_rate()[0])
    independent = hm.evaluate(base, data.valid).mean
    assert history["log_likelihood"][-1] > independent + 3  # a bound, and well above independent pixels
    fresh = hm.VAE((8, 8), latent=10, hidden=(40,))
    fresh.data_mean, fresh.data_variance, fresh.data_cases = vae.data_mean, vae.data_variance, vae.data_cases
    fresh.initialise_from_data(hm.Stream(0))
    assert torch.allclose(fresh.visible.bias, base.visible.bias)


def test_the_seed_draws_the_parameters() -> None:
    one, two, other = (hm.VAE(6, 2, (4,), seed=seed) for seed in (0, 0, 1))
    weights = [vae.encoders[0][0].weight for vae in (one, two, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    bound = math.sqrt(6 / (6 + 4))
    assert 0.8 * bound < float(weights[0].detach().abs().max()) <= bound


# -------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent": 0}, "latent must be "),
        ({"latent": (3, 0)}, "latent must be "),
        ({"latent": ()}, "latent is empty"),
        ({"latent": 2.5}, "latent must be "),
        ({"latent": (3, 2)}, "hidden describes the networks of 1 stochastic layers, and latent has 2"),
        ({"hidden": (5, 0)}, "hidden must be .*, found 0"),
        ({"hidden": hm.models.Convolutional()}, r"visible units have shape \(6,\); convolutions need"),
        (
            {"outputs": hm.models.UnitConditional(hm.Bernoulli(5))},
            "outputs has the units .*visible is 6",
        ),
        ({"prior": hm.RBM(hm.Gaussian(3), 2)}, "prior must have Bernoulli visible units"),
        ({"prior": hm.DBM([3, 2, 2])}, "prior must have Bernoulli visible units"),
        ({"prior": hm.RBM(3, 2), "latent": 4}, "the prior has 3 visible units: leave latent out"),
        ({"prior": hm.RBM(3, 2, dtype=D)}, "give both one dtype"),
    ],
)
def test_what_it_cannot_be_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hm.VAE(6, **({"hidden": (4,)} | arguments))


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="prior must be a machine"):
        hm.VAE(6, 2, prior=hm.VAE(2, 1))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="hidden must be widths"):
        hm.VAE(6, (2, 2), hidden=((3,), "wide"))
    with pytest.raises(TypeError, match="hidden must be widths"):
        hm.VAE(6, 2, hidden=5)  # type: ignore[arg-type]


def test_outputs_of_another_type_than_the_visible_units_are_refused() -> None:
    with pytest.raises(ValueError, match="they must be the same layer"):
        hm.VAE(hm.Categorical(4, 3), 2, outputs=hm.models.UnitConditional(hm.Bernoulli(4)))


@pytest.mark.parametrize(
    ("v", "message"),
    [
        ([[0, 0.5, 1, 0, 0, 0]], r"(?s)has the value 0\.5 in row 0, column 1.*name a binarisation"),
        ([[0, float("nan"), 1, 0, 0, 0]], "not finite"),
        ([[0, 1]], "2 columns|shape"),
    ],
)
def test_data_that_do_not_fit_are_refused(v: list[list[float]], message: str) -> None:
    vae = hm.VAE(6, 2, (4,))
    for function in (lambda: hm.fit(vae, v), lambda: hm.evaluate(vae, v), lambda: vae.encode(v)):
        with pytest.raises(ValueError, match=message):
            function()


def test_networks_of_ones_own_train_but_have_no_file(tmp_path: Path) -> None:
    def linear(n: int, m: int) -> nn.Module:
        return nn.utils.skip_init(nn.Linear, n, m)

    vae = hm.VAE(6, latent=2, encoder=nn.Sequential(linear(6, 4), nn.Tanh()), decoder=linear(2, 6))
    hm.fit(vae, patterns(), epochs=1)
    assert vae.log_weights(torch.zeros(1, 6), hm.Stream(0), 2).shape == (2, 1)
    with pytest.raises(ValueError, match="encoder or decoder of your own"):
        hm.save(vae, tmp_path / "vae.safetensors")


def test_columns_of_several_kinds() -> None:
    """A decoder has as many numbers as the units inside: p(v | z) of the discrete columns sums to one."""
    vae = hm.VAE(hm.Mixed([hm.Bernoulli(1), hm.Categorical(2, 3)]), latent=2, hidden=(4,), dtype=torch.float64, seed=1)
    every = vae.visible.states(torch.arange(18))
    z = torch.randn(1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).expand(18, -1)
    with torch.no_grad():
        total = torch.logsumexp(vae.log_layer(0, z, every), 0)
    assert float(total) == pytest.approx(0, abs=1e-12)
    outside = [[1.0, 2.0, 0.0, 0.3]] * 4
    mixed = hm.VAE(hm.Mixed([hm.Bernoulli(1), hm.Categorical(2, 3), hm.Gaussian(1)]), latent=2, hidden=(4,))
    hm.fit(mixed, outside + [[0.0, 1.0, 1.0, -0.3]] * 4, epochs=2)
    assert hm.sample(mixed, 5).shape == (5, 4) and mixed.decode(torch.zeros(1, 2)).shape == (1, 8)
    assert build(mixed.config()).config() == mixed.config()
