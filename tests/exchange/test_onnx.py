from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.exchange import formulas
from harmonium.exchange.graphs import Graph, graph
from harmonium.exchange.onnx import _export
from harmonium.models.autoregressive.convnade import ConvolutionalNetwork

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
    """States as users see them, within the domain, extreme ones too."""
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


def run(model: Any, folder: Path, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What onnxruntime computes from the exported model."""
    hm.exchange.to_onnx(model, folder / "model.onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    outputs = dict(zip([output.name for output in session.get_outputs()], session.run(None, inputs), strict=True))
    assert all(array.dtype == np.float32 for array in outputs.values())
    return outputs


def trace(model: Any, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same by torch, from the module that is exported."""
    outputs = graph(model)(**{name: torch.as_tensor(array) for name, array in inputs.items()})
    return {name: tensor.detach().numpy() for name, tensor in outputs.items()}


def check_rbm(rbm: hm.RBM, outputs: dict[str, np.ndarray], v: np.ndarray, h: np.ndarray) -> None:
    expected = {
        "hidden_mean": rbm.hidden_mean(v), "visible_mean": rbm.visible_mean(h), "free_energy": rbm.free_energy(v),
    }  # fmt: skip
    assert list(outputs) == list(expected)
    for name, tensor in expected.items():
        ours = tensor.detach().numpy()
        assert outputs[name].shape == ours.shape
        # Sums of dozens of terms in float32, whose sizes are those of the largest entries.
        atol = 2e-6 * max(1.0, float(np.abs(ours).max()))
        np.testing.assert_allclose(outputs[name], ours, rtol=2e-5, atol=atol, err_msg=name)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_every_pair_of_units_gives_our_numbers_to_float32(visible: str, hidden: str) -> None:
    # Counts have no use for inputs in the hundreds: their rates are exponentials of them.
    rbm = rbm_of(LAYERS[visible], LAYERS[hidden], 0.02 if "poisson" in (visible, hidden) else 0.7)
    rng = np.random.default_rng(0)
    v, h = states(rbm.visible, 20, rng), states(rbm.hidden, 20, rng)
    check_rbm(rbm, trace(rbm, {"visible": v, "hidden": h}), v, h)


def test_the_class_is_the_last_column() -> None:
    model = hm.ClassificationRBM(4, 3, classes=3, seed=1)
    v, h = np.array([[0, 1, 1, 0, 2], [1, 1, 0, 0, 0]], np.float32), np.ones((2, 3), np.float32)
    check_rbm(model, trace(model, {"visible": v, "hidden": h}), v, h)


@pytest.mark.parametrize(
    ("visible", "hidden"),
    [("bernoulli", "poisson"), ("spin", "gaussian"), ("mixed", "binomial")],
)
def test_types_of_units_in_onnxruntime(tmp_path: Path, visible: str, hidden: str) -> None:
    rbm = rbm_of(LAYERS[visible], LAYERS[hidden], 0.02 if "poisson" in (visible, hidden) else 0.7)
    rng = np.random.default_rng(0)
    v, h = states(rbm.visible, 20, rng), states(rbm.hidden, 9, rng)
    check_rbm(rbm, run(rbm, tmp_path, {"visible": v, "hidden": h}), v, h)


def test_truncated_normals_far_from_zero_on_both_sides(tmp_path: Path) -> None:
    """A hidden unit with inputs from -60 to 60 standard deviations."""
    rbm = hm.RBM(hm.Categorical(1, states=241), hm.ReLU(1))
    with torch.no_grad():
        rbm.weights.copy_(torch.linspace(-60, 60, 241).unsqueeze(-1))
    v = np.arange(241, dtype=np.float32)[:, None]
    found = run(rbm, tmp_path, {"visible": v, "hidden": np.zeros((1, 1), np.float32)})
    # The worst place is the mean at 4 standard deviations, where a digit is lost to cancellation.
    np.testing.assert_allclose(found["hidden_mean"], rbm.hidden_mean(v).detach().numpy(), rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(found["free_energy"], rbm.free_energy(v).detach().numpy(), rtol=1e-6, atol=1e-6)


class Functions(Graph):
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        x = x.double()
        return {
            "log_ndtr": torch.special.log_ndtr(x),
            "logaddexp": torch.logaddexp(x, 20 * x),
            "lgamma": torch.lgamma(x.abs().round() + 1),
        }


def test_operators_that_onnx_lacks() -> None:
    functions = Functions(None, {"x": 1})
    session = onnxruntime.InferenceSession(_export(functions).SerializeToString())
    x = np.concatenate([np.linspace(-60, 60, 2001), np.logspace(-30, 7, 100)])[:, None].astype(np.float32)
    for (name, expected), found in zip(functions(torch.as_tensor(x)).items(), session.run(None, {"x": x}), strict=True):
        # Constants of the graph are float32.
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-7, atol=1e-7, err_msg=name)


def test_large_inputs_neither_overflow_nor_saturate(tmp_path: Path) -> None:
    rbm = rbm_of(LAYERS["spin"], hm.Mixed([LAYERS[kind] for kind in ("bernoulli", "spin", "categorical")]), 60.0)
    v = states(rbm.visible, 20, np.random.default_rng(1))
    inputs = {"visible": v, "hidden": np.zeros((1, rbm.hidden.columns), np.float32)}
    found = run(rbm, tmp_path, inputs)["free_energy"]
    np.testing.assert_allclose(found, rbm.free_energy(v).detach().numpy(), rtol=1e-5)


def test_metadata_of_the_file(tmp_path: Path) -> None:
    rbm = rbm_of(6, 3, 1.0).double()
    hm.exchange.to_onnx(rbm, tmp_path / "rbm.onnx")
    model = onnx.load(tmp_path / "rbm.onnx")
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    meta = {entry.key: entry.value for entry in model.metadata_props}
    assert meta["harmonium"] == hm.__version__ and meta["opset"] == "18"
    assert json.loads(meta["model"]) == rbm.config()
    assert model.producer_name == "harmonium"
    assert b".py" not in model.SerializeToString()  # no path of a source file


class Doubled(hm.Gaussian):
    """Units with tensor formulas of their own."""

    def _mean(self, eta: Any) -> torch.Tensor:
        return 2 * super()._mean(eta)


class Branching(Doubled):
    """Units whose formulas torch cannot follow, because they look at values."""

    def _mean(self, eta: Any) -> torch.Tensor:
        return super()._mean(eta) if bool(torch.isfinite(eta[0]).all()) else eta[0]


def test_user_defined_units_export_their_formulas_or_registered_ones(tmp_path: Path) -> None:
    rbm, x = rbm_of(2, hm.Mixed([Doubled(1), Branching(1)]), 0.5), np.ones((3, 2), np.float32)
    with pytest.raises(TypeError, match=r"to_onnx cannot export RBM\(.*Branching.*register"):
        hm.exchange.to_onnx(rbm, tmp_path / "none.onnx")
    assert not (tmp_path / "none.onnx").exists()
    formulas.mean.register(Branching, lambda units, x: Doubled._mean(units, units._eta(x, None)))
    check_rbm(rbm, run(rbm, tmp_path, {"visible": x, "hidden": x}), x, x)


def test_refused_models_leave_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match=r"RBM.*VAE.*found DBM"):
        hm.exchange.to_onnx(hm.DBM([4, 3, 2]), tmp_path / "rbm.onnx")
    stack = hm.RBM.from_arrays(np.zeros((2, 4, 3)), np.zeros((2, 4)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="batched"):
        hm.exchange.to_onnx(stack, tmp_path / "rbm.onnx")
    for package in ("onnxscript", "onnx"):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ImportError, match=rf"to_onnx needs {package}: pip install 'harmonium\[onnx\]'"):
            hm.exchange.to_onnx(hm.RBM(4, 3), tmp_path / "rbm.onnx")
    assert not list(tmp_path.iterdir())


def test_documents_of_many_lengths(tmp_path: Path) -> None:
    rbm = rbm_of(hm.ReplicatedSoftmax(5, lengths=[7]), hm.Bernoulli(3), 0.7)
    rng = np.random.default_rng(0)
    v, h = rng.poisson(6, (20, 5)).astype(np.float32), states(rbm.hidden, 9, rng)
    found = run(rbm, tmp_path, {"visible": v, "hidden": h, "length": np.full((9, 1), 7, np.float32)})
    np.testing.assert_allclose(found["hidden_mean"], rbm.hidden_mean(v).detach().numpy(), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(found["visible_mean"], rbm.visible_mean(h).detach().numpy(), rtol=2e-5)
    np.testing.assert_allclose(found["free_energy"], rbm.free_energy(v).detach().numpy(), rtol=2e-5, atol=1e-4)


def randomised(model: Any, scale: float = 0.5) -> Any:
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return model


def check_likelihood(model: Any, folder: Path, v: np.ndarray, export: bool, tolerance: float = 2e-5) -> None:
    """By torch, and by onnxruntime where ``export``, because every export takes seconds."""
    expected = model.log_prob(v).detach().numpy()
    for outputs in (trace(model, {"visible": v}), *([run(model, folder, {"visible": v})] if export else [])):
        # Sums over variables in float32.
        np.testing.assert_allclose(outputs["log_prob"], expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_nade_gives_its_likelihoods(tmp_path: Path, kind: str) -> None:
    units = LAYERS[kind]
    ordering = np.random.default_rng(3).permutation(units.columns)
    nade = randomised(hm.NADE(units, hidden=8, ordering=ordering, rectified=kind == "spin"), 0.1)
    v = states(units, 30, np.random.default_rng(2))
    check_likelihood(nade, tmp_path, v, export=kind == "categorical", tolerance=1e-4 if kind == "poisson" else 2e-5)


@pytest.mark.parametrize("kind", ["bernoulli", "categorical", "mixed"])
def test_a_made_gives_its_likelihoods(tmp_path: Path, kind: str) -> None:
    made = randomised(hm.MADE(LAYERS[kind], hidden=(9, 7), masks=3))
    check_likelihood(made, tmp_path, states(LAYERS[kind], 30, np.random.default_rng(2)), export=kind == "categorical")


@pytest.mark.parametrize(
    ("visible", "options"),
    [
        ("bernoulli", {"latent": 3, "hidden": (6, 5)}),
        ("categorical", {"latent": (4, 2), "hidden": [(6,), (5,)]}),
        ("bernoulli", {"latent": 3, "hidden": hm.models.Convolutional((2, 4), 7)}),
        ("bernoulli", {"prior": hm.RBM(4, 3), "hidden": (5,)}),
    ],
    ids=["dense", "two latent layers", "convolutional", "machine as prior"],
)
def test_a_decoder_gives_its_means(tmp_path: Path, visible: str, options: dict[str, Any]) -> None:
    check_decoder(randomised(hm.VAE(LAYERS[visible], **options)), tmp_path)


def check_decoder(vae: hm.VAE, folder: Path) -> None:
    z = np.random.default_rng(4).normal(size=(20, vae.latents[-1].n)).astype(np.float32)
    found = run(vae, folder, {"latent": z})["visible_mean"]
    np.testing.assert_allclose(found, vae.decode(z).detach().numpy(), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("family", ["gaussian", "laplace"])
def test_mixtures_of_real_values(tmp_path: Path, family: str) -> None:
    outputs = hm.models.MixtureConditional(4, 3, family, floor=0.1)
    v, tolerance = states(hm.Gaussian(4), 30, np.random.default_rng(2)), 5e-5  # squares of residuals of tens of scales
    nade = randomised(hm.NADE(outputs=outputs, visible=4, hidden=8, ordering=[2, 0, 3, 1]))
    check_likelihood(nade, tmp_path, v, export=family == "gaussian", tolerance=tolerance)
    made = randomised(hm.MADE(outputs=outputs, hidden=(8, 7), masks=2))
    check_likelihood(made, tmp_path, v, export=family == "laplace", tolerance=tolerance)
    check_decoder(randomised(hm.VAE(4, latent=2, hidden=(5,), outputs=outputs)), tmp_path)


@pytest.mark.parametrize("kind", ["bernoulli", "mixed", "convolutional"])
def test_an_order_agnostic_nade_gives_its_means(tmp_path: Path, kind: str) -> None:
    if kind == "convolutional":
        outputs = hm.models.UnitConditional(hm.Bernoulli((4, 4)))
        model = hm.OrderlessNADE(outputs=outputs, network=ConvolutionalNetwork(outputs, 2, hidden=(5,)))
    else:
        model = hm.OrderlessNADE(LAYERS[kind], hidden=(9, 7))
    units = randomised(model, 0.3).visible
    rng = np.random.default_rng(2)
    v, observed = states(units, 30, rng), rng.random((30, units.columns)) < 0.5
    v[~observed] = np.nan
    found = run(model, tmp_path, {"visible": v, "observed": observed.astype(np.float32)})["visible_mean"]
    shown = torch.as_tensor(observed)
    inside = units.encode(torch.nan_to_num(torch.as_tensor(v)), "v") * units.repeat_per_column(shown)
    with torch.no_grad():
        expected = model.outputs.mean(model.network(inside, shown.float()))
    np.testing.assert_allclose(found, expected.numpy(), rtol=2e-5, atol=2e-6)
