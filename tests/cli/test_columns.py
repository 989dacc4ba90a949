from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import harmonium as hm

from .calls import call, refused

QUICK = ("--hidden", "4", "--epochs", "2", "--no-progress")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Semicolons, a byte order mark, row numbers, text, dates, missing cells, decimal commas, a name with markup."""
    rng = np.random.default_rng(0)
    lines = ["id;<b>city</b>;age;smokes;seen on;score"]
    for i in range(120):
        age = "" if i % 10 == 0 else rng.integers(18, 90)
        score = f"{rng.normal():.3f}".replace(".", ",")
        lines.append(f"{i};{rng.choice(['Rome', 'Oslo'])}{i % 2};{age};{'yn'[i % 2]};2024-01-{i % 28 + 1:02d};{score}")
    (tmp_path / "people.csv").write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "people.csv"


def test_a_new_user_needs_no_python(people: Path, tmp_path: Path) -> None:
    told = call("data", "describe", people)
    assert told.exit_code == 0, told.output
    for words in (
        "people.csv: 6 columns; train 120 cases, 12 with missing cells",
        "'id': cannot be learned: it counts the rows",
        "'<b>city</b>': 4 categories: 'Oslo0', 'Oslo1', 'Rome0', 'Rome1'",
        "'age': numbers, 18 to ",
        "; 12 missing",
        "'smokes': binary: 'n', 'y'",
        "'seen on': cannot be learned: it holds dates ('2024-01-01')",
        "units that fit: Mixed([Categorical(1, states=4), Gaussian(1), Bernoulli(1), Gaussian(1)])",
    ):
        assert words in told.stdout
    command = shlex.split(told.stdout.splitlines()[-1].removeprefix("train with: harmonium "))
    assert command[2:] == ["--visible", "mixed", "--drop", "id", "--drop", "seen on"]
    run = tmp_path / "run"
    trained = call(*command, *QUICK, "--valid", "0.1", "--out", run)
    assert trained.exit_code == 0, trained.output
    data = hm.data.load(people, table=True, drop=["id", "seen on"], valid=0.1)
    model = hm.load(run / "model.safetensors")
    assert data.valid is not None and f"valid {hm.evaluate(model, data.valid)}" in trained.stdout
    assert json.loads((run / "config.json").read_text())["plan"]["missing"] == {"type": "DrawGaps", "sweeps": 1}
    names = [column["name"] for column in json.loads((run / "columns.json").read_text())]
    assert names == ["<b>city</b>", "age", "smokes", "score"]
    people.rename(tmp_path / "gone.csv")  # sampling has no need of it
    header, *rows = call("sample", run, "-n", 5, "--sweeps", 3).stdout.splitlines()
    assert header == "<b>city</b>,age,smokes,score" and len(rows) == 5
    assert {row.split(",")[0] for row in rows} <= {"Oslo0", "Oslo1", "Rome0", "Rome1"}
    told = call("evaluate", run, "--data", tmp_path / "gone.csv", "--split", "train")
    assert "108 of 120 train cases have no missing values" in told.stderr
    expected = hm.data.load(tmp_path / "gone.csv", table=data.table, drop=["id", "seen on"]).train.complete()
    assert told.stdout.strip() == f"gone.csv, train: {hm.evaluate(model, expected)}"


def test_auto_reads_columns_of_any_kind_and_says_so(people: Path, tmp_path: Path) -> None:
    refused = call("train", people, *QUICK, "--out", tmp_path / "run")
    assert refused.exit_code == 2 and not (tmp_path / "run").exists()
    assert re.search(r"line 2, column 2 .* holds '(Rome|Oslo)0', so every column is read by its values", refused.stderr)
    assert "Leave them out, --drop id --drop 'seen on'" in refused.stderr and "drop=[" not in refused.stderr
    trained = call("train", people, "--drop", "id", "--drop", "seen on", *QUICK, "--out", tmp_path / "run")
    assert trained.exit_code == 0 and "108 of 120 train cases" in trained.stderr
    resumed = call("train", "--resume", tmp_path / "run")
    assert resumed.exit_code == 0 and "is complete" in resumed.stdout
    stubborn = call("train", people, "--visible", "gaussian", "--standardize", *QUICK)
    assert stubborn.exit_code == 2 and "--visible mixed" in stubborn.stderr


def test_nan_is_a_missing_cell(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(40, 2))
    table[::5, 1] = np.nan
    np.savetxt(tmp_path / "x.csv", table, delimiter=",")
    told = call("data", "describe", tmp_path / "x.csv")
    assert "8 with missing cells" in told.stdout and told.stdout.endswith("--visible mixed\n")
    trained = call("train", tmp_path / "x.csv", *QUICK, "--out", tmp_path / "run")
    assert trained.exit_code == 0 and "missing values, so every column is read by its values" in trained.stderr


def test_gaps_do_not_fit_units_of_a_class(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n,3\n2,1\n4,1\n")
    result = call("train", tmp_path / "x.csv", "--units", "poisson", *QUICK, "--out", tmp_path / "run")
    refused(result, "--units poisson", "x.csv", "--drop COLUMN", "rows with gaps", "leave out --units")
    kept = call("train", tmp_path / "x.csv", "--units", "poisson", "--drop", "a", *QUICK, "--out", tmp_path / "run")
    assert kept.exit_code == 0, kept.output


def test_control_characters_in_names_are_quoted(tmp_path: Path) -> None:
    lines = ['"\x1b[31m$(reboot)",x', *(f"2024-01-{i + 1:02d},{'ab'[i % 2]}" for i in range(20))]
    (tmp_path / "x.csv").write_text("\n".join(lines))
    told = call("data", "describe", tmp_path / "x.csv")
    assert told.exit_code == 0 and "\x1b" not in told.output
    assert "rename '\\x1b[31m$(reboot)' in the file" in told.stderr
    lines[0] = '"$(reboot)",x'
    (tmp_path / "x.csv").write_text("\n".join(lines))
    assert call("data", "describe", tmp_path / "x.csv").stdout.endswith(" --drop '$(reboot)'\n")


def test_numbers_are_described_with_the_units_that_fit(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "x.csv", np.tile([[0, 2.5], [1, 0], [0, -1]], (2, 1)), delimiter=",")
    told = call("data", "describe", tmp_path / "x.csv").stdout
    assert "'column 1': binary: 0, 1" in told and "'column 2': numbers, -1 to 2.5, mean 0.5, 33 % zeros" in told
    assert "units that fit: Mixed([Bernoulli(1), Gaussian(1)])" in told
    assert told.endswith("--visible mixed\n")
    np.save(tmp_path / "x.npy", np.array([[0.0, np.nan], [2.0, 3.0]]))
    told = call("data", "describe", tmp_path / "x.npy").stdout
    assert "1 with missing cells" in told


def test_an_alignment_holds_codes(tmp_path: Path) -> None:
    """An alignment holds codes, not grey levels or numbers, and always has 21 states."""
    path, run = tmp_path / "family.fasta", tmp_path / "run"
    path.write_text("".join(f">{k}\n{'ACDW-'[k % 5]}{'KKR'[k % 3]}\n" for k in range(40)))
    told = call("data", "describe", path).stdout
    assert "40 cases; amino acids" in told and "units that fit: Categorical(states=21)\n" in told
    assert told.endswith("--visible categorical\n")
    assert call("train", path, *QUICK, "--out", run).exit_code == 0
    assert repr(hm.load(run / "model.safetensors").visible) == "Categorical(2, states=21)"
    refused = call("train", path, *QUICK, "--standardize", "--out", tmp_path / "other")
    assert refused.exit_code == 2 and "codes of amino acids" in refused.stderr


def test_an_alignment_with_unknown_letters_is_learned_from_and_judged(tmp_path: Path) -> None:
    path, run = tmp_path / "family.fasta", tmp_path / "run"
    path.write_text("".join(f">{k}\n{'ACGU'[k % 4]}C{'GN'[k % 9 == 0]}U\n" for k in range(40)))
    told = call("data", "describe", path, "--alphabet", "-ACGU")
    assert "40 cases; RNA" in told.stdout and "Categorical(states=5)" in told.stdout
    assert told.stderr.strip().endswith("N (5) are missing values (--alphabet=-ACGUN gives them codes)")
    assert told.stdout.endswith("--visible categorical --alphabet=-ACGU\n")
    assert call("train", path, *QUICK, "--alphabet=-ACGU", "--out", run).exit_code == 0
    assert repr(hm.load(run / "model.safetensors").visible) == "Categorical(4, states=5)"
    assert call("evaluate", run).exit_code == 0 and call("evaluate", run, "--data", path).exit_code == 0
    refused = call("train", path, "--model", "vae", "--out", tmp_path / "other")
    assert refused.exit_code == 2 and "letters without a code" in refused.stderr


def test_small_bytes_are_not_grey_levels(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 21, (50, 4), dtype=np.uint8))
    assert "--binarize" not in call("data", "describe", tmp_path / "x.npy").stdout


def test_only_machines_learn_from_gaps(tmp_path: Path) -> None:
    path = tmp_path / "gaps.csv"
    path.write_text("a,b\n" + "yes,1.5\nno,\nyes,2.5\nno,0.5\n" * 5)
    result = call("train", path, "--model", "vae", "--out", tmp_path / "run")
    assert result.exit_code == 2 and "--model vae learns from whole cases" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_table_with_a_gap_in_every_row(tmp_path: Path) -> None:
    """It can be learned, though no case can be judged: training ends well, and there is a report."""
    path, run = tmp_path / "gaps.csv", tmp_path / "my run"
    path.write_text("a,b,c\n" + "1,1.5,\n0,,red\n,2.5,blue\n,0.5,red\n" * 5)
    told = call("train", path, *QUICK, "--out", run)
    assert told.exit_code == 0 and "every train case of gaps.csv has missing values" in told.stderr
    assert f"harmonium report '{run}'" in told.stdout and (run / "samples.png").is_file()
    assert call("evaluate", run).exit_code == 2
    assert call("report", run).exit_code == 0
    page = (run / "report.html").read_text()
    assert "There are no cases to evaluate on: every train case of gaps.csv has missing values" in page
    assert '"labels":["0","1"]' in page.replace(": ", ":").replace(
        ", ", ","
    )  # whole numbers, which pandas made 0.0 and 1.0 for the gaps beside them
    drawn = [row.split(",") for row in call("sample", run, "-n", 9, "--sweeps", 2).stdout.splitlines()[1:]]
    assert len(drawn) == 9 and {row[0] for row in drawn} <= {"0", "1"}
    assert "'a': binary: 0, 1; 10 missing" in call("data", "describe", path).stdout
