"""``harmonium sample``: its formats, and what ends it early."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import harmonium as hm

from .calls import call, contents, refused

pytestmark = pytest.mark.usefixtures("blank_pictures")


def test_sample_writes_every_format(run: Path) -> None:
    expected = hm.sample(hm.load(run / "model.safetensors"), 5, sweeps=20, seed=1).numpy()
    options = ("-n", "5", "--sweeps", "20", "--seed", "1")
    assert call("sample", run, *options, "--out", run / "s.npy").exit_code == 0
    assert call("sample", run, *options, "--out", run / "s.csv").exit_code == 0
    assert call("sample", run, *options, "--out", run / "s.png").exit_code == 0
    printed = np.loadtxt(call("sample", run, *options).stdout.splitlines(), delimiter=",")
    for table in (np.load(run / "s.npy"), np.loadtxt(run / "s.csv", delimiter=","), printed):
        np.testing.assert_array_equal(table, expected)
    assert (run / "s.png").read_bytes()[:4] == b"\x89PNG"


def test_an_interrupted_command_is_quiet(finished: Path) -> None:
    command = [sys.executable, "-m", "harmonium", "sample", str(finished), "-n", "20000", "--sweeps", "1"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stderr is not None
    child.stdout.readline()
    child.stdout.close()  # as head does
    assert child.stderr.read() == ""
    child.stderr.close()
    assert child.wait() != 2


def test_a_full_disk_keeps_the_earlier_file(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run / "s.npy").write_bytes(b"earlier")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = contents(run)
    refused(call("sample", run, "--out", run / "s.npy"), "No space left", "unchanged")
    assert contents(run) == before


def test_sequences_are_drawn_in_letters(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["".join(rng.choice(list("MKVA"), 5)) for _ in range(40)]
    (tmp_path / "family.fasta").write_text("".join(f">s{k}\n{row}\n" for k, row in enumerate(rows)))
    out, few = tmp_path / "run", ("--alphabet", "protein", "--hidden", "4", "--epochs", "1", "--no-progress")
    assert call("train", tmp_path / "family.fasta", *few, "--out", out).exit_code == 0
    printed = call("sample", out, "-n", 3).stdout.splitlines()
    assert (
        printed[0] == ">sample1" and len(printed) == 6 and all(re.fullmatch("[-A-Z]{5}", row) for row in printed[1::2])
    )
    assert call("sample", out, "-n", 3, "--out", tmp_path / "new.fasta").exit_code == 0
    assert (tmp_path / "new.fasta").read_text().splitlines() == printed
    assert call("sample", out, "-n", 3, "--out", tmp_path / "new.csv").exit_code == 0
    assert (tmp_path / "new.csv").read_text().splitlines() == [",".join(row) for row in printed[1::2]]
