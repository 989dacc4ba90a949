"""Numbers that are written as text: what is unambiguous is a number, and told; the rest is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harmonium.data import load
from harmonium.data.number_words import read_number_words


@pytest.mark.parametrize(
    ("cells", "values", "written"),
    [
        (["1,200", "3,400,000"], [1200, 3400000], "thousands with commas"),
        (["$5", "$1,200.50"], [5, 1200.5], "thousands with commas, $"),
        (["12.5%", "0"], [12.5, 0], "percent"),
        (["12.5 %", "-3 %"], [12.5, -3], "percent"),
        (["1 200", "3\u00a0400"], [1200, 3400], "thousands with blanks"),
        (["1.200,50", "7,5"], [1200.5, 7.5], "thousands with points, decimals after ','"),
        (["1'437.12"], [1437.12], "thousands with apostrophes"),
        (["1.5D+02", "2.5d-01"], [150, 0.25], "exponents with D"),
        (["\u22125.5", "5.5"], [-5.5, 5.5], ""),
        (["$(7.5)", "$2"], [-7.5, 2], "$, brackets for negative"),
        (["(7.5)", "2"], [-7.5, 2], "brackets for negative"),
        (["60kg", "71.5 kg"], [60, 71.5], "the unit kg"),
        (["1,5", "2,25"], [1.5, 2.25], "decimals after ','"),
        (["1,200", "0,350"], [1.2, 0.35], "decimals after ','"),  # no thousands start with 0
        (["1,010e+01", "2,5e-1"], [10.1, 0.25], "decimals after ','"),
    ],
)
def test_cells_that_are_written_alike(cells: list[str], values: list[float], written: str) -> None:
    found = read_number_words(cells, ".", True)
    assert found is not None and found.values == pytest.approx(values) and found.written == written


@pytest.mark.parametrize(
    "cells",
    [["5kg", "7lb"], ["$5", "€7"], ["5", "north"], ["1,20,0"], ["2024-01-31"], ["12:30"], ["a1"], [], ["1.2.3"]],
)
def test_cells_that_are_not(cells: list[str]) -> None:
    assert read_number_words(cells, ".", True) is None


def column(tmp_path: Path, text: str, name: str = "x.csv", **options: object) -> list[float]:
    (tmp_path / name).write_text(text, encoding="utf-8")
    data = load(tmp_path / name, **options)  # type: ignore[arg-type]
    rows: list[float] = data.train.rows(np.arange(len(data.train))).numpy()[:, 1].tolist()
    return rows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('age,income\n31,"1,200"\n40,"3,400"\n', [1200, 3400]),
        ("age;income\n31;1.200,50\n40;3.400,00\n", [1200.5, 3400]),
        ("age\tincome\n31\t1200,5\n40\t3400,25\n", [1200.5, 3400.25]),
        ('age;share\n31;"1,5"\n40;"2,5"\n', [1.5, 2.5]),
    ],
)
@pytest.mark.filterwarnings("ignore:.*holds numbers with")
def test_columns_of_files(tmp_path: Path, text: str, expected: list[float]) -> None:
    assert column(tmp_path, text) == expected


def test_they_are_told(tmp_path: Path) -> None:
    with pytest.warns(
        UserWarning, match=r"'income' holds numbers with thousands with commas, \$ \('\$1,200' is 1200\)"
    ):
        column(tmp_path, 'age,income\n31,"$1,200"\n40,"$3,400"\n')


def test_points_between_semicolons_may_be_thousands(tmp_path: Path) -> None:
    text = "age;income\n31;1.200\n40;3.400\n50;2.100\n"
    with pytest.raises(ValueError, match=r"'income' holds '1\.200', which is 1\.2 or 1200: .*decimal='\.' or"):
        column(tmp_path, text)
    assert column(tmp_path, text, decimal=".") == pytest.approx([1.2, 3.4, 2.1])
    with pytest.warns(UserWarning, match="thousands with points"):
        assert column(tmp_path, text, decimal=",") == [1200, 3400, 2100]
    assert column(tmp_path, "a;b\n1;1.200\n2;0.350\n3;2.100\n") == pytest.approx([1.2, 0.35, 2.1])  # 0.350 decides


def test_leading_zeros_mean_codes(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(
        "age,zip\n" + "\n".join(f"{30 + i % 9},{('02139', '10001')[i % 2]}" for i in range(20))
    )
    with pytest.warns(UserWarning, match="'zip' holds codes with leading zeros"):
        data = load(tmp_path / "x.csv", table=True)
    assert data.table is not None and data.table.columns[1].labels == ("02139", "10001")


def test_words_of_bits_are_columns_of_bits(tmp_path: Path) -> None:
    for mark in ("", "'"):
        (tmp_path / "states.txt").write_text("".join(f"{mark}{w}{mark}\n" for w in ("001000", "110101", "000111")))
        with pytest.warns(UserWarning, match="001000 are 6 columns of bits"):
            data = load(tmp_path / "states.txt")
    assert data.train[:].tolist() == [[0, 0, 1, 0, 0, 0], [1, 1, 0, 1, 0, 1], [0, 0, 0, 1, 1, 1]]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["<0.5", "1.5", "2.5", "7"] * 10, r"numbers and '<0\.5' among them .write such cells as numbers"),
        ([f"{'$€'[i % 2]}{i}" for i in range(40)], r"numbers that are written in different ways \('\$0', '€1'"),
        ([f"{i % 24}:{i + 10}" for i in range(40)], r"times of day \('0:10'\)"),
    ],
)
def test_other_writings_are_refused_by_name(tmp_path: Path, cells: list[str], reason: str) -> None:
    (tmp_path / "x.csv").write_text("a,b\n" + "\n".join(f"{'xy'[i % 2]},{cell}" for i, cell in enumerate(cells)))
    with pytest.raises(ValueError, match=rf"'b' holds {reason}.*drop=\['b'\]"):
        load(tmp_path / "x.csv", table=True)


@pytest.mark.parametrize("labels", [["1st", "2nd", "3rd"], ["5mg", "10mg"], ["1a", "2a", "3a"], ["18-25", "26+"]])
def test_a_few_labels_with_digits_stay_labels(tmp_path: Path, labels: list[str]) -> None:
    (tmp_path / "x.csv").write_text("a,b\n" + "\n".join(f"{labels[i % len(labels)]},{i % 2}" for i in range(40)))
    data = load(tmp_path / "x.csv", table=True)
    assert data.table is not None and set(data.table.columns[0].labels) == set(labels)


def test_commas_between_semicolons_may_be_thousands_as_well(tmp_path: Path) -> None:
    text = "age;income\n31;1,200\n40;3,400\n50;2,100\n"
    with pytest.raises(ValueError, match=r"'income' holds '1,200', which is 1\.2 or 1200: .*decimal='\.' or"):
        column(tmp_path, text)
    assert column(tmp_path, text, decimal=",") == pytest.approx([1.2, 3.4, 2.1])
    with pytest.warns(UserWarning, match="thousands with commas"):
        assert column(tmp_path, text, decimal=".") == [1200, 3400, 2100]
    assert column(tmp_path, "a;b\n1;1,200\n2;0,350\n3;2,100\n") == pytest.approx([1.2, 0.35, 2.1])  # 0,350 decides
    assert column(tmp_path, "a;b\n1,5;1,200\n2;4,350\n3;2,100\n") == pytest.approx([1.2, 4.35, 2.1])  # and so does 1,5


def test_the_example_of_a_note_is_a_cell_that_is_not_plain(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"brackets for negative \('\(3\.5\)' is -3\.5\)"):
        assert column(tmp_path, "a,profit\n1,2.5\n2,(3.5)\n3,1.5\n") == [2.5, -3.5, 1.5]


@pytest.mark.parametrize(("sep", "unit"), [(";", "€ {}"), (",", "{} EUR"), (";", "$ {}")])
def test_thousands_of_money_with_points_are_no_decimals(tmp_path: Path, sep: str, unit: str) -> None:
    text = f"age{sep}income\n" + "".join(f"{30 + k}{sep}{unit.format(f'{36 + k}.650')}\n" for k in range(5))
    with pytest.raises(ValueError, match=r"'income' holds '36\.650', which is 36\.65 or 36650: .*decimal='\.' or"):
        column(tmp_path, text)
    with pytest.warns(UserWarning, match="holds numbers with"):
        assert column(tmp_path, text, decimal=",")[0] == 36650
    with pytest.warns(UserWarning, match="holds numbers with"):
        assert column(tmp_path, text, decimal=".")[0] == pytest.approx(36.65)
    with pytest.warns(UserWarning, match="holds numbers with"):
        assert column(tmp_path, text.replace("38.650", "38.50"))[0] == pytest.approx(36.65)  # two decimals decide
