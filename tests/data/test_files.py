from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from harmonium.data import load

TABLE = (np.random.default_rng(0).random((20, 6)) < 0.4).astype(np.uint8)


def test_npz_with_splits_and_labels(tmp_path: Path) -> None:
    np.savez_compressed(
        tmp_path / "x.npz", train=TABLE, test=TABLE[:4], y_train=np.arange(20), y_test=np.arange(4), extra=np.eye(2)
    )
    data = load(tmp_path / "x.npz", valid=5, seed=2)
    assert [len(cases) for cases in (data.train, data.valid, data.test)] == [15, 5, 4]
    for split in ("train", "valid"):  # labels stay with their cases
        assert np.array_equal(np.asarray(getattr(data, split)), TABLE[getattr(data.labels, split)])
    assert sorted([*data.labels.train, *data.labels.valid]) == list(range(20))
    assert data.labels.test.tolist() == [0, 1, 2, 3]
    assert data.name == "x.npz" and data.shape == (6,)


def test_npz_with_one_array_or_a_sparse_matrix(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", whatever=TABLE.reshape(20, 2, 3))
    data = load(str(tmp_path / "one.npz"))
    assert data.shape == (2, 3) and np.array_equal(np.asarray(data.train), TABLE)
    sparse.save_npz(tmp_path / "sparse.npz", sparse.csr_array(TABLE))
    data = load(tmp_path / "sparse.npz")
    assert repr(data.train) == "Cases(20 x 6, uint8, sparse)"
    assert np.array_equal(np.asarray(data.train), TABLE) and data.shape == (6,)


def test_npy_is_mapped_and_split_without_being_read(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", TABLE.astype(np.float64) * 3)
    data = load(tmp_path / "x.npy", test=0.25)
    assert data.train.mapped and data.test.mapped
    together = np.concatenate([np.asarray(data.train), np.asarray(data.test)])
    assert sorted(map(tuple, together.tolist())) == sorted(map(tuple, (TABLE * 3.0).tolist()))
    assert len(data.test) == 5


def test_the_source_reloads_the_file_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inside").mkdir()
    np.save(tmp_path / "inside" / "x.npy", np.linspace(0, 1, 60).reshape(20, 3))
    monkeypatch.chdir(tmp_path / "inside")
    data = load("x.npy", valid=np.float64(0.2), seed=7, binarize="dynamic")
    monkeypatch.chdir(tmp_path)
    again = load(**data.source)
    assert again.train.fingerprint() == data.train.fingerprint()
    assert torch.equal(again.train.rows(np.arange(9), epoch=4), data.train.rows(np.arange(9), epoch=4))
    assert again.source == data.source


def test_missing_files_unknown_formats_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.npz.*check the path"):
        load(tmp_path / "nothing.npz")
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv.*check the path"):
        load("nothing.csv")
    (tmp_path / "x.doc").write_bytes(b"hello")
    with pytest.raises(ValueError, match=r"x\.doc .*give \.npz"):
        load(tmp_path / "x.doc")
    (tmp_path / "x.npy").write_bytes(b"")
    with pytest.raises(ValueError, match=r"x\.npy .*empty.*write"):
        load(tmp_path / "x.npy")


@pytest.mark.parametrize("kind", ["npy", "npz"])
@pytest.mark.parametrize("keep", [0.02, 0.5, 0.98])
def test_files_cut_short_are_refused_by_name(tmp_path: Path, kind: str, keep: float) -> None:
    path = tmp_path / f"x.{kind}"
    np.save(path, TABLE) if kind == "npy" else np.savez_compressed(path, train=TABLE)
    content = path.read_bytes()
    path.write_bytes(content[: max(1, int(keep * len(content)))])
    with pytest.raises(ValueError, match=rf"x\.{kind} .*damaged.* not \.{kind} .*again"):
        load(path)


def test_a_flipped_byte_in_an_archive_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, train=TABLE)
    content = bytearray(path.read_bytes())
    content[content.index(TABLE.tobytes()) + 50] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="'train' is damaged"):
        load(path)


def test_python_objects_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[1, None]]))
    np.savez(tmp_path / "x.npz", train=np.array([[1, None]]))
    for kind in ("npy", "npz"):
        with pytest.raises(ValueError, match=r"Python objects.*astype"):
            load(tmp_path / f"x.{kind}")


@pytest.mark.parametrize(("kind", "name"), [("npy", "npz"), ("npz", "npy")])
def test_a_file_with_the_wrong_suffix_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    np.save(tmp_path / "x.npy", TABLE) if kind == "npy" else np.savez(tmp_path / "x.npz", train=TABLE)
    (tmp_path / f"x.{kind}").rename(tmp_path / f"x.{name}")
    with pytest.raises(ValueError, match=rf"not \.{name} .*archive"):
        load(tmp_path / f"x.{name}")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": TABLE, "b": TABLE}, "a, b.*train"),
        ({"train": TABLE, "test": TABLE[:, :5]}, r"test .*\(5,\).*train .*\(6,\)"),
        ({"train": TABLE, "y_train": np.arange(19)}, r"y_train .*\(19,\).*20"),
        ({"train": TABLE[:0]}, "x.npz, train .*empty"),
        ({"train": TABLE[0]}, r"x\.npz, train .*\(6,\).*\(cases, features\)"),
    ],
)
def test_archives_of_something_else_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "x.npz")


def test_a_split_that_the_source_has_is_not_made_again(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", train=TABLE, valid=TABLE)
    with pytest.raises(ValueError, match=r"valid=3.*x\.npz .*leave it out"):
        load(tmp_path / "x.npz", valid=3)


def test_the_benchmark_sets(benchmark_data: Path) -> None:
    data = load("nltcs")
    assert [len(cases) for cases in (data.train, data.valid, data.test)] == [16181, 2157, 3236]
    assert data.binarization == "binary"
    p = data.train.statistics().mean.clamp(1e-4, 1 - 1e-4)
    test = torch.from_numpy(np.asarray(data.test)).double()
    baseline = (test * p.log() + (1 - test) * (1 - p).log()).sum(1).mean()
    assert abs(float(baseline) + 9.23) < 0.01  # the independent-Bernoulli likelihood published with the set


def test_runs_models_and_folders_of_tables_are_no_data(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text("{}")
    (run / "model.safetensors").write_bytes(b"0" * 8)
    with pytest.raises(ValueError, match="run is the folder of a run, not data: name the data, or evaluate"):
        load(run)
    with pytest.raises(ValueError, match=r"model\.safetensors is a model, not data"):
        load(run / "model.safetensors")
    with pytest.raises(FileNotFoundError, match=r"is a folder without images, .*: check the path"):
        load(tmp_path)
    (run / "samples.png").write_bytes(b"")  # a picture of a run is no data either
    (tmp_path / "people.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FileNotFoundError, match=r"name a file, such as .*people\.csv"):
        load(tmp_path)
