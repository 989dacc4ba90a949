"""Options that several commands have, and short forms of the usual kinds."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import click

__all__ = [
    "BINARIZATIONS", "DOWNLOAD", "DROP", "PROGRESS", "QUIET", "SEED", "STANDARDIZE", "Range", "choice", "integer",
    "number", "part", "sizes", "text", "threads",
]  # fmt: skip

BINARIZATIONS = ("threshold", "fixed", "dynamic", "grey")

Option = Callable[[Callable[..., Any]], Callable[..., Any]]


class Range(click.FloatRange):
    """Numbers in a range.  NaN is not one of them: it compares with nothing, so that click lets it pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = float(super().convert(value, param, ctx))
        if math.isnan(found):
            self.fail(f"{value!r} is not a number.", param, ctx)
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


SEED = click.option("--seed", type=int, metavar="N", default=0, show_default=True, help="Seed of everything random.")
DROP = text("--drop", "COLUMN", "Name of a column of a table to leave out; repeatable.", multiple=True)
DOWNLOAD = click.option("--download", is_flag=True, help="Download a named data set that is not on this machine.")
STANDARDIZE = click.option(
    "--standardize", is_flag=True, help="Columns to mean 0 and variance 1 (by the training cases)."
)
PROGRESS = click.option("--progress/--no-progress", default=None, help="A progress bar.  [default: on a terminal]")
QUIET = click.option("-q", "--quiet", is_flag=True, help="Print the result only.")
