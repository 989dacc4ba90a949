"""Run folders and model files by name: what is read of them, and how a folder is claimed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

import harmonium as hm
from harmonium.runs.folder import new_folder
from harmonium.runs.names import CHECKPOINT, CONFIG, ENVIRONMENT, METRICS, MODEL


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "bars"
    data = hm.data.load("bars-and-stripes", valid=8)
    hm.fit(hm.RBM(16, 4), data.train, validation=data.valid, epochs=3, out=out,
           callbacks=[hm.training.EarlyStopping()])  # fmt: skip
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "my run"))


def test_a_run_by_its_folder_or_its_model(finished: Path) -> None:
    expected = hm.load(finished / MODEL).weights
    for name in (finished, finished / MODEL):
        run = hm.runs.open_run(name)
        assert run.finished and run.folder == finished and torch.equal(run.load().weights, expected)
        assert [row["epoch"] for row in run.rows] == [1, 2, 3]
        assert run.best_epoch in (1, 2, 3) and run.threads == torch.get_num_threads()
        assert run.environment["torch"] == torch.__version__
        assert run.data().train.fingerprint() == hm.data.load("bars-and-stripes", valid=8).train.fingerprint()
        assert run.table() is None and run.standard() is None


def test_a_model_file_says_nothing_of_its_training(finished: Path, tmp_path: Path) -> None:
    shutil.copy(finished / MODEL, tmp_path / "mine.safetensors")
    shutil.copy(finished / CONFIG, tmp_path)
    run = hm.runs.open_run(tmp_path / "mine.safetensors")
    assert run.config is None and run.rows == [] and run.environment == {} and run.best_epoch is None
    with pytest.raises(ValueError, match="--data"):
        run.data()


def test_a_folder_made_for_the_hub_is_a_model(tmp_path: Path) -> None:
    hm.exchange.save_pretrained(hm.RBM(4, 2), tmp_path)
    run = hm.runs.open_run(tmp_path)
    assert run.config is None and isinstance(run.load(), hm.RBM)


def test_a_run_that_has_not_come_to_its_end(run: Path) -> None:
    (run / MODEL).unlink()
    with pytest.raises(FileNotFoundError, match=r"unfinished.*--resume '.*my run'"):
        hm.runs.open_run(run)
    opened = hm.runs.open_run(run, unfinished=True)
    assert not opened.finished and opened.position.startswith("update 3, in epoch")
    assert isinstance(opened.load(), hm.RBM)
    with FileLock(run / ".lock"), pytest.raises(FileNotFoundError, match="still being trained"):
        hm.runs.open_run(run, unfinished=True)
    (run / CHECKPOINT).unlink()
    with pytest.raises(FileNotFoundError, match=r"before its first checkpoint.*--resume"):
        hm.runs.open_run(run, unfinished=True).load()


def test_damaged_files(run: Path) -> None:
    with open(run / METRICS, "a", encoding="utf-8") as file:
        file.write('{"epoch": 4, "upd')
    (run / ENVIRONMENT).write_text("[1")
    assert len(hm.runs.open_run(run).rows) == 3 and hm.runs.open_run(run).threads is None
    for content in ("{", "[]", '{"model": {}}'):
        (run / CONFIG).write_text(content)
        with pytest.raises(hm.errors.DamagedFileError, match=r"config\.json"):
            hm.runs.open_run(run)


def test_names_that_lead_nowhere(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no run folder"):
        hm.runs.open_run(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"did you mean .*bars\?"):
        hm.runs.open_run(finished.parent / "barz")
    with pytest.raises(ValueError, match="is a checkpoint"):
        hm.runs.open_run(finished / CHECKPOINT)


def test_data_that_have_changed_or_were_arrays(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "t.csv", np.eye(6), fmt="%d", delimiter=",")
    hm.fit(hm.RBM(6, 2), hm.data.load(tmp_path / "t.csv").train, epochs=1, out=tmp_path / "run")
    np.savetxt(tmp_path / "t.csv", 1 - np.eye(6), fmt="%d", delimiter=",")
    with pytest.warns(UserWarning, match="has changed"):
        hm.runs.open_run(tmp_path / "run").data()
    (tmp_path / "t.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"the data that .*run was trained on"):
        hm.runs.open_run(tmp_path / "run").data()
    hm.fit(hm.RBM(6, 2), np.eye(6), epochs=1, out=tmp_path / "arrays")
    with pytest.raises(ValueError, match="arrays"):
        hm.runs.open_run(tmp_path / "arrays").data()


def fail_in(out: Path | None, file: str) -> Path:
    """Fail in a new folder after a file was written; the folder."""
    folder = Path()
    try:
        with new_folder(out, "x") as folder:
            (folder / file).touch()
            raise RuntimeError
    except RuntimeError:
        return folder


def test_folders_are_numbered_and_removed_when_nothing_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with new_folder(None, "x") as first, new_folder(None, "x") as second:
        assert (first, second) == (Path("runs/x-1"), Path("runs/x-2"))
    for out, kept in ((None, False), (tmp_path / "deep" / "new", False), (tmp_path / "runs" / "x-1", True)):
        assert fail_in(out, ".lock").exists() == kept
    assert fail_in(None, CONFIG).exists()  # there is something to resume
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot make the folder"), new_folder(tmp_path / "file"):
        pass
