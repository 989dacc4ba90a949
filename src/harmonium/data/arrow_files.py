"""Columns of numbers in Parquet and Arrow files, read batch by batch."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harmonium.core.optional import need
from harmonium.data.raw import Array

__all__ = ["ArrowTable", "Column", "open_datasets_split", "open_parquet"]

BATCH_BYTES = 2**25  # of numbers that are in memory at a time
COLUMNS = 64  # of a Parquet file that are decoded at a time: each needs a page of a megabyte


@dataclass(frozen=True)
class Column:
    """A column of an Arrow table: numbers, or lists of equally many numbers.

    Attributes:
        name: its name.
        dtype: the type of its numbers, or None if it holds anything else.
        kind: Arrow's word for its type.
        lists: whether every cell is a list of numbers.
    """

    name: str
    dtype: np.dtype[Any] | None
    kind: str
    lists: bool = False


@dataclass(frozen=True)
class ArrowTable:
    """A table in files, whose rows follow each other.

    Attributes:
        path: the file or folder, for messages.
        files: its files.
        rows: the number of rows.
        columns: what they hold.
        read: an iterator over the numbers of the first rows and batches, in which some columns are, by their names.
    """

    path: Path
    files: tuple[Path, ...]
    rows: int
    columns: tuple[Column, ...]
    read: Callable[[Sequence[str]], Iterator[tuple[int, Any]]]

    def width(self, column: Column) -> int:
        """How many numbers a row has in a column."""
        if not column.lists:
            return 1
        batches = (batch for _, batch in self.read([column.name]) if batch.num_rows)
        first = next(batches, None)
        return 0 if first is None else len(first.column(column.name)[0].as_py() or ())


def open_parquet(path: Path, files: Sequence[Path]) -> ArrowTable:
    """Open Parquet files that together are one table; only their descriptions are read.

    Args:
        path: the file, or the folder of the files.
        files: the files, in their order.

    Raises:
        ImportError: pyarrow is not installed.
        ValueError: a damaged file, or files with different columns.
    """
    need("pyarrow", "arrow", ".parquet files")
    parquet = importlib.import_module("pyarrow.parquet")
    rows, columns = [], []
    for file in files:
        with _undamaged(file):
            opened = parquet.ParquetFile(file)
            rows.append(opened.metadata.num_rows)
            columns.append(_columns(opened.schema_arrow))
            opened.close()
        _check_alike(file, columns[-1], files[0], columns[0])

    def read(names: Sequence[str]) -> Iterator[tuple[int, Any]]:
        lists = [column.name for column in columns[0] if column.lists and column.name in names]
        plain = [name for name in names if name not in lists]
        blocks = [*([name] for name in lists), *(plain[i : i + COLUMNS] for i in range(0, len(plain), COLUMNS))]
        start = 0
        for file, count in zip(files, rows, strict=True):
            for block in blocks:
                first = start
                with _undamaged(file), parquet.ParquetFile(file) as opened:
                    size = 1024 if block[0] in lists else BATCH_BYTES // (8 * len(block))
                    for batch in opened.iter_batches(size, columns=block):
                        yield first, batch
                        first += batch.num_rows
            start += count

    return ArrowTable(path, tuple(files), sum(rows), columns[0], read)


def open_datasets_split(folder: Path) -> ArrowTable:
    """Open a split that ``save_to_disk`` of Hugging Face's datasets wrote; only its description is read.

    Raises:
        ImportError: pyarrow is not installed.
        ValueError: the folder is damaged.
    """
    pyarrow = need("pyarrow", "arrow", "a folder of Hugging Face's datasets")
    ipc = importlib.import_module("pyarrow.ipc")
    rows, columns = [], []
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        features = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))["features"]
        files = [folder / entry["filename"] for entry in state["_data_files"]]
        for file in files:
            with pyarrow.memory_map(str(file)) as source, ipc.open_stream(source) as stream:
                columns.append(_columns(stream.schema, features))
                rows.append(sum(batch.num_rows for batch in stream))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pyarrow.ArrowException) as error:
        raise ValueError(f"{folder} is damaged ({error}): save the data set again") from error

    def read(names: Sequence[str]) -> Iterator[tuple[int, Any]]:
        first = 0
        for file in files:
            # Read, not mapped: pages of a mapping would count as memory of the process.
            with _undamaged(file), pyarrow.OSFile(str(file)) as source, ipc.open_stream(source) as stream:
                for whole in stream:
                    batch = whole.select(list(names))
                    size = max(1, BATCH_BYTES // max(1, batch.nbytes // max(1, batch.num_rows)))
                    for start in range(0, batch.num_rows, size):
                        yield first + start, batch.slice(start, size)
                    first += batch.num_rows

    return ArrowTable(folder, tuple(files), sum(rows), columns[0], read)


def numbers_of(cells: Any, column: Column, width: int, where: str) -> Array:
    """The cells of a column as an array, (rows, width).

    Args:
        cells: an Arrow array.
        column: what the column holds.
        width: how many numbers a cell has.
        where: the file, for messages.

    Raises:
        ValueError: missing values, or lists of different lengths.
    """
    if column.lists:
        if cells.null_count or not (cells.value_lengths().to_numpy(zero_copy_only=False) == width).all():
            raise ValueError(f"{where}, column {column.name!r} holds lists of different lengths: make all {width} long")
        cells = cells.flatten()
    if cells.null_count:
        raise ValueError(
            f"{where}, column {column.name!r} has missing values: fill them, or leave the column out, "
            f"drop=[{column.name!r}]"
        )
    values: Array = cells.to_numpy(zero_copy_only=False)
    return values.reshape(-1, width)


def _columns(schema: Any, features: dict[str, Any] | None = None) -> tuple[Column, ...]:
    index = (schema.pandas_metadata or {}).get("index_columns", [])  # which pandas does not count among the columns
    return tuple(_column(field, (features or {}).get(field.name)) for field in schema if field.name not in index)


def _column(field: Any, feature: Any) -> Column:
    types = importlib.import_module("pyarrow").types
    kind = field.type
    if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
        return Column(field.name, None, "a class label")
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    inner = kind.value_type if lists else kind
    if types.is_boolean(inner):
        return Column(field.name, np.dtype(np.uint8), str(kind), lists)
    if types.is_integer(inner) or types.is_floating(inner):
        return Column(field.name, np.dtype(inner.to_pandas_dtype()), str(kind), lists)
    return Column(field.name, None, str(kind))


def _check_alike(file: Path, columns: tuple[Column, ...], other: Path, theirs: tuple[Column, ...]) -> None:
    names, known = [column.name for column in columns], [column.name for column in theirs]
    if names != known:
        strange = sorted(set(names) ^ set(known)) or [
            name for name, its in zip(names, known, strict=True) if name != its
        ]
        raise ValueError(
            f"{file} has {len(names)} columns, {other.name} has {len(known)}, and they differ in {strange[0]!r}: all "
            "files of a folder must have the same columns in the same order"
        )
    for here, there in zip(columns, theirs, strict=True):
        if here.kind != there.kind:
            raise ValueError(
                f"{file}, column {here.name!r} is {here.kind}, in {other.name} it is {there.kind}: save all files of a "
                "folder with the same types"
            )


@contextmanager
def _undamaged(file: Path) -> Iterator[None]:
    arrow = importlib.import_module("pyarrow")
    try:
        yield
    except (arrow.ArrowException, OSError) as error:
        raise ValueError(
            f"{file} is damaged, cut short or not {file.suffix} ({error}): write or fetch it again"
        ) from None
