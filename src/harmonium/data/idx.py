"""IDX, the format of the MNIST files, gzipped or not."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from harmonium.data.raw import Array, RawData

__all__ = ["MNIST_PARTS", "find_mnist", "is_idx", "read_idx", "read_idx_file", "read_idx_folder"]

# (split, content) -> the name of the file in MNIST
MNIST_PARTS = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_READ_BYTES = 2**20


def is_idx(path: Path) -> bool:
    """Return whether a file, gzipped or not, starts like IDX: two zero bytes, a type, a number of dimensions."""
    try:
        with _open(path) as file:
            head = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(head) == 4 and head[:2] == b"\0\0" and head[2] in _TYPES


def read_idx(path: Path) -> Array:
    """Read the array in an IDX file.

    Returns:
        The array, in the byte order of this machine.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not IDX, or is longer or shorter than its header says.
    """
    try:
        with _open(path) as file:
            return _parse(file, path)
    except FileNotFoundError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged or cut short ({error}): download it again") from error


def read_idx_file(path: Path) -> RawData:
    """Read one IDX file as training cases.

    Raises:
        ValueError: the file is not IDX, is damaged, or holds labels.
    """
    cases = read_idx(path)
    if cases.ndim < 2:
        raise ValueError(f"{path} holds {cases.ndim}-dimensional data, such as labels: give the file of images")
    return RawData({"train": cases}, levels=_levels(cases))


def read_idx_folder(folder: Path) -> RawData:
    """Read a folder with the four files of MNIST, or of another set that uses their names.

    Returns:
        The images and labels of the splits "train" and "test".

    Raises:
        FileNotFoundError: some of the four files are missing.
        ValueError: a file is damaged, or the numbers of images and labels differ.
    """
    files = find_mnist(folder)
    missing = [name for part, name in MNIST_PARTS.items() if part not in files]
    if missing:
        raise FileNotFoundError(f"{folder} lacks {', '.join(missing)} (each also with .gz): put all four files there")
    arrays = {part: read_idx(path) for part, path in files.items()}
    for split in ("train", "test"):
        images, labels = arrays[split, "images"], arrays[split, "labels"]
        if len(images) != len(labels):
            raise ValueError(
                f"{files[split, 'images']} has {len(images)} cases, {files[split, 'labels']} has {len(labels)}: "
                "the files do not belong together, download them again"
            )
    return RawData(
        {split: arrays[split, "images"] for split in ("train", "test")},
        {split: arrays[split, "labels"] for split in ("train", "test")},
        levels=_levels(arrays["train", "images"]),
    )


def find_mnist(folder: Path) -> dict[tuple[str, str], Path]:
    """Return those of the four files of MNIST that are in a folder, by either of their usual names."""
    found = {}
    for part, name in MNIST_PARTS.items():
        dotted = name.replace("-idx", ".idx")
        for candidate in (name, f"{name}.gz", dotted, f"{dotted}.gz"):
            if (folder / candidate).is_file():
                found[part] = folder / candidate
                break
    return found


def _levels(images: Array) -> float | None:
    return 255.0 if images.dtype == np.uint8 else None


def _open(path: Path) -> Any:
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP_MAGIC
    return gzip.open(path, "rb") if zipped else path.open("rb")


def _parse(file: Any, path: Path) -> Array:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or head[3] == 0:
        raise ValueError(
            f"{path} is not an IDX file: it begins with {head.hex() or 'nothing'}, expected 0000, a type, and a number "
            "of dimensions (for MNIST's images 00000803, labels 00000801); download it again"
        )
    dtype = np.dtype(_TYPES[head[2]])
    sizes = file.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise ValueError(f"{path} is cut short in its header: download it again")
    shape = struct.unpack(f">{head[3]}I", sizes)
    expected = math.prod(shape) * dtype.itemsize
    # In pieces, because a damaged header may claim more than fits into memory.
    content = bytearray()
    while len(content) <= expected and (piece := file.read(_READ_BYTES)):
        content += piece
    if len(content) != expected:
        found = f"{len(content)} or more" if len(content) > expected else str(len(content))
        raise ValueError(
            f"{path} says its shape is {shape}, {expected} bytes, but holds {found}: it is damaged, download it again"
        )
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
