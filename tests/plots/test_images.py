"""Arrays as pictures: every number has its colour and its place."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from harmonium.plots.images import across, colours_of, png, signed, tile


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA")).astype(int)


def test_a_table_is_a_pixel_for_each_number() -> None:
    shown = pixels(png(np.array([[-1.0, 0.0, 1.0], [5.0, -5.0, np.nan]]), signed(1.0)))
    colours = matplotlib.colormaps["RdBu_r"]
    low, middle, high = (np.round(255 * np.array(colours(share))) for share in (0.0, 0.5, 1.0))
    assert shown.shape == (2, 3, 4)
    assert np.array_equal(shown[0, 0], low) and np.array_equal(shown[0, 2], high)
    assert np.array_equal(shown[1, 0], high) and np.array_equal(shown[1, 1], low)  # beyond the scale: its ends
    assert np.abs(shown[0, 1] - middle).max() <= 2
    assert shown[1, 2, 3] == 0 and (shown[0, :, 3] == 255).all()  # what is unknown is transparent


def test_a_table_of_equal_numbers() -> None:
    assert pixels(png(np.ones((2, 2)), {"cmap": "Greys", "vmin": 1.0, "vmax": 1.0})).shape == (2, 2, 4)


def test_images_are_a_pixel_apart() -> None:
    images = np.arange(5 * 2 * 3, dtype=float).reshape(5, 2, 3)
    grid = tile(images, 3)
    assert grid.shape == (5, 11)
    assert np.array_equal(grid[:2, 4:7], images[1]) and np.array_equal(grid[3:, :3], images[3])
    assert np.isnan(grid[2]).all() and np.isnan(grid[:, [3, 7]]).all() and np.isnan(grid[3:, 8:]).all()


@pytest.mark.parametrize(
    ("count", "aspect"), [(1, 1.0), (2, 1.0), (50, 1.0), (100, 1.0), (64, 0.5), (7, 3.0), (3, 40.0)]
)
def test_a_grid_has_a_place_for_every_image(count: int, aspect: float) -> None:
    wide = across(count, aspect)
    assert 1 <= wide <= count
    assert -count % wide < wide


def test_colours_follow_the_range_of_the_data() -> None:
    assert colours_of([np.array([[0.0, 0.5]])]) == {"cmap": "Greys", "vmin": 0.0, "vmax": 1.0}
    wide = colours_of([np.linspace(-5, 5, 101), np.array([100.0])])
    assert wide["cmap"] == "viridis" and -5 < wide["vmin"] < -4.5 and 4.5 < wide["vmax"] < 5
    assert colours_of([np.full(3, 7.0)])["vmax"] == 8.0
