"""Options that several commands have, and short forms of the usual kinds."""

from __future__ import annotations

import contextlib
import math
import shlex
from collections.abc import Callable, Sequence
from typing import Any

import click

__all__ = [
    "BINARIZATIONS", "DOWNLOAD", "DROP", "PROGRESS", "QUIET", "READING", "SEED", "SHARDS", "STANDARDIZE", "Range",
    "choice", "integer", "number", "part", "reading_of", "reading_options", "sizes", "text", "threads", "written",
]  # fmt: skip

BINARIZATIONS = ("threshold", "fixed", "dynamic", "grey")

Option = Callable[[Callable[..., Any]], Callable[..., Any]]


class Range(click.FloatRange):
    """Finite numbers in a range.  Click lets NaN pass, which compares with nothing, and infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = float(super().convert(value, param, ctx))
        if not math.isfinite(found):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return found


def text(name: str, metavar: str, help: str, **more: Any) -> Option:
    """An option that takes text."""
    return click.option(name, metavar=metavar, help=help, **more)


def integer(*names: str, help: str | None = None, least: int = 1, default: int | None = None) -> Option:
    """An option that takes an integer of at least ``least``."""
    kind = click.IntRange(min=least)
    return click.option(*names, type=kind, metavar="N", default=default, show_default=default is not None, help=help)


def number(name: str, metavar: str, help: str, *, positive: bool = False, default: float | None = None) -> Option:
    """An option that takes a number from 0, or above 0."""
    kind, shown = Range(min=0, min_open=positive), default is not None
    return click.option(name, type=kind, metavar=metavar, default=default, show_default=shown, help=help)


def part(name: str, help: str) -> Option:
    """An option that takes a number of cases, such as ``300``, or a fraction, such as ``0.1``."""

    def parse(ctx: click.Context, param: click.Parameter, value: str | None) -> int | float | None:
        if value is None:
            return None
        with contextlib.suppress(ValueError):
            return int(value)
        with contextlib.suppress(ValueError):
            if 0 <= float(value) < 1:
                return float(value)
        raise click.BadParameter(
            f"{value!r} is neither a number of cases, such as 300, nor a fraction, such as 0.1", ctx, param
        )

    return text(name, "N|FRACTION", help, callback=parse)


def choice(name: str, values: Sequence[str], help: str | None = None, default: str | None = None) -> Option:
    """An option that takes one of a few words."""
    return click.option(
        name, type=click.Choice(list(values)), default=default, show_default=default is not None, help=help
    )


def sizes(name: str, help: str, default: str | None = None) -> Option:
    """An option that takes sizes of layers, such as ``500,500,2000``."""

    def parse(ctx: click.Context, param: click.Parameter, value: str | None) -> list[int] | None:
        if value is None:
            return None
        parts = value.split(",")
        if not all(part.strip().isdecimal() and int(part) for part in parts):
            raise click.BadParameter(f"{value!r} is no list of sizes such as 500,500,2000", ctx, param)
        return [int(part) for part in parts]

    shown = default is not None
    return click.option(name, metavar="N,N,...", callback=parse, default=default, show_default=shown, help=help)


def threads(default: str) -> Option:
    """The option --threads, with what happens without it."""
    return integer("--threads", help=f"Threads of matrix products.  [default: {default}]")


def _lines(ctx: click.Context, param: click.Parameter, value: str | None) -> int | tuple[int, ...] | None:
    """A number of lines, such as 3, or the numbers of lines, such as 1,2,40."""
    if value is None:
        return None
    parts = value.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r} is neither a number of lines, such as 3, nor a list of them", ctx, param)
    return int(value) if len(parts) == 1 else tuple(map(int, parts))


READING = (
    click.option(
        "--header/--no-header", default=None,
        help="Whether the first line of a table holds names.  [default: found by the lines below it]",
    ),
    text(
        "--skip-rows", "N|N,N,...", "Lines of a table to skip at the start, or their numbers.  [default: titles, "
        "comments, units below the names and totals; a note names them]", callback=_lines,
    ),
    text(
        "--missing-values", "WORD", "A word in a table that stands for a missing value, such as -9; repeatable.  "
        "[default: NA, NaN, null, None, ?]", multiple=True,
    ),
    click.option("--decimal", type=click.Choice([".", ","]), help="The character before decimals.  [default: found]"),
    text(
        "--alphabet", "NAME|LETTERS", "Of an alignment: protein, rna, dna, or the letters of the codes.  "
        "[default: found by the letters]",
    ),
    number("--scale", "S", "Divide all values by this number, such as 255.", positive=True),
)  # fmt: skip
"""How a table is read."""


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a table is read."""
    for option in reversed(READING):
        command = option(command)
    return command


def reading_of(options: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `harmonium.data.load` that these options are, if they were given."""
    found = {name: options[name] for name in ("header", "skip_rows", "decimal", "scale", "alphabet")}
    found["missing_values"] = options["missing_values"] or None
    return {name: value for name, value in found.items() if value is not None}


def written(arguments: dict[str, Any]) -> str:
    """Write arguments of `reading_of` as options."""
    words = []
    for name, value in arguments.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{option}")
        elif name == "missing_values":
            words += [f"--{option} {shlex.quote(word)}" for word in value]
        elif name == "alphabet":
            words.append(f"--{option}={shlex.quote(value)}")  # it may begin with "-"
        else:
            shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
            words.append(f"--{option} {shown:g}" if isinstance(shown, float) else f"--{option} {shown}")
    return "".join(f" {word}" for word in words)


SHARDS = integer(
    "--shards",
    help="Blocks of rows, with the same result on any number of processes up to this.  [default: 8 on several "
    "processes, else none]",
)
SEED = click.option("--seed", type=int, metavar="N", default=0, show_default=True, help="Seed of everything random.")
DROP = text("--drop", "COLUMN", "Name of a column of a table to leave out; repeatable.", multiple=True)
DOWNLOAD = click.option("--download", is_flag=True, help="Download a named data set that is not on this machine.")
STANDARDIZE = click.option(
    "--standardize", is_flag=True, help="Columns to mean 0 and variance 1 (by the training cases)."
)
PROGRESS = click.option("--progress/--no-progress", default=None, help="A progress bar.  [default: on a terminal]")
QUIET = click.option("-q", "--quiet", is_flag=True, help="Print the result only.")
