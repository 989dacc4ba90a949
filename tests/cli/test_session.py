"""What commands share."""

from __future__ import annotations

import io
import sys
from typing import Any

import click
import pytest

from harmonium.cli.options import PROGRESS, QUIET
from harmonium.cli.session import progress
from harmonium.core.progress import somebody_looks


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@click.command()
@PROGRESS
@QUIET
def command(**options: Any) -> None:
    print(progress(options), somebody_looks())


@pytest.mark.parametrize(
    ("options", "terminal", "piped"),
    [([], True, False), (["--quiet"], False, False), (["--no-progress"], False, False), (["--progress"], True, True)],
)
def test_what_is_said_follows_the_options_until_the_command_ends(
    options: list[str], terminal: bool, piped: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for stream, shown in ((Terminal(), terminal), (io.StringIO(), piped)):
        monkeypatch.setattr(sys, "stderr", stream)
        before = somebody_looks()
        command(options, standalone_mode=False)
        assert capsys.readouterr().out == f"{shown} {shown}\n"
        assert somebody_looks() == before
