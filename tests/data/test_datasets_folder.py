"""Folders that `datasets` itself writes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harmonium.data import load
from harmonium.data.datasets_folder import read_dataset_frames

datasets = pytest.importorskip("datasets", reason="the extra datasets is not installed")


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets.config, "HF_CACHE_HOME", str(tmp_path / "hf"))
    datasets.disable_progress_bars()


def save(folder: Path, features: dict[str, Any], **splits: dict[str, list[Any]]) -> Path:
    parts = {name: datasets.Dataset.from_dict(rows, features=datasets.Features(features))
             for name, rows in splits.items()}  # fmt: skip
    datasets.DatasetDict(parts).save_to_disk(folder)
    return folder


def test_columns_and_splits(tmp_path: Path) -> None:
    features = {"city": datasets.Value("string"), "age": datasets.Value("float64"), "rooms": datasets.Value("int64")}
    rows = {"city": ["Rome", "Oslo", "Rome", None], "age": [31, None, 40, 52.5], "rooms": [0, 1, 2, 1]}
    some = {name: [values[0], values[2]] for name, values in rows.items()}
    path = save(tmp_path / "set", features, train=rows, validation=some)
    data = load(path, table=True)
    assert data.valid is not None and data.valid.shape == (2, 3)
    np.testing.assert_array_equal(data.valid[:], data.train[[0, 2]])
    np.testing.assert_array_equal(data.train[:][:, [0, 2]], [[1, 0], [0, 1], [1, 2], [np.nan, 1]])
    np.testing.assert_array_equal(load(path / "train", table=True).train[:], data.train[:])
    with pytest.raises(ValueError, match=r"'city' .*table=True"):
        load(path)
    assert load(path, drop=["city", "age"]).train[:].tolist() == [[0], [1], [2], [1]]


def test_class_labels_are_categories_with_the_names_of_the_classes(tmp_path: Path) -> None:
    features = {"x": datasets.Value("float64"), "kind": datasets.ClassLabel(names=["ape", "bee"])}
    data = load(save(tmp_path / "set", features, train={"x": [0.5, 1.5, 2.5, 4.5], "kind": [1, 0, 1, -1]}), table=True)
    assert data.table is not None and data.table.columns[1].labels == ("ape", "bee")
    np.testing.assert_array_equal(data.train[:][:, 1], [1, 0, 1, np.nan])


def test_images(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(256, size=(5, 4, 3)).astype(np.uint8)
    images = [image.fromarray(each) for each in pixels]
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["ape", "bee"])}
    data = load(save(
        tmp_path / "set", features, train={"image": images[:3], "label": [0, 1, 1]},
        test={"image": images[3:], "label": [1, 0]},
    ))  # fmt: skip
    np.testing.assert_allclose(data.train[:], pixels[:3].reshape(3, 12) / 255, rtol=1e-6)
    assert data.shape == (4, 3) and data.test is not None
    np.testing.assert_array_equal(data.labels.train, [0, 1, 1])
    np.testing.assert_array_equal(data.labels.test, [1, 0])
    broken = save(tmp_path / "broken", {"image": datasets.Image()}, train={"image": [{"bytes": b"no", "path": None}]})
    with pytest.raises(ValueError, match=r"train, image 0 .*image"):
        load(broken)


def test_a_folder_without_training_cases_names_its_splits(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no split named train, only all"):
        read_dataset_frames(save(tmp_path / "set", {"x": datasets.Value("int64")}, all={"x": [1, 2]}))


@pytest.mark.parametrize("file", ["state.json", "dataset_info.json", "data-00000-of-00001.arrow"])
@pytest.mark.parametrize("content", [None, b"", b"[1]"])
def test_damaged_folders_are_refused(tmp_path: Path, file: str, content: bytes | None) -> None:
    path = save(tmp_path / "set", {"x": datasets.Value("int64")}, train={"x": [1, 2, 3]})
    if content is None:
        (path / "train" / file).unlink()
    else:
        (path / "train" / file).write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged .*save the data set again"):
        load(path, table=True)


def test_without_the_library_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "set", {"x": datasets.Value("int64")}, train={"x": [1, 2, 3]})
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match=r"datasets.*'harmonium\[datasets\]'"):
        load(path)
