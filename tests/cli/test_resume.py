"""``harmonium train --resume``: where a run was stopped, and what it refuses to go on from."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
import torch

import harmonium as hm

from .calls import SMALL, call, contents, in_a_child, refused, stop_in_epoch

pytestmark = pytest.mark.usefixtures("blank_pictures")


def test_a_stopped_run_says_how_to_go_on_and_ends_bit_identical(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    options = (table, "--valid", "0.2", *SMALL, "--epochs", "10", "--threads", "1")
    with monkeypatch.context() as patch:
        stop_in_epoch(4, patch)
        child = in_a_child("train", *options, "--out", stopped)
    assert child.code == 128 + signal.SIGTERM, child.stderr
    assert child.stderr.startswith("harmonium: SIGTERM") and len(child.stderr.splitlines()) == 1
    assert f"harmonium train --resume {stopped}" in child.stderr

    reference = call("train", *options, "--out", whole)
    assert reference.exit_code == 0, reference.output
    refused(call("evaluate", stopped), "unfinished", f"harmonium train --resume {stopped}")
    refused(call("train", *options, "--out", stopped), "unfinished run", "--resume")
    resumed = call("train", "--resume", stopped)
    assert resumed.exit_code == 0, resumed.output
    a, b = (hm.load(folder / "model.safetensors").state_dict() for folder in (whole, stopped))
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    likelihoods = {line for result in (reference, resumed) for line in result.stdout.splitlines() if "nats" in line}
    assert len(likelihoods) == 1
    again = call("train", "--resume", stopped)
    assert again.exit_code == 0 and "is complete" in again.stdout


def test_resume_takes_its_settings_from_the_run(run: Path, tmp_path: Path) -> None:
    refused(call("train", "--resume", run, "--epochs", "5"), "leave out --epochs")
    refused(call("train", "digits", "--resume", run), "leave out DATA")
    refused(call("train", "--resume", tmp_path), "no run to resume", "harmonium train DATA")


@pytest.mark.parametrize("name", ["checkpoint.safetensors", "model.safetensors", "config.json"])
@pytest.mark.parametrize("harm", ["flip", "cut"])
def test_damaged_files(run: Path, name: str, harm: str) -> None:
    content = bytearray((run / name).read_bytes())
    if harm == "cut":
        del content[len(content) // 2 :]
    elif name == "config.json":
        content[0] ^= 0xFF
    else:
        content[-5] ^= 0x10
    (run / name).write_bytes(content)
    before = contents(run)
    if name == "model.safetensors":
        refused(call("evaluate", run), name, "damaged")
        refused(call("sample", run), name, "damaged")
    else:
        refused(call("train", "--resume", run), name, "damaged")
    assert contents(run) == before


def test_a_checkpoint_of_another_model(run: Path, table: Path, tmp_path: Path) -> None:
    other = ["5" if word == "4" else word for word in SMALL]
    assert call("train", table, *other, "--valid", "0.2", "--out", tmp_path / "other").exit_code == 0
    shutil.copy(tmp_path / "other" / "checkpoint.safetensors", run / "checkpoint.safetensors")
    before = contents(run)
    refused(call("train", "--resume", run), "another model")
    assert contents(run) == before
