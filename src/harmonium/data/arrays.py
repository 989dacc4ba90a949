"""Files of arrays: .npz, .npy and .mat."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from harmonium.data.formats import cases_and_labels, read_mat
from harmonium.data.raw import RawData

__all__ = ["ARRAYS", "read_array"]

ARRAYS = (".npy", ".npz", ".mat")

_SPLITS = ("train", "valid", "test")
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
        if "Object arrays" in str(error) or "Python objects" in str(error):
            what = "holds Python objects, which are never loaded: save numbers (x.astype(float))"
        else:
            what = f"is damaged, cut short or not {path.suffix} ({error}): write or fetch it again"
        raise ValueError(f"{path}{where} {what}") from error
