"""The command line under torchrun: one voice, and the bytes of one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def run(*words: str, torchrun: bool = False) -> subprocess.CompletedProcess[str]:
    start = TORCHRUN if torchrun else [sys.executable]
    return subprocess.run(
        [*start, "-m", "harmonium", *words], capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )


@pytest.mark.slow
def test_torchrun_trains_what_one_process_trains(tmp_path: Path) -> None:
    plan = ("digits", "--hidden", "16", "--epochs", "2", "--out")
    two = run("train", *plan, str(tmp_path / "two"), torchrun=True)
    one = run("train", *plan, str(tmp_path / "one"), "--shards", "8")
    assert (two.returncode, one.returncode) == (0, 0), two.stderr
    assert two.stdout.count("model: rbm") == 1
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two")]
    assert models[0] == models[1]
    again = run("train", *plan, str(tmp_path / "two"), torchrun=True)
    assert again.stderr.count("holds a finished run") == 1 and again.returncode == 1
    other = run("compare", "digits", torchrun=True)
    assert "several processes train, evaluate, sample together; this is for one process" in other.stderr
