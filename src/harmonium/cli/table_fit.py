"""``harmonium table fit``."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

import click

from harmonium.cli.grouped import Grouped
from harmonium.cli.options import part, text
from harmonium.cli.session import count
from harmonium.cli.shell import CONTEXT, say
from harmonium.cli.table_source import GROUPS, command_line, fitted, fitting_options, read_table
from harmonium.runs.folder import check_free

__all__ = ["fit"]


@click.command(
    cls=Grouped,
    groups={
        "Run": ("--out", "--test", "--seed", "--progress", "--quiet"),
        "Model": ("--model", "--minutes", "--threads"),
        "Columns": ("--column", "--columns", "--drop", "--gaps"),
        "How a file is read": GROUPS["How a file is read"],
    },
    context_settings=CONTEXT,
    short_help="Learn a table, into a run folder.",
    epilog="""\b
Examples:
  harmonium table fit census.csv --out runs/census
  harmonium table fit census.csv --minutes 1 --drop name
  harmonium table fit sales.csv --column amount=log --column branch=categories
  harmonium table fit sales.csv --columns columns.json""",
)
@click.argument("file")
@text("--out", "RUN", "Folder of the run.  [default: runs/FILE-table-1, or the first free number]")
@part("--test", "Rows to set aside: `harmonium table quality` judges by them.")
@fitting_options
def fit(file: str, out: str | None, test: float | None, **options: Any) -> None:
    """Fit a model to the table in FILE, into a run folder.

    Columns may hold text, numbers, dates and gaps.  FILE is .csv, .xlsx, .parquet, ...
    """
    folder = None if out is None else Path(out).expanduser()
    if folder is not None and folder.exists() and not folder.is_dir():
        raise ValueError(f"{out} is a file, and a run needs a folder: choose another with --out")
    began = time.monotonic()
    check_free(folder)
    source, rows, stream = read_table(file, options, test)
    train, aside = source.split(rows.frame)

    from harmonium.tables.folder import new_table_folder

    stem = f"{Path(file).name.split('.')[0] or 'data'}-table"
    with new_table_folder(folder, stem, command_line()) as run:
        settings = {"model": options["model"], "minutes": options["minutes"], "seed": options["seed"]}
        table = fitted(train, source, options, lambda columns: run.begin(columns, source, rows, settings), stream)
        run.environment()
        run.end(table)
        name = shlex.quote(str(run.folder))
    if options["quiet"]:
        say(str(run.folder))
        return
    kept = "" if aside is None else f", {count(len(aside), 'row')} set aside"
    say(f"{table!r} in {time.monotonic() - began:.0f} s{kept}: {run.folder}")
    say(f"next: harmonium table sample {name} -n {min(1000, len(train))} --out new.csv")
