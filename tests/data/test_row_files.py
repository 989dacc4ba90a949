"""Folders of .npy files that together are one table."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
import harmonium.data.mapped as mapped_module
from harmonium.data import as_cases, load
from harmonium.data.row_files import RowFiles

TABLE = (np.random.default_rng(0).random((60, 6)) < 0.4).astype(np.uint8)


def parts(folder: Path, table: np.ndarray, cuts: list[int], name: str = "part-{}.npy") -> Path:
    folder.mkdir(exist_ok=True)
    for number, rows in enumerate(np.split(table, cuts)):
        np.save(folder / name.format(number), rows)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve files, so that part-10 sorts before part-2 where names are taken letter by letter."""
    return parts(tmp_path / "parts", TABLE, [1, 5, 6, 20, 22, 30, 31, 40, 45, 50, 59])


def test_rows_follow_in_the_natural_order_of_the_names_and_files_are_mapped(folder: Path) -> None:
    (folder / "README.md").write_text("what this is")
    (folder / "_SUCCESS").write_text("")
    data = load(folder)
    assert data.train.mapped and repr(data.train) == "Cases(60 x 6, uint8, memory-mapped)"
    np.testing.assert_array_equal(data.train[:], TABLE)
    where = np.random.default_rng(1).integers(60, size=200)  # in any order, with repetitions
    np.testing.assert_array_equal(data.train.rows(where).numpy(), TABLE[where])
    with pytest.raises(IndexError, match="holds case 60; there are 60"):
        data.train.rows(np.array([3, 60]))
    again = load(**load(folder, valid=7, seed=3).source)
    assert again.valid is not None and len(again.valid) == 7


@pytest.mark.parametrize("treatment", [{}, {"binarize": "dynamic"}, {"binarize": "threshold"}, {"standardize": True},
                                       {"scale": 255}])  # fmt: skip
def test_a_folder_a_file_and_an_array_are_the_same_cases(tmp_path: Path, treatment: dict[str, object]) -> None:
    grey = np.random.default_rng(2).integers(256, size=(40, 2, 3)).astype(np.uint8)
    np.save(tmp_path / "x.npy", grey)
    one = load(tmp_path / "x.npy", valid=9, **treatment)  # type: ignore[arg-type]
    many = load(parts(tmp_path / "x", grey, [11, 12, 30]), valid=9, **treatment)  # type: ignore[arg-type]
    assert many.shape == one.shape == (2, 3)
    for split, cases in one.splits.items():
        other = many.splits[split]
        where = np.arange(len(cases))[::-1]
        assert torch.equal(cases.rows(where, epoch=2), other.rows(where, epoch=2))
        assert cases.fingerprint() == other.fingerprint()
        assert torch.equal(cases.statistics().mean, other.statistics().mean)


def test_training_gives_the_same_bits_from_a_folder_a_file_and_an_array(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", TABLE)
    found = []
    for data in (folder, str(tmp_path / "x.npy"), TABLE):
        rbm = hm.RBM(6, 4)
        hm.fit(rbm, data, epochs=3, batch_size=7, objective=hm.PCD(chains=5), seed=1)
        found.append([each.clone() for each in (rbm.weights, rbm.visible_bias, rbm.chains)])
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_runs_from_a_folder_resume_by_themselves(folder: Path, tmp_path: Path) -> None:
    whole, halved = hm.RBM(6, 4), hm.RBM(6, 4)
    options = {"epochs": 4, "batch_size": 7, "objective": hm.PCD(chains=5), "seed": 1}
    hm.fit(whole, folder, **options)
    with pytest.raises(KeyboardInterrupt):
        hm.fit(halved, folder, out=tmp_path / "run", callbacks=[_Break()], **options)
    resumed, _ = hm.resume(tmp_path / "run", callbacks=[hm.training.Callback()])
    assert torch.equal(whole.weights, resumed.weights) and torch.equal(whole.chains, resumed.chains)


class _Break(hm.training.Callback):
    transient = True

    def on_epoch(self, training: object, row: dict[str, object]) -> None:
        if row["epoch"] == 2:
            raise KeyboardInterrupt


def test_splits_by_the_names_of_the_files(tmp_path: Path) -> None:
    folder = parts(tmp_path / "x", TABLE[:40], [20], "train-{}.npy")
    np.save(folder / "validation.npy", TABLE[40:50])
    np.save(folder / "test_0.npy", TABLE[50:])
    data = load(folder)
    assert data.valid is not None and data.test is not None
    np.testing.assert_array_equal(np.concatenate([data.train[:], data.valid[:], data.test[:]]), TABLE)
    np.save(folder / "more.npy", TABLE)
    with pytest.raises(ValueError, match=r"test_0\.npy, which is named after a split, and more\.npy, which is not"):
        load(folder)
    for name in ("trained-1.npy", "tests.npy"):  # these begin with the letters of a split, and are not named after it
        np.save(parts(tmp_path / name, TABLE, []) / name, TABLE)
        assert len(load(tmp_path / name).train) == 120
    with pytest.raises(ValueError, match=r"holds no training cases, only test0\.npy"):
        load(parts(tmp_path / "z", TABLE, [3], "test{}.npy"))


def test_values_of_other_byte_orders_and_bools(tmp_path: Path) -> None:
    big = np.arange(12.0).reshape(6, 2).astype(">f4")
    np.testing.assert_array_equal(load(parts(tmp_path / "big", big, [2])).train[:], big)
    np.testing.assert_array_equal(load(parts(tmp_path / "bool", TABLE > 0, [2])).train[:], TABLE)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("part-3.npy", np.zeros((2, 5), np.uint8), r"part-3\.npy has features of shape \(5,\), part-0\.npy has \(6,\)"),
        ("part-3.npy", np.zeros((2, 6)), r"part-3\.npy has values of type float64, part-0\.npy has uint8"),
        ("part-3.npy", np.zeros(2, np.uint8), r"part-3\.npy holds uint8 of shape \(2,\); expected numbers"),
        ("part-3.npy", np.array([["a"]]), r"part-3\.npy holds <U1 of shape"),
        ("part-3.npy", np.zeros((0, 6), np.uint8), r"part-3\.npy holds uint8 of shape \(0, 6\)"),
        ("part-3.npy", b"\x93NUMPY", r"part-3\.npy is damaged, cut short or not \.npy"),
        ("part-3.npy", b"", r"part-3\.npy is damaged"),
        ("part-3.csv", b"1,2\n", r"holds \.npy files and part-3\.csv: all files of a table must be of one type"),
        ("part-3.parquet", b"PAR1", r"holds \.npy files and part-3\.parquet"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_named(tmp_path: Path, name: str, content: object, message: str) -> None:
    folder = parts(tmp_path / "x", TABLE, [20, 40])
    np.save(folder / name, content) if isinstance(content, np.ndarray) else (folder / name).write_bytes(content)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_empty_folders_and_subfolders(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"is a folder without images, \.npy or Parquet files"):
        load(tmp_path / "empty")
    (folder / "more").mkdir()
    with pytest.raises(ValueError, match=r"holds \.npy files and the folder more"):
        load(folder)


def test_a_file_by_columns_is_copied_if_small_and_refused_if_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import harmonium.data.arrays as module

    folder = parts(tmp_path / "x", TABLE, [20])
    np.save(folder / "part-1.npy", np.asfortranarray(TABLE[20:]))
    np.testing.assert_array_equal(load(folder).train[:], TABLE)
    monkeypatch.setattr(module, "_SMALL", 50)
    with pytest.raises(ValueError, match=r"part-1\.npy is stored by columns"):
        load(folder)


def test_too_many_files_for_a_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(OSError, match=r"part-0\.npy is one file too many for this process: .*ulimit"):
        load(folder)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_pages_of_all_files_are_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped_module, "RELEASE_BYTES", 4 * 2**20)
    for number in range(8):  # 32 MB each
        table = np.lib.format.open_memmap(tmp_path / f"{number}.npy", mode="w+", dtype=np.float32, shape=(2000, 4096))
        table[:, 0] = np.arange(2000) + 2000 * number
        table.flush()
        del table
    cases = load(tmp_path).train
    order = np.random.default_rng(0).permutation(len(cases))
    cases.rows(order[:10])  # compile
    before = _resident()
    for start in range(0, len(cases), 100):
        index = order[start : start + 100]
        assert np.array_equal(cases.rows(index).numpy()[:, 0], index)
    assert _resident() - before < 64 * 2**20


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_row_files_of_arrays_in_memory_are_cases() -> None:
    cases = as_cases(RowFiles([TABLE[:10], TABLE[10:]]))
    assert not cases.mapped
    np.testing.assert_array_equal(cases[:], TABLE)
