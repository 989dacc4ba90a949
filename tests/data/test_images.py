from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harmonium.data import load
from harmonium.data.reading import ReadingNote

image = pytest.importorskip("PIL.Image")


def draw(path: Path, grey: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.fromarray(grey.astype(np.uint8)).save(path)


def test_images_are_grey_levels_in_the_order_of_their_names(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 5))
    for name, grey in zip(("b.png", "a.bmp", "c.PNG"), pixels, strict=True):
        draw(tmp_path / name, grey)
    draw(tmp_path / ".hidden" / "x.png", pixels[0])
    (tmp_path / "notes.txt").write_text("no image")
    data = load(tmp_path)
    assert data.shape == (4, 5) and data.labels.train is None
    np.testing.assert_allclose(data.train[:], pixels[[1, 0, 2]].reshape(3, 20) / 255, rtol=1e-6)
    assert load(tmp_path, binarize="threshold").train[0].tolist() == (pixels[1].ravel() > 127.5).tolist()


def test_colours_become_luminance(tmp_path: Path) -> None:
    draw(tmp_path / "x.png", np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]))
    draw(tmp_path / "y.png", np.array([[0, 0, 0]]))
    with pytest.warns(ReadingNote, match="colours in 1 of 2 images are read as greys"):
        found = load(tmp_path).train[0]
    np.testing.assert_allclose(found, np.array([76, 149, 29]) / 255, atol=1.1 / 255)  # ITU-R 601


def test_subfolders_are_labels_and_may_be_splits(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label, name in enumerate(("cat", "dog")):
            draw(tmp_path / split / name / "1.png", np.full((2, 2), 50 * label + (split == "test")))
    data = load(tmp_path)
    assert data.labels.train is not None and data.labels.train.tolist() == [0, 1]
    assert data.test is not None and np.allclose(data.test[:] * 255, [[1] * 4, [51] * 4])
    alone = load(tmp_path / "train")
    assert alone.test is None and alone.labels.train is not None and alone.labels.train.tolist() == [0, 1]
    draw(tmp_path / "train" / "3.png", np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"3\.png .*move it"):
        load(tmp_path)


def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", np.zeros((2, 3)))
    draw(tmp_path / "b.png", np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"b\.png .*3x4.*3x2.*mogrify -resize 3x2!"):
        load(tmp_path)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:30])
    with pytest.raises(ValueError, match=r"b\.png .*remove"):
        load(tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(ValueError, match=r"train .*no images"):
        load(tmp_path)


SQUARE = np.zeros((12, 12))
SQUARE[3:9, 3:9] = 1
SQUARE[5:7, 5:7] = 0.5
BYTES = (SQUARE * 255).astype(np.uint8)


def test_sixteen_bits_and_real_numbers_keep_their_greys(tmp_path: Path) -> None:
    for name, values in {"deep.png": (SQUARE * 65535).astype(np.uint16), "real.tif": SQUARE.astype(np.float32)}.items():
        folder = tmp_path / name
        folder.mkdir()
        image.fromarray(values).save(folder / name)
        np.testing.assert_allclose(load(folder).train[0], SQUARE.ravel(), atol=1 / 65535)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_the_bits_of_a_camera_are_told_and_can_be_overruled(tmp_path: Path, suffix: str) -> None:
    for number in range(2):
        image.fromarray((200 + SQUARE * 3800).astype(np.uint16)).save(tmp_path / f"{number}{suffix}")
    with pytest.warns(ReadingNote, match=r"up to 4000 are taken for 12 bits, so 4095 is white \(scale=65535"):
        data = load(tmp_path)
    np.testing.assert_allclose(data.train[0], (200 + (SQUARE * 3800).astype(int).ravel()) / 4095, rtol=1e-6)
    whole = load(tmp_path, scale=65535)
    np.testing.assert_allclose(whole.train[0] * 65535, data.train[0] * 4095, rtol=1e-5)
    again = load(**data.source)  # nothing is guessed, and nothing told
    assert np.array_equal(again.train[0], data.train[0]) and not again.reading.notes


@pytest.mark.parametrize(("tone", "ground"), [(0, 1.0), (255, 0.0)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_drawn_on_transparency_stays_visible(tmp_path: Path, tone: int, ground: float, mode: str) -> None:
    pixels = np.full((12, 12, 4), tone, np.uint8)
    pixels[..., 3] = BYTES
    drawn = image.fromarray(pixels)
    (drawn.quantize(4) if mode == "P" else drawn.convert(mode)).save(tmp_path / "x.png")
    with pytest.warns(ReadingNote, match=f"transparent pixels are {'white' if ground else 'black'}"):
        found = load(tmp_path).train[0]
    expected = abs(ground - SQUARE.ravel())  # what is drawn covers the background by its opacity
    np.testing.assert_allclose(found, expected, atol=1.1 / 255)


def test_opaque_images_with_an_alpha_channel_are_plain(tmp_path: Path) -> None:
    image.fromarray(BYTES).convert("RGBA").save(tmp_path / "x.png")
    np.testing.assert_allclose(load(tmp_path).train[0], BYTES.ravel() / 255, rtol=1e-6)


def test_cmyk_and_the_orientation_of_a_camera(tmp_path: Path) -> None:
    half = BYTES.copy()
    half[:, 6:] = 0
    exif = image.Exif()
    exif[274] = 6  # the top of the scene is at the right: turn clockwise
    image.fromarray(half).convert("RGB").save(tmp_path / "0.jpg", exif=exif, quality=100)
    image.fromarray(np.rot90(half, -1).copy()).convert("CMYK").save(tmp_path / "1.jpg", quality=100)
    found = load(tmp_path).train[:]
    np.testing.assert_allclose(found[0], np.rot90(half, -1).ravel() / 255, atol=4 / 255)  # a JPEG is not exact
    np.testing.assert_allclose(found[1], found[0], atol=4 / 255)


def test_frames_depths_and_values_that_are_not_greys_are_refused_by_name(tmp_path: Path) -> None:
    def refused(name: str, message: str) -> None:
        with pytest.raises(ValueError, match=message) as caught:
            load(tmp_path)
        assert name in str(caught.value)
        (tmp_path / name).unlink()

    frames = [image.fromarray(np.roll(BYTES, k, 1)) for k in range(5)]
    for name in ("clip.gif", "stack.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        refused(name, "5 frames or pages: write each")
    for low, high in ((-1.0, 1.0), (0.0, 255.0), (float("nan"), 1.0)):
        image.fromarray(np.linspace(low, high, 4, dtype=np.float32)[None]).save(tmp_path / "x.tif")
        refused("x.tif", "real values from .*0 .black. to 1")
    image.fromarray(np.array([[-5, 70000]], np.int32)).save(tmp_path / "x.tif")
    refused("x.tif", "values from -5 to 70000: expected greys of 16 bits")
    draw(tmp_path / "a.png", BYTES)
    image.fromarray((SQUARE * 65535).astype(np.uint16)).save(tmp_path / "b.png")
    refused("b.png", r"greys of 16 bits, the first image, .*a\.png, of 8 bits: .*-depth 8")
