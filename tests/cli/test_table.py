"""The commands about tables: a messy file in, a file like it out."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import harmonium as hm
from harmonium.cli.shell import as_options

from .calls import call, refused
from .messy import messy

FAST = ("--model", "mixture", "--gaps", "value", "--minutes", "0.05", "--no-progress")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return messy(tmp_path_factory.mktemp("rows") / "messy.csv", 250)


@pytest.fixture(scope="module")
def fitted(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the messy table; nobody writes into it."""
    out = tmp_path_factory.mktemp("runs") / "messy"
    result = call("table", "fit", rows, "--out", out, "--test", "0.2", *FAST)
    assert result.exit_code == 0, result.output
    return out


def table(text: str | Path) -> pd.DataFrame:
    """The cells of a file, as text."""
    source = text if isinstance(text, Path) else io.StringIO(text)
    return pd.read_csv(source, sep=";", dtype=str, keep_default_na=False)


def test_a_run_folder_holds_the_model_the_columns_and_where_the_rows_are(fitted: Path, rows: Path) -> None:
    assert {path.name for path in fitted.iterdir()} == {"columns.json", "model.safetensors", "run.json", "table.json"}
    columns = json.loads((fitted / "columns.json").read_text())["columns"]
    assert columns["id"]["as"] == "drop" and columns["opened"]["as"] == "dates" and columns["amount"]["why"]
    about = json.loads((fitted / "table.json").read_text())
    assert about["data"]["path"] == str(rows) and about["command"] and about["data"]["test"] == 0.2


def test_drawn_rows_are_written_like_those_of_the_file(fitted: Path, rows: Path) -> None:
    result = call("table", "sample", fitted, "-n", 200)
    assert result.exit_code == 0, result.output
    drawn, real = table(result.stdout), table(rows)
    assert list(drawn.columns) == [name for name in real.columns if name != "id"]
    forms = {"opened": r"\d\d\.\d\d\.20\d\d|", "amount": r"(\d{1,3}\.)?\d{1,3},\d\d", "staff": r"\d+|", "age": r"\d+|",
             "score": r"\d+,\d|n/a", "active": "TRUE|FALSE", "branch": r"\d{3}", "town": r"Town \d{3}"}  # fmt: skip
    for name, form in forms.items():
        assert drawn[name].str.fullmatch(form).all(), drawn[name]
    assert set(drawn.branch) <= set(real.branch) and set(drawn.currency) == {"EUR"}
    assert (drawn.opened == "").any() and (drawn.amount == "0,00").any()


def test_given_values_hold_as_they_are_typed(fitted: Path, tmp_path: Path) -> None:
    given = ("--given", "kind=firm", "--given", "amount=0,00", "--given", "opened=01.02.2022", "--given", "active=true")
    result = call("table", "sample", fitted, "-n", 40, *given, "--out", tmp_path / "new.csv")
    assert result.exit_code == 0 and "40 rows of 10 columns" in result.stdout, result.output
    drawn = table(tmp_path / "new.csv")
    for name, value in {"kind": "firm", "amount": "0,00", "opened": "01.02.2022", "active": "TRUE"}.items():
        assert set(drawn[name]) == {value}
    assert (drawn.staff != "").mean() > 0.3  # firms have some, and what is not given is not given as empty


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("kind=Firm", ["'firm'", "never had"]),
        ("knd=firm", ["'knd'", "'kind'"]),
        ("kind", ["NAME=VALUE"]),
        ("age=old", ["numbers"]),
        ("age=", ["no value"]),
        ("opened=soon", ["31.01.2024"]),
        ("currency=EUR", ["constant"]),
        ("id=C-1", ["left out"]),
        ("amount=-5", ["between"]),
    ],
)
def test_a_condition_that_means_nothing_is_refused(given: str, words: list[str], fitted: Path) -> None:
    refused(call("table", "sample", fitted, "--given", given), *words)


def test_empty_cells_are_filled_and_all_others_stay(fitted: Path, rows: Path, tmp_path: Path) -> None:
    result = call("table", "impute", fitted, rows, "--out", tmp_path / "filled.csv")
    assert result.exit_code == 0, result.output
    before, after = table(rows), table(tmp_path / "filled.csv")
    gone = before.isin(["", "unknown", "n/a"])
    assert gone.to_numpy().any() and (after != "").all(axis=None)
    assert ((before == after) | gone).all(axis=None)
    assert after.opened.str.fullmatch(r"\d\d\.\d\d\.20\d\d").all() and after.score.str.fullmatch(r"\d+,\d").all()


def test_every_draw_has_a_file(fitted: Path, rows: Path, tmp_path: Path) -> None:
    result = call("table", "impute", fitted, rows, "--draws", 2, "--out", tmp_path / "filled.csv")
    assert result.exit_code == 0, result.output
    one, two = (table(tmp_path / f"filled-{k}.csv") for k in (1, 2))
    assert (one != two).any(axis=None) and (one[["id", "amount"]] == two[["id", "amount"]]).all(axis=None)
    refused(call("table", "impute", fitted, rows, "--draws", 2), "--out")


def test_an_odd_row_comes_first_and_names_its_cell(fitted: Path, rows: Path, tmp_path: Path) -> None:
    odd = table(rows)
    place = int(odd.index[odd.kind == "private"][0])
    odd.loc[place, ["score", "staff", "branch"]] = ["999,0", "15", "205"]
    odd.to_csv(tmp_path / "odd.csv", sep=";", index=False)
    result = call("table", "outliers", fitted, tmp_path / "odd.csv", "--out", tmp_path / "scored.csv")
    assert result.exit_code == 0, result.output
    scored = table(tmp_path / "scored.csv")
    assert list(scored.columns) == [*odd.columns, "log_prob", "rank", "blame"]
    value = scored.log_prob.astype(float)  # -inf of towns that were never seen
    assert value[value > -np.inf].idxmin() == place and scored.blame[place].startswith("score = 999,0 (")
    assert (scored[odd.columns] == odd).all(axis=None)
    assert "  row " in result.stdout and ": log_prob -inf; town = " in result.stdout
    assert sorted(map(int, scored["rank"])) == list(range(1, len(odd) + 1))


def test_questions_are_answered_in_the_words_of_the_table(fitted: Path) -> None:
    labels = call("table", "query", fitted, "kind", "--given", "staff=9")
    assert labels.exit_code == 0, labels.output
    assert labels.stdout.splitlines()[0] == "kind, given staff = 9" and labels.stdout.splitlines()[1].startswith(
        "  firm"
    )
    numbers = call("table", "query", fitted, "amount").stdout.splitlines()
    assert numbers[0] == "amount, over all rows" and "0,00" in numbers[2] and len(numbers) == 7
    assert "202" in call("table", "query", fitted, "opened", "--given", "kind=firm").stdout
    assert "others" in call("table", "query", fitted, "town").stdout
    refused(call("table", "query", fitted, "kid"), "'kind'")
    refused(call("table", "query", fitted, "kind", "--given", "kind=firm"), "the answer")


def test_quality_compares_with_the_rows_that_were_set_aside(fitted: Path) -> None:
    result = call("table", "quality", fitted, "--rows", 100)
    assert result.exit_code == 0, result.output
    assert "rows of the holdout" in result.stdout and "c2st" in result.stdout


def test_the_page_of_a_table_is_written_into_its_folder(fitted: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(fitted, tmp_path / "run"))
    result = call("table", "report", run)
    assert result.exit_code == 0 and f"report: {run / 'report.html'}" in result.stdout, result.output
    assert "branch" in (run / "report.html").read_text(encoding="utf-8")


def test_a_file_in_the_place_of_a_run_is_fitted_first(tmp_path: Path) -> None:
    path = tmp_path / "small.csv"
    path.write_text("a,b\n" + "x,1\ny,2\n" * 30 + "x,\n,2\n")
    result = call("table", "impute", path, "--out", tmp_path / "out.csv", *FAST)
    assert result.exit_code == 0 and "a model is fitted first" in result.stderr, result.output
    assert (tmp_path / "out.csv").read_text().splitlines()[-2:] == ["x,1", "y,2"]
    quiet = call("table", "sample", path, "-n", 3, "--quiet", *FAST)
    assert quiet.exit_code == 0 and quiet.stderr == "" and len(quiet.stdout.splitlines()) == 4


def test_columns_are_described_changed_and_taken(rows: Path, tmp_path: Path) -> None:
    about = tmp_path / "columns.json"
    result = call("data", "describe", rows, "--write", about)
    assert result.exit_code == 0, result.output
    assert "dates: 2021-" in result.stdout and f"harmonium table fit {rows} --columns {about}" in result.stdout
    content = json.loads(about.read_text())
    content["columns"]["branch"] |= {"as": "categories"}
    content["columns"]["town"] |= {"as": "drop"}
    about.write_text(json.dumps(content))
    out = tmp_path / "run"
    result = call("table", "fit", rows, "--columns", about, "--column", "amount=log", "--out", out, *FAST)
    assert result.exit_code == 0, result.output
    columns = json.loads((out / "columns.json").read_text())["columns"]
    assert [columns[name]["as"] for name in ("branch", "town", "amount")] == ["categories", "drop", "log"]
    kinds = hm.TableModel.load(out / "model.safetensors").codec.describe().set_index("column")["taken for"]
    assert kinds["branch"].startswith("categories") and kinds["amount"].endswith("log scale")
    hm.TableModel("mixture", columns=content["columns"])  # as in Python


def test_wrong_options_are_refused(fitted: Path, rows: Path, tmp_path: Path) -> None:
    refused(call("table", "fit", rows, "--out", fitted, *FAST), "already holds a run")
    refused(call("table", "fit", tmp_path / "gone.csv", "-q"), "there is no file")
    refused(call("table", "fit", rows, "--column", "amount=lg"), "NAME=KIND")
    refused(call("table", "fit", rows, "--drop", "amnt", "-q", *FAST), "'amnt'")
    refused(call("table", "fit", rows, "--columns", tmp_path / "gone.json", "-q"), "describe")
    refused(call("table", "sample", fitted, "--minutes", 3), "fitted already")
    refused(call("table", "sample", fitted, "--out", "x.json"), ".csv")
    refused(call("table", "impute", fitted, rows, "--out", rows), "the file that is read")
    refused(call("table", "impute", rows, rows), "name a RUN")
    refused(call("table", "impute", fitted), "FILE")
    refused(call("table", "sample", tmp_path), "no run folder of a table")
    refused(call("sample", fitted), "harmonium table sample")
    refused(call("sample", fitted / "model.safetensors"), "TableModel.load")
    assert not (tmp_path / "runs").exists()


def test_a_run_of_train_is_no_table(finished: Path) -> None:
    refused(call("table", "sample", finished), "harmonium sample")


def test_nothing_is_left_of_a_fit_that_fails(tmp_path: Path) -> None:
    path = tmp_path / "gaps.csv"
    path.write_text("a,b\n" + "x,1\ny,2\nz,\n" * 30)
    options = ("--model", "made", "--gaps", "random", "--quiet")
    text = refused(call("table", "fit", path, *options, "--out", tmp_path / "run"), "--gaps")
    assert "--model orderless" in text and not (tmp_path / "run").exists()


def test_rows_that_changed_are_pointed_out(fitted: Path, rows: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(fitted, tmp_path / "run"))
    from harmonium.core.files import sealed, write_json

    content = json.loads((run / "table.json").read_text())
    content.pop("digest")
    content["data"]["digest"] = "0"
    write_json(run / "table.json", sealed(content))
    assert "has changed" in call("table", "quality", run, "--rows", 60).stderr


def test_advice_about_columns_is_in_options() -> None:
    from harmonium.cli import main

    fit = main.commands["table"].commands["fit"]  # type: ignore[attr-defined]
    assert as_options("(columns={'id': 'categories'} keeps it)", fit) == "(--column id=categories keeps it)"


def test_the_seed_decides_the_rows(fitted: Path) -> None:
    first, again, other = (call("table", "sample", fitted, "-n", 5, "--seed", k).stdout for k in (1, 1, 2))
    assert first == again != other


def test_a_table_of_numbers_alone_has_a_model_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=60).round(2), "y": rng.integers(0, 9, 60)})
    frame.to_csv(tmp_path / "n.csv", index=False)
    result = call("table", "sample", tmp_path / "n.csv", "-n", 20, *FAST)
    assert result.exit_code == 0, result.output
    assert pd.read_csv(io.StringIO(result.stdout)).dtypes.astype(str).tolist() == ["float64", "int64"]
