"""The page of the command line names all commands, and only options that exist."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from harmonium.cli import main

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", PAGE, re.MULTILINE)


def options(command: click.Command) -> set[str]:
    """Names of the options of a command and its subcommands."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return own.union(*map(options, below))


def test_every_command_has_a_section() -> None:
    assert {name for title, _ in SECTIONS for name in title.split(" and ")} == set(main.commands)


@pytest.mark.parametrize(("title", "text"), SECTIONS, ids=[title for title, _ in SECTIONS])
def test_options_exist(title: str, text: str) -> None:
    known = set().union(*(options(main.commands[name]) for name in title.split(" and ")))
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - known - {"--import"} == set()
