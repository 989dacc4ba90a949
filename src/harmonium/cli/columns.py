"""Tables with columns of any kind, as the commands take them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.shell import note
from harmonium.runs.names import COLUMNS

if TYPE_CHECKING:
    from harmonium.data import Dataset

__all__ = ["gap_sweeps", "keep_columns", "load_columns"]

SWEEPS = 5  # of Gibbs sampling, by which missing values are drawn in training


def load_columns(name: str, visible: str, **options: Any) -> Dataset:
    """DATA, a table column by column where --visible says so, or where it has text or missing cells."""
    from harmonium.data import load
    from harmonium.data.csvfile import NotNumbersError
    from harmonium.data.frames import is_table

    path = Path(name).expanduser()
    plain = not options.get("standardize") and options.get("binarize") is None
    try:
        return load(name, table=plain and visible == "mixed" and path.exists() and is_table(path), **options)
    except NotNumbersError as error:
        if visible != "auto" or not plain:
            raise
        note(f"{str(error).split(', not a number')[0]}, so every column is read by its values (--visible mixed)")
        return load(name, table=True, **options)


def gap_sweeps(data: Dataset, model: str, machine: bool) -> int:
    """What fit(missing=...) is to be: 0 where no value is missing.

    Raises:
        click.UsageError: where values are missing and the model is no Boltzmann machine, which could draw them.
    """
    if data.table is None or data.train.statistics().finite:
        return 0
    if not machine:
        raise click.UsageError(
            f"{data.name} has missing cells, and --model {model} learns from whole cases: leave out the columns with "
            "gaps (--drop) or those rows, or train a Boltzmann machine (--model rbm), which draws what is missing"
        )
    return SWEEPS


def keep_columns(data: Dataset, run: Path) -> None:
    """Write what the columns are into the run folder, which then has no need of the table."""
    if data.table is None:
        return
    from harmonium.core.files import write_json

    write_json(run / COLUMNS, data.table.config())
