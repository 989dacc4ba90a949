"""Missing values, sentinels and labels that differ by little: what is plausible is pointed out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harmonium.data import load

RNG = np.random.default_rng(0)


def write(path: Path, header: str, *columns: list[object]) -> Path:
    rows = "\n".join(",".join(map(str, row)) for row in zip(*columns, strict=True))
    path.write_text(f"{header}\n{rows}\n")
    return path


def some(labels: list[str], n: int = 60) -> list[object]:
    return [labels[i % len(labels)] for i in RNG.permutation(n)]


NUMBERS: list[object] = RNG.normal(5, 1, 60).round(2).tolist()


@pytest.mark.parametrize("word", ["NA", "None", "null"])
def test_a_word_that_may_be_a_label_is_pointed_out(tmp_path: Path, word: str) -> None:
    path = write(tmp_path / "x.csv", "land,v", some([word, "ZA", "BW"]), NUMBERS)
    with pytest.warns(UserWarning, match=rf"'land': 20 cells '{word}' are read as missing \(missing_values=\['\?'\]"):
        data = load(path, table=True)
    assert data.table is not None and data.table.columns[0].labels == ("BW", "ZA")
    data = load(path, table=True, missing_values=["?"])
    assert data.table is not None and set(data.table.columns[0].labels) == {"BW", "ZA", word}


@pytest.mark.parametrize("word", ["na", "unknown", "."])
def test_a_label_that_may_mean_missing_is_pointed_out(tmp_path: Path, word: str) -> None:
    path = write(tmp_path / "x.csv", "g,v", some([word, "a", "b"]), NUMBERS)
    with pytest.warns(UserWarning, match=rf"'g': 20 cells '{word}' are read as labels \(missing_values=\['{word}'\]"):
        load(path, table=True)
    assert np.isnan(load(path, table=True, missing_values=[word]).train[:]).sum() == 20


@pytest.mark.parametrize("word", ["NA", "-", ".", "..", ":", "n/a", "nan", ""])
def test_among_numbers_they_are_missing(tmp_path: Path, word: str) -> None:
    path = write(tmp_path / "x.csv", "a,b", [word, *NUMBERS[1:]], NUMBERS)
    data = load(path, table=True)
    assert np.isnan(data.train[:]).sum() == 1 and np.isnan(data.train[:][0, 0])


@pytest.mark.parametrize("value", [-9, 999, -7777])
def test_sentinels_are_pointed_out_and_can_be_missing(tmp_path: Path, value: int) -> None:
    ages: list[object] = [value if i % 10 == 0 else int(a) for i, a in enumerate(RNG.integers(18, 90, 60))]
    path = write(tmp_path / "x.csv", "age,b", ages, NUMBERS)
    with pytest.warns(UserWarning, match=rf"'age' holds {value} in 6 cells.*missing_values=\['{value}'\]"):
        load(path)
    data = load(path, table=True, missing_values=[str(value)])
    assert (
        np.isnan(data.train[:][:, 0]).sum() == 6
        and data.table is not None
        and data.table.columns[0].low
        == min(
            age
            for age in ages
            if age != value  # type: ignore[type-var]
        )
    )


def test_numbers_of_the_usual_size_are_no_sentinels(tmp_path: Path) -> None:
    for start in (70, 40):  # 99 is among them, or the greatest
        path = write(tmp_path / "x.csv", "a,b", RNG.permutation(range(start, start + 60)).tolist(), NUMBERS)
        assert not load(path).reading.notes


def test_blanks_around_labels_do_not_count_and_case_is_pointed_out(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "ok,v", some(["yes", "yes ", "no"]), NUMBERS)
    data = load(path, table=True)
    assert data.table is not None and data.table.columns[0].labels == ("no", "yes")
    path = write(tmp_path / "x.csv", "ok,v", some(["Yes", "yes", "no"]), NUMBERS)
    with pytest.warns(UserWarning, match="'ok' has labels that differ by case or blanks: 'Yes' and 'yes'"):
        load(path, table=True)


def test_days_of_a_spreadsheet_are_pointed_out(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "date,v", RNG.integers(43000, 45000, 60).tolist(), NUMBERS)
    with pytest.warns(UserWarning, match="'date' holds numbers like .*days since 1900"):
        load(path)


def test_two_sentinels_do_not_hide_each_other(tmp_path: Path) -> None:
    answers = [(99 if i % 10 == 0 else 98 if i % 10 == 1 else i % 5 + 1) for i in range(60)]
    with pytest.warns(UserWarning, match="'q' holds 98 in 6 cells.*'q' holds 99 in 6 cells"):
        load(write(tmp_path / "x.csv", "q,v", answers, NUMBERS))


def test_composed_letters_are_the_same_letters(tmp_path: Path) -> None:
    data = load(write(tmp_path / "x.csv", "g,v", some(["caf\u00e9", "cafe\u0301", "bar"]), NUMBERS), table=True)
    assert data.table is not None and data.table.columns[0].labels == ("bar", "caf\u00e9")


def test_few_numbers_beside_a_frequent_text_are_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "dependents,v", some(["0", "1", "2", "3+"]), NUMBERS)
    with pytest.warns(UserWarning, match=r"'dependents' holds few different numbers and '3\+': all are read as labels"):
        data = load(path, table=True)
    assert data.table is not None and data.table.columns[0].labels == ("0", "1", "2", "3+")
    for cells in (["x", *some(["0", "1", "2"], 59)], [*some([str(k) for k in range(55)], 55), *["<3"] * 5]):
        path = write(tmp_path / "y.csv", "n,v", cells, NUMBERS)  # a typo, and numbers below a limit
        with pytest.raises(ValueError, match="holds numbers and"):
            load(path, table=True)
