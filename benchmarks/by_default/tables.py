"""``harmonium train TABLE``: a table of 1,400 rows and 10 columns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

import harmonium as hm
from by_default import doors, sources
from by_default.draws import generator, rows
from by_default.encoding import is_label
from by_default.job import Cells, Job, Measure, Scores

__all__ = ["JOB"]

ROWS, COLUMNS = 1400, 10
INDEPENDENT, NORMAL, LONG, OURS = "independent columns", "normal distribution", "20,000 updates", "harmonium train"
# 61 updates an epoch
LONG_OPTIONS = ("--batch-size", "23", "--epochs", "328", "--learning-rate", "0.1", "--weight-decay", "0.001")
NATS, SECONDS = "test, nats per row", "seconds of one core"
NOISE = 0.05  # nats: less than the standard error over test rows
BUDGET = 30.0  # seconds
GAP = "?"  # as in the census data


class Task(NamedTuple):
    """Rows to learn from, and others to judge by."""

    train: pd.DataFrame
    test: pd.DataFrame


def task(name: str, load: Callable[[], pd.DataFrame], columns: slice, seed: int) -> Task:
    table = load()
    table = table[list(table.columns[columns])]
    assert table.shape[1] == COLUMNS
    chosen = generator(name, seed).permutation(len(table))
    train, test = rows(table, chosen[:ROWS]), rows(table, chosen[ROWS : 2 * ROWS])
    for column in table:
        if is_label(table[column]):  # only values that are there, and that a model can have seen
            test = test[test[column].isin(set(train[column]) - {GAP})]
    return Task(train, test.reset_index(drop=True))


def with_file(method: Callable[[Path, pd.DataFrame, int], Scores], task: Task, seed: int) -> Scores:
    """The scores of a method that takes the training rows as a CSV file."""
    with tempfile.TemporaryDirectory() as folder:
        csv = Path(folder) / "table.csv"
        task.train.to_csv(csv, index=False)
        return method(csv, task.test, seed)


def command(*options: str) -> Callable[[Path, pd.DataFrame, int], Scores]:
    def trained(csv: Path, test: pd.DataFrame, seed: int) -> Scores:
        run = csv.parent / "run"
        seconds = doors.trained(csv, run, seed, *options)
        lower, trusted = doors.nats(run, _read(csv).table, test)
        return {NATS: lower, SECONDS: seconds, "trusted": float(trusted)}

    return trained


def independent(csv: Path, test: pd.DataFrame, seed: int) -> Scores:
    """Every column by itself: normal distributions, and shares of the categories, from the cells that are there."""
    table = _read(csv).table
    known, judged = (table.to_array(frame) for frame in (pd.read_csv(csv, na_values=GAP), test))
    log_density = np.zeros(len(judged))
    for column, seen, values in zip(table.columns, known.T, judged.T, strict=True):
        if column.labels:
            counts = 1 / len(column.labels) + np.bincount(
                seen[~np.isnan(seen)].astype(int), minlength=len(column.labels)
            )
            log_density += np.log(counts / counts.sum())[values.astype(int)]
        else:
            log_density -= (values**2 + np.log(2 * np.pi)) / 2 + np.log(column.scale)
    return {NATS: float(log_density.mean())}


def normal(csv: Path, test: pd.DataFrame, seed: int) -> Scores:
    """A multivariate normal distribution, of tables of real columns alone."""
    data = _read(csv)
    if any(column.labels for column in data.table.columns):
        raise sources.UnavailableError("for real columns only")
    known, judged = (data.table.to_array(frame) for frame in (pd.read_csv(csv), test))
    covariance = np.cov(known.T, bias=True)
    distances = ((judged @ np.linalg.inv(covariance)) * judged).sum(1)
    constant = COLUMNS * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1]
    return {NATS: float(-(distances.mean() + constant) / 2 - data.table.log_jacobian())}


def _read(csv: Path) -> hm.data.Dataset:
    return hm.data.load(csv, table=True)


def long_enough(cells: Cells) -> bool:
    return cells[OURS] >= cells[LONG] - NOISE


def fast_enough(cells: Cells) -> bool:
    return cells[OURS] <= BUDGET


JOB = Job(
    title="A table by the command line",
    about=f"`harmonium train TABLE` on {ROWS:,} rows and {COLUMNS} columns as a CSV file, judged on other rows, in "
    "nats per row of the table. Seconds are processor time of the whole command. 20,000 updates: batches of 23 at a "
    "rate of 0.1.",
    sets={
        "red wine": partial(task, "red wine", sources.red_wine, slice(0, 10)),
        "adult": partial(task, "adult", lambda: sources.adult().features, slice(4, 14)),
        "diamonds": partial(task, "diamonds", sources.diamonds, slice(0, 10)),
        "telescope": partial(task, "telescope", sources.telescope, slice(0, 10)),
    },
    peers={
        INDEPENDENT: partial(with_file, independent), NORMAL: partial(with_file, normal),
        LONG: partial(with_file, command(*LONG_OPTIONS)),
    },
    ours={OURS: partial(with_file, command())},
    measures={
        NATS: Measure("{:.2f}".format, f"20,000 updates less {NOISE:g}", long_enough),
        SECONDS: Measure("{:.1f}".format, f"<= {BUDGET:g}", fast_enough),
    },
)  # fmt: skip
