"""Folders that ``save_to_disk`` of Hugging Face's library `datasets` writes, read by that library."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from harmonium.core.optional import need
from harmonium.data.images import grey_levels
from harmonium.data.raw import Array, Frame, RawData

__all__ = ["SPLITS", "holds_images", "is_datasets_folder", "read_dataset_frames", "read_dataset_images"]

SPLITS = {"train": "train", "validation": "valid", "valid": "valid", "test": "test"}  # in datasets -> here


def is_datasets_folder(path: Path) -> bool:
    """Return whether ``save_to_disk`` wrote a folder."""
    return path.is_dir() and any((path / name).is_file() for name in ("dataset_dict.json", "state.json"))


def holds_images(folder: Path) -> bool:
    """Return whether one of the columns of the training cases holds images."""
    return bool(_columns(_splits(folder)["train"], "Image"))


def read_dataset_frames(folder: Path) -> dict[str, Frame]:
    """Read the splits as pandas DataFrames, in which class labels are categories with the names of the classes.

    Returns:
        The DataFrames by split: "train" and, where the folder has them, "valid" and "test".

    Raises:
        ImportError: `datasets` is not installed.
        ValueError: the folder is damaged or has no training cases.
    """
    import pandas as pd

    frames = {}
    for split, part in _splits(folder).items():
        frame = frames[split] = part.to_pandas()
        for name in _columns(part, "ClassLabel"):
            frame[name] = pd.Categorical.from_codes(_codes(part, name, folder), part.features[name].names)
    return frames


def read_dataset_images(folder: Path) -> RawData:
    """Read the first column of images as grey levels, see `harmonium.data.images.grey_levels`.

    Returns:
        The images, and the numbers of their classes as labels if there is exactly one column of class labels.

    Raises:
        ImportError: `datasets` is not installed.
        ValueError: images of different sizes, cells that are not images, a damaged folder.
    """
    files, labels = {}, {}
    for split, part in _splits(folder).items():
        columns = _columns(part, "Image")
        if not columns:
            raise ValueError(f"{folder}, {split} has no column of images, but train has: remove this split")
        files[split] = _files(part, columns[0], f"{folder}, {split}")
        classes = _columns(part, "ClassLabel")
        if len(classes) == 1:
            labels[split] = _codes(part, classes[0], folder)
    images, white, reading = grey_levels(files)
    return RawData(images, labels if len(labels) == len(images) else {}, levels=white, reading=reading)


def _files(part: Any, column: str, where: str) -> Iterator[tuple[IO[bytes], str]]:
    """The files in the cells of a column of images, with their names in messages."""
    for number, cell in enumerate(part.with_format("arrow")[:].column(column).to_pylist()):
        yield io.BytesIO((cell or {}).get("bytes") or b""), f"{where}, image {number}"


def _splits(folder: Path) -> dict[str, Any]:
    """The splits, each a `datasets.Dataset`, by their names here."""
    datasets = need("datasets", "datasets", "a folder that save_to_disk wrote")
    try:
        saved = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder} is damaged ({error}): save the data set again") from error
    if not isinstance(saved, dict):
        return {"train": saved}
    found = {SPLITS[name]: part for name, part in saved.items() if name in SPLITS}
    if "train" not in found:
        raise ValueError(f"{folder} has no split named train, only {', '.join(saved)}: save one under this name")
    return {split: found[split] for split in ("train", "valid", "test") if split in found}


def _columns(part: Any, kind: str) -> list[str]:
    """The names of the columns of a kind, by the name of its class in `datasets`."""
    return [name for name, feature in part.features.items() if type(feature).__name__ == kind]


def _codes(part: Any, name: str, folder: Path) -> Array:
    """The numbers of the classes in a column, -1 where there is none."""
    codes: Array = part.with_format("arrow")[:].column(name).to_pandas().fillna(-1).to_numpy(dtype=np.int64)
    classes = len(part.features[name].names)
    if len(codes) and (codes.min() < -1 or codes.max() >= classes):
        raise ValueError(
            f"{folder} is damaged (column {name!r} holds classes outside 0 ... {classes - 1}): save the data set again"
        )
    return codes
