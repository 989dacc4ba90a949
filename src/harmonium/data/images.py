"""Images in a folder, as grey levels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np

from harmonium.data.raw import Array, RawData

__all__ = ["grey_levels", "find_images", "read_images"]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_SPLITS = ("train", "valid", "test")


def find_images(folder: Path) -> list[Path]:
    """Return the files in a folder and its subfolders whose names are those of images, sorted, without hidden ones."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def read_images(folder: Path) -> RawData:
    """Read the images in a folder as grey levels.

    Subfolders are labels, numbered in the order of their names.  Subfolders named train, valid and test are splits,
    and their subfolders are labels.  Colours become their luminance.

    Returns:
        For every split (images, height, width) uint8 from 0 (black) to 255 (white), and the labels.

    Raises:
        ValueError: images of different sizes, a file that is not an image, images both beside and in subfolders.
    """
    roots = {"train": folder}
    if (folder / "train").is_dir():
        roots = {split: folder / split for split in _SPLITS if (folder / split).is_dir()}
    splits = {split: find_images(root) for split, root in roots.items()}
    for split, paths in splits.items():
        if not paths:
            raise ValueError(f"{roots[split]} holds no images: no file ends in {', '.join(_SUFFIXES)}")
    names = sorted({_label(path, roots[split]) for split, paths in splits.items() for path in paths} - {""})
    images, labels = {}, {}
    shape: tuple[int, ...] = ()
    for split, paths in splits.items():
        images[split] = grey_levels(((path, str(path)) for path in paths), shape)
        shape = images[split].shape[1:]
        if names:
            own = [_label(path, roots[split]) for path in paths]
            if "" in own:
                raise ValueError(
                    f"{paths[own.index('')]} is beside the subfolders, which are labels: move it into one of them"
                )
            labels[split] = np.array([names.index(label) for label in own])
    return RawData(images, labels, levels=255.0)


def grey_levels(files: Iterable[tuple[Path | IO[bytes], str]], shape: tuple[int, ...] = ()) -> Array:
    """Read images of one size as grey levels.

    Args:
        files: pairs of an image file and its name in error messages.
        shape: (height, width) of the images; empty means those of the first one.

    Returns:
        (images, height, width) uint8.

    Raises:
        ValueError: a file is not an image, or has another size.
    """
    arrays: list[Array] = []
    for file, name in files:
        arrays.append(_grey(file, name))
        shape = shape or arrays[0].shape
        if arrays[-1].shape != shape:
            sizes = ["x".join(map(str, size[::-1])) for size in (arrays[-1].shape, shape)]
            raise ValueError(
                f"{name} has {sizes[0]} pixels, the first image has {sizes[1]}: resize all images to one size "
                f"(with ImageMagick: mogrify -resize {sizes[1]}! FILES)"
            )
    return np.stack(arrays)


def _label(path: Path, root: Path) -> str:
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else ""


def _grey(file: Path | IO[bytes], name: str) -> Array:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            grey: np.ndarray[Any, Any] = np.asarray(image.convert("L"))
            return grey
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{name} cannot be read as an image ({error}): repair or remove it") from None
