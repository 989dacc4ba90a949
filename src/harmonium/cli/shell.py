"""Output and errors of all commands: results on standard output, errors in one line on standard error.

Exit codes: 0; 2 for anything that the user can correct; 128 + signal if training was stopped.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import os
import re
import shlex
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from harmonium.core.processes import rank

__all__ = ["CONTEXT", "Inner", "Shell", "as_options", "note", "say", "typed"]

_COMMAND = "harmonium.command"  # in what the contexts of a call share

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

# The library names arguments in its remedies, such as standardize=True; here they are options.
_OPTIONS = {
    "binarize": "--binarize threshold (or fixed, dynamic)",
    "standardize": "--standardize",
    "table": "--visible mixed",
    "drop": "--drop COLUMN, once for each",
    "valid": "--valid 0.1",
    "test": "--test 0.1",
    "shards": "--shards N",
}
_SPELT = (
    (
        re.compile(r"\bharmonium\.data\.load\(\.\.\., binarize='threshold'\); of arrays: x > 0\.5"),
        "--binarize threshold",
    ),
    (re.compile(r"\b(?:harmonium\.)?data\.load\(\.\.\., standardize=True\)"), "--standardize"),
    (re.compile(r"\btable=True\b"), "--visible mixed"),
    (re.compile(r"\bheader=False\b"), "--no-header"),
    (re.compile(r"\bheader=True\b"), "--header"),
    (re.compile(r"\bskip_rows=(\d+)"), r"--skip-rows \1"),
    (re.compile(r"\bmissing_values=\[('[^']*')\]"), r"--missing-values \1"),
    (re.compile(r"\bdecimal='([.,])'"), r"--decimal \1"),
    (re.compile(r"\balphabet='([^']*)'"), r"--alphabet=\1"),
    (
        re.compile(r"\bcolumns=\{'([^']*)': '([a-z]+)'\}"),
        lambda found: f"--column {shlex.quote(f'{found[1]}={found[2]}')}",
    ),
    (re.compile(r"\bcolumns=\{name: \{'missing': '([a-z]+)'\}\}"), r"--gaps \1"),
    (re.compile(r"\bmodel='([a-z]+)'"), r"--model \1"),
    (re.compile(r"\bscale=([\d.]+)\b"), r"--scale \1"),
    (
        re.compile(r"\b(header|skip_rows|missing_values|decimal|scale|alphabet)=\.\.\."),
        lambda found: "--" + found[1].replace("_", "-"),
    ),
)
_DROPPED = re.compile(r"\bdrop=\[((?:'[^']*'|\"[^\"]*\"|\d+)(?:, (?:'[^']*'|\"[^\"]*\"|\d+))*)\]")
_READING = ("header", "skip_rows", "missing_values", "decimal", "scale", "alphabet")
_ARGUMENT = re.compile(rf"(?<![-\w])({'|'.join((*_OPTIONS, *_READING))})=")


_PATIENCE = 10.0  # seconds


class Shell(click.Group):
    """A group of commands whose expected errors are one line each; it suggests commands for misspelt names."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["standalone_mode"] = False
        with _notes(), _one_voice():
            try:
                code = super().main(*args, **kwargs)
            except Exception as error:
                code = _report(error)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:  # before click turns it into an empty line
            number = getattr(error, "signal", signal.SIGINT)
            if sys.stderr.isatty():
                click.echo(err=True)  # leave the line of the progress bar, or of ^C
            _complain(str(error) or "interrupted")
            return 128 + int(number)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:  # here, where the command is known that has to have the options that are advised
            return _report(error, ctx.meta.get(_COMMAND))

    def meant(self, name: str) -> str | None:
        """What a word that is no command stands for: another spelling, a command of a group, or data."""
        near = difflib.get_close_matches(name, self.commands, n=1)
        if near:
            return near[0]
        for group, command in self.commands.items():
            if isinstance(command, click.Group) and name in command.commands:
                return f"{group} {name}"
        verb = next((verb for verb in ("train", "fit", "describe") if verb in self.commands), None)
        return f"{verb} {shlex.quote(name)}" if verb and Path(name).suffix and Path(name).exists() else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            meant = self.meant(name)
            guess = f"did you mean `{ctx.command_path} {meant}`?" if meant else f"there are {', '.join(self.commands)}"
            raise click.UsageError(f"no command {name!r}; {guess}", ctx)
        found = super().resolve_command(ctx, args)
        ctx.meta[_COMMAND] = found[1]
        return found


class Inner(Shell):
    """A group of commands inside the main group, which reports the errors."""

    def invoke(self, ctx: click.Context) -> Any:
        return click.Group.invoke(self, ctx)


def typed(ctx: click.Context) -> set[str]:
    """Names of the parameters that the user typed, whatever their value."""
    default = (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)
    return {name for name in ctx.params if ctx.get_parameter_source(name) not in default}


def say(text: str = "") -> None:
    """Print a result on standard output."""
    click.echo(text)


def note(text: str) -> None:
    """Print a note in one line on standard error, by the first of several processes."""
    if rank() > 0:
        return
    click.echo(f"harmonium: note: {_one_line(text)}", err=True)


def _complain(text: str) -> None:
    who = "" if rank() == 0 else f" (process {rank()})"
    click.echo(f"harmonium{who}: {_one_line(text)}", err=True)


def _one_line(text: str) -> str:
    return " ".join(text.split())


@contextlib.contextmanager
def _one_voice() -> Iterator[None]:
    """Let the first of several processes alone print results."""
    if rank() == 0:
        yield
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


@contextlib.contextmanager
def _notes() -> Iterator[None]:
    """Print warnings as notes, each once: commands may read a file twice."""
    shown: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, UserWarning) and str(message) not in shown:
            shown.add(str(message))
            note(as_options(str(message)))

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def _report(error: Exception, command: click.Command | None = None) -> int:
    """Print an error that is the user's to correct; raise any other again."""
    if os.environ.get("HARMONIUM_TRACEBACK", "0") not in ("", "0"):
        traceback.print_exception(error)
    if isinstance(error, click.Abort):
        _complain("interrupted")
        return 128 + signal.SIGINT
    text = _explain(error, command)
    if text is None:
        raise error
    same_everywhere = isinstance(error, click.ClickException) or getattr(error, "told", False)
    if rank() == 0 or not same_everywhere:
        _complain(text)
    else:
        time.sleep(_PATIENCE)  # torchrun ends all processes with the first that stops: it must be the one that speaks
    return 2


def _explain(error: Exception, command: click.Command | None) -> str | None:
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = str(error)
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "allocate memory" in text):
        return "there is not enough memory for this: use fewer hidden units, chains or cases"
    if not isinstance(error, (ValueError, TypeError, OSError)) and not type(error).__module__.startswith("harmonium."):
        return None
    return as_options(text, command)


def as_options(text: str, command: click.Command | None = None) -> str:
    """Write arguments of the library that a message names as options, as far as the command has them.

    Args:
        text: the message.
        command: default: the one that is running.
    """
    if command is None:
        context = click.get_current_context(silent=True)
        command = None if context is None else context.command
    known = None if command is None or isinstance(command, click.Group) else _names(command)

    def has(option: str) -> bool:
        return known is None or re.split(r"[ =]", option)[0] in known

    def spell(argument: re.Match[str], option: Any) -> str:
        spelt: str = option(argument) if callable(option) else argument.expand(option)
        return spelt if has(spelt) else argument[0]

    if has("--drop"):
        text = _DROPPED.sub(lambda found: _drop_options(found[1]), text)
    for pattern, option in _SPELT:
        text = pattern.sub(partial(spell, option=option), text)
    named = list(dict.fromkeys(_ARGUMENT.findall(text)))
    options = [_OPTIONS[name] for name in named if name in _OPTIONS and has(_OPTIONS[name])]
    lacking = [name for name in named if name not in _OPTIONS or not has(_OPTIONS[name])] if known is not None else []
    if options:
        text += f" (here: {'; '.join(options)})"
    if lacking:
        text += f" ({', '.join(lacking)}: of harmonium.data.load in Python; this command has no such option)"
    return text


def _names(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def _drop_options(names: str) -> str:
    return " ".join(f"--drop {shlex.quote(str(name))}" for name in ast.literal_eval(f"[{names}]"))


def _usage(error: click.ClickException) -> str:
    text = error.format_message().rstrip(".")
    text = text[:1].lower() + text[1:]
    if isinstance(error, click.NoSuchOption) and error.option_name == "--import":
        return "no such option '--import' of a command: it comes first, as in `harmonium --import MODULE train ...`"
    context = getattr(error, "ctx", None)
    extra = re.fullmatch(r"got unexpected extra argument \((.*)\)", text)
    if extra is not None and context is not None and "--data" in _names(context.command):
        text += f": other data are named with --data {extra[1]}"
    return f"{text} (see `{context.command_path} --help`)" if context is not None else text
