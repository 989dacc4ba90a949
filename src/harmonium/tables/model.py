"""`TableModel`: a DataFrame in, a DataFrame out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from harmonium.core import notebook
from harmonium.core.checks import check_int, check_number, check_positive
from harmonium.core.errors import DamagedFileError
from harmonium.core.files import as_path, read_tensors, write_tensors
from harmonium.core.processes import several
from harmonium.core.progress import Progress
from harmonium.core.random import Stream, as_stream, stream_of
from harmonium.core.registry import build
from harmonium.data.codecs.categories import Categories
from harmonium.data.codecs.codec import Array
from harmonium.data.codecs.dates import Dates
from harmonium.data.codecs.numbers import Numbers
from harmonium.data.codecs.table import TableCodec
from harmonium.data.plain import as_pandas
from harmonium.data.raw import Frame
from harmonium.likelihood.partition import log_partition
from harmonium.models.io import restore
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model
from harmonium.sampling.sample import sample
from harmonium.tables.answers import label_table, quantile_numbers, quantile_table, without_missing
from harmonium.tables.asking import SWEEPS, draw_unknown, open_cells, probabilities
from harmonium.tables.contenders import CONTENDERS
from harmonium.tables.explaining import surprise
from harmonium.tables.filling import fill_by_draws, fill_by_guesses, make_gaps
from harmonium.tables.given import given_frame, given_states, hold
from harmonium.tables.likelihood import log_probs
from harmonium.tables.training import Trial, train_table

__all__ = ["QUANTILES", "TableModel"]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class TableModel:
    """A model of tables with text, numbers, dates and gaps.

    Each column is turned into categories by a codec that is chosen from its values: labels as they are, numbers by
    quantiles with an exact density inside, dates by period, weekday and time of day.  A model of categories is trained
    on them, and everything that it says is said in values of the table again.

    Args:
        model: "auto", or one of "orderless" (an order-agnostic network on top of a Gaussian copula: every answer is
            exact under orderings that begin with what is given), "mixture" (of independent columns: exact), "rbm"
            (conditions by Gibbs sampling), "nade" and "made" (conditions by resampling).  "auto" trains a mixture and
            an order-agnostic network and keeps the one with the better likelihood of rows set aside.
        minutes: processor time for all training, at most; training ends earlier where nothing is gained.
        columns: what to take columns for, by name: "categories", "numbers", "log" (numbers on a logarithmic scale),
            "values" (numbers, each value a state), "dates", "drop", or a dict such as ``{"as": "numbers", "cells": 64,
            "missing": "value"}``.  Default: by their values (see `codec`).
        seed: of everything random in training, an int or a stream.
        progress: whether to show progress.  "auto": in terminals and notebooks, after two seconds.

    Attributes:
        codec: how each column is read; print it, or see ``codec.describe()``.
        model: the trained model of the categories.
        trials: what was tried, with likelihoods of the rows set aside.

    Raises:
        ValueError: for an unknown model, or a time that is not positive.

    >>> import pandas as pd, harmonium as hm
    >>> frame = pd.DataFrame({"city": ["Bern", "Bonn", "Bonn", "Bern"] * 50, "rent": [900, 700, 710, 920] * 50})
    >>> table = hm.TableModel(model="mixture").fit(frame)
    >>> list(table.sample(3).columns)
    ['city', 'rent']
    >>> table.conditional(pd.DataFrame({"rent": [900]}), "city").round(1).values.tolist()
    [[1.0, 0.0]]
    """

    def __init__(
        self,
        model: str = "auto",
        *,
        minutes: float = 5.0,
        columns: Mapping[Any, Any] | None = None,
        seed: int | Stream = 0,
        progress: Progress = "auto",
    ) -> None:
        if model != "auto" and model not in CONTENDERS:
            raise ValueError(f"model must be 'auto' or one of {', '.join(map(repr, CONTENDERS))}, found {model!r}")
        self.kind, self.minutes = model, check_positive("minutes", minutes)
        self.columns, self.seed, self.progress = columns, seed, progress
        as_stream(seed)
        self._codec: TableCodec | None = None
        self._model: Model | None = None
        self.trials: list[Trial] = []
        self.log_z: float | None = None
        self.rows = 0

    # Training ----------------------------------------------------------------------------------------------------

    def fit(self, frame: Frame, *, validation: Frame | None = None) -> Self:
        """Choose the codecs of the columns, and train.

        Args:
            frame: a DataFrame of pandas, or of polars or Arrow; one case per row.
            validation: rows to choose by.  Default: a tenth of the rows, 20 to 2,500, which are not trained on.

        Raises:
            ValueError: an empty frame, infinities, nothing to learn from.
            TypeError: for something else than a DataFrame, or a column of lists or the like.
            RuntimeError: under `torchrun` with several processes.

        Warns:
            UserWarning: what was noticed about columns, such as identifiers that are left out.
        """
        frame = as_pandas(frame)
        codec = TableCodec.of(frame, self.columns)
        for note in codec.notes:
            warnings.warn(note, UserWarning, stacklevel=2)
        states = codec.encode(codec.matched(frame))
        held = None if validation is None else self._held(codec, validation)
        return self.fit_states(codec, states, held)

    def _held(self, codec: TableCodec, validation: Frame) -> Array:
        """States of rows to choose by, without those with labels that the training rows lack: they say nothing."""
        matched = codec.matched(validation, argument="validation")
        known = ~codec.unseen(matched).any(1)
        if not known.any():
            raise ValueError("validation has labels never seen in frame in every row: give rows of the same table")
        if not known.all():
            warnings.warn(f"validation: {int((~known).sum())} rows hold labels never seen in frame and are left out",
                          UserWarning, stacklevel=3)  # fmt: skip
        return codec.encode(matched)[known]

    def fit_states(self, codec: TableCodec, states: Array, held: Array | None = None) -> Self:
        """Train on the states of rows, where the codecs are chosen already.

        Args:
            codec: of the table.
            states: of rows, (rows, variables) floats, NaN where they are missing at random (see `TableCodec.encode`).
            held: of rows to choose by.  Default: as in `fit`.

        Raises:
            RuntimeError: under `torchrun` with several processes.
        """
        if several():  # each would choose by its own clock
            raise RuntimeError(
                "TableModel trains in one process, and torchrun has started several: start it with python"
            )
        self._codec = codec
        stream = as_stream(self.seed).child("table")
        self._model, self.trials = train_table(self.kind, codec, states, held, 60 * self.minutes, stream, self.progress)
        self.log_z = (
            log_partition(self._model, seed=stream.child("log_z")).value if isinstance(self._model, Machine) else None
        )
        self.rows = len(states)
        return self

    @property
    def codec(self) -> TableCodec:
        """How each column is read.

        Raises:
            ValueError: before `fit`.
        """
        if self._codec is None:
            raise ValueError("this TableModel is not fitted yet: call fit(frame) first")
        return self._codec

    @property
    def model(self) -> Model:
        """The trained model of the categories.

        Raises:
            ValueError: before `fit`.
        """
        if self._model is None:
            raise ValueError("this TableModel is not fitted yet: call fit(frame) first")
        return self._model

    # Drawing rows ------------------------------------------------------------------------------------------------

    def sample(self, n: int = 1, given: Any = None, *, seed: int | Stream = 0, progress: Progress = "auto") -> Frame:
        """Draw rows.

        Numbers are within the range and have the rounding of the training rows, labels are those that were there, and
        cells are empty as often as they were.

        Args:
            n: number of rows.
            given: values to hold: a dict such as ``{"sex": "Female"}``, or a DataFrame with n rows and some of the
                columns.  Rows are then drawn from the distribution given these values; none is rejected.
            seed: an int or a stream.
            progress: whether to show a progress bar.

        Returns:
            a DataFrame with the columns and types of the training rows, but for columns that were left out.

        Raises:
            ValueError: for a column or a label that the model does not know, or a number outside the observed range.
        """
        n = check_int("n", n)
        stream = stream_of(seed, "sample_table")
        if given is None:
            states = sample(self.model, n, sweeps=SWEEPS, seed=stream.child("states"), progress=progress)
            drawn = self.codec.decode(states.double().numpy(), stream.child("values"))
            return make_gaps(self.codec, drawn, None, stream)
        known = given_frame(given, n)
        held = given_states(self.codec, known)
        fixed = ~np.isnan(held)
        drawn = self.codec.decode(
            draw_unknown(self.model, held, stream.child("states"), progress), stream.child("values")
        )
        return make_gaps(self.codec, hold(self.codec, known, fixed, drawn), fixed, stream)

    # Gaps --------------------------------------------------------------------------------------------------------

    def impute(
        self, frame: Frame, draws: int | None = None, *, seed: int | Stream = 0, progress: Progress = "auto"
    ) -> Any:
        """Fill empty cells.

        Args:
            frame: rows with the columns of the training rows, in any order; a column may be missing, and is filled.
            draws: None: numbers become their expectations given the rest of the row, rounded as the column was, labels
                the most probable one.  A number: that many independent draws, for multiple imputation.
            seed: of the draws, an int or a stream.
            progress: whether to show a progress bar.

        Returns:
            a DataFrame with the columns, types and index of ``frame``; with ``draws``, a list of them.

        Raises:
            ValueError: if columns are missing, or hold values that they cannot hold.

        Warns:
            UserWarning: for labels never seen in training, which are treated as unknown.
        """
        matched, states = self._states(frame, partly=True)
        states = open_cells(self.codec, matched, states)
        stream = stream_of(seed, "impute_table")
        if draws is None:
            filled = fill_by_guesses(self.model, self.codec, matched, states, stream)
            return self.codec.as_given(frame, filled)
        streams = [stream.child("draw", number) for number in range(check_int("draws", draws))]
        return [
            self.codec.as_given(frame, fill_by_draws(self.model, self.codec, matched, states, each, progress))
            for each in streams
        ]

    # Likelihoods and explanations --------------------------------------------------------------------------------

    def log_prob(self, frame: Frame) -> Any:
        """log p of each row, in nats: of the values in the frame.

        Labels, empty cells that are values and numbers that repeat count by their probability, other numbers by their
        density in the units of the column.  Cells that are missing at random are summed out.  A label never seen has
        probability 0; a number never seen has a small one.

        Args:
            frame: rows with the columns of the training rows, in any order.

        Returns:
            a Series with the index of the frame, float64.

        Raises:
            ValueError: if columns are missing; for rows with gaps at random, if the model cannot sum them out.

        Warns:
            UserWarning: for labels never seen in training.
        """
        matched, states = self._states(frame, partly=False, outcome="the row has probability 0")
        values = log_probs(self.model, states, self.log_z) + self.codec.log_density(matched, states).sum(1)
        values[self.codec.unseen(matched).any(1)] = -np.inf
        return pd.Series(values, index=matched.index, name="log_prob")

    def score(self, frame: Frame) -> float:
        """The mean of `log_prob` over the rows, in nats per row."""
        return float(self.log_prob(frame).mean())

    def conditional(
        self, frame: Frame, column: Any, *, quantiles: Sequence[float] = QUANTILES, seed: int | Stream = 0
    ) -> Frame:
        """The distribution of a column given the other cells of each row.

        Args:
            frame: rows with any of the other columns; empty cells, and columns that are not there, are unknown.
            column: the name of the column; its own values in ``frame`` are ignored.
            quantiles: shares in (0, 1), for a column of numbers or dates.
            seed: of chains, for models that need them.

        Returns:
            a DataFrame with the index of ``frame``: of labels, their probabilities, a column for each; of numbers, the
            mean and quantiles.  Empty cells are left out of it.

        Raises:
            ValueError: for a name that is no column of the model.
        """
        for share in quantiles:
            check_number("quantiles", share, "shares between 0 and 1", lambda share: 0 < share < 1)
        names = self.codec.names
        if column not in names or names.count(column) > 1:
            raise ValueError(f"column {column!r} is not one column of the model: it knows {names}")
        place = names.index(column)
        codec = self.codec.codecs[place]
        if not codec.states:
            raise ValueError(f"column {column!r} is {codec.summary}: nothing was learned about it")
        matched, states = self._states(frame, partly=True)
        own = self.codec.variables[place]
        states[:, own] = np.nan
        states = open_cells(self.codec, matched, states)
        p = probabilities(self.model, self.codec, states, stream_of(seed, "conditional"))
        first = without_missing(p[own.start], codec, 0)
        if isinstance(codec, Categories):
            return label_table(codec, first, matched.index)
        if isinstance(codec, Numbers):
            return quantile_table(codec.cells, first, quantiles, matched.index)
        assert isinstance(codec, Dates)
        days = {q: pd.to_datetime(quantile_numbers(codec.days, first, q), unit="D").floor("D") for q in quantiles}
        return pd.DataFrame(days, index=matched.index)

    def explain(self, frame: Frame, *, seed: int | Stream = 0) -> Frame:
        """How surprising each cell is given all other cells of its row, in nats.

        This is -log p(cell | rest of the row) less its expectation: 0 is as expected, and 5 is e^5 times less probable
        than that.  Numbers beyond the range of training are the more surprising the further they are.

        Args:
            frame: rows with the columns of the training rows.
            seed: of chains, for models that need them.

        Returns:
            a DataFrame like ``frame``; NaN for cells that are missing at random, and for columns that were left out.
        """
        matched, states = self._states(frame, partly=False)
        found = surprise(self.model, self.codec, matched, states, stream_of(seed, "explain"))
        return self.codec.as_given(frame, pd.DataFrame(found, index=matched.index).set_axis(matched.columns, axis=1))

    def _states(self, frame: Frame, partly: bool, outcome: str = "it is treated as unknown") -> tuple[Frame, Array]:
        """A frame with the columns of the table, and its states; labels never seen are unknown, with a warning."""
        matched = self.codec.matched(frame, partly=partly)
        unseen = self.codec.unseen(matched)
        for place in np.flatnonzero(unseen.any(0)):
            row = int(np.argmax(unseen[:, place]))
            others = int(unseen[:, place].sum()) - 1
            where = f"row {row}" + (f", and {others} more" if others else "")
            what = f"column {self.codec.names[place]!r} holds {_plain(matched.iloc[row, place])!r} ({where})"
            warnings.warn(f"{what}, which was never seen in training: {outcome}", stacklevel=3)
        return matched, self.codec.encode(matched)

    # The page ----------------------------------------------------------------------------------------------------

    def report(
        self,
        path: str | Path,
        real: Frame,
        holdout: Frame | None = None,
        *,
        seed: int | Stream = 0,
        rows: int = 5_000,
    ) -> Path:
        """Write what was learned as one HTML page that needs no network.

        It shows every column and pairs of columns, real beside sampled, a playground with what follows from columns
        that are set, odd rows with the cells to blame, and scores of sampled rows.  The page contains the model and
        real rows: share it only with people who may see both.

        Args:
            path: the file to write.
            real: the rows that the model was trained on.
            holdout: rows that it has not seen; scores then stand beside those of fresh real rows.
            seed: of sampled rows, an int or a stream.
            rows: how many real rows are looked at, and how many are sampled, at most.

        Returns:
            the path of the file.

        Raises:
            ValueError: before `fit`; for frames without the columns of the model.
            OSError: if the file cannot be written.
        """
        from harmonium.tables.page.page import table_page  # the page imports pictures and scores

        return table_page(self, real, path, holdout=holdout, seed=seed, rows=rows)

    # Files and words ---------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the model with its codecs to one safetensors file.

        Raises:
            ValueError: before `fit`.
            OSError: if the file cannot be written; an earlier file is then unchanged.
        """
        model = self.model
        description = {
            "model": model.config(),
            "codec": self.codec.config(),
            "trials": [trial.config() for trial in self.trials],
            "log_z": self.log_z,
            "rows": self.rows,
            "minutes": self.minutes,
            "kind": self.kind,
        }
        write_tensors(as_path(path, "path"), model.state_dict(), {"format": 1, "table": description})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a model that `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            DamagedFileError: if the file is truncated, changed, or no table model.
        """
        tensors, meta = read_tensors(path)
        if "table" not in meta:
            raise DamagedFileError(f"{path} holds no TableModel: use harmonium.load for other models")
        about = meta["table"]
        table = cls(about["kind"], minutes=about["minutes"])
        table._codec = build(about["codec"])
        model = build(about["model"])
        restore(model, tensors, str(path))
        table._model, table.log_z, table.rows = model, about["log_z"], about["rows"]
        table.trials = [Trial(**trial) for trial in about["trials"]]
        return table

    def __repr__(self) -> str:
        if self._model is None:
            return f"TableModel({self.kind!r}, minutes={self.minutes:g})"
        return f"TableModel({len(self.codec.names)} columns, {self.rows} rows, {type(self.model).__name__})"

    def __str__(self) -> str:
        if self._model is None:
            return repr(self)
        return "\n".join([repr(self), *(f"  {trial}" for trial in self.trials), str(self.codec)])

    def _repr_html_(self) -> str:
        if self._model is None:
            return notebook.table((), [], repr(self))
        return notebook.table((), [(str(trial),) for trial in self.trials], repr(self)) + self.codec._repr_html_()


def _plain(value: Any) -> Any:
    """A value as Python writes it."""
    return value.item() if isinstance(value, np.generic) else value
