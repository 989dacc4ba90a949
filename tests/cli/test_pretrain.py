"""``harmonium pretrain``: what it prints and leaves, and how it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.cli.pretrain import hide

from .calls import call

QUICK = ("--layers", "20,15", "--epochs", "2", "--finetune-epochs", "2")


def test_prints_what_pretraining_bought_and_keeps_both_models(tmp_path: Path) -> None:
    result = call("pretrain", "digits", *QUICK, "--labels", 200, "--repetitions", 2, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    data = hm.data.load("digits")
    found = hm.pretrain(
        data.train, hide(data.labels.train, 200), layers=[20, 15], validation=(data.valid, data.labels.valid),
        test=(data.test, data.labels.test), greedy_options={"epochs": 2}, finetune_options={"epochs": 2}, repetitions=2,
    )  # fmt: skip
    assert result.stdout.splitlines()[-1] == str(found)
    dbn = hm.load(tmp_path / "run" / "dbn.safetensors")
    assert torch.equal(dbn.top.weights, found.model.top.weights)
    assert (tmp_path / "run" / "network.safetensors").exists()


def test_a_deep_boltzmann_machine(tmp_path: Path) -> None:
    arguments = ("--model", "dbm", "--joint-epochs", 1, "--labels", 200, "--out", tmp_path / "run")
    result = call("pretrain", "digits", *QUICK, *arguments)
    assert result.exit_code == 0, result.output
    assert "gain " in result.stdout.splitlines()[-1]
    dbm = hm.load(tmp_path / "run" / "dbm.safetensors")
    assert isinstance(dbm, hm.DBM) and [units.size for units in dbm.hidden] == [20, 15]
    assert (tmp_path / "run" / "joint" / "model.safetensors").exists()


def test_hidden_labels_are_balanced() -> None:
    y = np.array([0, 0, 0, 0, 0, 1, 2, 0, 1, 2])
    hidden = hide(y, 6)
    assert np.bincount(hidden[hidden >= 0]).tolist() == [2, 2, 2]
    assert (hidden[hidden >= 0] == y[hidden >= 0]).all()
    assert (hide(y, 10) == y).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digits", "--layers", "20,x"), "no list of sizes"),
        (("digits", "--layers", "0"), "no list of sizes"),
        (("digits", "--labels", "5000"), "there are 1197 training cases"),
        (("bars-and-stripes",), "has no labels"),
        (("digits", "--dropout", "0.5", "1"), "1"),
        (("no-such-data",), "no-such-data"),
        (("digits", "--joint-epochs", "5"), "--joint-epochs is for --model dbm"),
        (("digits", "--model", "dbm", "--layers", "20"), "at least two hidden"),
        (("digits", "--model", "dbm", "--binarize", "grey"), "takes binary values"),
    ],
)
def test_what_the_user_can_mend_ends_with_2_and_one_line(arguments: tuple[str, ...], message: str) -> None:
    result = call("pretrain", *arguments)
    assert result.exit_code == 2 and message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
