"""Tables with columns of any kind, as the commands read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.shell import note

if TYPE_CHECKING:
    from harmonium.data import Dataset
    from harmonium.models.model import Model
    from harmonium.units import Units

__all__ = [
    "gaps_of",
    "is_array",
    "is_grey",
    "is_table",
    "load_columns",
    "note_densities",
    "why_by_columns",
]

GREYS = (15, 16, 31)  # highest grey levels that are no bytes
MANY = 16  # columns of a table of pixels, at least


def load_columns(name: str, visible: str, uniform: bool = False, **options: Any) -> Dataset:
    """Load DATA, column by column if --visible asks for it, or by default if it is a table that is not binary.

    Args:
        name: what the user typed.
        visible: what --visible names.
        uniform: whether all columns get units of one type, which --units names: then only gaps and text need columns.
        **options: of `harmonium.data.load`.
    """
    from harmonium.data import load
    from harmonium.data.converted import must_be_mapped
    from harmonium.data.raw import NotNumbersError

    plain = not options.get("standardize") and options.get("binarize") is None and options.get("scale") is None
    columns = plain and is_table(name)
    if plain and visible == "mixed" and (columns or is_array(name)):
        return load(name, table=True, **options)
    try:
        data = load(name, **options)
    except NotNumbersError as error:
        if visible != "auto" or not plain:
            raise
        reason = re.split(", not a number|: read every column", str(error))[0]
    else:
        whole = visible == "auto" and plain and not must_be_mapped(data.train.shape)
        why = why_by_columns(data, columns, uniform) if whole else None
        if why is None:
            return data
        reason = f"{data.name} {why}"
        high = data.train.statistics().high
        if high in GREYS and data.train.shape[1] >= MANY and data.train.statistics().low == 0:
            note(f"if the numbers 0 ... {high:g} are grey levels: --scale {high:g} --binarize dynamic")
    note(f"{reason}, so every column is read by its values (--visible mixed)")
    return load(name, table=True, **options)


def is_table(name: str) -> bool:
    """Return whether DATA is a file or folder with named columns."""
    from harmonium.data import files

    path = Path(name).expanduser()
    return path.exists() and files.is_table(path)


def is_array(name: str) -> bool:
    """Return whether DATA is a file of arrays."""
    from harmonium.data.arrays import ARRAYS

    path = Path(name).expanduser()
    return path.is_file() and path.suffix.lower() in ARRAYS


def is_grey(data: Dataset) -> bool:
    """Return whether values are grey levels: shares, or bytes of many columns, too large to be useful codes."""
    found = data.train.statistics()
    if not found.finite or found.low < 0:
        return False
    if found.high <= 1:
        return True
    bytes_of_pixels = data.train.dtype.name == "uint8" or (bool(found.whole.all()) and data.train.shape[1] >= MANY)
    return bytes_of_pixels and 127 < found.high <= 255 and (found.low == 0 or data.train.dtype.name == "uint8")


def gaps_of(data: Dataset, name: str, model: Model) -> str | None:
    """Return the argument ``missing`` of `fit`: None if no value is missing.

    Raises:
        click.UsageError: values are missing, and the model, called ``name``, learns from whole cases.
    """
    from harmonium.models.machine.machine import Machine

    if (data.table is None and data.alphabet is None) or data.train.statistics().finite:
        return None
    if not model.takes_gaps:
        if data.alphabet is not None:
            raise click.UsageError(
                f"{data.name} has letters without a code, which are missing values, and --model {name} learns from "
                "whole cases: give them codes (--alphabet), or train --model rbm, which draws what is missing, or "
                "--model eonade, which leaves it out"
            )
        raise click.UsageError(
            f"{data.name} has missing cells, and --model {name} learns from whole cases: leave out the columns with "
            "gaps (--drop) or those rows, or train --model rbm, which draws what is missing, or --model eonade, which "
            "leaves it out"
        )
    return "draw" if isinstance(model, Machine) else "omit"


def note_densities(data: Dataset, visible: Units) -> None:
    """Say that a likelihood is a density, where real units model whole numbers."""
    if not visible.real_valued:
        return
    if data.table is not None:
        whole = [repr(column.name) for column in data.table.columns if not column.labels and column.decimals == 0]
    else:
        found = data.train.derive(standard=None, source=None).statistics()
        whole = [] if not bool(found.whole.all()) else [f"{data.train.shape[1]} columns"]
    if whole:
        shown = ", ".join(whole[:5]) + (", ..." if len(whole) > 5 else "")
        note(
            f"{shown}: whole numbers with real units, so likelihoods are densities and not probabilities: compare them "
            "only with densities of the same columns"
        )


def why_by_columns(data: Dataset, table: bool, uniform: bool = False) -> str | None:
    """Return why data that could be read as numbers are read column by column, None if they are not.

    Args:
        data: the data, read as numbers.
        table: whether they are a table with columns, and not an array.
        uniform: as in `load_columns`.
    """
    import numpy as np

    from harmonium.data.fitting import is_spin
    from harmonium.data.summary import FEW_CODES
    from harmonium.data.text import MOST_COLUMNS

    found = data.train.statistics()
    if data.alphabet is not None:
        return None
    if table and found.missing:
        return "has missing values"
    if uniform:
        return None
    if (
        found.missing
        and len(data.shape) == 1
        and list(data.splits) == ["train"]
        and isinstance(data.train.values, np.ndarray)
    ):
        return "has missing values"
    narrow = data.train.shape[1] <= MOST_COLUMNS and len(data.shape) == 1
    if not narrow or not found.finite or data.binarization is not None or is_spin(found) or is_grey(data):
        return None
    if table:
        return "holds other numbers than 0 and 1"
    codes = bool(found.whole.all()) and found.low == 1 and found.high <= FEW_CODES
    return "holds codes from 1 on" if codes and list(data.splits) == ["train"] else None
