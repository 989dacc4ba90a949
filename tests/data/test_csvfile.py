from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harmonium.data import load
from harmonium.data.csvfile import read_header


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
    ("text", "message"),
    [
        ("1,2,g\n3,4,b\n", r"row 1, column 3 holds 'g', not a number: .*if it is a header"),
        ("a,b\n1,2\n3,x\n", r"row 3, column 2 holds 'x', not a number: remove the column"),
        ("a,b\n1,2\n3,\n", "row 3, column 2 holds nothing"),
        ("1,2\n3,4\n5\n", "row 3 has 1 cells where row 1 has 2"),
        ("a,b\n", "holds no cases below its header"),
        ("\n\n", "holds no cases"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused_by_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load(write(tmp_path / "x.csv", text))
    assert "x.csv" in str(caught.value)


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes("größe,b\n1,2\n".encode("latin-1"))
    with pytest.raises(ValueError, match="is not text in UTF-8"):
        load(tmp_path / "x.csv")


def test_a_real_table(benchmark_data: Path) -> None:
    data = load(benchmark_data / "winequality-red.csv", standardize=True)
    assert data.train.shape == (1599, 12)
    summary = data.train.statistics()
    assert np.allclose(summary.mean.numpy(), 0, atol=1e-12) and np.allclose(summary.variance.numpy(), 1)
    with pytest.raises(ValueError, match="row 1, column 35 holds 'g'"):
        load(benchmark_data / "ionosphere.csv")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"fixed acidity";"pH"\n1.5;2\n', ["fixed acidity", "pH"]),
        ('\ufeffa,"x, ""y"""\n1.5,2\n', ["a", 'x, "y"']),
        ("1.5,2\n3,4\n", None),
        ("", None),
    ],
)
def test_names_of_columns(tmp_path: Path, text: str, names: list[str] | None) -> None:
    assert read_header(write(tmp_path / "x.csv", text)) == names
