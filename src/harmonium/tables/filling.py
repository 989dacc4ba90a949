"""Empty cells of tables: filled by expectations or draws, and made where a table has some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from harmonium import kernels
from harmonium.core.progress import Progress
from harmonium.core.random import Stream
from harmonium.data.codecs.categories import Categories
from harmonium.data.codecs.codec import Array, Codec
from harmonium.data.codecs.dtypes import with_dtype
from harmonium.data.codecs.numbers import Numbers
from harmonium.data.codecs.table import TableCodec
from harmonium.data.raw import Frame
from harmonium.models.model import Model
from harmonium.tables.answers import label_table, mean_numbers, without_missing
from harmonium.tables.asking import draw_unknown, probabilities

__all__ = ["fill_by_draws", "fill_by_guesses", "make_gaps"]


def fill_by_guesses(model: Model, codec: TableCodec, matched: Frame, states: Array, stream: Stream) -> Frame:
    """Fill empty cells with expected numbers, and with the most probable of labels and dates.

    Args:
        model: of the states.
        codec: of the table.
        matched: rows (see `TableCodec.matched`).
        states: theirs, NaN where they are to be filled.
        stream: of chains or draws, for models that need them.
    """
    p = probabilities(model, codec, states, stream)
    filled = matched.copy()
    for place, each in enumerate(codec.codecs):
        gone = matched.iloc[:, place].isna().to_numpy()
        if gone.any() and each.states:
            own = codec.variables[place]
            guess = _guess(each, [p[variable][gone] for variable in range(own.start, own.stop)])
            filled.isetitem(place, _fill(matched.iloc[:, place], gone, guess, each.dtype))
    return filled


def fill_by_draws(
    model: Model, codec: TableCodec, matched: Frame, states: Array, stream: Stream, progress: Progress = False
) -> Frame:
    """Fill empty cells with one draw of all of them (arguments as in `fill_by_guesses`)."""
    drawn = draw_unknown(model, states, stream.child("states"), progress)
    drawn = _with_values(model, codec, states, drawn, stream)
    values = codec.decode(drawn, stream.child("values"))
    filled = matched.copy()
    for column, place in enumerate(codec.drawn()):
        gone = matched.iloc[:, place].isna().to_numpy()
        if gone.any() and codec.codecs[place].states:
            found = values.iloc[:, column].to_numpy()[gone]
            filled.isetitem(place, _fill(matched.iloc[:, place], gone, found, codec.codecs[place].dtype))
    return filled


def make_gaps(codec: TableCodec, frame: Frame, fixed: Array | None, stream: Stream) -> Frame:
    """Empty cells of columns whose gaps are at random, as often as they were; columns that are held stay full.

    Args:
        codec: of the table.
        frame: drawn rows; changed in place.
        fixed: which states are held, bool (rows, variables); None: none.
        stream: of the draws.
    """
    for column, place in enumerate(codec.drawn()):
        each, share = codec.codecs[place], codec.gaps[place]
        held = fixed is not None and bool(fixed[:, codec.variables[place]].any())
        if not share or each.missing or held:
            continue
        gone = _uniforms(stream.child("gaps", place), len(frame)) < share
        if gone.any():
            values = frame.iloc[:, column]
            frame.isetitem(column, with_dtype(values.to_numpy(dtype=object), gone, values.dtype).set_axis(frame.index))
    return frame


def _guess(codec: Codec, p: Sequence[Array]) -> Any:
    """Point estimates of a column from the probabilities of its states."""
    clean = [without_missing(each, codec, variable) for variable, each in enumerate(p)]
    if isinstance(codec, Numbers):
        return mean_numbers(codec.cells, clean[0])
    if isinstance(codec, Categories) and codec.pooled:
        return label_table(codec, clean[0], None).idxmax(axis=1).to_numpy()
    states = np.stack([each.argmax(1) for each in clean], 1).astype(np.float64)
    return codec.decode(states, np.full(states.shape, 0.5)).to_numpy()


def _with_values(model: Model, codec: TableCodec, states: Array, drawn: Array, stream: Stream) -> Array:
    """Draw again what was drawn as an empty cell: a value given the rest of the row, and that the cell has one."""
    drawn = drawn.copy()
    columns = [place for place, each in enumerate(codec.codecs) if each.missing]
    for again in range(1 if len(columns) < 2 else 2):  # columns depend on each other
        for place in columns:
            each, own = codec.codecs[place], codec.variables[place]
            empty = (drawn[:, own] == np.array(each.states) - 1).any(1)
            rows = np.flatnonzero(np.isnan(states[:, own]).any(1) & (empty | (again > 0)))
            for variable in range(own.start, own.stop) if len(rows) else ():
                known = drawn[rows]
                known[:, variable : own.stop] = np.nan
                p = probabilities(model, codec, known, stream.child("value", again, variable))[variable]
                p = without_missing(p, each, variable - own.start).cumsum(1)
                u = _uniforms(stream.child("pick", again, variable), len(rows))
                drawn[rows, variable] = (p <= u[:, None] * p[:, -1:]).sum(1).clip(max=p.shape[1] - 1)
    return drawn


def _fill(values: Any, gone: Array, found: Any, dtype: Any) -> Any:
    """A column with its gaps filled: of its type if that can hold them, of the type of training if all was empty."""
    if values.isna().all() and values.dtype == object:
        return with_dtype(np.asarray(found), np.zeros(len(found), bool), dtype).set_axis(values.index)
    filled = values.copy()
    if isinstance(filled.dtype, pd.CategoricalDtype):  # which may lack labels of the training rows
        filled = filled.cat.add_categories([label for label in pd.unique(found) if label not in filled.cat.categories])
    kind = filled.dtype.kind
    if kind in ("f", "M") or not isinstance(filled.dtype, np.dtype):
        number = pd.Series(found)
        filled[gone] = (pd.to_numeric(number).round() if kind in ("i", "u") else number).to_numpy()
        return filled
    filled = filled.astype(object)
    filled[gone] = found
    return filled


def _uniforms(stream: Stream, n: int) -> Array:
    return np.asarray(kernels.uniforms(stream.advance(), n, 1, torch.float64, torch.device("cpu"))[:, 0].numpy())
