"""``harmonium train`` of other models, unit types and objectives than an RBM of binary data by PCD."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harmonium as hm

from .calls import call, refused

QUICK = ("--epochs", "2", "--valid", "0.2", "--no-progress", "--seed", "1")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Columns of 0 and 1, of four codes, and of real values."""
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, 2, 80), rng.integers(0, 4, 80), rng.standard_normal(80)]
    np.savetxt(tmp_path / "table.csv", np.stack(columns, 1), fmt="%.4g", delimiter=",")
    return tmp_path / "table.csv"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--visible", "mixed", "--hidden", 3), "RBM(visible=Mixed([Bernoulli(1), Categorical(1, states=4), "
         "Gaussian(1)]), hidden=Bernoulli(3))"),
        (("--visible", "mixed", "--model", "dbm", "--layers", "12,11"), "DBM([Mixed([Bernoulli(1), Categorical(1, "
         "states=4), Gaussian(1)]), Bernoulli(12), Bernoulli(11)])"),
    ],
    ids=["rbm", "dbm"],
)  # fmt: skip
def test_a_table_of_several_types(options: tuple[Any, ...], expected: str, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = call("train", table, *options, *QUICK, "--out", out)
    assert result.exit_code == 0, result.output
    model, data = hm.load(out / "model.safetensors"), hm.data.load(table, table=True, valid=0.2)
    assert repr(model) == expected
    assert f"valid {hm.evaluate(model, data.valid)}" in result.stdout
    assert {"filters.png", "samples.png", "curves.png"} <= {path.name for path in out.iterdir()}
    told = call("evaluate", out).stdout
    assert told.strip() == f"table.csv, valid: {hm.evaluate(model, data.valid)}"
    assert ("variational bound" in told) == isinstance(model, hm.DBM)
    names, *rows = [line.split(",") for line in call("sample", out, "-n", 20, "--sweeps", 5).stdout.splitlines()]
    assert names == ["column 1", "column 2", "column 3"] and len(rows) == 20
    assert {row[0] for row in rows} <= {"0", "1"} and {row[1] for row in rows} <= set("0123")


@pytest.mark.parametrize(("word", "told"), [("pt", "PT-2 with 10 chains"), ("ptt", "PTT-2 with 10 chains")])
def test_chains_that_exchange_their_states(word: str, told: str, tmp_path: Path) -> None:
    arguments = ("--hidden", 4, "--objective", word, "--k", 2, "--chains", 10, *QUICK, "--out", tmp_path / "run")
    result = call("train", "bars-and-stripes", *arguments)
    assert result.exit_code == 0, result.output
    assert told in result.output
    assert hm.load(tmp_path / "run" / "model.safetensors").chains.shape == (10, 16)


@pytest.mark.parametrize("hidden", [0, 3])
def test_a_general_boltzmann_machine(hidden: int, tmp_path: Path) -> None:
    codes = tmp_path / "codes.csv"
    np.savetxt(codes, np.random.default_rng(1).integers(0, 3, (60, 4)), fmt="%d", delimiter=",")
    objective = ("--objective", "pcd" if hidden else "pl")
    arguments = ("--model", "bm", "--visible", "categorical", "--hidden", hidden, *objective)
    result = call("train", codes, *arguments, *QUICK, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    model = hm.load(tmp_path / "run" / "model.safetensors")
    assert isinstance(model, hm.BoltzmannMachine) and repr(model.visible) == "Categorical(4, states=3)"
    assert len(model.names) == 1 + (hidden > 0)
    data = hm.data.load(codes, valid=0.2)
    assert f"valid {hm.evaluate(model, data.valid)}" in result.stdout


@pytest.mark.usefixtures("blank_pictures")
@pytest.mark.parametrize("objective", ["pcd", "cd", "fpcd", "jarzynski", "tap", "exact"])
@pytest.mark.parametrize("metric", ["centered", "natural"])
def test_objectives_and_metrics_by_one_word(objective: str, metric: str, tmp_path: Path) -> None:
    """The run names what was asked for, and goes on from its folder; a metric without chains is refused in one line."""
    np.save(tmp_path / "bits.npy", np.random.default_rng(0).integers(0, 2, (40, 5), np.uint8))
    arguments = ("--hidden", 3, "--objective", objective, "--metric", metric, *QUICK)
    arguments += () if objective in ("cd", "exact") else ("--chains", 7)
    result = call("train", tmp_path / "bits.npy", *arguments, "--out", tmp_path / "run")
    if metric == "natural" and objective in ("tap", "exact"):
        assert result.exit_code == 2 and "this objective has none" in result.stderr
        return
    assert result.exit_code == 0, result.output
    plan = json.loads((tmp_path / "run" / "config.json").read_text())["plan"]
    assert plan["objective"]["type"].lower() == objective
    assert plan["metric"]["type"].lower().startswith(metric)
    assert call("train", "--resume", tmp_path / "run").exit_code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "dbm", "--hidden", "3"), "name those of a dbm with --layers"),
        (("--model", "dbm", "--layers", "3"), "at least two hidden"),
        (("--model", "dbm", "--layers", "3,x"), "no list of sizes"),
        (("--layers", "3,2"), "size --model rbm with --hidden"),
        (("--hidden", "0"), "an rbm needs hidden units"),
        (("--objective", "pl"), "without hidden units"),
        (("--visible", "mixed", "--standardize"), "--standardize would change the codes"),
        (("--visible", "categorical"), "column 2 of table.csv"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_the_user_can_mend_ends_with_2_and_one_line(options: tuple[str, ...], message: str, table: Path) -> None:
    refused(call("train", table, *options), message)


def test_advice_about_data_is_one_plain_note(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(100, 50, (60, 2))
    np.savetxt(tmp_path / "far.csv", values, delimiter=",")
    result = call(
        "train", tmp_path / "far.csv", "--visible", "gaussian", "--hidden", 2, *QUICK, "--learning-rate", 1e-5,
        "--out", tmp_path / "r",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    notes = [line for line in result.stderr.splitlines() if "--standardize" in line]
    assert len(notes) == 1 and notes[0].startswith("harmonium: note: data: column 0 has mean")
    assert notes[0].endswith("(here: --standardize)") and "Traceback" not in result.output
