from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harmonium.data import load

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
    np.testing.assert_allclose(load(tmp_path).train[0], np.array([76, 149, 29]) / 255, atol=1.1 / 255)  # ITU-R 601


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
