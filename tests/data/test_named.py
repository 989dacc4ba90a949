from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from harmonium.data import Labels, load, names


def rows_of(table: np.ndarray) -> list[tuple[float, ...]]:
    return sorted(map(tuple, table.tolist()))


def test_digits_are_those_of_scikit_learn_in_another_order() -> None:
    data = load("digits", binarize="grey")
    splits = [data.train, data.valid, data.test]
    assert [len(cases) for cases in splits] == [1197, 300, 300]
    labels = np.concatenate([data.labels.train, data.labels.valid, data.labels.test])
    table = np.concatenate([np.asarray(cases) for cases in splits])
    bunch = load_digits()
    ours = np.column_stack([table * 16, labels])
    assert rows_of(ours) == rows_of(np.column_stack([bunch.data, bunch.target]))
    assert data.shape == (8, 8) and data.binarization is None
    assert data.train.statistics().high == 1.0


def test_digits_are_binarised_by_threshold_by_default() -> None:
    data, grey = load("digits"), load("digits", binarize="grey")
    assert data.binarization == "threshold"
    assert np.array_equal(np.asarray(data.test), np.asarray(grey.test) > 0.5)
    assert repr(data) == "Dataset digits: features 8x8, train 1197, valid 300, test 300, threshold"


def test_the_split_of_digits_is_fixed_and_mixes_the_classes() -> None:
    one, other = load("digits", seed=0), load("digits", seed=1)
    assert one.train.fingerprint() == other.train.fingerprint()
    for labels in (one.labels.train, one.labels.valid, one.labels.test):
        assert np.bincount(labels, minlength=10).min() > 0.06 * len(labels)


@pytest.mark.parametrize(
    ("name", "size"), [("bars-and-stripes", 4), ("bars-and-stripes-3x3", 3), ("bars-and-stripes-2", 2)]
)
def test_bars_and_stripes_has_black_and_white_twice(name: str, size: int) -> None:
    data = load(name)
    images = np.asarray(data.train).reshape(-1, size, size)
    assert len(images) == 2 ** (size + 1)
    rows_constant = (images == images[:, :, :1]).all((1, 2))
    columns_constant = (images == images[:, :1, :]).all((1, 2))
    assert (rows_constant | columns_constant).all()
    assert (rows_constant & columns_constant).sum() == 4  # black and white, twice each
    assert len(np.unique(images, axis=0)) == 2 ** (size + 1) - 2
    assert data.shape == (size, size) and data.binarization == "binary"
    assert data.valid is None and data.test is None and data.labels == Labels()


@pytest.mark.parametrize("name", ["bars-and-stripes-3x4", "bars-and-stripes-0", "bars-and-stripes-99"])
def test_impossible_bars_and_stripes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}.*square.*bars-and-stripes-3x3"):
        load(name)


def test_shifter_has_each_pattern_with_each_shift() -> None:
    data = load("shifter")
    cases = np.asarray(data.train).astype(int)
    assert cases.shape == (768, 19) and len(np.unique(cases, axis=0)) == 768
    assert np.array_equal(cases[:, 16:].argmax(1), data.labels.train)
    assert (cases[:, 16:].sum(1) == 1).all()
    number = cases[:, :8] @ (1 << np.arange(8))
    assert np.array_equal(number, np.repeat(np.arange(256), 3))
    shifted = cases[:, 8:16] @ (1 << np.arange(8))
    left, right = (number << 1 | number >> 7) & 255, (number >> 1 | number << 7) & 255
    assert np.array_equal(shifted, np.choose(data.labels.train, [left, number, right]))


def test_names_include_the_files_of_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert names() == ("bars-and-stripes", "digits", "mnist", "shifter")
    np.savez(tmp_path / "zebra.npz", train=np.eye(3))
    assert "zebra" in names(tmp_path)
    monkeypatch.setenv("HARMONIUM_DATA", str(tmp_path))
    assert "zebra" in names()
    assert np.array_equal(np.asarray(load("zebra").train), np.eye(3))


def test_images_in_files_of_rows_have_their_height_and_width(tmp_path: Path) -> None:
    np.savez(tmp_path / "ocr_letters.npz", train=np.eye(128, dtype=np.uint8))
    data = load("ocr_letters", root=tmp_path)
    assert data.shape == (16, 8) and data.train.shape == (128, 128)
    np.savez(tmp_path / "binarized_mnist.npz", train=np.eye(100, dtype=np.uint8))  # another file of that name
    assert load("binarized_mnist", root=tmp_path).shape == (100,)


def test_unknown_names_list_close_and_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'digit'.*mean digits\?.*bars-and-stripes, digits"):
        load("digit")
