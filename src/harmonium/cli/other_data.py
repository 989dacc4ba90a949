"""The data that a command judges a run by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.options import BINARIZATIONS, choice, text

if TYPE_CHECKING:
    from harmonium.data import Dataset
    from harmonium.runs import Run

__all__ = ["chosen_data", "data_of_run"]


def data_of_run(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name other data than those of the run."""
    for option in (
        choice("--binarize", BINARIZATIONS, "How grey levels of --data become binary."),
        text("--data", "DATA", "Other data than those of the run: a name or a file."),
    ):
        command = option(command)
    return command


def chosen_data(run: Run, name: str | None, binarize: str | None) -> Dataset:
    """Load the data to judge a run by: its own, or others treated in the same way.

    Raises:
        click.UsageError: for a binarisation that the run does not leave open.
        ValueError: if the data cannot be loaded, or have another width.
    """
    if name is None:
        if binarize is not None:
            raise click.UsageError("--binarize is for --data: a run is evaluated on data as it was trained on them")
        return run.data()
    import harmonium as hm

    source = run.source or {}
    columns = run.table()
    if columns is not None:
        return hm.data.load(name, binarize=binarize, table=columns, drop=source.get("drop", ()))
    if run.standardized:
        if binarize is not None:
            raise click.UsageError(f"{run.name} was trained on standardised columns: leave out --binarize")
        return _standardise(hm.data.load(name, binarize="grey"), run)
    return hm.data.load(name, binarize=binarize or source.get("binarize"), seed=source.get("seed", 0))


def _standardise(data: Dataset, run: Run) -> Dataset:
    """Standardise other data by the means and scales of the run's training cases."""
    width, known = data.train.shape[1], run.data().train.shape[1]
    if width != known:
        raise ValueError(f"{data.name} has {width} columns; {run.name} was trained on {known}")
    standard = run.standard()
    derived = {split: cases.derive(standard=standard) for split, cases in data.splits.items()}
    return replace(data, source=data.source | {"standardize": True}, **derived)  # type: ignore[arg-type]
