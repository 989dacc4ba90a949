"""Parquet files and folders of `datasets` that are taken for larger than memory."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import harmonium as hm
import harmonium.data.arrow_files as arrow_files
import harmonium.data.converted as converted
from harmonium.data import load
from harmonium.data.reading import ReadingNote

from ..processes import launch

pa = pytest.importorskip("pyarrow", reason="the extra arrow is not installed")
import pyarrow.parquet as pq  # noqa: E402

BITS = (np.random.default_rng(0).random((70, 5)) < 0.4).astype(np.int64)
FRAME = pd.DataFrame(BITS, columns=list("abcde"))


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converted, "LARGE", 100)
    monkeypatch.setattr(arrow_files, "COLUMNS", 2)
    monkeypatch.setattr(arrow_files, "BATCH_BYTES", 8 * 2 * 7)  # batches of seven rows of two columns


def in_parts(folder: Path, frame: pd.DataFrame, cuts: list[int], name: str = "part-{}.parquet") -> Path:
    folder.mkdir(exist_ok=True)
    for number, (first, last) in enumerate(zip([0, *cuts], [*cuts, len(frame)], strict=True)):
        frame[first:last].to_parquet(folder / name.format(number), index=False, row_group_size=11)
    return folder


def loaded(path: Path, **options: Any) -> Any:
    with pytest.warns(ReadingNote, match=r"numbers are mapped from .*tables.*\.npy"):
        return load(path, **options)


@pytest.mark.parametrize("kind", ["file", "folder", "datasets"])
def test_numbers_are_mapped_and_are_those_of_the_table(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path, kind)
    data = loaded(path)
    assert data.train.mapped and data.train.dtype == np.uint8 and data.names == ("a", "b", "c", "d", "e")
    np.testing.assert_array_equal(data.train[:], BITS)
    np.testing.assert_array_equal(loaded(path, columns=["d", "a"]).train[:], BITS[:, [3, 0]])
    np.testing.assert_array_equal(loaded(path, drop=["b"]).train[:], BITS[:, [0, 2, 3, 4]])


def saved(folder: Path, kind: str) -> Path:
    path = folder / "table.parquet"
    if kind == "file":
        FRAME.to_parquet(path, index=False, row_group_size=11)
    elif kind == "folder":
        path = in_parts(folder / "parts", FRAME, [1, 5, 6, 20, 22, 30, 31, 40, 45, 50, 69])
    else:
        datasets = pytest.importorskip("datasets", reason="the extra datasets is not installed")
        datasets.disable_progress_bars()
        path = folder / "set"
        datasets.Dataset.from_dict({name: FRAME[name].tolist() for name in FRAME}).save_to_disk(path, num_shards=3)
    return path


def test_training_gives_the_same_bits_as_from_an_array(tmp_path: Path) -> None:
    found = []
    for data in (loaded(saved(tmp_path, "folder")).train, BITS.astype(np.uint8)):
        rbm = hm.RBM(5, 4)
        hm.fit(rbm, data, epochs=3, batch_size=7, objective=hm.PCD(chains=5), seed=1)
        found.append(rbm)
    assert torch.equal(found[0].weights, found[1].weights) and torch.equal(found[0].chains, found[1].chains)


def test_what_was_written_serves_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, "file")
    first = loaded(path).train
    with monkeypatch.context() as patch:
        patch.setattr(converted, "_write", None)
        np.testing.assert_array_equal(loaded(path).train[:], BITS)
    (1 - FRAME).to_parquet(path, index=False)
    os.utime(path, ns=(1, 1))
    np.testing.assert_array_equal(loaded(path).train[:], 1 - BITS)
    np.testing.assert_array_equal(first[:], BITS)  # a mapping of the earlier file stays what it was
    cache = tmp_path / "cache" / "harmonium" / "tables"
    assert len(list(cache.glob("*.npy"))) == 1 and not list(cache.glob(".*"))
    next(cache.glob("*.npy")).write_bytes(b"damaged")
    np.testing.assert_array_equal(loaded(path).train[:], 1 - BITS)


@pytest.mark.parametrize(
    ("columns", "dtype"),
    [
        ({"x": np.array([0.0, 1.0] * 40), "y": np.array([True, False] * 40)}, np.uint8),
        ({"x": np.arange(80), "y": np.arange(80)[::-1]}, np.int16),
        ({"x": np.arange(80) + 2**31, "y": np.arange(80)}, np.int64),
        ({"x": np.arange(80, dtype=np.uint8), "y": np.ones(80, np.uint8)}, np.uint8),
        ({"x": np.linspace(0, 1, 80, dtype=np.float32), "y": np.ones(80, bool)}, np.float32),
        ({"x": np.linspace(0, 1, 80), "y": np.r_[np.nan, np.ones(79)]}, np.float64),
    ],
)
def test_types_hold_every_value(tmp_path: Path, columns: dict[str, np.ndarray], dtype: type) -> None:
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    cases = loaded(tmp_path / "x.parquet").train
    assert cases.dtype == dtype
    whole = np.stack([values.astype(np.float64) for values in columns.values()], 1)
    np.testing.assert_array_equal(cases.rows(np.arange(80), dtype=torch.float64).numpy(), whole)


@pytest.mark.parametrize("size", [100, 10**9])
@pytest.mark.parametrize("kind", ["list", "fixed", "large"])
def test_lists_of_numbers_are_columns_in_tables_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, kind: str
) -> None:
    monkeypatch.setattr(converted, "LARGE", size)
    kinds = {"list": pa.list_(pa.uint8()), "fixed": pa.list_(pa.uint8(), 3), "large": pa.large_list(pa.uint8())}
    lists = pa.array(BITS[:, :3].tolist(), kinds[kind])
    pq.write_table(
        pa.table({"e": BITS[:, 3], "pixels": lists, "f": BITS[:, 4]}), tmp_path / "x.parquet", row_group_size=9
    )
    with pytest.warns(ReadingNote) if size == 100 else contextlib.nullcontext():
        cases = load(tmp_path / "x.parquet").train
    assert cases.mapped == (size == 100)
    np.testing.assert_array_equal(cases[:], BITS[:, [3, 0, 1, 2, 4]])
    pq.write_table(pa.table({"pixels": [[1, 0], [1]] * 50}), tmp_path / "y.parquet")
    with pytest.raises(ValueError, match=r"column 'pixels' holds lists of different lengths: make all 2 long"):
        load(tmp_path / "y.parquet")


def test_splits_by_the_names_of_the_files_and_pandas_index(tmp_path: Path) -> None:
    FRAME[:50].to_parquet(tmp_path / "train-0.parquet", index=True)
    FRAME[50:].sample(frac=1, random_state=0).sort_index().set_index(np.arange(20) + 3).to_parquet(
        tmp_path / "test.parquet"
    )
    data = loaded(tmp_path)
    np.testing.assert_array_equal(data.train[:], BITS[:50])
    np.testing.assert_array_equal(data.test[:], BITS[50:])


@pytest.mark.parametrize("size", [100, 10**9])
@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("part-2.parquet", lambda f: f.rename(columns={"c": "z"}), r"part-2\.parquet has 5 columns, .* differ in 'c'"),
        ("part-2.parquet", lambda f: f.drop(columns="c"), r"part-2\.parquet has 4 columns, part-0\.parquet has 5"),
        ("part-2.parquet", lambda f: f.astype({"c": np.float32}), r"'c' is float, in part-0\.parquet it is int64"),
        ("part-2.parquet", b"PAR1", r"part-2\.parquet is damaged"),
        ("part-2.npy", b"", r"holds \.parquet files and part-2\.npy|holds \.npy files and part-0\.parquet"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, name: str, change: Any, message: str
) -> None:
    monkeypatch.setattr(converted, "LARGE", size)
    folder = in_parts(tmp_path / "x", FRAME, [30])
    (folder / name).write_bytes(change) if isinstance(change, bytes) else change(FRAME).to_parquet(folder / name)
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_columns_without_numbers_are_named(tmp_path: Path) -> None:
    FRAME.assign(city="Rome").to_parquet(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"column 'city' is .*string, not a number: .*drop=\['city'\]"):
        load(tmp_path / "x.parquet")
    assert loaded(tmp_path / "x.parquet", drop=["city"]).train.shape == (70, 5)
    pq.write_table(pa.table({"x": [1, None] * 50}), tmp_path / "gaps.parquet")
    with pytest.raises(ValueError, match=r"column 'x' has missing values: fill them"):
        load(tmp_path / "gaps.parquet")


def test_class_labels_of_datasets_are_no_numbers(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra datasets is not installed")
    features = datasets.Features({"x": datasets.Sequence(datasets.Value("uint8"), length=5),
                                  "kind": datasets.ClassLabel(names=["ape", "bee"])})  # fmt: skip
    rows = {"x": BITS.tolist(), "kind": BITS[:, 0].tolist()}
    part = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": part, "validation": part.select([3, 1])}).save_to_disk(tmp_path / "set")
    with pytest.raises(ValueError, match=r"column 'kind' is a class label, not a number: .*drop=\['kind'\]"):
        load(tmp_path / "set")
    data = loaded(tmp_path / "set", drop=["kind"])
    np.testing.assert_array_equal(data.train[:], BITS)
    np.testing.assert_array_equal(data.valid[:], BITS[[3, 1]])


def test_pages_that_are_damaged_are_refused_and_leave_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    FRAME.to_parquet(path, compression="none")
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.parquet is damaged"):
        load(path)
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, "file")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 5, 5))  # type: ignore[attr-defined]
    with pytest.raises(OSError, match=r"its numbers take 0\.00 GB, but .* has 0\.00 GB free: .*XDG_CACHE_HOME"):
        load(path)


def test_of_several_processes_one_writes_and_all_train_with_the_same_bits(tmp_path: Path) -> None:
    path = saved(tmp_path, "folder")
    found = launch(
        f"""
        import os, warnings
        import harmonium.data.converted as converted
        converted.LARGE = 100
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        wrote, write = [], converted._write
        converted._write = lambda *given: (wrote.append(1), write(*given))
        warnings.simplefilter("ignore")
        cases = hm.data.load({str(path)!r}).train
        rbm = hm.RBM(5, 4)
        hm.fit(rbm, cases, epochs=2, batch_size=16, objective=hm.PCD(chains=8), shards=4, seed=1)
        print(cases.mapped, len(wrote), rbm.weights.double().sum().item().hex())
        """,
        [1, 3],
        tmp_path,
    )
    lines = [line.splitlines() for group in found.values() for line in group]
    assert all(code == "0" for _, code in lines), found
    words = [line.split() for line, _ in lines]
    assert {(mapped, bits) for mapped, _, bits in words} == {("True", words[0][2])}
    assert [sum(int(count) for _, count, _ in group) for group in (words[:1], words[1:])] == [1, 1]
