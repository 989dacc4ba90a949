"""The command line as a user meets it: what it prints, what it leaves behind, how it refuses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm

from .cli.calls import call, in_a_child, refused, stop_in_epoch

SMALL = ["--hidden", "4", "--epochs", "3", "--batch-size", "20", "--likelihood-every", "2", "--no-progress"]


def process(*arguments: str | Path, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from harmonium.cli import main; main()", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload,no-any-return]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Binary rows in which neighbours agree, with a header."""
    path = tmp_path_factory.mktemp("data") / "table.csv"
    rng = np.random.default_rng(0)
    rows = (rng.random((100, 3)) < 0.4).repeat(2, axis=1).astype(int)
    path.write_text("a,b,c,d,e,f\n" + "\n".join(",".join(map(str, row)) for row in rows) + "\n")
    return path


@pytest.fixture(scope="module")
def finished(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "small"
    result = call("train", table, "--valid", "0.2", "--test", "30", *SMALL, "--out", out)
    assert result.exit_code == 0, result.output
    (out / "printed.txt").write_text(result.stdout)
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


# -------------------------------------------------------------------- what works


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


def test_evaluate_is_the_evaluate_of_the_library(finished: Path, table: Path) -> None:
    model, data = hm.load(finished / "model.safetensors"), hm.data.load(table, valid=0.2, test=30)
    told = json.loads(call("evaluate", finished, "--json").stdout)
    assert told["mean"] == hm.evaluate(model, data.test).mean and told["split"] == "test"
    assert told["method"] == "exact" and told["cases"] == 30

    told = json.loads(call("evaluate", finished, "--json", "--method", "ais", "--split", "train", "--seed", "3").stdout)
    expected = hm.evaluate(model, data.train, method="ais", seed=3)
    assert (told["mean"], told["lower"]) == (expected.mean, expected.lower)

    text = call("evaluate", finished / "model.safetensors", "--data", table).stdout
    assert text.strip() == f"table.csv, train: {hm.evaluate(model, hm.data.load(table).train)}"


def test_json_has_no_infinity(table: Path, tmp_path: Path) -> None:
    result = call("train", table, *SMALL[:6], "--objective", "cd", "--out", tmp_path / "run")
    assert "the likelihood of the training cases" in result.stdout  # nothing was set aside
    text = call("evaluate", tmp_path / "run", "--json", "--method", "ais").stdout
    told = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert told["lower"] is None and told["trusted"] is False


def test_sample_writes_every_format(run: Path) -> None:
    expected = hm.sample(hm.load(run / "model.safetensors"), 5, sweeps=20, seed=1).numpy()
    options = ("-n", "5", "--sweeps", "20", "--seed", "1")
    assert call("sample", run, *options, "--out", run / "s.npy").exit_code == 0
    assert call("sample", run, *options, "--out", run / "s.csv").exit_code == 0
    assert call("sample", run, *options, "--out", run / "s.png").exit_code == 0
    printed = np.loadtxt(call("sample", run, *options).stdout.splitlines(), delimiter=",")
    for table in (np.load(run / "s.npy"), np.loadtxt(run / "s.csv", delimiter=","), printed):
        np.testing.assert_array_equal(table, expected)
    assert (run / "s.png").read_bytes()[:4] == b"\x89PNG"


def test_standardised_runs_sample_and_judge_in_the_units_of_the_data(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savetxt(tmp_path / "real.csv", rng.normal((100.0, -7.0), (20.0, 0.5), (300, 2)), delimiter=",")
    out = tmp_path / "run"
    result = call(
        "train", tmp_path / "real.csv", "--standardize", "--test", "0.2", "--hidden", "2", "--epochs", "5", "--out", out
    )
    assert result.exit_code == 0 and "real values, standardised" in result.stdout, result.output
    samples = np.loadtxt(call("sample", out, "-n", "400", "--sweeps", "20").stdout.splitlines(), delimiter=",")
    np.testing.assert_allclose(samples.mean(0), (100.0, -7.0), rtol=0.05)
    np.testing.assert_allclose(samples.std(0), (20.0, 0.5), rtol=0.2)

    whole = json.loads(call("evaluate", out, "--data", tmp_path / "real.csv", "--json").stdout)
    entropy = np.log(2 * np.pi * np.e) + np.log(20.0 * 0.5)
    assert whole["standardized"] and abs(whole["mean"] + entropy) < 0.2


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


def test_quiet_prints_the_likelihood_only(table: Path, tmp_path: Path) -> None:
    result = call("train", table, "--test", "0.2", *SMALL[:6], "--quiet", "--out", tmp_path / "run")
    assert result.stdout.startswith("test log-likelihood") and len(result.stdout.splitlines()) == 1


def test_data_lists_describes_and_advises(table: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", train=np.full((1200, 3), 0.5), test=np.zeros((2, 3)))
    monkeypatch.setenv("HARMONIUM_DATA", str(tmp_path))
    listed = call("data").stdout
    assert listed == call("data", "list").stdout
    assert "digits" in listed and "bars-and-stripes" in listed and str(tmp_path / "mine.npz") in listed
    described = call("data", "describe", "mine").stdout
    assert "3 constant columns" in described
    assert "harmonium train mine --binarize dynamic --valid 0.1\n" in described
    assert "train 100 cases; binary" in call("data", "describe", table).stdout
    refused(call("data", "download", "moon"), "moon", "mnist")


# -------------------------------------------------------------------- stopping and going on


def test_a_stopped_run_says_how_to_go_on_and_ends_bit_identical(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    options = (table, "--valid", "0.2", *SMALL, "--epochs", "10", "--threads", "1")
    with monkeypatch.context() as patch:
        stop_in_epoch(4, patch)
        child = in_a_child("train", *options, "--out", stopped)
    assert child.code == 128 + signal.SIGTERM, child.stderr
    assert child.stderr.startswith("harmonium: SIGTERM") and len(child.stderr.splitlines()) == 1
    assert f"harmonium train --resume {stopped}" in child.stderr

    reference = call("train", *options, "--out", whole)
    assert reference.exit_code == 0, reference.output
    refused(call("evaluate", stopped), "unfinished", f"harmonium train --resume {stopped}")
    refused(call("train", *options, "--out", stopped), "unfinished run", "--resume")
    resumed = call("train", "--resume", stopped)
    assert resumed.exit_code == 0, resumed.output
    a, b = (hm.load(folder / "model.safetensors").state_dict() for folder in (whole, stopped))
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    likelihoods = {line for result in (reference, resumed) for line in result.stdout.splitlines() if "nats" in line}
    assert len(likelihoods) == 1
    again = call("train", "--resume", stopped)
    assert again.exit_code == 0 and "is complete" in again.stdout


def test_resume_takes_its_settings_from_the_run(run: Path, tmp_path: Path) -> None:
    refused(call("train", "--resume", run, "--epochs", "5"), "leave out --epochs")
    refused(call("train", "digits", "--resume", run), "leave out DATA")
    refused(call("train", "--resume", tmp_path), "no run to resume", "harmonium train DATA")


def test_an_interrupted_command_is_quiet(finished: Path) -> None:
    child = process("sample", finished, "-n", "20000", "--sweeps", "1")
    assert child.stdout is not None and child.stderr is not None
    child.stdout.readline()
    child.stdout.close()  # as head does
    assert child.stderr.read() == ""
    child.stderr.close()
    assert child.wait() != 2


# -------------------------------------------------------------------- what is refused


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


def test_names_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("HARMONIUM_DATA", raising=False)
    refused(call("train", "digts"), "did you mean digits?")
    refused(call("train", tmp_path / "nothing.csv"), "there is no file")
    refused(call("train", "mnist"), "harmonium data download mnist")
    refused(call("trian", "digits"), "did you mean `harmonium train`?")
    refused(call("data", "dowload"), "did you mean `harmonium data download`?")
    refused(call("train"), "harmonium train digits")
    refused(call("train", "digits", "--hiden", "3"), "--hidden")
    refused(call("train", "digits", "--hidden", "0"), "--hidden")
    refused(call("train", "digits", "--valid", "much"), "0.1")
    refused(call("train", "digits", "--device", "toaster"), "toaster")
    refused(call("evaluate", tmp_path / "nowhere"), "no run folder")
    refused(call("evaluate", tmp_path), "no run folder")


def test_other_data_than_the_model_knows(run: Path, tmp_path: Path) -> None:
    refused(call("evaluate", run, "--data", "bars-and-stripes"), "16 columns", "6 visible units")
    refused(call("evaluate", run, "--data", "bars-and-stripes", "--split", "test"), "no test split")
    (tmp_path / "wide.csv").write_text("0,1,0,1,1,3\n")
    refused(call("evaluate", run, "--data", tmp_path / "wide.csv"), "3", "0 and 1")
    shutil.copy(run / "model.safetensors", tmp_path / "alone.safetensors")
    refused(call("evaluate", tmp_path / "alone.safetensors"), "--data")
    refused(call("evaluate", run / "checkpoint.safetensors"), "is a checkpoint")
    refused(call("sample", run, "--out", tmp_path / "s.jpg"), ".png")


@pytest.mark.parametrize("name", ["checkpoint.safetensors", "model.safetensors", "config.json"])
@pytest.mark.parametrize("harm", ["flip", "cut"])
def test_damaged_files(run: Path, name: str, harm: str) -> None:
    content = bytearray((run / name).read_bytes())
    if harm == "cut":
        del content[len(content) // 2 :]
    elif name == "config.json":
        content[0] ^= 0xFF
    else:
        content[-5] ^= 0x10
    (run / name).write_bytes(content)
    before = contents(run)
    if name == "model.safetensors":
        refused(call("evaluate", run), name, "damaged")
        refused(call("sample", run), name, "damaged")
    else:
        refused(call("train", "--resume", run), name, "damaged")
    assert contents(run) == before


def test_a_checkpoint_of_another_model(run: Path, table: Path, tmp_path: Path) -> None:
    other = ["5" if word == "4" else word for word in SMALL]
    assert call("train", table, *other, "--valid", "0.2", "--out", tmp_path / "other").exit_code == 0
    shutil.copy(tmp_path / "other" / "checkpoint.safetensors", run / "checkpoint.safetensors")
    before = contents(run)
    refused(call("train", "--resume", run), "another model")
    assert contents(run) == before


def test_a_full_disk_keeps_the_earlier_file(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run / "s.npy").write_bytes(b"earlier")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = contents(run)
    refused(call("sample", run, "--out", run / "s.npy"), "No space left", "unchanged")
    assert contents(run) == before


def test_changed_data_are_noticed(table: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copy(table, tmp_path / "mine.csv"))
    assert call("train", mine, *SMALL[:6], "--out", tmp_path / "run").exit_code == 0
    mine.write_text(mine.read_text() + "1,1,1,1,1,1\n")
    result = call("evaluate", tmp_path / "run")
    assert result.exit_code == 0 and "harmonium: note: mine.csv has changed" in result.stderr
    mine.unlink()
    refused(call("evaluate", tmp_path / "run"), f"the data that {tmp_path / 'run'} was trained on", "there is no file")


def test_traceback_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARMONIUM_TRACEBACK", "1")
    result = call("train", "digts")
    assert result.exit_code == 2 and "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("harmonium: no data set")


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harmonium.cli.train._start", lambda *_: {}["bug"])
    assert isinstance(call("train", "digits").exception, KeyError)


def test_a_diverged_training_says_so_and_leaves_a_run(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "real.csv", np.random.default_rng(0).normal(0, 1e3, (200, 3)), delimiter=",")
    result = call(
        "train", tmp_path / "real.csv", "--learning-rate", "1e9", "--hidden", "3", "--epochs", "100", "--out",
        tmp_path / "run",
    )  # fmt: skip
    refused(result, "no longer finite", "--standardize")


# -------------------------------------------------------------------- help


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("train",),
        ("evaluate",),
        ("sample",),
        ("data",),
        ("data", "list"),
        ("data", "describe"),
        ("data", "download"),
    ],
)
def test_every_help_has_examples(command: tuple[str, ...]) -> None:
    result = call(*command, "--help")
    assert result.exit_code == 0 and "Example" in result.stdout
    assert result.stdout.count("harmonium ") > 1 and max(map(len, result.stdout.splitlines())) <= 100


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['harmonium', 'train', '--help']\n"
        "from harmonium.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'scipy', 'numba', 'matplotlib', 'sklearn', 'tqdm'}\n"
        "print(*heavy & sys.modules.keys(), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stderr.strip() == ""


def test_the_package_is_a_command_too() -> None:
    found = subprocess.run([sys.executable, "-m", "harmonium", "--version"], capture_output=True, text=True, check=True)
    assert found.stdout.strip().endswith(hm.__version__)
