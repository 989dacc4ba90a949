"""Unit types, models and objectives of a module of one's own, from training to the page."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import harmonium as hm
from harmonium.cli import main
from harmonium.cli.models import WORDS
from harmonium.core.registry import by_word
from harmonium.models import Model

from .calls import call, in_a_child, refused, stop_in_epoch

MODULE = '''
from dataclasses import dataclass

import harmonium as hm


class Loud(hm.Bernoulli):
    """Units of one's own."""


class Wide(hm.RBM):
    """A model of one's own."""


@dataclass(frozen=True)
class Slow(hm.PCD):
    """An objective of one's own, with one more field."""

    patience: int = 3
'''
OPTIONS = ("--model", "mine:Wide", "--units", "mine:Loud", "--hidden-units", "mine:Loud", "--objective", "mine:Slow",
           "--hidden", "3", "--epochs", "3", "--valid", "0.2", "--no-progress")  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder with a table and a module that nobody has imported."""
    (tmp_path / "mine.py").write_text(MODULE)
    np.savetxt(tmp_path / "bits.csv", np.random.default_rng(0).integers(0, 2, (60, 4)), fmt="%d", delimiter=",")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("mine", None)


def test_a_run_of_own_classes_from_training_to_the_page(folder: Path) -> None:
    trained = in_a_child("train", "bits.csv", *OPTIONS, "--with", "patience=5", "--chains", "7", "--out", "run")
    assert trained.code == 0, trained.stderr
    config = json.loads((folder / "run" / "config.json").read_text())
    assert config["model"]["type"] == "mine:Wide" and config["model"]["visible"]["type"] == "mine:Loud"
    assert config["model"]["hidden"]["type"] == "mine:Loud"
    assert {**config["plan"]["objective"], "inference": None} == {
        "type": "mine:Slow", "k": 1, "chains": 7, "patience": 5, "inference": None,
    }  # fmt: skip
    assert "harmonium --import mine evaluate run" in trained.stdout
    without = in_a_child("evaluate", "run")
    assert without.code == 2 and "--import mine" in without.stderr
    for command in (
        ("evaluate", "run"), ("sample", "run", "-n", 2), ("train", "--resume", "run"), ("report", "run"),
        ("diagnose", "run", "--sweeps", 20, "--chains", 4),
    ):  # fmt: skip
        found = in_a_child("--import", "mine", *command)
        assert found.code == 0, found.stderr
    page = (folder / "run" / "report.html").read_text()
    assert "This page does not run the model: the model has Loud units" in page
    assert "harmonium --import mine evaluate run" in page and "Wide of bits.csv" in page


def test_a_comparison_with_a_model_of_one_s_own(folder: Path) -> None:
    options = ("--minutes", "0.005", "--valid", "10", "--test", "10", "--no-progress", "--out", "out")
    result = call("compare", "bits.csv", "--models", "independent,mine:Wide", *options)
    assert result.exit_code == 0, result.output
    assert "Wide" in result.stdout and (folder / "out" / "Wide" / "model.safetensors").exists()


def test_a_stopped_run_names_the_module_to_import(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_in_epoch(2, monkeypatch)
    stopped = in_a_child("train", "bits.csv", *OPTIONS, "--likelihood-every", 0, "--out", "run")
    assert stopped.code == 128 + signal.SIGTERM
    assert "harmonium --import mine train --resume run" in stopped.stderr
    refused(call("evaluate", "run"), "harmonium --import mine train --resume run")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--units", "mine:Loude"), ("--units", "no unit type, model or objective Loude")),
        (("--units", "nowhere:Loud"), ("--units", "nowhere cannot be imported")),
        (("--units", "mine:Wide"), ("--units", "Wide is not a subclass of harmonium's Units")),
        (("--units", "bernuolli"), ("--units", "did you mean bernoulli?", "MODULE:CLASS")),
        (("--units", "mixed"), ("--units mixed", "shape alone")),
        (("--model", "mine:Loud"), ("--model", "not a subclass")),
        (("--model", "dbn"), ("--model dbn", "harmonium pretrain")),
        (("--model", "tree"), ("--model tree",)),
        (("--model", "nade", "--hidden-units", "mine:Loud"), ("--hidden-units", "leave it out")),
        (("--objective", "mine:Wide"), ("--objective", "not a subclass")),
        (("--objective", "pcd", "--with", "rungs=4"), ("--with rungs", "the objective PCD takes")),
        (("--with", "rungs"), ("NAME=VALUE",)),
    ],
    ids=lambda value: " ".join(value),
)
def test_names_that_lead_nowhere(options: tuple[str, ...], words: tuple[str, ...], folder: Path) -> None:
    refused(call("train", "bits.csv", *options), *words)


def test_modules_that_cannot_be_imported(folder: Path) -> None:
    refused(call("--import", "nowhere", "data"), "--import nowhere")
    (folder / "mine.py").write_text("import nowhere_else")
    refused(call("--import", "mine", "data"), "nowhere_else")


def test_a_module_is_not_a_file(folder: Path) -> None:
    refused(call("--import", "mine.py", "data"), "--import mine.py", "named without .py, as in mine")
    refused(call("train", "bits.csv", "--units", "mine.py:Loud"), "--units mine.py:Loud", "without .py, as in mine")


def test_a_module_is_imported_before_the_command(folder: Path) -> None:
    refused(call("train", "bits.csv", "--import", "mine"), "no such option", "`harmonium --import MODULE train ...`")


def test_the_help_names_models_that_there_are(folder: Path) -> None:
    kinds = by_word(Model)
    assert set(WORDS) <= kinds.keys() and kinds["bm"] is hm.BoltzmannMachine


def test_units_by_their_name(folder: Path) -> None:
    np.savetxt(folder / "counts.csv", np.random.default_rng(0).poisson(3, (60, 4)), fmt="%d", delimiter=",")
    result = call("train", "counts.csv", "--units", "poisson", "--learning-rate", "0.001", *OPTIONS[8:], "--out", "run")
    assert result.exit_code == 0, result.output
    assert isinstance(hm.load(folder / "run" / "model.safetensors").visible, hm.Poisson)
    assert main.commands["train"] is not None and os.getcwd() == str(folder)
