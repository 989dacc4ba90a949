"""``harmonium diagnose``: what it prints and draws, and how it refuses."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

import harmonium as hm

from .calls import call, refused


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "bars"
    bars = hm.data.load("bars-and-stripes").train
    hm.fit(hm.RBM(16, 4), bars, objective=hm.PCD(chains=50), epochs=20, batch_size=32, out=out)
    return out


def test_prints_what_the_library_says(run: Path) -> None:
    result = call("diagnose", run, "--sweeps", 50, "--chains", 30, "--seed", 3)
    assert result.exit_code == 0, result.output
    expected = hm.diagnose(hm.load(run / "model.safetensors"), hm.data.load("bars-and-stripes").train,
                           chains=30, sweeps=50, seed=3)  # fmt: skip
    assert result.stdout == f"{expected}\n" and result.stderr == ""
    assert "30 chains left by training" in result.stdout


def test_draws(run: Path, tmp_path: Path) -> None:
    result = call("diagnose", run, "--sweeps", 20, "--out", tmp_path / "chains.png")
    assert result.exit_code == 0 and result.stdout.endswith(f"picture: {tmp_path / 'chains.png'}\n")
    assert (tmp_path / "chains.png").read_bytes()[:4] == b"\x89PNG"


def test_bad_chains_are_no_error(tmp_path: Path) -> None:
    rbm = hm.RBM.from_arrays(np.zeros((6, 2)), np.full(6, 60.0), np.zeros(2))
    rbm.chains = rbm.weights.new_zeros(50, 6)
    hm.save(rbm, tmp_path / "model.safetensors")
    result = call("diagnose", tmp_path / "model.safetensors", "--sweeps", 20)
    assert result.exit_code == 0 and "The chains are not in equilibrium" in result.stdout
    assert "does not say what it was trained on" in result.stderr


def test_a_run_without_chains_starts_new_ones_and_says_so(tmp_path: Path) -> None:
    bars = hm.data.load("bars-and-stripes").train
    hm.fit(hm.RBM(16, 4), bars, objective=hm.CD(), epochs=2, out=tmp_path / "run")
    result = call("diagnose", tmp_path / "run", "--sweeps", 20)
    assert result.exit_code == 0 and "half from the data, half from the base rate" in result.stdout
    assert result.stderr.startswith("harmonium: note: ") and "no persistent chains" in result.stderr


def test_a_run_in_progress(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my run"
    folder.mkdir()
    (folder / "config.json").write_bytes((run / "config.json").read_bytes())
    with FileLock(folder / ".lock"):
        refused(call("diagnose", folder), "is still being trained", "wait for it")
    refused(call("diagnose", folder), "is unfinished", f"harmonium train --resume '{folder}'")


def test_refusals(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(call("diagnose", tmp_path / "nothing"), "no run folder")
    refused(call("diagnose", run, "--out", "chains.gif"), "chains.gif", ".png, .pdf or .svg")
    refused(call("diagnose", run, "--split", "valid"), "has no valid split")
    hm.save(hm.DBN([6, 4, 3]), tmp_path / "dbn.safetensors")
    refused(call("diagnose", tmp_path / "dbn.safetensors"), "dbn.top")
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "arviz_stats" else found(name))
    refused(call("diagnose", run), "pip install 'harmonium[diagnostics]'")
