"""The unit type that the guide adds, from the kit to the command line: the file is the guide's own."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy import integrate

import harmonium as hm
from harmonium.cli import main

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "extending.md"
FENCE = re.compile(r'```python title="truncated\.py"\n(.*?)```', re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder with the guide's file and a table of two kinds of cases."""
    found = FENCE.search(GUIDE.read_text(encoding="utf-8"))
    assert found is not None
    (tmp_path / "truncated.py").write_text(found[1], encoding="utf-8")
    rng = np.random.default_rng(0)
    low, high = rng.beta(1, 8, (200, 4)), rng.beta(8, 1, (200, 4))
    np.savetxt(tmp_path / "x.csv", np.where(rng.random((200, 1)) < 0.5, low, high), delimiter=",")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("truncated", None)


@pytest.fixture
def own(folder: Path) -> ModuleType:
    return importlib.import_module("truncated")


def test_it_passes_the_kit(own: ModuleType) -> None:
    hm.testing.check_units(own.TruncatedExponential(3))


def test_log_z_is_the_integral_over_its_states(own: ModuleType, tmp_path: Path) -> None:
    rbm = hm.RBM(own.TruncatedExponential(2), 2, dtype=torch.float64)
    rng = np.random.default_rng(1)
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.copy_(torch.from_numpy(3 * rng.normal(size=tuple(parameter.shape))))

    def density(y: float, x: float) -> float:
        return float(torch.exp(-rbm.free_energy(torch.tensor([[x, y]], dtype=torch.float64)).detach()))

    integral, _ = integrate.dblquad(density, 0, 1, 0, 1, epsabs=1e-9, epsrel=1e-9)
    assert hm.log_partition(rbm).value == pytest.approx(np.log(integral), abs=1e-7)
    hm.save(rbm, tmp_path / "own.safetensors")
    again = hm.load(tmp_path / "own.safetensors")
    cases = rng.random((5, 2))
    assert hm.evaluate(again, cases).mean == hm.evaluate(rbm, cases).mean
    states = hm.sample(again, 50, sweeps=5, seed=0)
    assert bool(((states >= 0) & (states <= 1)).all())


def test_bounded_states_on_both_sides_of_a_coupling(own: ModuleType) -> None:
    """log Z of one unit coupled to another is an integral over a square, or over a strip (its density beyond 20: 0)."""
    w, b, c = 2.0, -0.5, 1.0
    for kind, interval, curvature in ((own.TruncatedExponential, (0, 1), 0.0), (hm.Gaussian, (-20, 20), 0.5)):
        rbm = hm.RBM(own.TruncatedExponential(1), kind(1), dtype=torch.float64)
        with torch.no_grad():
            rbm.weights.fill_(w)
            rbm.visible.bias.fill_(b)
            rbm.hidden.bias.fill_(c)

        def weight(h: float, v: float, curvature: float = curvature) -> float:
            return float(np.exp(b * v + c * h + w * v * h - curvature * h * h))

        truth = np.log(integrate.dblquad(weight, 0, 1, *interval)[0])
        found = hm.log_partition(rbm, seed=0)
        assert found.lower < truth < found.upper < found.lower + 0.1  # a bracket of 99 %, seeded
    with pytest.raises(ValueError, match=r"neither has finitely many states, or those of a bounded interval"):
        hm.RBM(hm.Mixed([own.TruncatedExponential(1), hm.Gaussian(1)]), hm.Gaussian(1))
    hm.RBM(hm.Mixed([own.TruncatedExponential(1), hm.Bernoulli(1)]), hm.Gaussian(1))


def test_an_exported_graph_computes_the_same(own: ModuleType, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    rbm = hm.RBM(own.TruncatedExponential(4), 3)
    hm.exchange.to_onnx(rbm, str(tmp_path / "own.onnx"))
    v = np.random.default_rng(2).random((5, 4)).astype(np.float32)
    session = runtime.InferenceSession(str(tmp_path / "own.onnx"))
    (energy,) = session.run(["free_energy"], {"visible": v, "hidden": np.zeros((1, 3), np.float32)})
    assert np.allclose(energy, rbm.free_energy(v).detach(), atol=1e-5)


def test_a_run_on_the_command_line(folder: Path) -> None:
    options = ("--units", "truncated:TruncatedExponential", "--hidden", "2", "--epochs", "3", "--valid", "0.1")
    trained = CliRunner().invoke(main, ["train", "x.csv", *options, "--test", "0.1", "--no-progress", "--out", "run"])
    assert trained.exit_code == 0, trained.output
    sys.modules.pop("truncated")
    for command in (["evaluate", "run"], ["sample", "run", "-n", "5", "--out", "s.csv"], ["train", "--resume", "run"]):
        result = subprocess.run(
            [sys.executable, "-m", "harmonium", "--import", "truncated", *command], capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
    states = np.loadtxt("s.csv", delimiter=",")
    assert states.shape == (5, 4) and states.min() >= 0 and states.max() <= 1


def test_formulas_of_a_subclass_replace_the_compiled_loops_of_the_class_below() -> None:
    """With and without a graph, the mean is the one that the subclass defines."""

    class Doubled(hm.Gaussian):
        def _mean(self, eta: Any) -> torch.Tensor:
            return 2 * super()._mean(eta)

    x = torch.tensor([[0.5, -1.0]])
    with torch.no_grad():
        assert torch.equal(Doubled(2).mean(x), 2 * hm.Gaussian(2).mean(x))
