"""``harmonium evaluate``: the numbers of the library, and the data that it takes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import harmonium as hm

from .calls import SMALL, call, refused

pytestmark = pytest.mark.usefixtures("blank_pictures")


def test_evaluate_is_the_evaluate_of_the_library(finished: Path, table: Path) -> None:
    model, data = hm.load(finished / "model.safetensors"), hm.data.load(table, valid=0.2, test=30)
    told = json.loads(call("evaluate", finished, "--json").stdout)
    assert told["mean"] == hm.evaluate(model, data.test).mean and told["split"] == "test"
    assert told["method"] == "exact" and told["cases"] == 30
    assert told["gained"] == pytest.approx(told["mean"] - told["independent"])

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
    assert told["lower"] is None and told["reliable"] is False


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


def test_other_data_than_the_model_knows(run: Path, tmp_path: Path) -> None:
    refused(call("evaluate", run, "--data", "bars-and-stripes"), "16 columns", "6 visible units")
    refused(call("evaluate", run, "--data", "bars-and-stripes", "--split", "test"), "no test split")
    (tmp_path / "wide.csv").write_text("0,1,0,1,1,3\n")
    refused(call("evaluate", run, "--data", tmp_path / "wide.csv"), "3", "0 and 1")
    shutil.copy(run / "model.safetensors", tmp_path / "alone.safetensors")
    refused(call("evaluate", tmp_path / "alone.safetensors"), "--data")
    refused(call("evaluate", run / "checkpoint.safetensors"), "is a checkpoint")
    refused(call("sample", run, "--out", tmp_path / "s.jpg"), ".png")


def test_changed_data_are_noticed(table: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copy(table, tmp_path / "mine.csv"))
    assert call("train", mine, *SMALL[:6], "--out", tmp_path / "run").exit_code == 0
    mine.write_text(mine.read_text() + "1,1,1,1,1,1\n")
    result = call("evaluate", tmp_path / "run")
    assert result.exit_code == 0 and "harmonium: note: mine.csv has changed" in result.stderr
    mine.unlink()
    refused(call("evaluate", tmp_path / "run"), f"the data that {tmp_path / 'run'} was trained on", "there is no file")


def test_other_data_that_are_not_there_or_in_another_place(finished: Path, tmp_path: Path) -> None:
    refused(call("evaluate", finished, "more.csv"), "unexpected extra argument (more.csv)", "with --data more.csv")
    refused(call("train", "digits", "mnist"), "unexpected extra argument (mnist)")
    refused(call("train", finished), "is the folder of a run, not data")
    (tmp_path / "x.csv").write_text("a,b\n" + "".join(f"{'uv'[k % 2]},{k}.5\n" for k in range(40)))
    made = call("train", tmp_path / "x.csv", "--epochs", "1", "--hidden", "2", "--out", tmp_path / "run", "-q")
    assert made.exit_code == 0
    refused(call("evaluate", tmp_path / "run", "--data", tmp_path / "y.csv"), "there is no file or folder", "y.csv")


def test_numbers_with_two_readings_are_read_as_those_of_the_run(tmp_path: Path) -> None:
    text = "town;price\n" + "".join(f"{'uvw'[k % 3]};{k + 36}.650 €\n" for k in range(40))
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    refused(call("train", tmp_path / "x.csv", "--epochs", "1"), "36.65 or 36650", "--decimal ,")
    made = call(
        "train", tmp_path / "x.csv", "--decimal", ",", "--epochs", "1", "--hidden", "2", "--out", tmp_path / "r", "-q"
    )
    assert made.exit_code == 0
    own, other = call("evaluate", tmp_path / "r"), call("evaluate", tmp_path / "r", "--data", tmp_path / "x.csv")
    assert other.exit_code == 0 and "'36.650 €' is 36650" in other.stderr
    assert own.stdout.split("log-likelihood")[1] == other.stdout.split("log-likelihood")[1]
