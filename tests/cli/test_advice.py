"""Advice of a command names options that this command has; nothing is printed before arguments are checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from harmonium.cli import main
from harmonium.cli.shell import as_options

from .calls import call, refused

MESSAGES = (
    "load the data with standardize=True",
    "standardise the data (data.load(..., standardize=True))",
    "name a binarisation (harmonium.data.load(..., binarize='threshold'); of arrays: x > 0.5)",
    "read every column by its values with table=True",
    "leave out the column, drop=['name', 'id']",
    "set some aside with valid=0.1 and test=0.1",
    "say header=False, or skip_rows=3, missing_values=['-9'], decimal=',', scale=255, alphabet='rna'",
    "leave out header=..., scale=...",
)
WORDS = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def leaves(group: click.Group, path: str = "harmonium") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(leaves(main))


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("message", MESSAGES)
def test_only_options_of_the_command_are_advised(name: str, message: str) -> None:
    command = COMMANDS[name]
    known = {each for parameter in command.params for each in (*parameter.opts, *parameter.secondary_opts)}
    found = as_options(message, command)
    assert set(WORDS.findall(found)) <= known
    assert WORDS.findall(found) or "this command has no such option" in found or "data.load(" in found


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sets with labels, each wrong in one way."""
    monkeypatch.chdir(tmp_path)
    rng, y = np.random.default_rng(0), np.arange(60) % 3
    binary = rng.integers(0, 2, (60, 16)).astype(float)
    gaps = binary.copy()
    gaps[3, 2] = np.nan
    cases: dict[str, Any] = {
        "binary": binary, "greys": rng.random((60, 16)), "bytes": rng.integers(0, 256, (60, 16)),
        "real": rng.normal(size=(60, 16)), "gaps": gaps, "text": np.array([["a", "b"]] * 60),
    }  # fmt: skip
    for name, values in cases.items():
        np.savez(f"{name}.npz", train=values, y_train=y)
    np.savez("unlabelled.npz", train=binary)
    Path("file").write_text("")
    Path("table.csv").write_text("a,b\n1,x\n2,y\n")
    return tmp_path


PRETRAIN = ("--layers", "4", "--epochs", "1", "--finetune-epochs", "1", "--no-progress")


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (("greys.npz",), "--binarize threshold, fixed or dynamic, or learn them as real values with --standardize"),
        (("gaps.npz",), "fill them first"),
        (("text.npz",), "text"),
        (("unlabelled.npz",), "has no labels"),
        (("table.csv",), "is a table"),
        (("real.npz", "--model", "dbm"), "--model dbn"),
        (("binary.npz", "--labels", "900"), "--labels 900: there are 60"),
        (("binary.npz", "--out", "file"), "--out file is a file"),
        (("binary.npz", "--valid", "60"), "--valid 0.1"),
        (("greys.npz", "--binarize", "threshold", "--standardize"), "exclude each other"),
    ],
)
def test_pretrain_refuses_before_it_prints_and_advises_options_that_it_has(
    sets: Path, arguments: tuple[str, ...], advice: str
) -> None:
    result = call("pretrain", *arguments, *PRETRAIN)
    refused(result, advice)
    assert result.stdout == ""
    known = {name for parameter in main.commands["pretrain"].params for name in parameter.opts}
    assert set(WORDS.findall(result.stderr)) - {"--help"} <= known


def test_what_is_learned_too_fast_names_an_option_of_pretrain(sets: Path) -> None:
    assert "--learning-rate" in call("pretrain", "--help").stdout
    result = call("pretrain", "binary.npz", *PRETRAIN, "--learning-rate", "0.2")
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize(
    ("command", "arguments", "advice"),
    [
        ("train", ("binary.npz", "--optimizer", "nothing"), "optimizer must be one of"),
        ("train", ("binary.npz", "--epochs", "2", "--patience", "2"), "--valid 0.1"),
        ("train", ("greys.npz", "--visible", "bernoulli"), "--binarize threshold"),
        ("train", ("real.npz", "--visible", "poisson"), "Poisson units take"),
        ("train", ("binary.npz", "--out", "file"), "--out"),
        ("train", ("binary.npz", "--objective", "pdc"), "did you mean pcd?"),
        ("compare", ("binary.npz", "--valid", "10", "--test", "10", "--models", "nadee"), "did you mean nade?"),
        ("compare", ("binary.npz", "--models", "nade"), "--valid 0.1"),
    ],
)
def test_nothing_is_printed_before_arguments_are_checked(
    sets: Path, command: str, arguments: tuple[str, ...], advice: str
) -> None:
    result = call(command, *arguments)
    refused(result, advice)
    assert result.stdout == ""
