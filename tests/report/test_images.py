"""Pictures of arrays: every number as the colour that stands for it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from harmonium.report.images import diverging, grey, heat_map, mosaic


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def test_a_heat_map() -> None:
    shown = pixels(heat_map(np.array([[-1.0, 0.0, 1.0], [5.0, -5.0, np.nan]]), -1.0, 1.0, diverging()))
    low, high = [*diverging()[0], 255], [*diverging()[-1], 255]
    assert shown.shape == (2, 3, 4)
    assert list(shown[0, 0]) == low and list(shown[0, 2]) == high
    assert list(shown[1, 0]) == high and list(shown[1, 1]) == low  # beyond the scale: its ends
    assert np.abs(shown[0, 1, :3].astype(int) - (0xFB, 0xFA, 0xF6)).max() <= 1  # zero is paper


def test_images_lie_a_pixel_apart() -> None:
    images = np.zeros((4, 2, 3))
    images[3] = 1.0
    shown = pixels(mosaic(images, 0.0, 1.0, grey()))
    assert shown.shape == (5, 7, 4)  # two rows of two
    assert shown[2, :, 3].max() == 0 and shown[:, 3, 3].max() == 0  # gaps let the page show through
    assert list(shown[-1, -1, :3]) == list(grey()[-1]) and list(shown[0, 0, :3]) == list(grey()[0])
