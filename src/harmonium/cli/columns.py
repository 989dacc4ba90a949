"""Tables with columns of any kind, as the commands read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.shell import note
from harmonium.runs.names import COLUMNS

if TYPE_CHECKING:
    from harmonium.data import Dataset
    from harmonium.models.model import Model

__all__ = ["gaps_of", "is_table", "keep_columns", "load_columns"]


def load_columns(name: str, visible: str, **options: Any) -> Dataset:
    """Load DATA, column by column if --visible asks for it or the table holds text or missing values."""
    from harmonium.data import load
    from harmonium.data.raw import NotNumbersError

    plain = not options.get("standardize") and options.get("binarize") is None
    columns = plain and is_table(name)
    try:
        data = load(name, table=columns and visible == "mixed", **options)
    except NotNumbersError as error:
        if visible != "auto" or not plain:
            raise
        reason = str(error).split(", not a number")[0]
    else:
        if visible != "auto" or not columns or not data.train.statistics().missing:
            return data
        reason = f"{data.name} has missing values"
    note(f"{reason}, so every column is read by its values (--visible mixed)")
    return load(name, table=True, **options)


def is_table(name: str) -> bool:
    """Return whether DATA is a file or folder with named columns."""
    from harmonium.data import files

    path = Path(name).expanduser()
    return path.exists() and files.is_table(path)


def gaps_of(data: Dataset, name: str, model: Model) -> str | None:
    """Return the argument ``missing`` of `fit`: None if no value is missing.

    Raises:
        click.UsageError: values are missing, and the model, called ``name``, learns from whole cases.
    """
    from harmonium.models.machine.machine import Machine

    if data.table is None or data.train.statistics().finite:
        return None
    if not model.takes_gaps:
        raise click.UsageError(
            f"{data.name} has missing cells, and --model {name} learns from whole cases: leave out the columns with "
            "gaps (--drop) or those rows, or train --model rbm, which draws what is missing, or --model eonade, which "
            "leaves it out"
        )
    return "draw" if isinstance(model, Machine) else "omit"


def keep_columns(data: Dataset, run: Path) -> None:
    """Write the description of the columns into the run folder, so that the run does not need the table later."""
    if data.table is None:
        return
    from harmonium.core.files import write_json

    write_json(run / COLUMNS, data.table.config())
