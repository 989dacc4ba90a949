"""``harmonium data``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from harmonium.cli.columns import is_table, why_by_columns
from harmonium.cli.describe import describe_array, describe_codecs, describe_table
from harmonium.cli.options import BINARIZATIONS, DROP, choice, part, reading_of, reading_options
from harmonium.cli.shell import CONTEXT, Inner, say

__all__ = ["data"]

_BUILT_IN = {
    "digits": "8 x 8 handwritten digits, 1797 cases, with scikit-learn",
    "bars-and-stripes": "4 x 4 patterns, 32 cases, computed; other sizes as bars-and-stripes-3x3",
    "shifter": "8 bits, the same bits shifted, and the shift: 768 cases, computed",
    "mnist": "28 x 28 handwritten digits, 70000 cases",
}


@click.group(
    cls=Inner,
    invoke_without_command=True,
    context_settings=CONTEXT,
    epilog="""\b
Examples:
  harmonium data                           names, and where their files are
  harmonium data describe digits
  harmonium data describe table.csv
  harmonium data download mnist""",
)
@click.pass_context
def data(ctx: click.Context) -> None:
    """Data sets: list names, describe one, download one."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(names)


@data.command(
    "list",
    context_settings=CONTEXT,
    epilog="""\b
Examples:
  harmonium data list
  HARMONIUM_DATA=~/data harmonium data list""",
)
def names() -> None:
    """Names that can be learned, and where their files are."""
    from harmonium import data as library
    from harmonium.data.files import FORMATS
    from harmonium.data.find import mnist_folders
    from harmonium.data.idx import MNIST_PARTS, find_mnist

    folder = os.environ.get("HARMONIUM_DATA")
    shared = Path(folder).expanduser() if folder else None
    known = library.names()
    width = max(map(len, known))
    for name in (*_BUILT_IN, *(name for name in known if name not in _BUILT_IN)):
        where = _BUILT_IN.get(name) or str(shared and shared / f"{name}.npz")
        if name == "mnist":
            found = next((place for place in mnist_folders() if len(find_mnist(place)) == len(MNIST_PARTS)), None)
            where += f", in {found}" if found else ", not on this machine: harmonium data download mnist"
        say(f"{name:<{width}}  {where}")
    say()
    if shared is None:
        say("HARMONIUM_DATA is not set: its folder's .npz files would be listed by name")
    elif not shared.is_dir():
        say(f"HARMONIUM_DATA names {shared}, which is not a folder")
    say(f"or a file: {FORMATS}")


@data.command(
    "describe",
    context_settings=CONTEXT,
    short_help="Splits, values, and how to train on them.",
    epilog="\b\nExamples:\n  harmonium data describe digits\n  harmonium data describe table.csv --valid 0.1\n"
    "  harmonium data describe table.csv --write columns.json",
)
@click.argument("name", metavar="DATA")
@choice("--binarize", BINARIZATIONS)
@part("--valid", "Set aside this many training cases.")
@part("--test", "The same for test cases.")
@DROP
@click.option(
    "--write",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Leave what `harmonium table` takes the columns for in JSON, to be changed and given to --columns.",
)
@reading_options
def describe(
    name: str,
    binarize: str | None,
    valid: float | None,
    test: float | None,
    drop: tuple[str, ...],
    write: str | None,
    **options: Any,
) -> None:
    """Splits, values, missing cells and the kinds of columns of DATA, which units fit, and how to train on it.

    Of a table also what `harmonium table` takes each column for.
    """
    import harmonium as hm
    from harmonium.data.raw import NotNumbersError

    reading = reading_of(options)
    try:
        dataset = hm.data.load(name, binarize=binarize, valid=valid, test=test, drop=drop, **reading)
    except NotNumbersError:
        dataset = None
    treated = binarize is not None or reading.get("scale") is not None
    if write is not None and not is_table(name):
        raise click.UsageError(f"--write is about columns, and {name} is no table: leave it out")
    if dataset is None or (not treated and why_by_columns(dataset, is_table(name)) is not None):
        if is_table(name):
            describe_codecs(name, drop, reading, write)
        describe_table(name, drop, reading)
    else:
        describe_array(name, dataset, reading)
        if write is not None:
            describe_codecs(name, drop, reading, write)


@data.command(
    "download",
    context_settings=CONTEXT,
    epilog="\b\nExamples:\n  harmonium data download mnist\n  harmonium data download mnist --to ~/data/mnist",
)
@click.argument("name", metavar="NAME")
@click.option("--to", type=click.Path(file_okay=False), help="A folder.  [default: the cache of harmonium]")
def download(name: str, to: str | None) -> None:
    """Fetch a named data set (mnist) and verify it by its hash."""
    import sys

    from harmonium.data import download as fetch

    folder = fetch(name, to, progress=sys.stderr.isatty())
    say(f"{name}: {folder}")
