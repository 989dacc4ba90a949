"""Lines that are no cases: titles, comments, units, totals, index columns, delimiters at the end."""

from __future__ import annotations

import bz2
import gzip
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harmonium.data import load
from harmonium.data.reading import ReadingNote

X = np.random.default_rng(0).normal(size=(30, 3)).round(2)
LINES = "".join(",".join(map(str, row)) + "\n" for row in X)
NAMES = ("a", "b", "c")


def read(path: Path, content: str | bytes, **options: object) -> object:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(path, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("My table,,\nof 2024,,\na,b,c\n" + LINES, "line 1 .*left out as a title.*skip_rows=0"),
        ("My table\n\na,b,c\n" + LINES, "line 1 .*left out as a title"),
        (",,\na,b,c\n" + LINES, ""),
        ("a,b,c\nm,s,kg\n" + LINES, r"line 2 \(m, s, kg\) is left out as units"),
        ("a,b,c\n" + LINES + "Total,1,2\n", r"the last line \(Total,1,2\) is left out as a total"),
        ("a,b,c\n" + LINES + "# end\n", "left out as a comment"),
        ("# a,b,c\n" + LINES, "names of the columns are in the comment in line 1"),
        ("# made by a simulation\n# a,b,c\n" + LINES, "in the comment in line 2"),
        ("# made by a simulation\na,b,c\n" + LINES, "1 line of comments left out"),
        ("a,b,c\n" + LINES + "\nSource: World Bank\n", "left out as a footnote"),
        ("'a','b','c'\n" + LINES, ""),
        ("sep=;\na;b;c\n" + LINES.replace(",", ";"), ""),
        ("a,b,c,\n" + LINES.replace("\n", ",\n"), ""),
        ("a,b,c\n" + LINES.replace("\n", ",\n"), ""),
        ("a,b,c\n" + LINES + ",,\n,,\n", "2 lines without a value"),
        ('"a",b,c\r\n\r\n' + LINES.replace("\n", "\r\n"), ""),
        ("a b c\n" + "".join(f"{i} {line.replace(',', ' ')}" for i, line in enumerate(LINES.splitlines(True))),
         "names of the rows.*numbers the rows"),
        (",a,b,c\n" + "".join(f"{i},{line}" for i, line in enumerate(LINES.splitlines(True))), "numbers the rows"),
        ("a~b~c\n" + LINES.replace(",", "~"), "separated by '~'"),
    ],
)  # fmt: skip
def test_what_is_no_case_is_left_out_and_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    if told:
        with pytest.warns(UserWarning, match=told):
            data = load(path)
    else:
        data = load(path)
    np.testing.assert_allclose(data.train[:], X, rtol=1e-6)
    assert data.names == NAMES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadingNote)
        again = load(**json.loads(json.dumps(data.source)))
    assert again.train.fingerprint() == data.train.fingerprint() and again.source == data.source


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv.gz", gzip.compress(("a,b,c\n" + LINES).encode())),
        ("x.csv.bz2", bz2.compress(("a,b,c\n" + LINES).encode())),
        ("x.tsv.gz", gzip.compress(("a\tb\tc\n" + LINES.replace(",", "\t")).encode())),
        ("x.csv", gzip.compress(("a,b,c\n" + LINES).encode())),
        ("x.data", ("a,b,c\n" + LINES).encode()),
        ("x.txt", ("a b c\n" + LINES.replace(",", "   ")).encode()),
        ("x.tab", ("a\tb\tc\n" + LINES.replace(",", "\t")).encode()),
    ],
)
def test_other_names_and_compressed_files(tmp_path: Path, name: str, content: bytes) -> None:
    data = read(tmp_path / name, content)
    np.testing.assert_allclose(data.train[:], X, rtol=1e-6)  # type: ignore[attr-defined]
    assert data.names == NAMES  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04" + b"\0" * 100, "zip file or a workbook"),
        (b"<!DOCTYPE html>\n<html><body>404: Not Found</body></html>\n", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n", "git lfs pull"),
        (gzip.compress(LINES.encode() * 50)[:-40], "cut short"),
        (gzip.compress(LINES.encode() * 50)[:40] + b"junk" * 20, "damaged"),
        (bz2.compress(LINES.encode() * 50)[:60] + b"junk" * 20, "damaged"),
        (b"My table,,\n" + LINES.encode(), "line 1 holds 'My table' alone: skip it with skip_rows=1 .*header=False"),
    ],
)
def test_what_is_no_table_is_refused_by_name(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=rf"x\.csv.*{words}"):
        read(tmp_path / "x.csv", content)


def test_a_tab_among_blanks(tmp_path: Path) -> None:
    """As in auto-mpg.data: numbers set apart by blanks, and a name after a tab."""
    rows = "".join(f'{a:<7}{b:<8}\t"{name}"\n' for (a, b, _), name in zip(X, ["ford pinto", "audi"] * 15, strict=True))
    with pytest.warns(UserWarning, match="is a case"):
        data = load(_written(tmp_path / "x.data", rows), table=True)
    assert data.table is not None and data.table.columns[2].labels == ("audi", "ford pinto")
    np.testing.assert_allclose(data.table.to_frame(data.train[:]).iloc[:, :2], X[:, :2], rtol=1e-5, atol=1e-6)


def test_a_series_with_its_index(tmp_path: Path) -> None:
    rows = "".join(f"{'xyz'[i % 3]}{i},{v}\n" for i, v in enumerate(X[:, 0]))
    with pytest.warns(UserWarning, match="numbers the rows and is left out"):
        assert load(_written(tmp_path / "x.csv", ",v\n" + rows)).names == ("v",)


def test_times_are_not_cut_at_their_colons(tmp_path: Path) -> None:
    times = "".join(f"{i % 24:02d}:{i % 60:02d}\n" for i in range(50))
    with pytest.raises(ValueError, match="column 1' holds times of day"):
        load(_written(tmp_path / "x.txt", times), table=True)


def test_lines_above_a_table_are_refused_with_the_way_out(tmp_path: Path) -> None:
    path = _written(tmp_path / "x.csv", "Station,Berlin\nLat,52.5\n\na,b,c\n" + LINES)
    with pytest.raises(ValueError, match=r"line 4 has 3 cells where line 1 has 2: .*skip_rows="):
        load(path)
    assert load(path, skip_rows=3).names == NAMES


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_skip_rows_is_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("junk 1\njunk,2\na,b,c\n" + LINES)
    assert load(path, skip_rows=2).names == NAMES
    assert load(path, skip_rows=[1, 2, 4]).train.shape == (29, 3)
    path.write_text("a,b,c\nm,s,kg\n" + LINES)
    with pytest.raises(ValueError, match=r"line 2, column 1 \('a'\) holds 'm'"):
        load(path, skip_rows=0)
    with pytest.raises(ValueError, match="skip_rows=99 leaves none"):
        load(path, skip_rows=99)


def test_repeated_names_are_told(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"two columns are named 'a': the second is called 'a \(2\)'"):
        data = read(tmp_path / "x.csv", "a,a,c\n" + LINES)
    assert data.names == ("a", "a (2)", "c")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"header": "yes"}, "header='yes': give True or False"),
        ({"skip_rows": -1}, "skip_rows=-1: give a number of lines"),
        ({"skip_rows": ["a"]}, r"skip_rows=\['a'\]: .*counted from 1"),
        ({"skip_rows": [0]}, r"skip_rows=\[0\]: .*counted from 1"),
        ({"missing_values": "NA"}, r"missing_values='NA' is one word: write a list"),
        ({"columns": "a"}, r"columns='a' is one word: write a list"),
        ({"columns": ["a", "z"]}, r"lacks the columns 'z' \(it has 'a', 'b', 'c'\)"),
        ({"decimal": ";"}, r"decimal=';': give '\.' or ','"),
        ({"scale": "255"}, "scale"),
        ({"table": True, "scale": 255}, "leave out scale"),
    ],
)
def test_wrong_options_are_refused_by_name(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        load(_written(tmp_path / "x.csv", "a,b,c\n" + LINES), **options)


@pytest.mark.parametrize("name", ["x.npy", "digits"])
def test_options_of_tables_are_refused_elsewhere(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "x.npy", X)
    where = tmp_path / name if name == "x.npy" else name
    with pytest.raises(ValueError, match=r"leave (it|header=\.\.\.) out|leave out header="):
        load(where, header=True)
