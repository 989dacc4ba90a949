from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm

h5py = pytest.importorskip("h5py")


def parameters(kind: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    shape = (6,) if kind == "BBRBM" else (4, 3)
    sizes = {"weight_matrix": (*shape, 5), "vbias": shape, "hbias": (5,)}
    return {name: rng.normal(size=size).astype(np.float32) for name, size in sizes.items()}


def written(path: Path, kind: str, saved: dict[int, dict[str, np.ndarray]], chains: np.ndarray, flat: bool) -> Path:
    """A file as rbms 0.5.0 lays it out; ``flat`` as older versions, with the parameters beside the rest."""
    with h5py.File(path, "w") as file:
        for update, arrays in saved.items():
            group = file.create_group(f"update_{update}")
            place = group if flat else group.create_group("params")
            for name, array in arrays.items():
                place[name] = array
            group["time"] = 1.5
            group["torch_rng_state"] = np.zeros(10, np.uint8)
        file["parallel_chains"] = chains
        if not flat:
            file["model_type"] = kind
    return path


def theirs(W: np.ndarray, b: np.ndarray, c: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Free energies by the formulas of rbms, with Potts states as one-hot groups."""
    if W.ndim == 3:
        v = np.eye(W.shape[1])[v.astype(int)].reshape(len(v), -1)
        W, b = W.reshape(-1, W.shape[2]), b.reshape(-1)
    energy: np.ndarray = -(v @ b) - np.logaddexp(0, v @ W + c).sum(1)
    return energy


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("kind", ["BBRBM", "PBRBM"])
def test_energies_are_those_of_the_file(tmp_path: Path, kind: str, flat: bool) -> None:
    rng = np.random.default_rng(3)
    saved = {1: parameters(kind, rng), 20: parameters(kind, rng), 3: parameters(kind, rng)}
    v = rng.integers(2, size=(30, 6)) if kind == "BBRBM" else rng.integers(3, size=(30, 4))
    path = written(tmp_path / "rbm.h5", kind, saved, v.astype(np.float32), flat)
    for index, update in ((-1, 20), (20, 20), (3, 3)):
        rbm = hm.exchange.from_rbms(path, index)
        arrays = saved[update]
        expected = theirs(arrays["weight_matrix"], arrays["vbias"], arrays["hbias"], v)
        np.testing.assert_allclose(rbm.free_energy(v).detach().numpy(), expected, rtol=1e-5, atol=1e-5)
        assert (rbm.chains is not None) == (update == 20)
    chains = hm.exchange.from_rbms(path).chains
    assert chains is not None and (rbm.visible.decode(chains).numpy() == v).all()
    with pytest.raises(ValueError, match=r"index=7: .*1, 3, 20.*-1"):
        hm.exchange.from_rbms(path, 7)


def test_chains_bound_log_z_from_above(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    arrays = {name: 0.1 * array for name, array in parameters("BBRBM", rng).items()}
    chains = rng.integers(2, size=(500, 6)).astype(np.float32)  # nearly those of such small weights
    rbm = hm.exchange.from_rbms(written(tmp_path / "rbm.h5", "BBRBM", {1: arrays}, chains, False))
    assert np.isfinite(hm.log_partition(rbm, method="ais", chains=100, temperatures=50).upper)


def test_other_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.h5"):
        hm.exchange.from_rbms(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(hm.errors.DamagedFileError, match=r"text\.h5.*copy"):
        hm.exchange.from_rbms(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1.0
    with pytest.raises(hm.errors.DamagedFileError, match=r"other\.h5.*rbms wrote"):
        hm.exchange.from_rbms(tmp_path / "other.h5")
    arrays = parameters("BBRBM", np.random.default_rng(0))
    del arrays["hbias"]
    path = written(tmp_path / "part.h5", "BBRBM", {1: arrays}, np.zeros((2, 6)), False)
    with pytest.raises(hm.errors.DamagedFileError, match=r"update 1 .*hbias.*rbms wrote"):
        hm.exchange.from_rbms(path)
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ImportError, match=r"from_rbms needs h5py: pip install 'harmonium\[rbms\]'"):
        hm.exchange.from_rbms(path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.jit, which rbms uses
@pytest.mark.parametrize("kind", ["BBRBM", "PBRBM"])
def test_a_file_that_rbms_itself_has_written(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("rbms", reason="rbms is not installed")
    from rbms.io import save_model
    from rbms.map_model import map_model

    arrays: dict[str, Any] = parameters(kind, np.random.default_rng(1))
    model = map_model[kind].set_named_parameters({name: torch.from_numpy(array) for name, array in arrays.items()})
    with torch.random.fork_rng():  # which rbms draws from
        chains = model.init_chains(20)
    save_model(str(tmp_path / "rbm.h5"), model, chains, 5, 1.0)
    rbm = hm.exchange.from_rbms(tmp_path / "rbm.h5")
    expected = model.compute_energy_visibles(chains["visible"]).numpy()
    np.testing.assert_allclose(rbm.free_energy(chains["visible"]).detach().numpy(), expected, rtol=1e-5, atol=1e-5)


def by_hand(kind: str, arrays: dict[str, np.ndarray], v: np.ndarray, h: np.ndarray) -> np.ndarray:
    """E(v, h) by the formulas of rbms: Gaussian hidden units have variance 1 / n_visible."""
    W, b, c = (arrays[name] for name in ("weight_matrix", "vbias", "hbias"))
    energy: np.ndarray = -(v @ b) - h @ c - np.einsum("ni,ij,nj->n", v, W, h)
    return energy + (len(W) / 2 * (h * h).sum(1) if kind in ("BGRBM", "IGRBM") else 0)


@pytest.mark.parametrize(
    ("kind", "visible", "hidden"),
    [
        ("BBRBM", "Bernoulli(6)", "Bernoulli(5)"),
        ("IIRBM", "Spin(6)", "Spin(5)"),
        ("BGRBM", "Bernoulli(6)", "Gaussian(5)"),
        ("IGRBM", "Spin(6)", "Gaussian(5)"),
    ],
)
def test_the_type_of_the_model_decides(tmp_path: Path, kind: str, visible: str, hidden: str) -> None:
    rng = np.random.default_rng(8)
    arrays = parameters("BBRBM", rng)
    bits = rng.integers(2, size=(40, 6)).astype(np.float32)
    v = 2 * bits - 1 if kind[0] == "I" else bits
    h = rng.normal(size=(40, 5)).astype(np.float32)
    h = h if kind[1] == "G" else np.sign(h) if kind == "IIRBM" else (h > 0).astype(np.float32)
    rbm = hm.exchange.from_rbms(written(tmp_path / "rbm.h5", kind, {1: arrays}, v, False))
    assert repr(rbm) == f"RBM(visible={visible}, hidden={hidden})"
    expected = by_hand(kind, arrays, v.astype(float), h.astype(float))
    found = rbm.energy(torch.from_numpy(v), torch.from_numpy(h)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    # The integral over normal h, or the sum over two values, by hand.
    field = v.astype(float) @ arrays["weight_matrix"] + arrays["hbias"]
    logs = {"BB": np.logaddexp(0, field), "II": np.logaddexp(field, -field)}
    log_sum = logs.get(kind[:2], field**2 / 12 + np.log(2 * np.pi / 6) / 2)
    np.testing.assert_allclose(
        rbm.free_energy(v).detach().numpy(), -(v @ arrays["vbias"]) - log_sum.sum(1), rtol=1e-4, atol=1e-4
    )
    assert rbm.chains is not None and (rbm.visible.decode(rbm.chains).numpy() == v).all()


def test_models_of_other_types_are_refused_by_name(tmp_path: Path) -> None:
    arrays = parameters("BBRBM", np.random.default_rng(0))
    bits = np.zeros((2, 6))
    with pytest.raises(ValueError, match=r"type 'CEBM', which is not read: .*BBRBM, PBRBM, BGRBM, IGRBM, IIRBM"):
        hm.exchange.from_rbms(written(tmp_path / "other.h5", "CEBM", {1: arrays}, bits, False))
    with pytest.raises(hm.errors.DamagedFileError, match=r"do not fit a PBRBM: expected \(n_visible, states"):
        hm.exchange.from_rbms(written(tmp_path / "shape.h5", "PBRBM", {1: arrays}, bits, False))
    with pytest.raises(ValueError, match="does not say its model_type, and its chains hold -1"):
        hm.exchange.from_rbms(written(tmp_path / "spins.h5", "", {1: arrays}, bits - 1, True))
    arrays["vbias"] = np.full(6, np.nan, np.float32)
    with pytest.raises(hm.errors.DamagedFileError, match="vbias holds values that are not finite"):
        hm.exchange.from_rbms(written(tmp_path / "nan.h5", "IIRBM", {1: arrays}, bits + 1, False))
    wide = {"weight_matrix": np.zeros((23000, 2)), "vbias": np.zeros(23000), "hbias": np.zeros(2)}
    with pytest.raises(ValueError, match="up to 22026 variables"):
        hm.exchange.from_rbms(written(tmp_path / "wide.h5", "BGRBM", {1: wide}, np.zeros((1, 23000)), False))
    with h5py.File(tmp_path / "jl.h5", "w") as file:
        file["rbm_type"], file["weights"] = "RBM", np.ones((4, 3))
    with pytest.raises(ValueError, match=r"RestrictedBoltzmannMachines\.jl"):
        hm.exchange.from_rbms(tmp_path / "jl.h5")
