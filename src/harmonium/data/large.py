"""Tables of numbers that are too large for memory, or whose cells are lists of numbers: Parquet files and datasets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from harmonium.data.arrow_files import ArrowTable, Column, open_datasets_split, open_parquet
from harmonium.data.converted import as_mapped, as_numbers, gigabytes, must_be_mapped
from harmonium.data.datasets_folder import SPLITS, is_datasets_folder
from harmonium.data.folders import find_parts, holds_parts
from harmonium.data.opening import plain_suffix
from harmonium.data.raw import RawData
from harmonium.data.reading import Reading

__all__ = ["open_tables", "read_large"]


def open_tables(path: Path) -> dict[str, ArrowTable]:
    """Open the splits of a table in Parquet or Arrow files without reading them; none for other files.

    Raises:
        ImportError: pyarrow is not installed.
        ValueError: a damaged file, or files with different columns.
    """
    if path.is_file() and plain_suffix(path) == ".parquet":
        return {"train": open_parquet(path, [path])}
    if is_datasets_folder(path):
        return {split: open_datasets_split(folder) for split, folder in _folders(path).items()}
    if holds_parts(path, ".parquet"):
        return {split: open_parquet(path, files) for split, files in find_parts(path).items()}
    return {}


def read_large(path: Path, tables: Mapping[str, ArrowTable], names: Sequence[str]) -> RawData | None:
    """Read columns of numbers, mapped if they are too large for memory (see `as_mapped`).

    Returns:
        The content; None if the columns fit into memory, and none of them holds lists of numbers.

    Raises:
        ValueError: a column that holds anything but numbers, missing values, a damaged file.
        OSError: the disk with the cache has no room.
    """
    lists = any(column.lists for table in tables.values() for column in _chosen(table, names))
    shapes = [(table.rows, sum(map(table.width, _chosen(table, names)))) for table in tables.values()]
    if not must_be_mapped(*shapes):
        if not lists:
            return None
        return RawData({split: as_numbers(table, _chosen(table, names)) for split, table in tables.items()})
    splits, reading = {}, Reading()
    for split, table in tables.items():
        array, file = as_mapped(table, _chosen(table, names))
        splits[split] = array
        reading = reading.add(
            f"{array.shape[0]:,} x {array.shape[1]} numbers are mapped from {file} ({gigabytes(array.nbytes)}, written "
            "once; delete it when the data are no longer used)"
        )
    return RawData(splits, names=None if lists else tuple(names), reading=reading)


def _chosen(table: ArrowTable, names: Sequence[str]) -> list[Column]:
    known = {column.name: column for column in table.columns}
    return [known[name] for name in names]


def _folders(path: Path) -> dict[str, Path]:
    """The folders of the splits of a data set that ``save_to_disk`` wrote."""
    if not (path / "dataset_dict.json").is_file():
        return {"train": path}
    try:
        saved = json.loads((path / "dataset_dict.json").read_text(encoding="utf-8"))["splits"]
        found = {SPLITS[name]: path / name for name in saved if name in SPLITS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}): save the data set again") from error
    return {split: found[split] for split in ("train", "valid", "test") if split in found}
