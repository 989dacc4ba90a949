"""Whether a first line holds names: the lines below decide, and two likely readings are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harmonium.data import load
from harmonium.data.header import guess_header

RNG = np.random.default_rng(0)
REAL = RNG.normal(0, 1, (40, 4)).round(3).astype(str).tolist()
BITS = RNG.integers(0, 2, (40, 9)).astype(str).tolist()
CODES = RNG.integers(0, 5, (40, 4)).astype(str).tolist()
TEXTS = [[str(RNG.choice(list("xbs"))), str(RNG.choice(list("fyg"))), str(RNG.choice(list("pe")))] for _ in range(40)]
MIXED = [[text, number] for (text, *_), (number, *_) in zip(TEXTS, REAL, strict=True)]


def words(text: str) -> list[str]:
    return text.split(",")


@pytest.mark.parametrize(
    ("first", "body", "holds"),
    [
        ("a,b,c,d", REAL, True),
        ("0,1,2,3,4,5,6,7,8", BITS, True),  # as pandas writes a frame without names
        ("2001,2002,2003,2004", REAL, True),
        ("400.0,402.5,405.0,407.5", REAL, True),  # wavelengths
        ("0,1,2,label", REAL, True),
        ("kind,2019", MIXED, True),
        ("0,1", MIXED, True),
        ("shape,surface,class", TEXTS, True),
        ("x,f,p", TEXTS, False),  # mushrooms: the first case, not a header
        ("x,0.5", MIXED, False),
        ("0.1,0.2,-0.1,0.4", REAL, False),
        ("3,1,0,2", CODES, False),
        ("-2,-1,0,1", REAL, None),  # where all numbers below have a point
        ("0", [row[:1] for row in REAL], True),
        ("12:30,2024-01-31", [[f"{i % 24:02d}:{i}", f"2024-02-{i % 28 + 1:02d}"] for i in range(10, 50)], False),
        ("0,1,2,3", CODES, None),
        ("x,when", [[a, "2024-01-31"] for a, _ in MIXED], None),
    ],
)  # fmt: skip
def test_first_lines(first: str, body: list[list[str]], holds: bool | None) -> None:
    assert guess_header(words(first), body).holds is holds


def test_the_guess_is_told_and_can_be_contradicted(tmp_path: Path) -> None:
    path = tmp_path / "bits.csv"
    path.write_text("0,1,2,3,4,5,6,7,8\n" + "\n".join(map(",".join, BITS)) + "\n")
    with pytest.warns(UserWarning, match=r"bits\.csv: line 1 \(0, 1, 2, 3, \.\.\.\) holds the names .*header=False"):
        data = load(path)
    assert data.train.shape == (40, 9) and data.train.dtype == np.uint8
    assert data.names == tuple("012345678") and "header=False" in str(data.reading)
    other = load(path, header=False)
    assert other.train.shape == (41, 9) and other.names is None and not other.reading.notes
    assert load(**data.source).train.fingerprint() == data.train.fingerprint()  # told once: the source guesses nothing


def test_two_likely_readings_are_refused_with_both_options(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text("0,1,2,3\n" + "\n".join(map(",".join, CODES)) + "\n")
    with pytest.raises(ValueError, match=r"line 1 .* may be a header or the first case: .*header=True or header=False"):
        load(path)
    assert [len(load(path, header=header).train) for header in (True, False)] == [40, 41]


def test_a_table_without_header_keeps_its_first_case(tmp_path: Path) -> None:
    path = tmp_path / "mushrooms.data"
    path.write_text("\n".join(map(",".join, TEXTS)) + "\n")
    with pytest.warns(UserWarning, match="is a case .*header=True"):
        assert len(load(path, table=True).train) == 40


def test_a_named_column_that_counts_the_rows_is_pointed_out(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,a\n" + "\n".join(f"{i},{row[0]}" for i, row in enumerate(BITS)) + "\n")
    with pytest.warns(UserWarning, match=r"'id' counts the rows \(drop=\['id'\]"):
        assert load(path).train.shape == (40, 2)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_an_index_without_a_name_is_left_out_and_told(tmp_path: Path, name: str, shuffled: bool) -> None:
    path = tmp_path / "x.csv"
    index = RNG.permutation(200)[:40] if shuffled else range(40)  # what is left of a split keeps its numbers
    rows = "\n".join(f"{i},{row[0]},{row[1]}" for i, row in zip(index, BITS, strict=True))
    path.write_text(f"{name},a,b\n{rows}\n")
    with pytest.warns(UserWarning, match="numbers the rows and is left out .*name it to keep it"):
        data = load(path)
    assert data.names == ("a", "b") and data.train.shape == (40, 2)


def test_names_that_are_repeated_below_are_refused(tmp_path: Path) -> None:
    rows = "".join(f"{k}.5,{k * k}\n" for k in range(20))
    path = tmp_path / "x.csv"
    path.write_text(f"a,b\n{rows}a,b\n{rows}")
    with pytest.raises(ValueError, match="line 22 repeats the names in line 1, as when tables are joined: remove it"):
        load(path)
    # A first case of labels that comes again is a case.
    path.write_text("".join(f"{'fmi'[k % 3]},{'xy'[k % 2]}\n" for k in range(40)))
    with pytest.warns(UserWarning, match="is a case"):
        assert load(path, table=True).train.shape == (40, 2)
