"""Images in a folder, as grey levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

import numpy as np

from harmonium.data.pixels import Pixels, read_pixels
from harmonium.data.raw import Array, RawData
from harmonium.data.reading import PLAIN, Reading

__all__ = ["find_images", "grey_levels", "read_images"]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_SPLITS = ("train", "valid", "test")
_BITS = (8, 10, 12, 14, 16)  # of cameras, whose greys are stored in 16


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
    and their subfolders are labels.  What becomes of colours, depths and transparency, see `grey_levels`.

    Returns:
        For every split (images, height, width) from 0 (black) to `levels` (white), and the labels.

    Raises:
        ValueError: images of different sizes, a file that is not an image or not one that can be read right, images
            both beside and in subfolders.
    """
    roots = {"train": folder}
    if (folder / "train").is_dir():
        roots = {split: folder / split for split in _SPLITS if (folder / split).is_dir()}
    splits = {split: find_images(root) for split, root in roots.items()}
    for split, paths in splits.items():
        if not paths:
            raise ValueError(f"{roots[split]} holds no images: no file ends in {', '.join(_SUFFIXES)}")
    names = sorted({_label(path, roots[split]) for split, paths in splits.items() for path in paths} - {""})
    labels = {}
    for split, paths in splits.items() if names else ():
        own = [_label(path, roots[split]) for path in paths]
        if "" in own:
            raise ValueError(
                f"{paths[own.index('')]} is beside the subfolders, which are labels: move it into one of them"
            )
        labels[split] = np.array([names.index(label) for label in own])
    files = {split: ((path, str(path)) for path in paths) for split, paths in splits.items()}
    images, white, reading = grey_levels(files)
    return RawData(images, labels, levels=white, reading=reading)


def grey_levels(
    splits: Mapping[str, Iterable[tuple[Path | IO[bytes], str]]],
) -> tuple[dict[str, Array], float, Reading]:
    """Read images of one size and one depth as grey levels.

    Colours become their luminance, and images are turned as their cameras say (EXIF).  Greys of 8 bits are 0 ... 255,
    floats 0 ... 1.  Greys of 16 bits are 0 ... 2^k - 1 with the smallest k among 8, 10, 12, 14 and 16 that holds all of
    them.  Transparent pixels are white if the drawn ones are dark, otherwise black.

    Args:
        splits: pairs of an image file and its name in error messages, by split.

    Returns:
        (images, height, width) uint8, int32 or float32 by split, the value of white, and what was guessed.

    Raises:
        ValueError: a file is not an image, has another size or depth than the first, or several frames.
    """
    found = _read(splits)
    every = [pixels for split in found.values() for pixels in split]
    white, reading = _white(every)
    ground = 0.0
    clear = [(pixels.grey, pixels.alpha / 255.0) for pixels in every if pixels.alpha is not None]
    if clear:
        drawn, mass = sum(float((grey * share).sum()) for grey, share in clear), sum(float(s.sum()) for _, s in clear)
        tones = ("white", "dark", "black") if 2 * drawn < white * mass else ("black", "bright", "white")
        ground = white if tones[0] == "white" else 0.0
        reading = reading.add(
            f"transparent pixels are {tones[0]}, because the drawn ones are {tones[1]} (with ImageMagick: mogrify "
            f"-background {tones[2]} -alpha remove FILES)"
        )
    coloured = sum(pixels.coloured for pixels in every)
    if coloured:
        reading = reading.add(
            f"colours in {coloured} of {len(every)} images are read as greys, their luminance (.npy of shape (images, "
            "height, width, 3) keeps colours)"
        )
    images = {split: np.stack([pixels.over(ground) for pixels in part]) for split, part in found.items()}
    return images, white, reading


def _read(splits: Mapping[str, Iterable[tuple[Path | IO[bytes], str]]]) -> dict[str, list[Pixels]]:
    """The pixels of all images, of one size and depth."""
    first: Pixels | None = None
    found: dict[str, list[Pixels]] = {}
    for split, files in splits.items():
        found[split] = []
        for file, name in files:
            pixels = read_pixels(file, name)
            first = first or pixels
            if pixels.grey.shape != first.grey.shape:
                sizes = ["x".join(map(str, one.grey.shape[::-1])) for one in (pixels, first)]
                raise ValueError(
                    f"{name} has {sizes[0]} pixels, the first image has {sizes[1]}: resize all images to one size "
                    f"(with ImageMagick: mogrify -resize {sizes[1]}! FILES)"
                )
            if pixels.depth != first.depth:
                raise ValueError(
                    f"{name} has greys of {pixels.depth}, the first image, {first.name}, of {first.depth}: save all "
                    "images with one depth (with ImageMagick: mogrify -depth 8 FILES)"
                )
            found[split].append(pixels)
    return found


def _white(images: list[Pixels]) -> tuple[float, Reading]:
    """The value of white, and what was guessed."""
    if images[0].grey.dtype == np.uint8:
        return 255.0, PLAIN
    if images[0].grey.dtype == np.float32:
        return 1.0, PLAIN
    high = max(int(pixels.grey.max()) for pixels in images)
    bits = next(bits for bits in _BITS if high < 1 << bits)
    if bits == 16:
        return 65535.0, PLAIN
    white = (1 << bits) - 1
    note = f"greys of 16 bits up to {high} are taken for {bits} bits, so {white} is white (scale=65535: 65535 is white)"
    return float(white), PLAIN.add(note, scale=float(white))


def _label(path: Path, root: Path) -> str:
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else ""
