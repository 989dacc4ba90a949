"""Files of arrays: .npz, .npy and .mat, and folders of .npy files that together are one table."""

from __future__ import annotations

import errno
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from harmonium.data.folders import find_parts
from harmonium.data.formats import cases_and_labels, read_mat
from harmonium.data.raw import Array, RawData
from harmonium.data.row_files import RowFiles

__all__ = ["ARRAYS", "read_array", "read_parts"]

ARRAYS = (".npy", ".npz", ".mat")

_SPLITS = ("train", "valid", "test")
_SMALL = 64 * 2**20  # bytes of a file by columns that is copied by rows
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, NotImplementedError)


def read_array(path: Path) -> RawData:
    """Read a file of arrays; .npy is mapped, not read, since it may be larger than memory.

    Raises:
        ValueError: the file is damaged or does not hold what its format requires.
    """
    match path.suffix.lower():
        case ".npz":
            return _read_npz(path)
        case ".mat":
            return read_mat(path)
    return RawData({"train": _load(path, mmap_mode="r")})


def read_parts(folder: Path) -> RawData:
    """Read a folder of .npy files (see `find_parts`) as one table by split; the files are mapped, not read.

    Raises:
        ValueError: a damaged file, files of different types or columns, or files that are not a table.
        OSError: more files than a process may keep open.
    """
    first: tuple[Path, Array] | None = None
    splits: dict[str, Array | RowFiles] = {}
    for split, paths in find_parts(folder).items():
        tables = []
        for path in paths:
            table = _load(path, mmap_mode="r")
            if table.ndim < 2 or 0 in table.shape or table.dtype.kind not in "biuf":
                raise ValueError(
                    f"{path} holds {table.dtype} of shape {table.shape}; expected numbers, (cases, features), in every "
                    ".npy file of a folder: move it away"
                )
            first = first or (path, table)
            kinds = [(each.shape[1:], each.dtype) for each in (table, first[1])]
            for what, here, there in zip(("features of shape", "values of type"), *kinds, strict=True):
                if here != there:
                    raise ValueError(
                        f"{path} has {what} {here}, {first[0].name} has {there}: save all files of a folder alike"
                    )
            tables.append(_by_rows(table, path))
        splits[split] = tables[0] if len(tables) == 1 else RowFiles(tables)
    return RawData(splits)


def _by_rows(table: Array, path: Path) -> Array:
    if table.flags.c_contiguous:
        return table
    if table.nbytes > _SMALL:
        raise ValueError(f"{path} is stored by columns: store it by rows with np.save(path, np.ascontiguousarray(x))")
    return np.ascontiguousarray(table)


def _read_npz(path: Path) -> RawData:
    with _load(path) as archive:
        found = list(archive.files)
        if {"indptr", "indices", "data", "format"} <= set(found):
            with _undamaged(path):
                return RawData({"train": sparse.csr_array(sparse.load_npz(path))})
        if "train" not in found:
            arrays = {name: _member(archive, name, path) for name in found[:3]}
            if len(found) == 1:
                return RawData({"train": arrays[found[0]]})
            pair = cases_and_labels(arrays)
            if len(found) != 2 or pair is None:
                raise ValueError(
                    f"{path} holds the arrays {', '.join(found) or '(none)'}; expected train, with or without "
                    "valid, test, y_train, y_valid, y_test, or a single array, or one of cases and one of labels"
                )
            return pair
        splits = {split: _member(archive, split, path) for split in _SPLITS if split in found}
        labels = {split: _member(archive, f"y_{split}", path) for split in splits if f"y_{split}" in found}
    for split, values in labels.items():
        if values.ndim == 0 or len(values) != len(splits[split]):
            raise ValueError(f"{path}: y_{split} has shape {values.shape}, {split} has {len(splits[split])} cases")
    return RawData(splits, labels)


def _member(archive: Any, name: str, path: Path) -> Any:
    with _undamaged(path, f", array {name!r}"):
        return archive[name]


def _load(path: Path, **options: Any) -> Any:
    with _undamaged(path):
        if zipfile.is_zipfile(path) != (path.suffix.lower() == ".npz"):
            raise ValueError("only a .npz file is an archive")
        return np.load(path, allow_pickle=False, **options)


@contextmanager
def _undamaged(path: Path, where: str = "") -> Iterator[None]:
    """Reading, with whatever its libraries raise turned into a ValueError that names the file."""
    try:
        yield
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno == errno.EMFILE:
            raise OSError(
                error.errno, f"{path} is one file too many for this process: allow more, ulimit -n 4096, or join files"
            ) from None
        if "Object arrays" in str(error) or "Python objects" in str(error):
            what = "holds Python objects, which are never loaded: save numbers (x.astype(float))"
        else:
            what = f"is damaged, cut short or not {path.suffix} ({error}): write or fetch it again"
        raise ValueError(f"{path}{where} {what}") from error
