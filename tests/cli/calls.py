"""Commands as tests call them."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from harmonium.cli import main
from harmonium.training import History, Monitor

SMALL = ("--hidden", "4", "--epochs", "3", "--batch-size", "20", "--likelihood-every", "2", "--no-progress")


def call(*arguments: Any) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def contents(folder: Path) -> dict[str, bytes]:
    """What the files of a run folder hold, but for the lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def refused(result: Result, *words: str) -> str:
    """Check for exit code 2 and one line that names all of these words; notes may come before it."""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("harmonium: note: ")]
    assert result.exit_code == 2, result.output
    assert len(lines) == 1 and lines[0].startswith("harmonium: "), result.stderr
    assert "Traceback" not in result.output and "Errno" not in lines[0]
    for word in words:
        assert word in lines[0]
    return lines[0]


class Ended(NamedTuple):
    """What a process left: its exit code (minus the signal that ended it), and what it wrote."""

    code: int
    stdout: str
    stderr: str


def in_a_child(*arguments: Any) -> Ended:
    """Run a command in a fork of this process: a process of its own, without its seconds of imports.

    As for the console script, the current folder is not in the path of modules.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        sys.stdout.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: the child does without them
            child = os.fork()
        if child == 0:
            os._exit(_command([str(argument) for argument in arguments], out, err))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return Ended(code, out.read_text(), err.read_text())


def _command(arguments: list[str], out: Path, err: Path) -> int:
    code = 99
    with out.open("w") as sys.stdout, err.open("w") as sys.stderr:
        sys.argv, sys.path[:] = ["harmonium", *arguments], [place for place in sys.path if place]
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 99
        except BaseException:
            traceback.print_exc()
    return code


def stop_in_epoch(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have trainings with a `Monitor` stopped by SIGTERM when they measure in an epoch."""
    measure = Monitor.on_measure

    def on_measure(self: Monitor, training: Any, row: History) -> None:
        measure(self, training, row)
        if row["epoch"] == epoch:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Monitor, "on_measure", on_measure)
