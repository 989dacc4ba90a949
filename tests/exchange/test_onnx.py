from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

LAYERS: dict[str, Any] = {
    "bernoulli": hm.Bernoulli((2, 3)),
    "spin": hm.Spin(5),
    "categorical": hm.Categorical(3, 4),
    "binomial": hm.Binomial(4, trials=7),
    "gaussian": hm.Gaussian(5),
    "poisson": hm.Poisson(4),
    "relu": hm.ReLU(4),
    "drelu": hm.DReLU(4),
    "mixed": hm.Mixed([hm.Bernoulli(2), hm.Categorical(2, 3), hm.Gaussian(1), hm.Binomial(1, trials=3)]),
}
PAIRS = [(a, b) for a in LAYERS for b in LAYERS if LAYERS[a].finite or LAYERS[b].finite]


def states(units: Any, n: int, rng: np.random.Generator) -> np.ndarray:
    """States outside within the domain, far out ones too."""
    match units:
        case hm.Mixed():
            return np.concatenate([states(part, n, rng) for part in units.parts], 1)
        case hm.Categorical():
            return rng.integers(units.constant, size=(n, units.columns)).astype(np.float32)
        case hm.Binomial():
            return rng.integers(units.constant + 1, size=(n, units.columns)).astype(np.float32)
        case hm.Spin():
            return rng.choice([-1.0, 1.0], (n, units.columns)).astype(np.float32)
        case hm.Poisson():
            return rng.integers(200, size=(n, units.columns)).astype(np.float32)
        case hm.ReLU():
            return np.abs(rng.normal(0, 3, (n, units.columns))).astype(np.float32)
        case hm.Gaussian() | hm.DReLU():
            return rng.normal(0, 3, (n, units.columns)).astype(np.float32)
    return rng.integers(2, size=(n, units.columns)).astype(np.float32)


def rbm_of(visible: Any, hidden: Any, scale: float) -> hm.RBM:
    rbm = hm.RBM(visible, hidden)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return rbm


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_every_pair_of_units_gives_our_numbers_to_float32(tmp_path: Path, visible: str, hidden: str) -> None:
    # Counts have no use for inputs in the hundreds: their rates are exponentials of them.
    rbm = rbm_of(LAYERS[visible], LAYERS[hidden], 0.02 if "poisson" in (visible, hidden) else 0.7)
    hm.exchange.to_onnx(rbm, tmp_path / "rbm.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "rbm.onnx")
    rng = np.random.default_rng(0)
    v, h = states(rbm.visible, 20, rng), states(rbm.hidden, 9, rng)
    hidden_mean, visible_mean, free_energy = session.run(
        ["hidden_mean", "visible_mean", "free_energy"], {"visible": v, "hidden": h}
    )
    for found, ours in (
        (hidden_mean, rbm.hidden_mean(v)),
        (visible_mean, rbm.visible_mean(h)),
        (free_energy, rbm.free_energy(v)),
    ):
        expected = ours.detach().numpy()
        assert found.shape == expected.shape and found.dtype == np.float32
        # Sums of dozens of terms in float32, whose sizes are those of the largest entries.
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6 * max(1.0, float(np.abs(expected).max())))


def test_cut_normal_distributions_far_on_both_sides(tmp_path: Path) -> None:
    """One hidden unit that sees inputs from -60 to 60 standard deviations."""
    for units in (hm.ReLU(1), hm.DReLU(1)):
        rbm = hm.RBM(hm.Categorical(1, states=241), units)
        with torch.no_grad():
            rbm.weights.copy_(torch.linspace(-60, 60, 241).unsqueeze(-1))
            rbm.hidden.bias.zero_()
        hm.exchange.to_onnx(rbm, tmp_path / "rbm.onnx")
        v = np.arange(241, dtype=np.float32)[:, None]
        session = onnxruntime.InferenceSession(tmp_path / "rbm.onnx")
        found = session.run(["hidden_mean", "free_energy"], {"visible": v, "hidden": np.zeros((1, 1), np.float32)})
        # The worst place is the mean at 2 standard deviations, where float32 loses a digit to cancellation.
        np.testing.assert_allclose(found[0], rbm.hidden_mean(v).detach().numpy(), rtol=5e-6, atol=1e-30)
        np.testing.assert_allclose(found[1], rbm.free_energy(v).detach().numpy(), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["bernoulli", "spin", "categorical"])
def test_large_inputs_neither_overflow_nor_saturate(tmp_path: Path, kind: str) -> None:
    rbm = rbm_of(LAYERS[kind], LAYERS[kind], 60.0)
    hm.exchange.to_onnx(rbm, tmp_path / "rbm.onnx")
    v = states(rbm.visible, 20, np.random.default_rng(1))
    inputs = {"visible": v, "hidden": np.zeros((1, rbm.hidden.columns), np.float32)}
    (found,) = onnxruntime.InferenceSession(tmp_path / "rbm.onnx").run(["free_energy"], inputs)
    np.testing.assert_allclose(found, rbm.free_energy(v).detach().numpy(), rtol=1e-5)


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    rbm = rbm_of(6, 3, 1.0).double()
    hm.exchange.to_onnx(rbm, tmp_path / "rbm.onnx")
    model = onnx.load(tmp_path / "rbm.onnx")
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    meta = {entry.key: entry.value for entry in model.metadata_props}
    assert meta["harmonium"] == hm.__version__ and meta["opset"] == "18"
    assert json.loads(meta["model"]) == rbm.config()
    assert model.producer_name == "harmonium"


def test_what_has_no_export_is_refused_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    class Wider(hm.Gaussian):
        """Has formulas of its own, for all that the export knows."""

    for units in (Wider(3), hm.Mixed([hm.Bernoulli(2), Wider(1)])):
        with pytest.raises(TypeError, match=r"cannot be exported to ONNX: only Bernoulli, Spin"):
            hm.exchange.to_onnx(hm.RBM(units, 2), tmp_path / "rbm.onnx")
    with pytest.raises(TypeError, match=r"to_onnx exports RBM.*, found DBM"):
        hm.exchange.to_onnx(hm.DBM([4, 3, 2]), tmp_path / "rbm.onnx")
    stack = hm.RBM.from_arrays(np.zeros((2, 4, 3)), np.zeros((2, 4)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="stack"):
        hm.exchange.to_onnx(stack, tmp_path / "rbm.onnx")
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ImportError, match=r"to_onnx needs onnx: pip install 'harmonium\[onnx\]'"):
        hm.exchange.to_onnx(hm.RBM(4, 3), tmp_path / "rbm.onnx")
    assert not list(tmp_path.iterdir())


def test_documents_of_many_lengths(tmp_path: Path) -> None:
    rbm = rbm_of(hm.ReplicatedSoftmax(5, lengths=[7]), hm.Bernoulli(3), 0.7)
    hm.exchange.to_onnx(rbm, tmp_path / "rbm.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "rbm.onnx")
    rng = np.random.default_rng(0)
    v, h = rng.poisson(6, (20, 5)).astype(np.float32), states(rbm.hidden, 9, rng)
    inputs = {"visible": v, "hidden": h, "length": np.full((9, 1), 7, np.float32)}
    hidden_mean, visible_mean, free_energy = session.run(["hidden_mean", "visible_mean", "free_energy"], inputs)
    np.testing.assert_allclose(hidden_mean, rbm.hidden_mean(v).detach().numpy(), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(visible_mean, rbm.visible_mean(h).detach().numpy(), rtol=2e-5)
    np.testing.assert_allclose(free_energy, rbm.free_energy(v).detach().numpy(), rtol=2e-5, atol=1e-4)


def randomised(model: Any, scale: float = 0.5) -> Any:
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("kind", ["bernoulli", "categorical", "gaussian", "mixed"])
def test_a_nade_gives_its_likelihoods(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("harmonium.models.autoregressive.nade")
    units = LAYERS[kind]
    ordering = np.random.default_rng(3).permutation(units.columns)
    nade = randomised(hm.NADE(units, hidden=8, ordering=ordering))
    hm.exchange.to_onnx(nade, tmp_path / "nade.onnx")
    v = states(units, 30, np.random.default_rng(2))
    (found,) = onnxruntime.InferenceSession(tmp_path / "nade.onnx").run(["log_prob"], {"visible": v})
    # Sums over variables in float32.
    np.testing.assert_allclose(found, nade.log_prob(v).detach().numpy(), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("visible", "options"),
    [
        ("bernoulli", {"latent": 3, "hidden": (6, 5)}),
        ("categorical", {"latent": (4, 2), "hidden": [(6,), (5,)]}),
        ("bernoulli", {"latent": 3, "convolutional": (2, 4)}),
        ("bernoulli", {"prior": hm.RBM(4, 3), "hidden": (5,)}),
    ],
    ids=["dense", "two latent layers", "convolutional", "machine as prior"],
)
def test_a_decoder_gives_its_means(tmp_path: Path, visible: str, options: dict[str, Any]) -> None:
    pytest.importorskip("harmonium.models.vae.vae")
    options = dict(options)
    if "convolutional" in options:
        options["hidden"] = hm.models.Convolutional(options.pop("convolutional"), 7)
    vae = randomised(hm.VAE(LAYERS[visible], **options))
    hm.exchange.to_onnx(vae, tmp_path / "vae.onnx")
    z = np.random.default_rng(4).normal(size=(20, vae.latents[-1].n)).astype(np.float32)
    (found,) = onnxruntime.InferenceSession(tmp_path / "vae.onnx").run(["visible_mean"], {"latent": z})
    np.testing.assert_allclose(found, vae.decode(z).detach().numpy(), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("family", ["gaussian", "laplace"])
def test_mixtures_of_real_values(tmp_path: Path, family: str) -> None:
    outputs = hm.models.MixtureConditional(4, 3, family, floor=0.1)
    v = states(hm.Gaussian(4), 30, np.random.default_rng(2))
    for model in (
        randomised(hm.NADE(outputs=outputs, visible=4, hidden=8, ordering=[2, 0, 3, 1])),
        randomised(hm.MADE(outputs=outputs, hidden=(8, 7), masks=2)),
    ):
        hm.exchange.to_onnx(model, tmp_path / "model.onnx")
        (found,) = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(["log_prob"], {"visible": v})
        # Residuals of tens of scales, squared, in float32.
        np.testing.assert_allclose(found, model.log_prob(v).detach().numpy(), rtol=5e-5, atol=5e-5)
    vae = randomised(hm.VAE(4, latent=2, hidden=(5,), outputs=outputs))
    hm.exchange.to_onnx(vae, tmp_path / "vae.onnx")
    z = np.random.default_rng(4).normal(size=(20, 2)).astype(np.float32)
    (found,) = onnxruntime.InferenceSession(tmp_path / "vae.onnx").run(["visible_mean"], {"latent": z})
    np.testing.assert_allclose(found, vae.decode(z).detach().numpy(), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("kind", ["bernoulli", "categorical", "mixed"])
def test_a_made_gives_its_likelihoods(tmp_path: Path, kind: str) -> None:
    made = randomised(hm.MADE(LAYERS[kind], hidden=(9, 7), masks=3))
    hm.exchange.to_onnx(made, tmp_path / "made.onnx")
    v = states(LAYERS[kind], 30, np.random.default_rng(2))
    (found,) = onnxruntime.InferenceSession(tmp_path / "made.onnx").run(["log_prob"], {"visible": v})
    np.testing.assert_allclose(found, made.log_prob(v).detach().numpy(), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kind", ["bernoulli", "categorical", "mixed"])
def test_an_order_agnostic_nade_gives_its_means(tmp_path: Path, kind: str) -> None:
    units = LAYERS[kind]
    model = randomised(hm.OrderlessNADE(units, hidden=(9, 7)))
    hm.exchange.to_onnx(model, tmp_path / "orderless.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "orderless.onnx")
    rng = np.random.default_rng(2)
    v, observed = states(units, 30, rng), rng.random((30, units.columns)) < 0.5
    v[~observed] = np.nan
    (found,) = session.run(["visible_mean"], {"visible": v, "observed": observed.astype(np.float32)})
    shown = torch.as_tensor(observed)
    inside = units.encode(torch.nan_to_num(torch.as_tensor(v)), "v") * units.repeat_per_column(shown)
    with torch.no_grad():
        expected = model.outputs.mean(model.network(inside, shown.float()))
    np.testing.assert_allclose(found, expected.numpy(), rtol=2e-5, atol=2e-6)
