"""Data in the place of RUN are refused with the command that takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harmonium.cli import main

from .calls import call, refused


@pytest.mark.parametrize("command", ["evaluate", "diagnose", "report", "play", "sample"])
@pytest.mark.parametrize(
    ("name", "what"), [("x.csv", "a table"), ("digits", "a data set"), ("x.npy", "a file of data")]
)
def test_data_are_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str, what: str) -> None:
    monkeypatch.chdir(tmp_path)
    if name != "digits":
        Path(name).write_text("a,b\n1,2\n")
    has_data = any("--data" in parameter.opts for parameter in main.commands[command].params)
    assert has_data == (command != "sample")
    remedy = f"`harmonium {command} RUN{f' --data {name}' if has_data else ''}`"
    refused(call(command, name), f"{name} is {what}", f"not a model: {remedy}", f"`harmonium train {name}`")


def test_a_file_is_no_run_to_resume(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    refused(call("train", "--resume", path), f"`harmonium train {path}` learns it")
