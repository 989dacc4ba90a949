"""Tables that are read in parts: the same rows, the same states, and what the sample did not show is told."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harmonium.data.codecs.table import TableCodec
from harmonium.data.reading import ReadOptions
from harmonium.data.rows import read_rows
from harmonium.tables import streaming
from harmonium.tables.model import TableModel
from harmonium.tables.streaming import encode_stream, fit_file, open_stream

from ..cli.calls import call
from ..cli.messy import messy


def test_parts_are_the_whole(tmp_path: Path) -> None:
    path = messy(tmp_path / "messy.csv", 300)
    whole = read_rows(path)
    stream = open_stream(path, sample=80, chunk=70)
    parts = list(stream.frames())
    assert [len(part) for part in parts] == [70, 70, 70, 70, 20] and stream.count == 300
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole.frame, check_dtype=False)
    assert stream.sample.styles == whole.styles and stream.sample.delimiter == ";"


@pytest.mark.parametrize(("rows", "sample", "step"), [(1000, 100, 8), (1000, 1000, 1), (170, 100, 1), (210, 100, 2)])
def test_the_sample_has_rows_of_all_parts(rows: int, sample: int, step: int, tmp_path: Path) -> None:
    pd.DataFrame({"x": np.arange(rows) * 1.5, "y": "a"}).to_csv(tmp_path / "x.csv", index=False)
    found = open_stream(tmp_path / "x.csv", sample=sample, chunk=64).sample.frame
    place = found.x.to_numpy() / 1.5
    assert sample <= len(found) <= 2 * sample and (np.diff(place) > 0).all() and np.diff(place).max() <= 4 * step
    assert step == 1 or 0.3 < (place % 2).mean() < 0.7  # odd rows as well as even ones


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_parquet_and_feather_keep_their_types(suffix: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3, 4] * 30, dtype="Int64"),
            "when": pd.date_range("2021-01-01", periods=120),
            "kind": pd.Categorical(["a", "b", "a", "c"] * 30),
            "word": ["x", None, "y", "z"] * 30,
        }
    )
    getattr(frame, f"to_{suffix[1:]}")(tmp_path / f"x{suffix}")
    whole = read_rows(tmp_path / f"x{suffix}").frame
    stream = open_stream(tmp_path / f"x{suffix}", sample=50, chunk=33)
    pd.testing.assert_frame_equal(
        pd.concat(list(stream.frames()), ignore_index=True), whole, check_dtype=False, check_categorical=False
    )


def test_states_of_parts_are_those_of_the_whole(tmp_path: Path) -> None:
    path = messy(tmp_path / "messy.csv", 300)
    stream = open_stream(path, sample=1000, chunk=70)
    codec = TableCodec.of(stream.sample.frame)
    states, told = encode_stream(codec, stream)
    whole = read_rows(path).frame
    np.testing.assert_array_equal(states, codec.encode(codec.matched(whole)).astype(np.float32))
    assert states.dtype == np.float32 and told == []


def test_what_the_sample_did_not_show_is_told(tmp_path: Path) -> None:
    frame = pd.DataFrame({"kind": ["a", "b"] * 100, "x": np.arange(200) % 50 / 10})
    frame.to_csv(tmp_path / "x.csv", index_label="id")
    shown = open_stream(tmp_path / "x.csv", sample=60, chunk=50).sample.frame["id"]
    hidden = frame.index.difference(shown)
    frame.loc[hidden[0], "kind"], frame.loc[hidden[1], "x"] = "rare", 99.5
    frame.to_csv(tmp_path / "x.csv", index=False)
    stream = open_stream(tmp_path / "x.csv", sample=60, chunk=50)
    states, told = encode_stream(TableCodec.of(stream.sample.frame, {"kind": "categories"}), stream)
    assert len(states) == 199
    assert any("'kind': 1 of 200 rows" in note for note in told) and any("left out" in note for note in told)
    assert any("'x': " in note and "beyond the range" in note for note in told)


def test_a_word_among_numbers_names_its_part(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{k / 4},a\n" for k in range(199)) + "oops,b\n"
    (tmp_path / "x.csv").write_text(text)
    stream = open_stream(tmp_path / "x.csv", sample=60, chunk=50)
    with pytest.raises(ValueError, match=r"rows from 151 on: column 'x' holds 'oops'"):
        list(stream.frames())


def test_a_model_is_fitted_to_all_rows(tmp_path: Path) -> None:
    path = messy(tmp_path / "messy.csv", 300)
    columns = {name: {"missing": "value"} for name in ("opened", "kind", "staff", "age", "score")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        table = fit_file(TableModel("mixture", columns=columns, progress=False), path, sample=100, chunk=70)
    assert 200 < table.rows <= 300 and len(table.sample(5)) == 5


def test_a_format_that_is_read_as_a_whole_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="as a whole"):
        open_stream(tmp_path / "x.xlsx", ReadOptions())


def test_the_command_reads_a_large_file_in_parts(tmp_path: Path, monkeypatch: Any) -> None:
    path = messy(tmp_path / "messy.csv", 200)
    monkeypatch.setattr(streaming, "LARGE", 1000)
    options = ("--model", "mixture", "--gaps", "value", "--no-progress", "--out", tmp_path / "run")
    result = call("table", "fit", path, *options)
    assert result.exit_code == 0 and "read in parts" in result.stderr and "200 rows" in result.stderr, result.output
    assert json.loads((tmp_path / "run" / "table.json").read_text())["rows"] == 200
    assert "fits a model first" in call("table", "sample", path).stderr
