"""Tables too large to be held in memory, as mapped files of numbers that are written once.

Rows of Parquet and Arrow files cannot be read one by one.  So the numbers of a large table are written into the cache
as an .npy file, a batch after the other, and that file is mapped: training then reads rows in any order, the same ones
from the same seed as from an array.
"""

from __future__ import annotations

import errno
import hashlib
import json
import mmap
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harmonium.core.files import write_json
from harmonium.data.arrow_files import ArrowTable, Column, numbers_of
from harmonium.data.download import cache_folder
from harmonium.data.raw import Array

__all__ = ["as_mapped", "as_numbers", "gigabytes", "must_be_mapped"]

LARGE = 2**29
"""Bytes of a table as float64 above which it is not read into memory."""


def must_be_mapped(*shapes: tuple[int, int]) -> bool:
    """Return whether tables of these shapes, (rows, columns), are together too large to be read into memory."""
    return 8 * sum(rows * columns for rows, columns in shapes) > LARGE


def as_numbers(table: ArrowTable, columns: Sequence[Column]) -> Array:
    """Read columns of numbers into memory, (rows, columns); types as of `as_mapped`.

    Raises:
        ValueError: as `as_mapped`.
    """
    widths = [table.width(column) for column in columns]
    dtype = _type_of(table, columns, widths)
    out = np.empty((table.rows, sum(widths)), dtype)
    _fill(out, table, columns, widths)
    return out


def as_mapped(table: ArrowTable, columns: Sequence[Column]) -> tuple[Array, Path]:
    """Map columns of numbers, which are written into the cache if they are not there yet.

    Values are bytes if all are 0 or 1; else whole numbers of the least size that holds them, or floats as in the files.
    What is in the cache serves until one of the files changes.  Of several processes one writes, the others wait.

    Args:
        table: the table.
        columns: its columns to take, in their order.

    Returns:
        The mapped array (rows, columns), lists of numbers taking several columns, and its file.

    Raises:
        ValueError: a column that holds anything but numbers, missing values, a damaged file.
        OSError: the disk with the cache has no room.
    """
    from filelock import FileLock

    _check(table, columns)
    folder = cache_folder("tables")
    folder.mkdir(parents=True, exist_ok=True)
    stamp = {
        "format": 1,
        "files": [[str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns] for file in table.files],
        "columns": [column.name for column in columns],
    }
    key = json.dumps([[file for file, *_ in stamp["files"]], stamp["columns"]])  # type: ignore[attr-defined]
    target = folder / f"{table.path.stem}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npy"
    found = _look_up(target, stamp)
    if found is None:
        with FileLock(f"{target}.lock"):
            found = _look_up(target, stamp)  # another process may have written it meanwhile
            if found is None:
                _write(target, table, columns)
                write_json(target.with_suffix(".json"), stamp)
                found = np.load(target, mmap_mode="r", allow_pickle=False)
    return found, target


def _look_up(target: Path, stamp: dict[str, Any]) -> Array | None:
    try:
        if json.loads(target.with_suffix(".json").read_text(encoding="utf-8")) != stamp:
            return None
        array: Array = np.load(target, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    return array


def _write(target: Path, table: ArrowTable, columns: Sequence[Column]) -> None:
    widths = [table.width(column) for column in columns]
    dtype = _type_of(table, columns, widths)
    shape = (table.rows, sum(widths))
    size, free = shape[0] * shape[1] * dtype.itemsize, shutil.disk_usage(target.parent).free
    if size + 2**26 > free:
        raise OSError(
            errno.ENOSPC,
            f"{table.path} is too large for memory, and its numbers take {gigabytes(size)}, but {target.parent} has "
            f"{gigabytes(free)} free: name another folder in XDG_CACHE_HOME, or save the table as .npy files",
        )
    target.with_suffix(".json").unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}.", suffix=".npy")
    os.close(handle)
    try:
        out = np.lib.format.open_memmap(name, mode="w+", dtype=dtype, shape=shape)
        _fill(out, table, columns, widths)
        out.flush()
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _fill(out: Array, table: ArrowTable, columns: Sequence[Column], widths: Sequence[int]) -> None:
    ends = np.cumsum(widths)
    places = {column.name: slice(end - width, end) for column, end, width in zip(columns, ends, widths, strict=True)}
    mapping = getattr(out, "_mmap", None)
    for first, batch in table.read([column.name for column in columns]):
        inside = [column for column in columns if column.name in batch.schema.names]
        block = np.concatenate(
            [_cells(table, batch, column, places) for column in inside], 1, dtype=out.dtype, casting="unsafe"
        )
        start = places[inside[0].name].start
        if places[inside[-1].name].stop - start == block.shape[1]:
            out[first : first + len(block), start : start + block.shape[1]] = block
        else:
            where = np.concatenate([np.arange(places[each.name].start, places[each.name].stop) for each in inside])
            out[first : first + len(block), where] = block
        if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
            mapping.madvise(mmap.MADV_DONTNEED)  # the file is shared, so what was written stays written


def _cells(table: ArrowTable, batch: Any, column: Column, places: dict[str, slice]) -> Array:
    place = places[column.name]
    return numbers_of(batch.column(column.name), column, place.stop - place.start, str(table.path))


def _type_of(table: ArrowTable, columns: Sequence[Column], widths: Sequence[int]) -> np.dtype[Any]:
    """The type of the numbers, after one pass over them."""
    _check(table, columns)
    known = dict(zip(columns, widths, strict=True))
    binary, low, high = True, 0, 0
    for _, batch in table.read([column.name for column in columns]):
        for column, width in known.items():
            if column.name not in batch.schema.names:
                continue
            cells = numbers_of(batch.column(column.name), column, width, str(table.path))
            binary = binary and bool(((cells == 0) | (cells == 1)).all())
            if cells.dtype.kind in "iu" and cells.size:
                low, high = min(low, int(cells.min())), max(high, int(cells.max()))
    common = np.result_type(*(column.dtype for column in columns if column.dtype is not None))
    if binary or common == np.uint8:
        return np.dtype(np.uint8)
    if common.kind in "iu":  # not bytes, which would be grey levels
        return next(np.dtype(kind) for kind in ("i2", "i4", "i8", "u8") if _holds(np.dtype(kind), low, high))
    return np.result_type(common, np.float32)


def _holds(dtype: np.dtype[Any], low: int, high: int) -> bool:
    return int(np.iinfo(dtype).min) <= low and high <= int(np.iinfo(dtype).max)


def _check(table: ArrowTable, columns: Sequence[Column]) -> None:
    if not table.rows:
        raise ValueError(f"{table.path} holds no cases: add some")
    for column in columns:
        if column.dtype is None:
            raise ValueError(
                f"{table.path}, column {column.name!r} is {column.kind}, not a number: leave the column out, "
                f"drop=[{column.name!r}]"
            )


def gigabytes(count: int) -> str:
    """Bytes in words, in GB (10^9)."""
    return f"{count / 1e9:.2f} GB"
