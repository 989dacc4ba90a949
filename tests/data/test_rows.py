"""Tables as people have them, read for `TableModel` and written again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harmonium.data.rows import check_output, read_rows, write_rows

DATES = [f"{day:02d}.03.2021" for day in range(1, 13)]


def file(tmp_path: Path, text: str, name: str = "table.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_dates_identifiers_and_constants_come_through(tmp_path: Path) -> None:
    lines = [f"C{k:03d};{day};EUR;1.0{k:02d},50" for k, day in enumerate(DATES)]
    rows = read_rows(file(tmp_path, "id;day;currency;amount\n" + "\n".join(lines)))
    assert rows.frame.id.tolist()[1] == "C001" and rows.frame.day.tolist() == DATES
    assert set(rows.frame.currency) == {"EUR"} and rows.frame.amount.tolist()[1] == 1001.5
    assert rows.delimiter == ";"


def test_dates_alone_are_no_numbers_that_are_written_in_different_ways(tmp_path: Path) -> None:
    days = [f"{day:02d}.{month:02d}.2021" for day in range(1, 27) for month in (3, 11)]
    assert read_rows(file(tmp_path, "day,x\n" + "".join(f"{day},1\n" for day in days))).frame.day.tolist() == days


def test_words_for_missing_among_dates(tmp_path: Path) -> None:
    text = "day,x\n" + "".join(f"{day},1\n" for day in [*DATES, "unknown", "-"])
    rows = read_rows(file(tmp_path, text))
    assert rows.frame.day.isna().sum() == 2
    told = [note for note in rows.reading.notes if "day" in note]
    assert len(told) == 1 and "read as missing" in told[0]


def test_a_word_among_numbers_is_refused_with_the_ways_out(tmp_path: Path) -> None:
    path = file(tmp_path, "x,y\n" + "".join(f"{k},1\n" for k in range(20)) + "oops,2\n")
    with pytest.raises(ValueError, match=r"column 'x' holds numbers and 'oops'.*columns=\{'x': 'categories'\}"):
        read_rows(path)
    assert read_rows(path, kinds={"x": "categories"}).frame.x.tolist()[-1] == "oops"


def test_filled_cells_alone_change(tmp_path: Path) -> None:
    path = file(tmp_path, 'name;amount;n;note\n" Bo ";1.200,50;3;a\nAl;;4;\nDi;7,00;NA;"x;y"\n')
    rows = read_rows(path)
    filled = rows.frame.assign(amount=[1, 1234.5, 2], n=[3.0, 4.0, 5.0])
    out = tmp_path / "out.csv"
    write_rows(rows.with_filled(filled), out, rows.styles, rows.delimiter)
    assert out.read_text() == 'name;amount;n;note\n Bo ;1.200,50;3;a\nAl;1.234,50;4;\nDi;7,00;5;"x;y"\n'


def test_words_for_missing_values_are_those_of_the_column(tmp_path: Path) -> None:
    rows = read_rows(file(tmp_path, "job,x\nsmith,1.5\n?,2.5\n?,\nbaker,NA\nbaker,\n"))
    write_rows(rows.frame, tmp_path / "out.csv", rows.styles)
    assert (tmp_path / "out.csv").read_text() == "job,x\nsmith,1.5\n?,2.5\n?,\nbaker,\nbaker,\n"


def test_columns_that_are_added_do_not_take_a_name(tmp_path: Path) -> None:
    rows = read_rows(file(tmp_path, "rank,x\n1,2\n2,3\n"))
    assert list(rows.with_columns(pd.DataFrame({"rank": [1, 2]})).columns) == ["rank", "x", "rank_2"]


def test_a_file_without_names_is_written_without(tmp_path: Path) -> None:
    rows = read_rows(file(tmp_path, "1,2.5\n2,\n3,4.5\n"))
    assert rows.header is None
    write_rows(rows.with_filled(rows.frame.fillna(3.5)), tmp_path / "out.csv", rows.styles, ",", header=False)
    assert (tmp_path / "out.csv").read_text() == "1,2.5\n2,3.5\n3,4.5\n"


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_types_of_parquet_and_feather_stay(suffix: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {
            "when": pd.to_datetime(["2021-01-01", None, "2021-03-01"]),
            "n": pd.array([1, None, 3], dtype="Int64"),
            "kind": pd.Categorical(["a", "b", "a"]),
        }
    )
    write_rows(frame, tmp_path / f"x{suffix}")
    rows = read_rows(tmp_path / f"x{suffix}")
    assert rows.frame.dtypes.astype(str).tolist() == frame.dtypes.astype(str).tolist() and rows.words is None


def test_dates_and_whole_numbers_in_csv(tmp_path: Path) -> None:
    frame = pd.DataFrame({"when": pd.to_datetime(["2021-01-01", None]), "n": [1.0, np.nan], "x": [0.1 + 0.2, 1e20]})
    write_rows(frame, tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == "when,n,x\n2021-01-01,1,0.3\n,,1e+20\n"


def test_outputs_are_checked_before_anything_is_computed(tmp_path: Path) -> None:
    path = file(tmp_path, "a\n1\n")
    with pytest.raises(ValueError, match=r"\.csv.*\.xlsx"):
        check_output(tmp_path / "out.json")
    with pytest.raises(ValueError, match="the file that is read"):
        check_output(path, path)
    with pytest.raises(ValueError, match="no folder"):
        check_output(tmp_path / "gone" / "out.csv", path)
