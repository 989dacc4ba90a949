"""Every option of every command with values that nobody can mean: refused in one line that names it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest

from .calls import call
from .test_advice import COMMANDS, WORDS

WRONG_TEXT = {
    "--visible": ["nonsense", "3"], "--model": ["nonsense", ""], "--objective": ["nonsense"],
    "--optimizer": ["nonsense"], "--units": ["nonsense"], "--hidden-units": ["nonsense"],
    "--shape": ["x", "0x6", "7x7", "-1x-6"],
    "--valid": ["x", "-1", "2.5", "1000"], "--test": ["x", "-1", "2.5", "1000"], "--drop": ["nothing"],
    "--skip-rows": ["x", "-1"], "--alphabet": ["klingon"], "--device": ["nowhere"], "--with": ["novalue", "nothing=3"],
    "--layers": ["x", "-1", "0"], "--models": ["nonsense"], "--data": ["nowhere.csv"], "--resume": ["nowhere"],
}  # fmt: skip
NUMBERS = ["many", "", "nan", "inf", "1,5"]


def wrong_values(option: click.Option) -> list[str]:
    kind = option.type
    if option.is_flag:
        return []
    if isinstance(kind, click.Choice):
        return ["nonsense", ""]
    if isinstance(kind, (click.IntRange, click.FloatRange)):
        low = kind.min
        return [*NUMBERS, *([] if low is None else [str(low - 1)])]
    if isinstance(kind, click.types.IntParamType):
        return NUMBERS
    return WRONG_TEXT.get(option.opts[0], [])


def attempts() -> Iterator[tuple[str, str, str]]:
    for name, command in COMMANDS.items():
        for option in command.params:
            if isinstance(option, click.Option) and option.nargs == 1:
                for value in wrong_values(option):
                    yield name, option.opts[0], value


def test_every_wrong_option_is_refused_by_name(
    table: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("labelled.npz", train=np.eye(20), y_train=np.arange(20) % 2)
    parts = ("--valid", "0.1", "--test", "0.1")
    last = {
        "train": [table, "--epochs", "1", "--hidden", "2"], "compare": [table, "--models", "independent", *parts],
        "pretrain": ["labelled.npz", "--layers", "2"], "describe": [table], "download": ["digits"], "list": [],
        "fit": [table, "--model", "mixture", "--minutes", "0.01"], "query": [table, "a", "--minutes", "0.01"],
    }  # fmt: skip
    found, count = [], 0
    for name, option, value in attempts():
        words = name.split()[1:]
        result = call(*words, *last.get(words[-1], [run]), option, value)
        count += 1
        known = {each for parameter in COMMANDS[name].params for each in (*parameter.opts, *parameter.secondary_opts)}
        line = result.stderr.strip().splitlines()[-1] if result.stderr.strip() else ""
        advised = set(WORDS.findall(line)) - known - {"--help"}
        argument = option.strip("-").replace("-", "[ _-]")
        if result.exit_code != 2 or "Traceback" in result.output:
            found.append(
                f"{name} {option} {value!r}: exit {result.exit_code}, {result.output[-300:]} {result.exception!r}"
            )
        elif not re.search(argument, line) and not (len(value) > 3 and value in line):
            found.append(f"{name} {option} {value!r}: is not named: {line}")
        elif advised:
            found.append(f"{name} {option} {value!r}: advises {advised}: {line}")
    assert count >= 200
    assert not found, "\n".join(found)
