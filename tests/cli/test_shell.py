"""All commands: help, names that nobody knows, errors that are bugs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import harmonium as hm

from .calls import call, refused


def test_names_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("HARMONIUM_DATA", raising=False)
    refused(call("train", "digts"), "did you mean digits?")
    refused(call("train", tmp_path / "nothing.csv"), "there is no file")
    refused(call("train", "mnist"), "harmonium data download mnist")
    refused(call("trian", "digits"), "did you mean `harmonium train`?")
    refused(call("data", "dowload"), "did you mean `harmonium data download`?")
    refused(call("train"), "harmonium train digits")
    refused(call("train", "digits", "--hiden", "3"), "--hidden")
    refused(call("train", "digits", "--hidden", "0"), "--hidden")
    refused(call("train", "digits", "--valid", "much"), "0.1")
    refused(call("train", "digits", "--device", "toaster"), "toaster")
    refused(call("evaluate", tmp_path / "nowhere"), "no run folder")
    refused(call("evaluate", tmp_path), "no run folder")


def test_traceback_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARMONIUM_TRACEBACK", "1")
    result = call("train", "digts")
    assert result.exit_code == 2 and "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("harmonium: no data set")


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harmonium.cli.train._start", lambda *_: {}["bug"])
    assert isinstance(call("train", "digits").exception, KeyError)


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("train",),
        ("evaluate",),
        ("sample",),
        ("data",),
        ("data", "list"),
        ("data", "describe"),
        ("data", "download"),
    ],
)
def test_every_help_has_examples(command: tuple[str, ...]) -> None:
    result = call(*command, "--help")
    assert result.exit_code == 0 and "Example" in result.stdout
    assert result.stdout.count("harmonium ") > 1 and max(map(len, result.stdout.splitlines())) <= 100


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['harmonium', 'train', '--help']\n"
        "from harmonium.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'scipy', 'numba', 'matplotlib', 'sklearn', 'tqdm'}\n"
        "print(*heavy & sys.modules.keys(), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stderr.strip() == ""


def test_the_package_is_a_command_too() -> None:
    found = subprocess.run([sys.executable, "-m", "harmonium", "--version"], capture_output=True, text=True, check=True)
    assert found.stdout.strip().endswith(hm.__version__)


def test_data_and_commands_of_groups_in_the_place_of_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "people.csv").write_text("a,b\n1,0\n")
    monkeypatch.chdir(tmp_path)
    assert "did you mean `harmonium train people.csv`?" in call("people.csv").stderr
    assert "did you mean `harmonium data describe people.csv`?" in call("data", "people.csv").stderr
    assert "did you mean `harmonium data describe`?" in call("describe", "people.csv").stderr
    assert "did you mean `harmonium table impute`?" in call("impute").stderr
    assert "did you mean `harmonium table fit people.csv`?" in call("table", "people.csv").stderr
    assert "there are train, " in call("publish").stderr
