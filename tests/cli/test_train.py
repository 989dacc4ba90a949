"""``harmonium train`` as a user meets it: what it prints, what it leaves behind, how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm

from .calls import SMALL, call, contents, refused

pytestmark = pytest.mark.usefixtures("blank_pictures")


def test_train_leaves_a_whole_run_and_says_what_it_did(finished: Path, table: Path) -> None:
    for name in ("model.safetensors", "checkpoint.safetensors", "filters.png", "samples.png", "curves.png"):
        assert (finished / name).stat().st_size > 500
    config = json.loads((finished / "config.json").read_text())
    assert config["plan"]["epochs"] == 3 and config["model"]["visible"]["shape"] == [6]
    assert json.loads((finished / "run.json").read_text())["torch"] == torch.__version__
    rows = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3] and rows[-1]["log_likelihood"] < 0

    printed = (finished / "printed.txt").read_text()
    assert "table.csv: 6 features; train 50, valid 20, test 30 cases; binary" in printed
    assert f"harmonium evaluate {finished}" in printed and str(finished / "curves.png") in printed
    data = hm.data.load(table, valid=0.2, test=30)
    assert f"test {hm.evaluate(hm.load(finished / 'model.safetensors'), data.test)}" in printed


def test_default_folders_are_numbered_and_failures_leave_none(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(call("train", table, *SMALL[:6], "--optimizer", "adm"), "optimizer", "adamw")
    assert not list(tmp_path.glob("runs/*"))
    for number in (1, 2):
        assert call("train", table, *SMALL[:6], "--quiet").exit_code == 0
        assert (tmp_path / f"runs/table-rbm-{number}/model.safetensors").exists()
    refused(call("evaluate", "runs/table-rmb-1"), "did you mean runs/table-rbm-1?")


def test_a_shape_makes_images_of_columns(table: Path, tmp_path: Path) -> None:
    assert call("train", table, *SMALL[:6], "--shape", "2x3", "--out", tmp_path / "run").exit_code == 0
    assert hm.load(tmp_path / "run" / "model.safetensors").visible.shape == (2, 3)
    refused(call("train", table, "--shape", "2x2", "--out", tmp_path / "other"), "2x2", "6 columns")
    refused(call("train", table, "--shape", "two", "--out", tmp_path / "other"), "28x28")


def test_a_progress_bar_on_request_only(table: Path, tmp_path: Path) -> None:
    bar = call("train", table, *SMALL[:6], "--progress", "--out", tmp_path / "a").stderr
    assert "epoch 3/3" in bar and "15/15" in bar
    assert "epoch" not in call("train", table, *SMALL[:6], "--out", tmp_path / "b").stderr  # stderr is no terminal


def test_quiet_prints_the_likelihood_and_what_was_learned_only(table: Path, tmp_path: Path) -> None:
    result = call("train", table, "--test", "0.2", *SMALL[:6], "--quiet", "--out", tmp_path / "run")
    likelihood, learned = result.stdout.splitlines()
    assert likelihood.startswith("test log-likelihood") and "independent columns" in learned


def test_folders_in_use(run: Path, table: Path, tmp_path: Path) -> None:
    from filelock import FileLock

    before = contents(run)
    refused(call("train", table, *SMALL, "--out", run), "finished run", "--out")
    with FileLock(run / ".lock"):
        refused(call("train", "--resume", run), "another process")
    assert contents(run) == before
    (tmp_path / "file").write_text("mine")
    refused(call("train", table, *SMALL[:6], "--out", tmp_path / "file"), "is a file")
    refused(call("train", table, *SMALL[:6], "--out", tmp_path / "file" / "below"), "below")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("0.5,0.25,1\n0,1,0\n", ["--binarize", "--visible gaussian"]),
        ("1.5,inf\n2.5,3\n", ["not finite", "row 0, column 1"]),
        ("", ["empty"]),
        ("a,b\n", ["no cases"]),
        ("1,2\n3\n", ["line 2"]),
        ("1,x\n2,3\n", ["'x'"]),
    ],
)
def test_unusable_tables(content: str, words: list[str], tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text(content)
    refused(call("train", tmp_path / "bad.csv", *SMALL[:6], "--out", tmp_path / "run"), *words)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]


def test_grey_values_under_bernoulli_name_the_option(tmp_path: Path) -> None:
    (tmp_path / "grey.csv").write_text("0.5,0\n1,0.25\n")
    options = (tmp_path / "grey.csv", *SMALL[:6])
    refused(call("train", *options, "--visible", "bernoulli", "--out", tmp_path / "run"), "0.5", "--binarize threshold")
    result = call("train", *options, "--binarize", "dynamic", "--out", tmp_path / "run")
    assert result.exit_code == 0 and "drawn from the greys in every epoch" in result.stdout


def test_a_diverged_training_says_so_and_leaves_a_run(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "real.csv", np.random.default_rng(0).normal(0, 1e3, (200, 3)), delimiter=",")
    result = call(
        "train", tmp_path / "real.csv", "--learning-rate", "1e9", "--hidden", "3", "--epochs", "100", "--out",
        tmp_path / "run",
    )  # fmt: skip
    refused(result, "no longer finite", "--standardize")


@pytest.mark.parametrize(
    ("option", "word", "meant"),
    [
        ("--visible", "gausian", "did you mean gaussian?"),
        ("--units", "posson", "did you mean poisson?"),
        ("--hidden-units", "bernouli", "did you mean bernoulli?"),
        ("--objective", "pdc", "did you mean pcd?"),
        ("--optimizer", "sdg", "one of "),
    ],
)
def test_misspelt_words_are_found_before_the_data_are_read(tmp_path: Path, option: str, word: str, meant: str) -> None:
    (tmp_path / "x.csv").write_text("a,b\n" + "".join(f"{'uv'[k % 2]},{k}.5\n" for k in range(40)))
    result = call("train", tmp_path / "x.csv", option, word)
    refused(result, meant)
    assert result.stderr.count("\n") == 1
