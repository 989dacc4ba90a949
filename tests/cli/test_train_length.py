"""How long ``harmonium train`` goes on, and what it says about that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .calls import call, refused

pytestmark = pytest.mark.usefixtures("blank_pictures")

SPLIT = ("--hidden", "4", "--valid", "0.2", "--test", "0.2", "--no-progress")


def plan(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "config.json").read_text())["plan"]
    return found


def test_without_epochs_training_ends_by_itself_and_says_why(table: Path, tmp_path: Path) -> None:
    result = call("train", table, *SPLIT, "--out", tmp_path / "run")
    assert "batches of 20, learning rate by trial, until a cycle of updates brings no gain\n" in result.stdout
    start = plan(tmp_path / "run")["learning_rate"]["start"]
    assert f"updates from a learning rate of {start:g}; stopped: no gain of 0.01 in log likelihood" in result.stdout


def test_minutes_limit_it(table: Path, tmp_path: Path) -> None:
    result = call("train", table, *SPLIT, "--minutes", "0.005", "--out", tmp_path / "run")
    assert "brings no gain, at most 0.005 minutes of processor time" in result.stdout
    limits = [
        each["seconds"]
        for each in json.loads((tmp_path / "run" / "config.json").read_text())["callbacks"]
        if each["type"] == "TimeLimit"
    ]
    assert len(limits) == 1 and 0 < limits[0] < 0.5


def test_options_that_are_named_are_kept(table: Path, tmp_path: Path) -> None:
    options = ("--batch-size", "10", "--learning-rate", "0.2", "--weight-decay", "0", "--minutes", "0.005")
    result = call("train", table, *SPLIT, *options, "--out", tmp_path / "cycles")
    found = plan(tmp_path / "cycles")
    assert "learning rate 0.2 falling to 0 in cycles" in result.stdout
    assert (found["batch_size"], found["penalties"], found["learning_rate"]["type"]) == (10, [], "Cycles")
    assert found["learning_rate"]["start"] == 0.2
    call("train", table, *SPLIT, *options, "--schedule", "constant", "--out", tmp_path / "constant")
    assert plan(tmp_path / "constant")["learning_rate"] == {"type": "Constant", "rate": 0.2}
    call("train", table, *SPLIT, "--epochs", "4", "--out", tmp_path / "epochs")
    found = plan(tmp_path / "epochs")
    assert (found["epochs"], found["penalties"], found["batch_size"]) == (4, [], 100)
    assert found["learning_rate"] == {"type": "Linear", "start": 0.05, "end": 0.0, "hold": 0.0}


def test_likelihoods_between_the_cycles_do_not_end_it(table: Path, tmp_path: Path) -> None:
    options = ("--likelihood-every", "1", "--patience", "3", "--minutes", "0.01")
    call("train", table, *SPLIT, *options, "--out", tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert all("log_likelihood" in row for row in rows)


def test_cases_are_held_out_where_none_were_set_aside(table: Path, tmp_path: Path) -> None:
    result = call("train", table, "--hidden", "4", "--no-progress", "--minutes", "0.005", "--out", tmp_path / "run")
    assert "a tenth of the training cases, if there are 100 or more, is held out" in result.stdout
    assert plan(tmp_path / "run")["hold_out"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--epochs", "3", "--minutes", "1"), ("leave out --epochs or --minutes",)),
        (("--schedule", "linear"), ("name --epochs",)),
        (("--likelihood-every", "0"), ("goes with --epochs",)),
    ],
)
def test_options_that_contradict_each_other(
    options: tuple[str, ...], words: tuple[str, ...], table: Path, tmp_path: Path
) -> None:
    refused(call("train", table, *SPLIT, *options, "--out", tmp_path / "run"), *words)
