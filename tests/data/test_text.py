from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from harmonium.data import load
from harmonium.data.raw import NotNumbersError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "1.5,2\n3,-4e1\n",
        "a,b\n1.5,2\n3,-4e1\n",
        '"fixed acidity";"pH"\n1.5;2\n3;-4e1\n',
        "a\tb\r\n1.5\t2\r\n3\t-4e1\r\n",
        "1.5 2\n3 -4e1",
        "\ufeffa,b\n1.5,2\n\n3,-4e1\n",
        'name, "x, y"\n1.5, 2\n3, -4e1\n',
        "a|b\n1.5|2\n3|-4e1\n",
    ],
)
def test_headers_and_delimiters_are_found(tmp_path: Path, text: str) -> None:
    data = load(write(tmp_path / "x.csv", text))
    assert np.asarray(data.train).tolist() == [[1.5, 2.0], [3.0, -40.0]]
    assert data.train.dtype == np.float64


def test_one_column_and_binary_columns(tmp_path: Path) -> None:
    assert np.asarray(load(write(tmp_path / "x.csv", "value\n1.25\n2\n")).train).tolist() == [[1.25], [2.0]]
    data = load(write(tmp_path / "x.csv", "0,1,1\n1,0,0\n"))
    assert data.train.dtype == np.uint8 and data.binarization == "binary"


@pytest.mark.parametrize(
    "text",
    [
        "  1.50    2.25\n  3.00   -4.50\n",
        "a b\n1.5 2.25 \n3 -4.5 \n",
        "a;b\n1,5;2,25\n3;-4,5\n",
        "1,5;2,25\n3,0;-4,5\n",
        "1,5\t2,25\n3\t-4,5\n",
        'a;b\n"1,5";"2,25"\n3;-4,5\n',
        '"a\n(m)",b\n1.5,2.25\n3,-4.5\n',
    ],
    ids=["padding", "spaces at the end", "decimal commas", "no header", "tabs", "quotes", "a header of two lines"],
)
def test_decimal_commas_padding_and_line_breaks_in_quotes(tmp_path: Path, text: str) -> None:
    assert load(write(tmp_path / "x.csv", text)).train[:].tolist() == [[1.5, 2.25], [3, -4.5]]


def test_thousands_between_tabs_are_not_decimals(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tsv", "1,200\t2\n3,400\t4\n")
    with pytest.raises(ValueError, match=r"'1,200', which is 1200 or 1\.2: .*decimal='\.' or decimal=','"):
        load(path)
    assert load(path, decimal=",").train[:].tolist() == [[1.2000000476837158, 2], [3.4000000953674316, 4]]
    with pytest.warns(UserWarning, match="thousands with commas"):
        assert load(path, decimal=".").train[:].tolist() == [[1200, 2], [3400, 4]]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
def test_encodings_are_known_by_their_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text("größe,b\n1,2.5\n", encoding=encoding)
    assert load(path).train[:].tolist() == [[1, 2.5]]
    assert load(path).names == ("größe", "b")


def test_nan_is_a_number_and_an_empty_cell_is_not(tmp_path: Path) -> None:
    found = load(write(tmp_path / "x.csv", "1,nan\n-inf,2\n")).train[:]
    np.testing.assert_array_equal(found, [[1, np.nan], [-np.inf, 2]])
    with pytest.raises(NotNumbersError, match="nothing"):
        load(write(tmp_path / "x.csv", "1,\n2,3\n"))


def test_digits_are_kept(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(50, 3)) * 10.0 ** np.arange(-200, 200, 8).reshape(50, 1)
    np.savetxt(tmp_path / "x.csv", table, delimiter=",", fmt="%.17g")
    np.testing.assert_array_equal(load(tmp_path / "x.csv").train.rows(np.arange(50), dtype=torch.float64), table)


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        ("1,2,g\n3,4,b\n", r"line 1, column 3 holds 'g'", "if it is a header"),
        ("a,b\n1,2\n3,x\n", r"line 3, column 2 \('b'\) holds 'x'", r"drop=\['b'\].*table=True"),
        ("a b \n1 2 \n3 x \n", r"line 3, column 2 \('b'\) holds 'x'", "table=True"),
        ("1,2\n\n3,x\n", r"line 3, column 2 holds 'x'", r"drop=\['column 2'\].*table=True"),
        ("a,b\n1,2\n3,\n", r"line 3, column 2 \('b'\) holds nothing", "table=True"),
        ("a,b\n1,2\n3,True\n", r"holds 'True'", "table=True"),
        ("1,2\n3,4\n5\n", "line 3 has 1 cells where line 1 has 2", "correct the line"),
        ("1,2\n3,4\n5,6,7\n", "line 3 has 3 cells where line 1 has 2", "correct the line"),
        ("a,b\n1,2,3\n4,5,6\n", "line 2 has 3 cells where line 1 has 2", "correct the line"),
        ("a,b\n", "no cases below its header", "add"),
        ("\n\n", "no cases", "add"),
        ("a\0b\n", "zero bytes", "save"),
    ],
)
def test_what_is_not_a_table_of_numbers_is_refused_by_place(tmp_path: Path, text: str, place: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=rf"x\.csv.*{place}.*{remedy}"):
        load(write(tmp_path / "x.csv", text))


@pytest.mark.parametrize("table", [False, True])
def test_other_encodings_are_refused_by_line(tmp_path: Path, table: bool) -> None:
    for lines in (1, 200_000):
        (tmp_path / "x.csv").write_bytes(b"a,b\n" + b"1,2\n" * lines + "größe,2\n".encode("latin-1"))
        with pytest.raises(ValueError, match=rf"line {lines + 2} .*UTF-8.*0xf6.*save"):
            load(tmp_path / "x.csv", table=table)


def test_a_real_table(benchmark_data: Path) -> None:
    data = load(benchmark_data / "winequality-red.csv", standardize=True)
    assert data.train.shape == (1599, 12)
    summary = data.train.statistics()
    assert np.allclose(summary.mean.numpy(), 0, atol=1e-12) and np.allclose(summary.variance.numpy(), 1)
    with pytest.raises(ValueError, match="line 1, column 35 holds 'g'"):
        load(benchmark_data / "ionosphere.csv")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"fixed acidity";"pH"\n1.5;2\n', ["fixed acidity", "pH"]),
        ('\ufeffa,"x, ""y"""\n1.5,2\n', ["a", 'x, "y"']),
        ("1.5,2\n3,4\n", None),
    ],
)
def test_names_of_columns(tmp_path: Path, text: str, names: list[str] | None) -> None:
    found = load(write(tmp_path / "x.csv", text)).names
    assert found is None if names is None else found == tuple(names)
