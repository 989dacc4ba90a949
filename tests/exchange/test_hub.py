from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch

import harmonium as hm

BARS = hm.data.load("bars-and-stripes")


@pytest.mark.parametrize(
    "model",
    [
        hm.RBM(hm.Bernoulli((2, 3)), hm.Spin(4)),
        hm.RBM(hm.Mixed([hm.Gaussian(2), hm.Categorical(1, 3)]), 4),
        hm.DBM([5, 4, 3]),
        hm.DBN([5, 4, 3]),
        hm.BoltzmannMachine(4, 2),
        hm.ClassificationRBM(5, 4, classes=3),
    ],
    ids=lambda model: type(model).__name__,
)
def test_every_model_comes_back_from_its_folder(tmp_path: Path, model: Any) -> None:
    hm.exchange.save_pretrained(model, tmp_path / "there" / "model")
    again = hm.exchange.from_pretrained(tmp_path / "there" / "model")
    assert again.config() == model.config()
    states = again.state_dict()
    assert model.state_dict().keys() == states.keys()
    assert all(torch.equal(tensor, states[name]) for name, tensor in model.state_dict().items())


def test_the_card_states_what_is_known(tmp_path: Path) -> None:
    rbm = hm.RBM(16, 3)
    hm.fit(rbm, BARS.train, epochs=1)
    result = hm.evaluate(rbm, BARS.train)
    hm.exchange.save_pretrained(rbm, tmp_path, trained_on=BARS, evaluation=result, license="cc-by-4.0")
    card = (tmp_path / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: harmonium\nlicense: cc-by-4.0\n")
    assert "Dataset bars-and-stripes: features 4x4, train 32, binary. Moments of 32 training cases" in card
    numbers = (result.mean, result.stderr, result.lower, result.upper)
    assert f"| {' | '.join(map(result.text, numbers))} | yes |" in card and "| 0.00 |" not in card
    assert f"The model {result.learned}." in card
    assert json.loads((tmp_path / "config.json").read_text())["model"] == rbm.config()
    hm.exchange.save_pretrained(hm.DBN([4, 3, 2]), tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert card.count("Not stated.") == 3 and "license" not in card


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nobody/nothing.*download=True"):
        hm.exchange.from_pretrained("nobody/nothing")
    with pytest.raises(FileNotFoundError, match=r"config\.json.*save_pretrained"):
        hm.exchange.from_pretrained(tmp_path)
    hm.exchange.save_pretrained(hm.RBM(4, 2), tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model": hm.RBM(4, 3).config()}))
    with pytest.raises(hm.errors.DamagedFileError, match=r"config\.json.*model\.safetensors.*copy"):
        hm.exchange.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"architectures": []}')
    with pytest.raises(hm.errors.DamagedFileError, match=r"config\.json.*save_pretrained"):
        hm.exchange.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors.*save_pretrained"):
        hm.exchange.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"license='MIT.*such as 'mit'"):
        hm.exchange.save_pretrained(hm.RBM(4, 2), tmp_path, license="MIT\ntags: x")


def test_the_network_is_used_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hm.exchange.save_pretrained(hm.RBM(4, 2), tmp_path / "cache")
    asked = []

    def snapshot_download(name: str, **options: Any) -> str:
        asked.append((name, options))
        return str(tmp_path / "cache")

    monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace(snapshot_download=snapshot_download))
    with pytest.raises(FileNotFoundError):
        hm.exchange.from_pretrained("somebody/digits")
    assert asked == []
    assert (
        hm.exchange.from_pretrained("somebody/digits", download=True, revision="abc").config() == hm.RBM(4, 2).config()
    )
    assert asked == [("somebody/digits", {"revision": "abc", "allow_patterns": ["config.json", "model.safetensors"]})]
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"pip install 'harmonium\[hub\]'"):
        hm.exchange.from_pretrained("somebody/digits", download=True)
