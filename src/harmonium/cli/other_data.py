"""The data that a command judges a run by."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.columns import is_array, is_table
from harmonium.cli.options import BINARIZATIONS, READING, choice, reading_of, text

if TYPE_CHECKING:
    from harmonium.data import Dataset
    from harmonium.runs import Run

__all__ = ["chosen_data", "data_of_run", "refuse_without_data"]


def data_of_run(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name other data than those of the run."""
    for option in (
        *reversed(READING),
        choice("--binarize", BINARIZATIONS, "How grey levels of --data become binary."),
        text("--data", "DATA", "Other data than those of the run: a name or a file."),
    ):
        command = option(command)
    return command


def chosen_data(run: Run, name: str | None, options: dict[str, Any]) -> Dataset:
    """Load the data to judge a run by: its own, or others treated in the same way, with columns matched by name.

    Raises:
        click.UsageError: for options that the run does not leave open.
        ValueError: if the data cannot be loaded, or have another width.
    """
    refuse_without_data(name, options)
    binarize, reading = options["binarize"], reading_of(options)
    if name is None:
        return run.data()
    from harmonium.data.raw import NotNumbersError
    from harmonium.data.reading import TwoReadingsError

    source = run.source or {}
    kept = ("missing_values", "scale", "alphabet") if run.table() is None else ("missing_values",)
    reading = {key: source[key] for key in kept if key in source} | reading
    try:
        try:
            return _load_like(run, name, source, binarize, reading)
        except TwoReadingsError:
            if "decimal" not in source:
                raise
            return _load_like(run, name, source, binarize, reading | {"decimal": source["decimal"]})
    except NotNumbersError as error:
        found = re.split(": correct the cell|: read every column", str(error))[0]
        raise ValueError(
            f"{found}: {run.name} was trained on numbers without gaps, so correct such cells or remove their rows"
        ) from None


def _load_like(run: Run, name: str, source: dict[str, Any], binarize: str | None, reading: dict[str, Any]) -> Dataset:
    """Load data as those of a run were, with its columns, its scale and its binarisation."""
    import harmonium as hm

    columns = run.table()
    if columns is not None:
        path = Path(name).expanduser()
        gone = bool(path.suffix) and not path.exists()  # loading says so
        if not gone and not is_table(name) and not is_array(name):
            known = ", ".join(repr(str(column.name)) for column in columns.columns[:10])
            raise ValueError(
                f"{name} is no table, and {run.name} was trained on one: name a file with the columns {known}"
            )
        return hm.data.load(name, binarize=binarize, table=columns, drop=source.get("drop", ()), **reading)
    reading |= {"columns": source["columns"]} if "columns" in source else {}
    if run.standardized:
        if binarize is not None:
            raise click.UsageError(f"{run.name} was trained on standardised columns: leave out --binarize")
        return _standardise(hm.data.load(name, binarize="grey", **reading), run)
    return hm.data.load(name, binarize=binarize or source.get("binarize"), seed=source.get("seed", 0), **reading)


def refuse_without_data(name: str | None, options: dict[str, Any]) -> None:
    """Refuse options about --data where it is not given.

    Raises:
        click.UsageError: if there is one.
    """
    given = [*(["binarize"] if options["binarize"] is not None else []), *reading_of(options)]
    if name is None and given:
        option = given[0].replace("_", "-")
        raise click.UsageError(f"--{option} is for --data: a run is evaluated on data as it was trained on them")


def _standardise(data: Dataset, run: Run) -> Dataset:
    """Standardise other data by the means and scales of the run's training cases."""
    width, known = data.train.shape[1], run.data().train.shape[1]
    if width != known:
        raise ValueError(f"{data.name} has {width} columns; {run.name} was trained on {known}")
    standard = run.standard()
    derived = {split: cases.derive(standard=standard) for split, cases in data.splits.items()}
    return replace(data, source=data.source | {"standardize": True}, **derived)  # type: ignore[arg-type]
