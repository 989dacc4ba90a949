from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import harmonium as hm
from harmonium.data import from_source, load
from harmonium.data.raw import NotNumbersError
from harmonium.data.table import Table

PEOPLE = "city,age,smokes,rooms\nRome,31,yes,0\nOslo,,no,1\nRome,40,no,2\n?,52,yes,1\nBonn,29,yes,0\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        PEOPLE,
        "\ufeff" + PEOPLE,
        PEOPLE.replace(",", ";"),
        PEOPLE.replace(",", "\t").replace("\n", "\r\n"),
        PEOPLE.replace(",", ", "),
        PEOPLE.replace("Rome", '"Rome"'),
    ],
    ids=["plain", "byte order mark", "semicolons", "tabs", "spaces", "quotes"],
)
def test_columns_by_their_values_for_every_delimiter(tmp_path: Path, text: str) -> None:
    data = load(write(tmp_path / "x.csv", text), table=True)
    assert data.table is not None
    assert repr(data.table.units()) == (
        "Mixed([Categorical(1, states=3), Gaussian(1), Bernoulli(1), Categorical(1, states=3)])"
    )
    mean, scale = 38.0, np.std([31, 40, 52, 29])
    nan = np.nan
    expected = [[2, 31, 1, 0], [1, nan, 0, 1], [2, 40, 0, 2], [nan, 52, 1, 1], [0, 29, 1, 0]]
    standard = (np.array(expected) - [0, mean, 0, 0]) / [1, scale, 1, 1]
    np.testing.assert_allclose(data.train[:], standard, rtol=1e-6)
    assert data.train.log_jacobian == pytest.approx(-np.log(scale))
    frame = data.table.to_frame(data.train.complete()[:])
    assert frame["city"].tolist() == ["Rome", "Rome", "Bonn"] and frame["smokes"].tolist() == ["yes", "no", "yes"]
    np.testing.assert_allclose(frame["age"], [31, 40, 29], rtol=1e-6)


def test_decimal_commas_and_files_without_a_header(tmp_path: Path) -> None:
    data = load(write(tmp_path / "x.csv", "a;1,5\nb;-2,25\nc;3\n"), table=True)
    assert data.table is not None and [column.name for column in data.table.columns] == ["column 1", "column 2"]
    np.testing.assert_allclose(data.table.to_frame(data.train[:])["column 2"], [1.5, -2.25, 3], rtol=1e-6)


def test_padded_columns(tmp_path: Path) -> None:
    data = load(write(tmp_path / "x.csv", "kind  size \na   1.5 \nb  -2.25 \nb   3 \n"), table=True)
    assert data.table is not None
    frame = data.table.to_frame(data.train[:])
    assert frame["kind"].tolist() == ["a", "b", "b"]
    np.testing.assert_allclose(frame["size"], [1.5, -2.25, 3], rtol=1e-6)


def test_scales_come_from_training_cases_and_gaps_stay_in_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{rng.choice(list('abc'))},{'' if i % 4 == 0 else round(rng.normal(5, 3), 3)}" for i in range(200)]
    path = write(tmp_path / "x.csv", "group,size\n" + "\n".join(rows) + "\n")
    data = load(path, table=True, valid=0.1, test=30, seed=1)
    assert (len(data.train), len(data.valid), len(data.test)) == (150, 20, 30)  # type: ignore[arg-type]
    assert np.isnan(data.train[:]).sum() == 50
    for split in (data.valid, data.test):
        assert split is not None and np.isfinite(split[:]).all()
    sizes = data.train[:][:, 1]
    assert np.nanmean(sizes) == pytest.approx(0, abs=1e-6) and np.nanstd(sizes) == pytest.approx(1, abs=1e-6)
    assert data.table is not None
    together = np.concatenate([data.table.to_frame(s[:])["size"] for s in (data.train, data.valid, data.test)])  # type: ignore[index]
    assert np.allclose(np.sort(together[~np.isnan(together)]), sorted(float(r[2:]) for r in rows if r[2:]), atol=1e-5)
    again = from_source(json.loads(json.dumps(data.valid.source)))  # type: ignore[union-attr]
    assert again.fingerprint() == data.valid.fingerprint()  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=r"valid=160 .*missing values.*150.*fewer"):
        load(path, table=True, valid=160)


def test_other_data_are_read_with_the_columns_of_the_first(tmp_path: Path) -> None:
    first = load(write(tmp_path / "x.csv", PEOPLE), table=True)
    assert first.table is not None
    kept = Table.from_config(json.loads(json.dumps(first.table.config())))
    assert kept.config() == first.table.config()
    second = load(write(tmp_path / "y.csv", "city,age,smokes,rooms\nOslo,38,no,2\nBonn,50,no,0\n"), table=kept)
    assert second.train[0].tolist() == pytest.approx([1, 0, 0, 2])
    assert second.source["table"] == first.table.config()
    assert from_source(second.train.source or {}).fingerprint() == second.train.fingerprint()
    with pytest.raises(ValueError, match=r"'city'.*'Paris'.*row 0"):
        load(write(tmp_path / "y.csv", "city,age,smokes,rooms\nParis,38,no,2\n"), table=kept)


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ([f"2024-01-{day:02d}" for day in range(1, 31)] * 2, r"holds dates \('2024-01-01'\)"),
        ([f"person {i}" for i in range(60)], r"holds 60 different texts in 60 cases \(names, free text\?\)"),
        (list(range(7, 67)), "counts the rows"),
        (["same"] * 60, r"is constant \('same'\)"),
        ([7] * 60, r"is constant \(7\)"),
        ([""] * 60, "is empty"),
        (["1.5", "inf"] * 30, "holds infinities"),
        (["1.5", "2", "l.5", "4"] * 15, "holds numbers and 'l.5' among them"),
    ],
    ids=["dates", "names", "row numbers", "constant", "constant number", "empty", "infinite", "typo"],
)
def test_columns_that_cannot_be_learned_are_named_and_can_be_dropped(
    tmp_path: Path, column: list[Any], reason: str
) -> None:
    text = "id,x\n" + "\n".join(f"{value},{'ab'[i % 2]}" for i, value in enumerate(column)) + "\n"
    path = write(tmp_path / "x.csv", text)
    with pytest.raises(ValueError, match=rf"'id' {reason}.*drop=\['id'\]"):
        load(path, table=True)
    data = load(path, table=True, drop=["id"])
    assert data.table is not None and repr(data.table.units()) == "Bernoulli(1)"
    with pytest.raises(ValueError, match=r"drop='ID': .*'id', 'x'"):
        load(path, table=True, drop=["ID"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\nx,1\ny\n", "line 3 .*correct the line"),
        ('a,b\n"x,1\ny,2\n', "line 3 .*correct the line"),
        ("a,b\n", "no cases.*add"),
        ("\n\n", "no cases.*add"),
        ("", "is empty"),
        ("x," * 20_000 + "y\n", "has 20001 columns.*at most 10000"),
    ],
    ids=["short line", "open quote", "header only", "blank", "empty", "wide"],
)
def test_damaged_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(write(tmp_path / "x.csv", text), table=True)


def test_a_million_columns_of_numbers_are_read(tmp_path: Path) -> None:
    row = ",".join(["0", "1"] * 500_000)
    assert load(write(tmp_path / "x.csv", f"{row}\n{row}\n")).train.shape == (2, 1_000_000)


def test_numbers_stay_numbers_unless_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a,b\n0,1.5\n1,2\n0,4\n")
    assert load(path).table is None and load(path, drop=["b"]).train.dtype == np.uint8
    assert load(path, table=True).train[:].tolist()[0] == pytest.approx([0, -0.9258201])
    with pytest.raises(NotNumbersError, match=r"line 2, column 1 .* holds 'Rome'.*table=True"):
        load(write(tmp_path / "y.csv", PEOPLE))
    with pytest.raises(ValueError, match="leave out standardize and binarize"):
        load(path, table=True, standardize=True)
    with pytest.raises(ValueError, match=r"digits .*leave out table"):
        load("digits", table=True)
    np.save(tmp_path / "x.npy", np.zeros((3, 2, 2)))
    with pytest.raises(ValueError, match=r"leave out table"):
        load(tmp_path / "x.npy", table=True)


def test_names_of_columns_are_never_interpreted(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "__class__", "../../etc/passwd", "\x1b[31mred"]
    text = ",".join(f'"{name}"' for name in names) + "\n" + "\n".join(["x,y,x,y,x", "y,x,y,x,y", "x,x,y,y,x"]) + "\n"
    data = load(write(tmp_path / "x.csv", text), table=True)
    assert data.table is not None and [column.name for column in data.table.columns] == names
    assert data.table.to_frame(data.train[:]).columns.tolist() == names


@pytest.fixture
def frame() -> Any:
    return pandas.read_csv(__import__("io").StringIO(PEOPLE), na_values="?")


@pytest.mark.parametrize("kind", ["parquet", "feather", "arrow"])
def test_parquet_and_arrow_hold_what_the_text_holds(tmp_path: Path, frame: Any, kind: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    path = tmp_path / f"x.{kind}"
    if kind == "arrow":
        table = pyarrow.Table.from_pandas(frame)
        with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
    else:
        getattr(frame, f"to_{kind}")(path)
    data = load(path, table=True)
    expected = load(write(tmp_path / "x.csv", PEOPLE), table=True)
    np.testing.assert_array_equal(data.train[:], expected.train[:])
    with pytest.raises(NotNumbersError, match=r"'city' .*table=True"):
        load(path)
    numbers = frame[["rooms"]].assign(other=[0.5, 1, 2, 3, 4])
    if kind != "arrow":
        getattr(numbers, f"to_{kind}")(path)
        assert load(path).train[:].tolist()[1] == [1, 1]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=rf"damaged.* not \.{kind}"):
        load(path, table=True)


def test_a_missing_package_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"\.parquet .*pyarrow.*'harmonium\[arrow\]'"):
        load(tmp_path / "x.parquet")


def test_a_table_with_gaps_is_learned(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    rows = [f"{'ab'[i % 2]},{'' if i % 5 == 0 else round(rng.normal(3 * (i % 2)), 2)}" for i in range(200)]
    data = load(write(tmp_path / "x.csv", "group,size\n" + "\n".join(rows)), table=True)
    assert data.table is not None
    scores = []
    for epochs in (1, 200):
        rbm = hm.RBM(data.table.units(), 4)
        hm.fit(rbm, data.train, missing=3, objective=hm.Exact(), epochs=epochs, batch_size=200, learning_rate=0.5)
        scores.append(hm.evaluate(rbm, data.train.complete()).mean)
    # Two normals 3 standard deviations apart: the group and the size share more than half a bit.
    assert scores[1] > scores[0] + 0.5 * np.log(2)


@pytest.mark.filterwarnings("ignore:.*leading zeros")
def test_another_file_is_read_as_the_table_is(tmp_path: Path) -> None:
    codes = [("01067", "80331", "20095")[k % 3] for k in range(60)]
    text = "zip,v\n" + "".join(f"{code},{k}.5\n" for k, code in enumerate(codes))
    table = load(write(tmp_path / "x.csv", text), table=True).table
    assert table is not None
    other = load(write(tmp_path / "y.csv", "v,zip\n3.5,80331\n4.5,20095\n"), table=table)  # no leading zero here
    assert np.asarray(other.train)[:, 0].tolist() == [2, 1]


def test_names_that_are_numbers_are_found_in_another_file_in_any_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = "".join(",".join(map(str, row)) + "\n" for row in rng.normal(50, 9, (40, 4)).round(1))
    data = load(write(tmp_path / "x.csv", "1,2,3,4\n" + rows), table=True, header=True)
    assert data.table is not None
    other = load(write(tmp_path / "y.csv", "4,3,2,1\n47.5,48.5,49.5,50.5\n"), table=data.table)
    assert data.table.to_frame(np.asarray(other.train)).to_numpy().tolist() == [[50.5, 49.5, 48.5, 47.5]]


@pytest.mark.parametrize("date", ["{} Jan 2024", "{}. März 2024", "{}-Feb-24", "March {}, 2024"])
def test_dates_with_names_of_months_are_no_labels(tmp_path: Path, date: str) -> None:
    rows = "".join(f'"{date.format(1 + k % 28)}",{k}.5\n' for k in range(60))
    with pytest.raises(ValueError, match="'day' holds dates"):
        load(write(tmp_path / "x.csv", "day,v\n" + rows), table=True)
    labels = "".join(f"{('3 March Street', 'May', 'dec 12')[k % 3]},{k}.5\n" for k in range(60))
    assert load(write(tmp_path / "x.csv", "day,v\n" + labels), table=True).train.shape == (60, 2)


def test_categories_of_numbers_stay_categories_in_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"c": pandas.Categorical([10, 20, 30] * 20), "v": np.linspace(0, 1, 60)})
    frame.to_parquet(tmp_path / "x.parquet")
    table = load(tmp_path / "x.parquet", table=True).table
    assert table is not None and table.columns[0].labels == (10, 20, 30) and not table.columns[1].labels


def test_numbers_far_from_those_of_training_and_new_labels_are_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"g": rng.choice(["a", "b", "c"], 60), "v": rng.normal(size=60).round(2)})
    frame.to_csv(tmp_path / "x.csv", index=False)
    table = load(tmp_path / "x.csv", table=True).table
    assert table is not None and not load(tmp_path / "x.csv", table=table).reading.notes
    frame.assign(v=1000 * frame["v"]).to_csv(tmp_path / "y.csv", index=False)
    with pytest.warns(UserWarning, match=r"column 'v' holds -\d+ to \d+, and held -\S+ to \S+ in the data of training"):
        load(tmp_path / "y.csv", table=table)
    frame.replace({"g": {"a": "z"}}).to_csv(tmp_path / "z.csv", index=False)
    with pytest.raises(
        ValueError, match=r"z\.csv, column 'g' has the label 'z' in row \d+, .*'a', 'b', 'c'.*empty the"
    ):
        load(tmp_path / "z.csv", table=table)
