"""Named data sets: those that need no file (digits, bars-and-stripes, shifter), and the folder of the others."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from harmonium.core.random import Stream
from harmonium.data.raw import Array, RawData
from harmonium.data.split import permutation

__all__ = ["BUILT_IN", "IMAGES", "data_folder", "names", "read_named"]

BUILT_IN = ("bars-and-stripes", "digits", "mnist", "shifter")
DIGITS_SPLIT = {"train": 1197, "valid": 300, "test": 300}
LARGEST_BARS = 14
IMAGES = {"binarized_mnist": (28, 28), "caltech101_silhouettes": (28, 28), "ocr_letters": (16, 8)}
"""Height and width of images that their files hold as rows of pixels; the silhouettes are stored on their side."""


def data_folder(root: Path | None) -> Path | None:
    """Return the folder of named files: ``root``, the one that the variable HARMONIUM_DATA names, or None."""
    if root is not None:
        return root
    folder = os.environ.get("HARMONIUM_DATA")
    return Path(folder).expanduser() if folder else None


def names(root: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """Return the names that `load` knows: built-in ones, and .npz files in ``root`` or the folder HARMONIUM_DATA.

    >>> "digits" in names()
    True
    """
    folder = data_folder(None if root is None else Path(root))
    found = [path.stem for path in folder.glob("*.npz")] if folder is not None and folder.is_dir() else []
    return tuple(sorted({*BUILT_IN, *found}))


def read_named(name: str) -> RawData | None:
    """Make a built-in set, or return None for any other name; ``mnist`` is read from files by `load`.

    Raises:
        ValueError: a size of bars-and-stripes that is not square, or too large.
    """
    if name == "digits":
        return _digits()
    if name == "shifter":
        return _shifter()
    if name == "bars-and-stripes":
        return _bars_and_stripes(4)
    match = re.fullmatch(r"bars-and-stripes-(\d+)(?:x(\d+))?", name)
    if match is None:
        return None
    height, width = int(match[1]), int(match[2] or match[1])
    if height != width or not 1 <= height <= LARGEST_BARS:
        raise ValueError(
            f"{name!r}: bars and stripes are square, from 1x1 to {LARGEST_BARS}x{LARGEST_BARS}: "
            "name a size such as bars-and-stripes-3x3"
        )
    return _bars_and_stripes(height)


def _digits() -> RawData:
    """The 1797 digits of 8 x 8 pixels with 17 grey levels that come with scikit-learn.

    The split does not depend on a seed, so that results of different runs can be compared.
    """
    from sklearn.datasets import load_digits  # half a second, only needed here

    bunch = load_digits()
    images, target = bunch.images.astype(np.uint8), bunch.target.astype(np.int64)
    order = permutation(len(images), Stream(0, "digits", "split"))
    splits: dict[str, Array] = {}
    labels: dict[str, Array] = {}
    start = 0
    for split, count in DIGITS_SPLIT.items():
        index = np.sort(order[start : start + count])
        splits[split], labels[split] = images[index], target[index]
        start += count
    return RawData(splits, labels, levels=16.0, binarize="threshold")


def _bars_and_stripes(size: int) -> RawData:
    """All images with constant columns, then all with constant rows: 2^(size + 1), all-black and all-white twice.

    The repetitions belong to the data: over the 32 cases of 4 x 4, no model has a total log-likelihood above -108.131
    nats.
    """
    lines = (np.arange(2**size)[:, None] >> np.arange(size) & 1).astype(np.uint8)
    stripes = np.repeat(lines[:, None, :], size, axis=1)
    return RawData({"train": np.concatenate([stripes, stripes.transpose(0, 2, 1)])})


def _shifter() -> RawData:
    """The labelled shifter, 768 x 19: 8 bits, the same 8 bits shifted with wrap-around, and the shift as one-hot.

    Each pattern occurs with each shift: bit j moves to j + 1 (label 0), stays (1) or moves to j - 1 (2), in the order
    of the Shark library.  The labels are also in the data, as bits 16 to 18.
    """
    bits = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(np.uint8)
    cases = np.zeros((256, 3, 19), dtype=np.uint8)
    for label, shift in enumerate((1, 0, -1)):
        cases[:, label, :8] = bits
        cases[:, label, 8:16] = np.roll(bits, shift, axis=1)
        cases[:, label, 16 + label] = 1
    return RawData({"train": cases.reshape(768, 19)}, {"train": np.tile(np.arange(3), 256)})
