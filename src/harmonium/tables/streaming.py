"""Tables larger than memory: codecs from rows all over the file, codes of all rows."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api import types

from harmonium.core.files import as_path
from harmonium.core.optional import need
from harmonium.data.cells import read_cells
from harmonium.data.codecs.categories import Categories
from harmonium.data.codecs.codec import Array
from harmonium.data.codecs.numbers import Numbers
from harmonium.data.codecs.table import TableCodec
from harmonium.data.header import DATE
from harmonium.data.layout import Layout, read_layout
from harmonium.data.opening import plain_suffix
from harmonium.data.raw import Frame
from harmonium.data.reading import ReadOptions
from harmonium.data.rows import Rows, read_rows, without_doubtful
from harmonium.data.text import is_text, names_of, parsed_in_chunks
from harmonium.data.written import PLAINLY

if TYPE_CHECKING:
    from harmonium.tables.model import TableModel

__all__ = ["CHUNK", "LARGE", "SAMPLE", "TableStream", "encode_stream", "fit_file", "is_large", "open_stream"]

SAMPLE = 100_000
"""Rows from which codecs are made, at least, if the file has as many."""

CHUNK = 50_000
"""Rows that are in memory at a time."""

LARGE = 200_000_000
"""Bytes of a file that is not read as a whole; a tenth of it for compressed ones."""

_ARROW = (".parquet", ".feather", ".arrow")


def is_large(path: Path) -> bool:
    """Whether a file is better read in parts."""
    if not path.is_file() or not (is_text(path) or plain_suffix(path) in _ARROW):
        return False
    packed = plain_suffix(path) in _ARROW or path.suffix.lower() != plain_suffix(path)
    return path.stat().st_size > (LARGE / 10 if packed else LARGE)


@dataclass(frozen=True)
class TableStream:
    """A table that is read in parts.

    Attributes:
        path: the file.
        sample: rows from all over the file, read like those of a whole file.
        count: the number of all rows.
    """

    path: Path
    sample: Rows
    count: int
    _options: ReadOptions
    _dates: frozenset[str]
    _layout: Layout | None
    _chunk: int

    def frames(self) -> Iterator[Frame]:
        """All rows in their order, some 50,000 at a time, with the columns and the types of the sample.

        Raises:
            ValueError: for a text in a column of numbers.
        """
        first = 1
        for raw in _raw(self.path, self._layout, self._chunk):
            if len(raw):
                yield self._typed(raw, first)
            first += len(raw)

    def _typed(self, raw: Frame, first: int) -> Frame:
        columns = {}
        for name, like in self.sample.frame.items():
            values = raw[name].reset_index(drop=True)
            try:
                columns[name] = self._column(str(name), values, like)
            except ValueError as error:
                raise ValueError(f"{self.path}, rows from {first} on: {error}") from None
        return pd.DataFrame(columns)

    def _column(self, name: str, values: Any, like: Any) -> Any:
        if values.dtype == like.dtype and not types.is_string_dtype(like.dtype):
            return values
        truth = types.is_bool_dtype(like.dtype) or (
            like.dtype == object and all(isinstance(each, bool) for each in like.dropna().head(100))
        )
        if truth and types.is_string_dtype(values.dtype):
            return values.map(lambda word: None if pd.isna(word) else str(word).strip().lower() == "true")
        decimal = "." if self._layout is None else self._layout.decimal
        if types.is_numeric_dtype(like.dtype) and not truth:
            style = self.sample.styles.get(name, PLAINLY)
            if style.mark == "." and not style.group:
                numbers = pd.to_numeric(values, errors="coerce")
                if not (numbers.isna() & values.notna()).any():
                    return numbers.astype("float64")
            numbers, _ = read_cells(name, values, self._options, decimal, True)
            if not types.is_numeric_dtype(numbers.dtype):
                odd = next(each for each in values.dropna() if not pd.notna(pd.to_numeric(each, errors="coerce")))
                raise ValueError(f"column {name!r} holds {odd!r} among numbers: correct it, or empty the cell")
            return numbers
        if types.is_string_dtype(values.dtype):
            values, _ = read_cells(name, values, self._options, decimal, True, codes=True)
            return without_doubtful(values) if name in self._dates else values
        return values


def open_stream(
    path: str | Path,
    options: ReadOptions | None = None,
    kinds: Mapping[str, str | None] | None = None,
    *,
    sample: int = SAMPLE,
    chunk: int = CHUNK,
) -> TableStream:
    """Read rows from all over a file, so that the others can be read like them, part by part.

    Args:
        path: a text file, compressed or not, or a .parquet, .feather or .arrow file.
        options: what the caller says about the file.
        kinds: what columns are taken for, by name (see `harmonium.data.rows.read_rows`).
        sample: how many rows to read, at least; twice as many at most.
        chunk: how many rows are in memory at a time.

    Raises:
        ValueError: as `harmonium.data.rows.read_rows`, or for a format that is read as a whole only.
    """
    path = as_path(path, "path")
    options = ReadOptions() if options is None else options
    if not is_text(path) and plain_suffix(path) not in _ARROW:
        raise ValueError(f"{path} can only be read as a whole: save it as .csv or .parquet")
    layout = read_layout(path, options) if is_text(path) else None
    rows, count = _evenly(_raw(path, layout, chunk), sample)
    with TemporaryDirectory() as folder:
        if layout is None:
            whole = Path(folder) / f"{path.stem}.parquet"
            rows.to_parquet(whole, index=False)
            found = read_rows(whole, options, kinds)
        else:
            whole = Path(folder) / f"{path.name.split('.')[0] or 'rows'}.csv"
            mark = "\t" if layout.delimiter == " " else layout.delimiter
            rows.to_csv(whole, index=False, sep=mark, encoding="utf-8")
            told = replace(options, header=True, skip_rows=0, decimal=layout.decimal if layout.certain else None)
            found = read_rows(whole, told, kinds)
    reading = found.reading.add(*(() if layout is None else layout.notes))
    sampled = replace(found, reading=reading, delimiter=None if layout is None else layout.delimiter)
    return TableStream(path, sampled, count, options, _dates(found.frame), layout, chunk)


def _dates(frame: Frame) -> frozenset[str]:
    """The columns of text that are dates."""
    texts = {name: values.dropna() for name, values in frame.items() if types.is_string_dtype(values.dtype)}
    return frozenset(str(name) for name, values in texts.items()
                     if len(values) and all(isinstance(each, str) and DATE.match(each) for each in values))  # fmt: skip


def _raw(path: Path, layout: Layout | None, chunk: int) -> Iterator[Frame]:
    """The rows of a file as they are: cells of text, or columns of Arrow."""
    if layout is not None:
        names = names_of(layout)
        for words in parsed_in_chunks(path, layout, chunk):
            kept = words[~words.isna().all(axis=1)] if layout.width > 1 else words
            yield kept.set_axis(names, axis=1)
        return
    need("pyarrow", "arrow", f"{path.suffix} files")
    if plain_suffix(path) == ".parquet":
        for batch in importlib.import_module("pyarrow.parquet").ParquetFile(path).iter_batches(chunk):
            yield batch.to_pandas()
        return
    ipc = importlib.import_module("pyarrow.ipc")
    with importlib.import_module("pyarrow").memory_map(str(path)) as file:
        reader = ipc.open_file(file)
        for place in range(reader.num_record_batches):
            yield reader.get_batch(place).to_pandas()


def _evenly(frames: Iterator[Frame], least: int) -> tuple[Frame, int]:
    """One row of every k, with the largest k that leaves enough, and the number of all rows.

    Which one differs from place to place, so that tables in which rows alternate are not read by halves.
    """
    kept: list[Frame] = []
    count, step, held = 0, 1, 0
    for frame in frames:
        place = count + np.arange(len(frame))
        part = frame[_any(place // step, step) == place % step]
        kept.append(part.copy())
        count, held = count + len(frame), held + len(part)
        while held > 2 * least:
            whole = pd.concat(kept, ignore_index=True)
            place = np.arange(len(whole))
            kept, step = [whole[_any(place // 2 + count, 2) == place % 2]], 2 * step
            held = len(kept[0])
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(), count


def _any(numbers: Array, below: int) -> Array:
    """A number below ``below`` for each of these, without a pattern: the same for the same number."""
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray((mixed >> np.uint64(32)) % np.uint64(below)).astype(np.int64)


def encode_stream(codec: TableCodec, stream: TableStream) -> tuple[Array, list[str]]:
    """States of all rows, and what the sample did not show.

    Args:
        codec: made from ``stream.sample``.
        stream: the table.

    Returns:
        states, (rows, variables) float32, NaN where a cell is missing at random, without the rows that hold a label
        that the sample did not have; and sentences about such labels, and numbers beyond the range of the sample.
    """
    parts: list[Array] = []
    unseen = np.zeros(len(codec.codecs), dtype=np.int64)
    beyond = np.zeros(len(codec.codecs), dtype=np.int64)
    left_out = 0
    for frame in stream.frames():
        matched = codec.matched(frame)
        strange = codec.unseen(matched)
        for place, each in enumerate(codec.codecs):
            if isinstance(each, Numbers):
                numbers = matched.iloc[:, place].to_numpy(dtype=np.float64, na_value=np.nan)
                beyond[place] += int(((numbers < each.low) | (numbers > each.high)).sum())
        unseen += strange.sum(0)
        whole = ~strange.any(1)
        left_out += int((~whole).sum())
        parts.append(codec.encode(matched)[whole].astype(np.float32))
    rows = f"{stream.count:,} rows"
    notes = [
        f"column {codec.names[place]!r}: {unseen[place]:,} of {rows} hold labels that the sample did not have"
        for place in np.flatnonzero(unseen)
        if isinstance(codec.codecs[place], Categories)
    ]
    notes += [f"{left_out:,} rows with such labels are left out of training"] if left_out else []
    notes += [
        f"column {codec.names[place]!r}: {beyond[place]:,} of {rows} are beyond the range of the sample, and count as "
        "its ends"
        for place in np.flatnonzero(beyond)
    ]
    return np.concatenate(parts), notes


def fit_file(
    table: TableModel, path: str | Path, options: ReadOptions | None = None, *, sample: int = SAMPLE, chunk: int = CHUNK
) -> TableModel:
    """Fit a model to a file that is read in parts: its codecs to rows from all over the file, the network to all rows.

    Args:
        table: the model, which is changed and returned.
        path: a text file, compressed or not, or a .parquet, .feather or .arrow file.
        options: what the caller says about the file.
        sample: rows for the codecs.
        chunk: rows in memory at a time; besides, 4 bytes for each cell of the table are needed.

    Raises:
        ValueError: as `TableModel.fit`.

    Warns:
        UserWarning: what was noticed about columns, and what the sample did not show.
    """
    stream = open_stream(path, options, _kinds(table.columns), sample=sample, chunk=chunk)
    codec = TableCodec.of(stream.sample.frame, table.columns)
    states, told = encode_stream(codec, stream)
    for note in (*codec.notes, *told):
        warnings.warn(note, UserWarning, stacklevel=2)
    return table.fit_states(codec, states)


def _kinds(columns: Mapping[Any, Any] | None) -> dict[str, str | None]:
    said = {} if columns is None else columns
    return {str(name): each if isinstance(each, str) else each.get("as") for name, each in said.items()}
