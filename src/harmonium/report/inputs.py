"""Input of a report: the model of a run with its data and what is known of its training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.core.errors import DamagedFileError
from harmonium.core.rows import some_rows
from harmonium.data import Cases, Dataset
from harmonium.data.cases import Standardization
from harmonium.data.dataset import choose_split
from harmonium.data.table import Table
from harmonium.models.deep.dbn import DBN
from harmonium.models.machine.classification import ClassificationRBM
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model
from harmonium.runs.folder import Run, open_run
from harmonium.sampling.sample import affordable_sweeps, sample
from harmonium.units import Mixed

__all__ = ["Observed", "ReportInput", "gather"]

SAMPLES = 200
ROWS = 2000  # of each split that is looked at: enough for a histogram
MOST_VALUES = 20_000_000  # of samples, or of such rows: fewer of them where tables are wide


class Observed(NamedTuple):
    """What was observed of a column of numbers, in its own units; None where it is not known, or does not matter."""

    low: float | None = None
    high: float | None = None
    decimals: int | None = None


@dataclass(frozen=True)
class ReportInput:
    """A model, its data, and what is known of its training.

    Attributes:
        run: the run folder or model file.
        model: a `Machine`, a `DBN` or a directed model.
        data: what it was trained on, or what the user named; None if it cannot be loaded.
        no_data: why not.
        seed: seed of all samples in the report.
    """

    run: Run
    model: Model
    data: Dataset | None
    no_data: str | None
    seed: int

    @property
    def layers(self) -> list[Any]:
        """The layers of units from the visible one up; for a network, its visible units alone."""
        if isinstance(self.model, DBN):
            return [self.model.visible, *(rbm.hidden for rbm in self.model.machines)]
        if isinstance(self.model, Machine):
            return [self.model.units(layer) for layer in range(len(self.model.names))]
        return [self.model.visible]

    @property
    def image_shape(self) -> tuple[int, int] | None:
        """(height, width) of cases that are images; None for others."""
        units = self.model.visible
        # A model of 784 units may not know that they are 28 x 28 pixels; its data do.
        shape = self.data.shape if len(units.shape) == 1 and self.data is not None else units.shape
        simple = units.size == units.columns and not isinstance(units, Mixed)
        return (shape[0], shape[1]) if simple and len(shape) == 2 and min(shape) > 1 else None

    @property
    def splits(self) -> dict[str, Cases]:
        """Splits of the data, by name."""
        return {} if self.data is None else self.data.splits

    @property
    def judged(self) -> tuple[str, Cases] | None:
        """Name and cases of the split to evaluate on: test, else valid, else train; None if there is none."""
        return self._choice[0]

    @property
    def unjudged(self) -> str | None:
        """Why there is no split to evaluate on."""
        return self._choice[1]

    @cached_property
    def _choice(self) -> tuple[tuple[str, Cases] | None, str | None]:
        if self.data is None:
            return None, self.no_data
        try:
            return choose_split(self.data, None), None
        except ValueError as error:  # a table with a gap in every row
            return None, str(error)

    @cached_property
    def table(self) -> Table | None:
        """What the columns are, if the data were a table read column by column; None if nothing says it."""
        try:
            return self.run.table()
        except DamagedFileError:
            raise
        except (ValueError, OSError):  # no description of the columns, and no table to read it from again
            given = None if self.data is None else self.data.table
            return given if given is not None and len(given.columns) == self.model.visible.columns else None

    @property
    def unnamed(self) -> bool:
        """Whether the data were a table of which neither the run folder nor a file says what its columns are."""
        return self.table is None and self.run.source is not None and bool(self.run.source.get("table", False))

    @property
    def standard(self) -> Standardization | None:
        """Means and scales of standardised columns; None if they were not standardised."""
        if self.table is not None:
            return self.table.standard
        return None if self.data is None else self.data.train.standard

    @cached_property
    def columns(self) -> list[str]:
        """Names of the visible variables, as in their file."""
        if self.table is not None:
            return [str(column.name) for column in self.table.columns]
        count = self.model.visible.columns
        if isinstance(self.model, ClassificationRBM):
            return [*(f"column {k}" for k in range(count - 1)), "class"]
        names = None if self.data is None else self.data.names
        return list(names) if names is not None and len(names) == count else [f"column {k}" for k in range(count)]

    def labels(self, column: int) -> list[str] | None:
        """Names of the states of a column; None for numbers."""
        owner = self.model.visible.units_of_column(column, encoded=False)
        if self.unnamed and owner.finite:  # a code is not the value that stood in the table
            return [f"code {code}" for code in range(max(2, owner.size // owner.columns))]
        labels = () if self.table is None else self.table.columns[column].labels
        return [f"{label:.15g}" if isinstance(label, float) else str(label) for label in labels] or None

    @cached_property
    def observed(self) -> list[Observed]:
        """Range and rounding of each visible variable in the data, for real values alone."""
        count, units = self.model.visible.columns, self.model.visible
        if self.table is not None:
            return [Observed(column.low, column.high, column.decimals) for column in self.table.columns]
        if self.data is None or not units.real_valued:
            return [Observed()] * count
        found = self.data.train.derive(standard=None, source=None).statistics()
        ranges = zip(found.column_low.tolist(), found.column_high.tolist(), found.whole.tolist(), strict=True)
        return [
            Observed(low, high, 0 if whole else None)
            if low <= high and units.units_of_column(j, encoded=False).real_valued else Observed()
            for j, (low, high, whole) in enumerate(ranges)
        ]  # fmt: skip

    def within(self, column: int, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Bring drawn values of a column, in its own units, into the range and the rounding that were observed."""
        low, high, decimals = self.observed[column]
        values = values if decimals is None else np.round(values, decimals) + 0.0
        return values if low is None or high is None else np.clip(values, low, high)

    @cached_property
    def samples(self) -> Tensor:
        """Samples, (samples, columns), as the data have them: independent draws, or ends of independent chains."""
        return sample(self.model, self._affordable(SAMPLES), sweeps=self.sweeps, seed=self.seed, progress=False).cpu()

    @property
    def sweeps(self) -> int:
        """Gibbs sweeps of each chain that ends in a sample."""
        return affordable_sweeps(self.model, self._affordable(SAMPLES))

    def rows_of(self, cases: Cases, count: int = ROWS) -> tuple[Tensor, np.ndarray[Any, Any]]:
        """Take up to ``count`` cases without missing values, evenly spaced: (n, columns), and their indices."""
        index = some_rows(len(cases), self._affordable(count)).numpy()
        v = cases.rows(torch.from_numpy(index), dtype=self.model.dtype)
        whole = ~torch.isnan(v).any(-1)
        return v[whole], index[whole.numpy()]

    def _affordable(self, count: int) -> int:
        return min(count, max(1, MOST_VALUES // self.model.visible.size))

    def original(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Undo the standardisation of training, if there was one."""
        return values if self.standard is None else values * self.standard.scale + self.standard.mean


def gather(name: str, data: Dataset | None = None, seed: int = 0) -> ReportInput:
    """Read a run folder or a model file, and load its data.

    Args:
        name: a run folder, finished or stopped after a checkpoint, or a model file.
        data: cases to judge by.  Default: those of the run, if they can be loaded again.
        seed: seed of all samples in the report.

    Raises:
        FileNotFoundError: if there is nothing of that name, no model yet, or training still goes on.
        DamagedFileError: if a file is damaged.
        ValueError: if the data have another number of columns than the model.
    """
    run, no_data = open_run(name, unfinished=True), None
    model = run.load()
    if data is None:
        try:
            data = run.data()
        except (ValueError, OSError) as error:  # a report of the rest is better than no report
            no_data = str(error)
    if data is not None and data.train.shape[1] != model.visible.columns:
        raise ValueError(
            f"{data.name} has {data.train.shape[1]} columns; the model of {name} has {model.visible.columns} visible "
            "units: name the data that it was trained on"
        )
    return ReportInput(run, model, data, no_data, seed)
