"""Files and folders, each read by its format."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from harmonium.data.datasets_folder import holds_images, is_datasets_folder, read_dataset_images
from harmonium.data.fasta import is_fasta, read_fasta
from harmonium.data.idx import find_mnist, is_idx, read_idx_file, read_idx_folder
from harmonium.data.images import find_images, read_images
from harmonium.data.raw import RawData
from harmonium.data.text import read_numbers

if TYPE_CHECKING:
    from harmonium.data.table import Table

__all__ = ["FORMATS", "is_table", "read_path"]

FORMATS = (
    ".npz, .npy, .csv, .tsv, .parquet, .feather, .fasta, an IDX file (gzipped or not), or a folder: of images, of "
    "Hugging Face's datasets, or with MNIST's four IDX files"
)

_SPLITS = ("train", "valid", "test")
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, NotImplementedError)


def is_table(path: Path) -> bool:
    """Return whether a file or folder is a table with named columns of any kind."""
    if path.suffix.lower() in (".csv", ".tsv", ".parquet", ".feather", ".arrow"):
        return True
    return is_datasets_folder(path) and not holds_images(path)


def read_path(path: Path, table: Table | bool = False, drop: Sequence[str] = ()) -> RawData:
    """Read a file or a folder.

    Args:
        path: the file or folder.
        table: as in `harmonium.data.load`.
        drop: as in `harmonium.data.load`.

    Returns:
        The content.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the format is not known, or the file is damaged or does not hold what its format requires.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}: check the path (now in {Path.cwd()})")
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"{path} is empty: write or fetch it again")
    if is_table(path):
        if path.suffix.lower() in (".csv", ".tsv") and table is False and not drop:
            return RawData({"train": read_numbers(path)})
        from harmonium.data.frames import read_table  # pandas takes half a second to import

        return read_table(path, table, drop)
    if table is not False or drop:
        raise ValueError(f"{path} is not a table with named columns: leave out table=... and drop=...")
    if path.is_dir():
        if is_datasets_folder(path):
            return read_dataset_images(path)
        return read_images(path) if not find_mnist(path) and find_images(path) else read_idx_folder(path)
    match path.suffix.lower():
        case ".npz":
            return _read_npz(path)
        case ".npy":  # mapped, not read: the file may be larger than memory
            return RawData({"train": _load(path, mmap_mode="r")})
    if is_fasta(path):
        return read_fasta(path)
    if is_idx(path):
        return read_idx_file(path)
    raise ValueError(f"{path} has no known format: give {FORMATS}")


def _read_npz(path: Path) -> RawData:
    with _load(path) as archive:
        found = list(archive.files)
        if {"indptr", "indices", "data", "format"} <= set(found):
            with _undamaged(path):
                return RawData({"train": sparse.csr_array(sparse.load_npz(path))})
        if "train" not in found:
            if len(found) != 1:
                raise ValueError(
                    f"{path} holds the arrays {', '.join(found) or '(none)'}; expected train, with or without "
                    "valid, test, y_train, y_valid, y_test, or a single array"
                )
            return RawData({"train": _member(archive, found[0], path)})
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
