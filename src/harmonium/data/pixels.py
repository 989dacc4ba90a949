"""The pixels of one image file: greys, and where it is transparent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from harmonium.data.raw import Array

__all__ = ["Pixels", "read_pixels"]

_ROUNDING = 8  # of 255
_WHITE_IS_ZERO, _PHOTOMETRIC = 0, 262  # of TIFF


@dataclass(frozen=True)
class Pixels:
    """Greys of an image.

    Attributes:
        name: of its file.
        grey: (height, width): uint8, int32 from 0 to 65535, or float32 from 0 to 1.
        alpha: uint8, from 0 (transparent) to 255, or None where nothing is transparent.
        coloured: whether the greys are the luminance of colours.
    """

    name: str
    grey: Array
    alpha: Array | None = None
    coloured: bool = False

    @property
    def depth(self) -> str:
        """The depth of the greys in words."""
        return {"uint8": "8 bits", "int32": "16 bits", "float32": "real numbers"}[self.grey.dtype.name]

    def over(self, ground: float) -> Array:
        """The greys before a background of one grey."""
        if self.alpha is None:
            return self.grey
        share = self.alpha / np.float32(255)
        return np.rint(self.grey * share + np.float32(ground) * (1 - share)).astype(self.grey.dtype)


def read_pixels(file: Path | IO[bytes], name: str) -> Pixels:
    """Read an image, turned as its camera says.

    Raises:
        ValueError: it is no image, has several frames, or greys whose white is not known; the message names the file.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            # A phone's MPO is a JPEG with a preview or a second view behind the picture.
            frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
            if frames > 1:
                raise _RefusedError(
                    f"{name} holds {frames} frames or pages: write each to an image of its own (with ImageMagick: "
                    "convert FILE frame-%03d.png)"
                )
            inverted = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
            upright = ImageOps.exif_transpose(image)
            return _pixels(upright, name, inverted)
    except _RefusedError as error:
        raise ValueError(str(error)) from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{name} cannot be read as an image ({error}): repair or remove it") from None


class _RefusedError(Exception):
    """What is wrong with an image that can be read."""


def _pixels(image: Any, name: str, inverted: bool) -> Pixels:
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535 or inverted:
            what = "0 as white" if inverted else f"values from {values.min()} to {values.max()}"
            raise _RefusedError(f"{name} has {what}: expected greys of 16 bits from 0 (black) to 65535; convert it")
        return Pixels(name, values.astype(np.int32))
    if image.mode == "F":
        reals: Array = np.asarray(image, dtype=np.float32)
        if not (reals.min() >= 0 and reals.max() <= 1):  # NaN as well
            raise _RefusedError(
                f"{name} has real values from {reals.min():g} to {reals.max():g}: expected greys from 0 (black) to 1 "
                "(white); rescale the images, or save their values as .npy"
            )
        return Pixels(name, reals)
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        alpha: Array = np.asarray(whole.getchannel("A"))
        grey: Array = np.asarray(whole.convert("RGB").convert("L"))
        return Pixels(name, grey, None if alpha.min() == 255 else alpha, _coloured(whole))
    plain: Array = np.asarray(image.convert("L"))
    return Pixels(name, plain, coloured=_coloured(image))


def _coloured(image: Any) -> bool:
    """Whether red, green and blue differ anywhere, more than by the rounding of a JPEG."""
    if image.mode in ("1", "L", "LA"):
        return False
    rgb = np.asarray(image.convert("RGB")).astype(np.int16)
    return bool((rgb.max(-1) - rgb.min(-1) > _ROUNDING).any())
