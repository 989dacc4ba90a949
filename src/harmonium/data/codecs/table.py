"""The codecs of a whole table: from a DataFrame to states of categorical variables, and back."""

from __future__ import annotations

import difflib
import itertools
import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from harmonium import kernels
from harmonium.core import notebook
from harmonium.core.random import Stream
from harmonium.core.registry import Registered, build
from harmonium.data.codecs.codec import Array, Codec
from harmonium.data.codecs.informative import missing_means_something
from harmonium.data.codecs.left_out import ConstantColumn, LeftOut
from harmonium.data.codecs.propose import ColumnOptions, as_options, propose
from harmonium.data.plain import as_pandas, plain_frame
from harmonium.data.raw import Frame
from harmonium.units import Categorical, Mixed, Units

__all__ = ["TableCodec"]


class TableCodec(Registered):
    """One codec for each column of a table.

    Args:
        names: the names of the columns; they need be neither text nor different.
        codecs: theirs.
        notes: what was noticed when they were chosen.
        gaps: the share of empty cells of each column.

    Attributes:
        variables: for each column, the slice of its variables.
    """

    def __init__(
        self, names: Sequence[Any], codecs: Sequence[Codec], notes: Sequence[str] = (), gaps: Sequence[float] = ()
    ) -> None:
        self.names, self.codecs, self.notes = list(names), list(codecs), tuple(notes)
        self.gaps = [float(share) for share in gaps] or [0.0] * len(self.names)
        stops = list(itertools.accumulate(len(codec.states) for codec in self.codecs))
        self.variables = [slice(stop - len(codec.states), stop) for stop, codec in zip(stops, self.codecs, strict=True)]

    @classmethod
    def of(cls, frame: Frame, columns: Any = None) -> Self:
        """Choose a codec for each column of a DataFrame by its values.

        Args:
            frame: the table.
            columns: what to take columns for, by name: one of "categories", "numbers", "log", "values", "dates",
                "drop", or a dict such as ``{"as": "numbers", "cells": 64, "missing": "value"}``.

        Raises:
            ValueError: an empty frame, infinities, nothing to learn from, or ``columns`` that do not fit.
            TypeError: a column of lists or the like.
        """
        frame = plain_frame(as_pandas(frame))
        if not len(frame) or not frame.shape[1]:
            raise ValueError(
                f"the frame has {frame.shape[0]} rows and {frame.shape[1]} columns: give at least one of each"
            )
        names = list(frame.columns)
        options = as_options(columns, names)
        said = [options.get(name, ColumnOptions()) if _hashable(name) else ColumnOptions() for name in names]
        means = missing_means_something(frame, [each.missing for each in said])
        found = [
            propose(name, frame.iloc[:, place], each, missing)
            for place, (name, each, missing) in enumerate(zip(names, said, means, strict=True))
        ]
        notes = [note for _, notes in found for note in notes]
        table = cls(names, [codec for codec, _ in found], notes, frame.isna().to_numpy().mean(0))
        if not table.states:
            reasons = "; ".join(f"{name!r} is {codec.summary}" for name, codec in zip(names, table.codecs, strict=True))
            raise ValueError(f"the frame has no column that can be learned: {reasons}")
        return table

    @property
    def states(self) -> list[int]:
        """The number of states of each variable."""
        return [states for codec in self.codecs for states in codec.states]

    def units(self) -> Units:
        """The visible layer of a model of the table: a `Categorical` variable for each variable."""
        parts: list[Units] = [Categorical(len(list(group)), states) for states, group in itertools.groupby(self.states)]
        return parts[0] if len(parts) == 1 else Mixed(parts)

    def scores(self) -> list[Array | None]:
        """Normal scores of the states of each ordered variable (see `Codec.scores`)."""
        return [scores for codec in self.codecs for scores in codec.scores()]

    def shares(self) -> list[Array]:
        """The shares of the states of each variable among the rows of the frame."""
        return [share for codec in self.codecs for share in codec.shares()]

    def learned(self) -> list[int]:
        """The places of the columns that are variables."""
        return [place for place, codec in enumerate(self.codecs) if codec.states]

    def drawn(self) -> list[int]:
        """The places of the columns that drawn rows have: all but those left out."""
        return [place for place, codec in enumerate(self.codecs) if not isinstance(codec, LeftOut)]

    # Frames ------------------------------------------------------------------------------------------------------

    def matched(self, frame: Frame, *, partly: bool = False, argument: str = "the frame") -> Frame:
        """Return a frame with the columns of the table, in its order; columns that are left out may be missing.

        Args:
            frame: columns in any order; others are left out with a warning.
            partly: whether columns may be missing; they are then empty.
            argument: what the frame is called in messages.

        Raises:
            ValueError: columns are missing, or names are there twice.
        """
        frame = plain_frame(as_pandas(frame))
        if not len(frame):
            raise ValueError(f"{argument} has no rows: give at least one")
        given = list(frame.columns)
        if len(given) == len(self.names) and all(a == b for a, b in zip(given, self.names, strict=True)):
            return frame
        twice = [name for name in given if given.count(name) > 1]
        if twice:
            raise ValueError(f"{argument} has several columns named {twice[0]!r}: rename them, or give all in order")
        needed = [self.names[place] for place in self.learned()]
        gone = [name for name in needed if name not in given]
        strange = [name for name in given if name not in self.names]
        if gone and (not partly or strange):
            near = difflib.get_close_matches(str(gone[0]), list(map(str, strange)), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"{argument} has no column {gone[0]!r}{_more(gone)}{hint or '.'} The model knows {_shown(needed)}"
                + ("" if not strange else f"; unknown: {_shown(strange)}")
            )
        if strange:
            warnings.warn(
                f"columns that the model does not know are ignored: {_shown(strange)}", UserWarning, stacklevel=3
            )
        return pd.DataFrame(
            {place: _column(frame, name) for place, name in enumerate(self.names)}, index=frame.index
        ).set_axis(pd.Index(self.names, dtype=object, tupleize_cols=False), axis=1)

    def encode(self, frame: Frame) -> Array:
        """Turn a matched frame into states, (rows, variables) float64; NaN: missing at random, or a new label."""
        parts = [codec.encode(frame.iloc[:, place], str(self.names[place])) for place, codec in enumerate(self.codecs)]
        return np.concatenate(parts, 1)

    def unseen(self, frame: Frame) -> Array:
        """Which cells of a matched frame hold labels that were never seen, bool (rows, columns)."""
        return np.stack([codec.unseen(frame.iloc[:, place]) for place, codec in enumerate(self.codecs)], 1)

    def log_density(self, frame: Frame, states: Array) -> Array:
        """log p(values | states) of each cell of a matched frame, (rows, columns), in nats."""
        columns = [
            codec.log_density(frame.iloc[:, place], states[:, own])
            for place, (codec, own) in enumerate(zip(self.codecs, self.variables, strict=True))
        ]
        return np.stack(columns, 1)

    def as_given(self, frame: Any, matched: Frame) -> Frame:
        """Return matched columns in the order of the frame that they come from; those that it lacked stand behind."""
        given = list(as_pandas(frame).columns)
        if len(given) == len(self.names) and all(a == b for a, b in zip(given, self.names, strict=True)):
            return matched
        known = [name for name in given if name in self.names]
        return matched[known + [self.names[place] for place in self.drawn() if self.names[place] not in known]]

    def decode(self, states: Array, stream: Stream) -> Frame:
        """Turn states, (rows, variables), into a DataFrame of all columns but those left out."""
        states = np.asarray(states, dtype=np.float64)
        u = kernels.uniforms(
            stream.advance(), len(states), max(1, states.shape[1]), torch.float64, torch.device("cpu")
        ).numpy()
        columns = {
            place: self.codecs[place].decode(states[:, self.variables[place]], u[:, self.variables[place]])
            for place in self.drawn()
        }
        frame = pd.DataFrame({place: pd.Series(values).reset_index(drop=True) for place, values in columns.items()})
        frame.columns = pd.Index([self.names[place] for place in columns], dtype=object, tupleize_cols=False)
        if all(isinstance(name, str) for name in frame.columns):
            frame.columns = list(frame.columns)
        return frame

    # Descriptions ------------------------------------------------------------------------------------------------

    def describe(self) -> Frame:
        """A row for each column: what it is taken for, and how many states it has."""
        return pd.DataFrame(
            {
                "column": list(map(str, self.names)),
                "taken for": [codec.summary for codec in self.codecs],
                "states": [" x ".join(map(str, codec.states)) for codec in self.codecs],
                "empty cells": [
                    "a value" if codec.missing else "" if isinstance(codec, (ConstantColumn, LeftOut)) else "at random"
                    for codec in self.codecs
                ],
            }
        )

    def __repr__(self) -> str:
        return f"TableCodec({len(self.names)} columns, {len(self.states)} variables)"

    def __str__(self) -> str:
        return "\n".join(
            [repr(self), *(f"  {n}: {c.summary}" for n, c in zip(self.names, self.codecs, strict=True)), *self.notes]
        )

    def _repr_html_(self) -> str:
        table = self.describe()
        return notebook.table(list(table.columns), table.to_numpy().tolist(), repr(self), self.notes)

    def config(self) -> dict[str, Any]:
        return super().config() | {
            "names": [list(name) if isinstance(name, tuple) else _plain(name) for name in self.names],
            "codecs": [codec.config() for codec in self.codecs],
            "notes": list(self.notes),
            "gaps": self.gaps,
        }

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        names = [tuple(name) if isinstance(name, list) else name for name in arguments["names"]]
        return cls(names, [build(codec) for codec in arguments["codecs"]], arguments["notes"], arguments["gaps"])


def _plain(name: Any) -> Any:
    name = name.item() if isinstance(name, np.generic) else name
    return name if isinstance(name, (str, int, float)) or name is None else str(name)


def _column(frame: Frame, name: Any) -> Any:
    return frame[name] if name in frame.columns else pd.Series([None] * len(frame), index=frame.index, dtype=object)


def _hashable(name: Any) -> bool:
    return getattr(name, "__hash__", None) is not None


def _shown(names: Sequence[Any]) -> str:
    return ", ".join(map(repr, names[:20])) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _more(names: Sequence[Any]) -> str:
    return f" (nor {_shown(names[1:])})" if len(names) > 1 else ""
