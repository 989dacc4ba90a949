"""Files as people have them, from the command line: read right and told, or refused in one line with what to do."""

from __future__ import annotations

import decimal
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import harmonium as hm

from .calls import call, refused, stop_in_epoch

pytestmark = pytest.mark.usefixtures("blank_pictures")

QUICK = ("--hidden", "3", "--epochs", "2", "--likelihood-every", "0", "--no-progress")
RNG = np.random.default_rng(0)
N = 80


def table(path: Path, array: np.ndarray, header: str = "") -> Path:
    np.savetxt(path, array, fmt="%g", delimiter=",", header=header, comments="")
    return path


@pytest.mark.parametrize(
    ("name", "array", "units"),
    [
        ("spin.csv", RNG.choice([-1, 1], (N, 4)), "Spin(4)"),
        ("spin.npy", RNG.choice([-1, 1], (N, 4)), "Spin(4)"),
        ("genotypes.csv", RNG.integers(0, 3, (N, 4)), "Categorical(4, states=3)"),
        ("genotypes.npy", RNG.integers(0, 3, (N, 4)), "Categorical(4, states=3)"),
        ("ratings.csv", RNG.integers(1, 6, (N, 4)), "Categorical(4, states=5)"),
        ("ratings.npy", RNG.integers(1, 6, (N, 4)), "Categorical(4, states=5)"),
        ("ternary.csv", RNG.choice([-1, 0, 1], (N, 4)), "Categorical(4, states=3)"),
        ("two.csv", RNG.choice([1, 2], (N, 4)), "Bernoulli(4)"),
        ("real.csv", RNG.normal(50, 9, (N, 4)).round(2), "Gaussian(4)"),
    ],
)
def test_default_units_are_those_that_describe_names(tmp_path: Path, name: str, array: np.ndarray, units: str) -> None:
    path = tmp_path / name
    np.save(path, array) if name.endswith(".npy") else table(path, array)
    told = call("data", "describe", path)
    assert told.exit_code == 0, told.output
    assert f"units that fit: {units.split('(')[0]}" in told.stdout or "units that fit: Mixed" in told.stdout
    trained = call("train", path, *QUICK, "--out", tmp_path / "run")
    assert trained.exit_code == 0 and "note: " in trained.stderr, trained.output
    assert repr(hm.load(tmp_path / "run" / "model.safetensors").visible) == units
    drawn = call("sample", tmp_path / "run", "-n", 20, "--sweeps", 2).stdout.splitlines()
    values = np.array([[float(cell) for cell in row.split(",")] for row in drawn[-20:]])
    assert array.min() <= values.min() and values.max() <= array.max()
    assert name == "real.csv" or set(np.unique(values)) <= set(np.unique(array))


@pytest.mark.parametrize(
    ("kind", "units"),
    [
        ("binomial", "Binomial(3, trials=9)"),
        ("poisson", "Poisson(3)"),
        ("categorical", "Categorical(3, states=10)"),
        ("relu", "ReLU(3)"),
    ],
)
def test_visible_takes_every_unit_type(tmp_path: Path, kind: str, units: str) -> None:
    path = table(tmp_path / "x.csv", np.r_[RNG.integers(0, 9, (N, 3)), [[9, 9, 9]]])
    result = call("train", path, "--visible", kind, "--learning-rate", "0.001", *QUICK, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert repr(hm.load(tmp_path / "run" / "model.safetensors").visible) == units
    refused(call("train", path, "--visible", "gausian", *QUICK), "--visible gausian", "did you mean gaussian?")


def test_densities_of_whole_numbers_are_called_densities(tmp_path: Path) -> None:
    path = table(tmp_path / "x.csv", RNG.integers(20, 90, (N, 2)), "age,height")
    for options in ((), ("--visible", "gaussian", "--standardize")):
        trained = call("train", path, *options, *QUICK, "--out", tmp_path / "run")
        assert trained.exit_code == 0 and "likelihoods are densities and not probabilities" in trained.stderr
        assert "densities" in call("evaluate", tmp_path / "run").stderr
        shutil.rmtree(tmp_path / "run")


def test_bytes_are_greys_or_numbers_as_the_user_says(tmp_path: Path) -> None:
    path = table(tmp_path / "x.csv", RNG.integers(0, 256, (N, 20)))
    refused(call("train", path, *QUICK), "--scale 255 --binarize", "--visible gaussian --standardize")
    assert call("data", "describe", path).stdout.endswith("--scale 255 --binarize dynamic\n")
    trained = call("train", path, "--scale", 255, "--binarize", "dynamic", *QUICK, "--out", tmp_path / "run")
    assert trained.exit_code == 0 and "nats per case" in trained.stdout, trained.output
    judged = call("evaluate", tmp_path / "run", "--data", path)
    assert judged.exit_code == 0, judged.output  # scaled like the data of the run


def test_options_say_otherwise(tmp_path: Path) -> None:
    path = table(tmp_path / "x.csv", RNG.integers(0, 2, (N, 5)), "0,1,2,3,4")
    told = call("data", "describe", path)
    assert "line 1 (0, 1, 2, 3, ...) holds the names of the columns (--no-header: it is a case)" in told.stderr
    assert f"train {N} cases" in told.stdout
    told = call("data", "describe", path, "--no-header", "--skip-rows", 1)
    assert f"train {N} cases" in told.stdout and "note" not in told.stderr
    assert told.stdout.endswith(" --no-header --skip-rows 1\n")
    told = call("train", path, "--no-header", "--skip-rows", "1", *QUICK, "--out", tmp_path / "run")
    assert told.exit_code == 0 and f"train {N} cases" in told.stdout
    path.write_text("a,b\n" + "".join(f"{-9 if i % 8 == 0 else i % 7},{i % 2}\n" for i in range(N)))
    told = call("data", "describe", path, "--missing-values", "-9")
    assert "'a': 7 categories" in told.stdout and "10 missing" in told.stdout
    assert told.stdout.endswith(" --missing-values -9\n")


@pytest.fixture
def people(tmp_path: Path) -> pd.DataFrame:
    age = RNG.integers(18, 90, N)
    return pd.DataFrame({"id": np.arange(N), "age": age, "size": (100 + age / 3).round(1), "ok": RNG.integers(0, 2, N)})


@pytest.mark.parametrize("options", [(), ("--visible", "gaussian", "--standardize")], ids=["by columns", "numbers"])
def test_other_files_are_matched_by_name(tmp_path: Path, people: pd.DataFrame, options: tuple[str, ...]) -> None:
    people.to_csv(tmp_path / "x.csv", index=False)
    run = tmp_path / "run"
    assert call("train", tmp_path / "x.csv", "--drop", "id", *options, *QUICK, "--out", run).exit_code == 0
    expected = json.loads(call("evaluate", run, "--data", tmp_path / "x.csv", "--json").stdout)["mean"]
    people[["ok", "size", "age"]].assign(more=1.5).to_csv(tmp_path / "y.csv", index=False)
    judged = call("evaluate", run, "--data", tmp_path / "y.csv", "--json")
    assert judged.exit_code == 0 and "columns that the model does not know are left out: 'more'" in judged.stderr
    assert json.loads(judged.stdout)["mean"] == pytest.approx(expected, rel=1e-6)
    people[["age", "ok"]].to_csv(tmp_path / "z.csv", index=False)
    refused(call("evaluate", run, "--data", tmp_path / "z.csv"), "lacks the columns 'size'", "rename or add")
    people.rename(columns={"size": "Size"}).to_csv(tmp_path / "z.csv", index=False)
    refused(call("evaluate", run, "--data", tmp_path / "z.csv"), "'size' may be 'Size'")
    people.to_csv(tmp_path / "z.csv", index=False, header=False)
    refused(call("evaluate", run, "--data", tmp_path / "z.csv"), "4 columns without names, and 3 are expected")
    line = refused(call("evaluate", run, "--data", "digits"))
    assert "--visible" not in line and "--drop" not in line


def test_binary_files_are_matched_by_name(tmp_path: Path) -> None:
    bits = pd.DataFrame(RNG.random((N, 3)) < [0.1, 0.5, 0.9], columns=list("abc")).astype(int)
    bits.to_csv(tmp_path / "x.csv", index=False)
    run = tmp_path / "run"
    assert call("train", tmp_path / "x.csv", *QUICK, "--out", run).exit_code == 0
    expected = json.loads(call("evaluate", run, "--json").stdout)["mean"]
    bits[["c", "a", "b"]].to_csv(tmp_path / "y.csv", index=False)
    assert json.loads(call("evaluate", run, "--data", tmp_path / "y.csv", "--json").stdout)["mean"] == expected
    np.savetxt(tmp_path / "z.csv", bits, fmt="%d", delimiter=",")
    judged = call("evaluate", run, "--data", tmp_path / "z.csv", "--json")
    assert json.loads(judged.stdout)["mean"] == expected and "taken in their order" in judged.stderr


def test_a_decimal_column_is_numbers(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    cents = RNG.integers(1, 50, N) * 25
    prices = pyarrow.array([decimal.Decimal(int(v)) / 100 for v in cents], pyarrow.decimal128(10, 2))
    content = pyarrow.table({"x": pyarrow.array(RNG.normal(size=N)), "price": prices})
    pytest.importorskip("pyarrow.parquet").write_table(content, tmp_path / "sales.parquet")
    run = tmp_path / "run"
    trained = call("train", tmp_path / "sales.parquet", "--visible", "mixed", "--valid", "0.1", *QUICK, "--out", run)
    assert trained.exit_code == 0, trained.output
    assert call("evaluate", run).exit_code == 0
    drawn = [float(row.split(",")[1]) for row in call("sample", run, "-n", 20, "--sweeps", 5).stdout.splitlines()[1:]]
    assert min(cents) / 100 <= min(drawn) and max(drawn) <= max(cents) / 100
    assert drawn == [round(price, 2) for price in drawn]


@pytest.mark.parametrize("gaps", [0.0, 0.05])
def test_whole_numbers_stay_whole_and_in_range(tmp_path: Path, gaps: float) -> None:
    frame = pd.DataFrame({"children": RNG.poisson(1.5, 300) + 1, "age": RNG.integers(0, 90, 300),
                          "gain": np.where(RNG.random(300) < 0.9, 0, RNG.integers(1000, 20000, 300))})  # fmt: skip
    frame = frame.astype("Int64").mask(RNG.random(frame.shape) < gaps)
    frame.to_csv(tmp_path / "x.csv", index=False)
    run = tmp_path / "run"
    assert call("train", tmp_path / "x.csv", "--visible", "mixed", *QUICK, "--out", run).exit_code == 0
    assert call("sample", run, "-n", 200, "--sweeps", 5, "--out", tmp_path / "s.csv").exit_code == 0
    drawn = pd.read_csv(tmp_path / "s.csv")
    for name in frame:
        assert drawn[name].dtype.kind == "i"
        assert frame[name].min() <= drawn[name].min() and drawn[name].max() <= frame[name].max()


def test_an_interrupted_run_has_names_of_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.csv"
    path.write_text("colour,v\n" + "".join(f"{('red', 'blue')[i % 2]},{i % 9 + 0.5}\n" for i in range(N)))
    with monkeypatch.context() as patched:
        stop_in_epoch(1, patched)
        stopped = call("train", path, "--valid", "0.2", *QUICK[:-3], "--likelihood-every", 1, "--out", tmp_path / "run")
    assert stopped.exit_code != 0
    assert [column["name"] for column in json.loads((tmp_path / "run" / "columns.json").read_text())] == ["colour", "v"]
    assert call("train", "--resume", tmp_path / "run").exit_code == 0


def test_a_run_without_its_columns_never_prints_codes(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("colour,v\n" + "".join(f"{('red', 'blue')[i % 2]},{i % 9 + 0.5}\n" for i in range(N)))
    run = tmp_path / "run"
    assert call("train", path, *QUICK, "--out", run).exit_code == 0
    (run / "columns.json").unlink()
    drawn = call("sample", run, "-n", 5, "--sweeps", 2).stdout.splitlines()
    assert drawn[0] == "colour,v" and {row.split(",")[0] for row in drawn[1:]} <= {"red", "blue"}
    path.unlink()
    refused(call("sample", run, "-n", 5, "--sweeps", 2), "the data that", "x.csv")


def test_a_failed_start_leaves_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("colour,v\n" + "".join(f"{('red', 'blue')[i % 2]},{i % 9 + 0.5}\n" for i in range(N)))
    failed = call("train", path, "--optimizer", "nonsense", *QUICK, "--out", tmp_path / "run")
    assert failed.exit_code == 2 and not (tmp_path / "run").exists()


def test_advice_names_only_options_that_there_are(tmp_path: Path) -> None:
    bits = table(tmp_path / "x.csv", RNG.integers(0, 2, (N, 2)), "a,b")
    run = tmp_path / "run"
    assert call("train", bits, *QUICK, "--out", run).exit_code == 0
    (tmp_path / "gaps.csv").write_text("a,b\n1,\n0,1\n")
    line = refused(call("evaluate", run, "--data", tmp_path / "gaps.csv"), "line 2, column 2 ('b') holds nothing")
    assert "correct such cells or remove their rows" in line and "--visible" not in line
    line = refused(call("pretrain", bits), "is a table, which has no labels", ".npz")
    assert "--" not in line


def test_samples_of_a_table_are_values_in_every_format(tmp_path: Path) -> None:
    path, run = table(tmp_path / "x.csv", RNG.integers(1, 6, (N, 3)), "a,b,c"), tmp_path / "run"
    assert call("train", path, *QUICK, "--out", run).exit_code == 0
    assert call("sample", run, "-n", 50, "--sweeps", 3, "--out", tmp_path / "s.npy").exit_code == 0
    assert set(np.unique(np.load(tmp_path / "s.npy"))) <= {1, 2, 3, 4, 5}
    path.write_text("colour,v\n" + "".join(f"{('red', 'blue')[i % 2]},{i % 9 + 0.5}\n" for i in range(N)))
    assert call("train", path, *QUICK, "--out", tmp_path / "text").exit_code == 0
    line = "column 'colour' holds text"
    refused(call("sample", tmp_path / "text", "--sweeps", 3, "--out", tmp_path / "t.npy"), line, "name a .csv file")


def test_samples_of_standardised_numbers_stay_in_range(tmp_path: Path) -> None:
    ages = RNG.integers(18, 90, (N, 2))
    run = tmp_path / "run"
    path = table(tmp_path / "x.csv", ages, "a,b")
    assert call("train", path, "--visible", "gaussian", "--standardize", *QUICK, "--out", run).exit_code == 0
    drawn = np.loadtxt(call("sample", run, "-n", 200, "--sweeps", 3).stdout.splitlines(), delimiter=",")
    assert (drawn == np.round(drawn)).all() and (drawn >= ages.min(0)).all() and (drawn <= ages.max(0)).all()


def test_text_in_parquet_is_read_like_text_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pay = [f"${v:,}" for v in RNG.integers(1000, 9999, N)]
    age = np.where(np.arange(N) % 8 == 0, -9, RNG.integers(20, 60, N))
    people = pd.DataFrame({"pay": pay, "g": ["a", "b ", "NA", "b"] * (N // 4), "age": age})
    people.to_parquet(tmp_path / "x.parquet")
    told = call("data", "describe", tmp_path / "x.parquet")
    assert "'pay' holds numbers with thousands with commas, $" in told.stderr and "20 cells 'NA'" in told.stderr
    assert "'age' holds -9 in 10 cells" in told.stderr and "'g': binary: 'a', 'b'; 20 missing" in told.stdout
    told = call("data", "describe", tmp_path / "x.parquet", "--missing-values", "-9")
    assert "'age': numbers, 20 to" in told.stdout and "'g': 3 categories: 'NA', 'a', 'b'" in told.stdout
