from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import harmonium.data.mapped as module
from harmonium.data import as_cases, load
from harmonium.data.mapped import find_mapping

ROWS, WIDTH = 16000, 4096  # 256 MB of float32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sparse file, 256 MB long, with a quarter of it on the disk."""
    table = np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=np.float32, shape=(ROWS, WIDTH))
    table[:, 0] = np.arange(ROWS)
    table.flush()
    return tmp_path / "x.npy"


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_pages_that_were_read_are_released(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RELEASE_BYTES", 4 * 2**20)
    cases = load(path).train
    order = np.random.default_rng(0).permutation(ROWS)
    load(path, valid=ROWS - 10).train.statistics()  # compile everything first
    before = resident_bytes()
    for start in range(0, ROWS, 100):
        index = order[start : start + 100]
        assert np.array_equal(cases.rows(index).numpy()[:, 0], index)
    for _, chunk in cases.chunks(100):
        del chunk
    assert cases.statistics().high == ROWS - 1
    assert resident_bytes() - before < 64 * 2**20


def test_mappings_of_other_modes_keep_their_pages(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.eye(9))
    assert find_mapping(np.load(path, mmap_mode="r")) is not None
    assert find_mapping(np.load(path, mmap_mode="r")[5:].view(np.ndarray)) is not None
    for mode in ("c", "r+"):
        assert find_mapping(np.load(path, mmap_mode=mode)) is None
    assert find_mapping(np.eye(3)) is None


def test_changes_of_a_private_copy_survive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RELEASE_BYTES", 1)
    np.save(tmp_path / "x.npy", np.eye(100))
    table = np.load(tmp_path / "x.npy", mmap_mode="c")
    table[3, 1] = 7
    cases = as_cases(table)
    cases.rows(np.arange(100))
    assert cases[3][1] == 7


def test_a_file_stored_by_columns_is_copied_if_small_and_refused_if_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import harmonium.data.cases as cases_module

    table = np.asfortranarray(np.arange(12.0).reshape(4, 3))
    np.save(tmp_path / "x.npy", table)
    assert np.array_equal(np.asarray(load(tmp_path / "x.npy").train), table)
    monkeypatch.setattr(cases_module, "HASH_WHOLE_BYTES", 50)
    with pytest.raises(ValueError, match=r"by columns.*np\.ascontiguousarray"):
        load(tmp_path / "x.npy")
