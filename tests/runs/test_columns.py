"""Runs on tables keep what their columns are, however they were started."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import harmonium as hm
from harmonium.cli import main
from harmonium.core.errors import DamagedFileError
from harmonium.data.table import from_frame

FRAME = pd.DataFrame({"owns": ["yes", "no", "no", "yes"] * 5, "cars": [0.0, 2.0, 0.0, 1.0] * 5})


def trained(out: Path, frame: pd.DataFrame = FRAME) -> Path:
    units, cases, _ = from_frame(frame)
    hm.fit(hm.RBM(units, 2), cases, epochs=1, out=out)
    return out


def test_samples_of_a_frame_are_values_and_not_codes(tmp_path: Path) -> None:
    run = trained(tmp_path / "run")
    table = hm.runs.open_run(run).table()
    assert table is not None and [column.name for column in table.columns] == ["owns", "cars"]
    result = CliRunner().invoke(main, ["sample", str(run), "-n", "20"])
    lines = result.stdout.splitlines()
    assert result.exit_code == 0 and lines[0] == "owns,cars"
    assert {line.split(",")[0] for line in lines[1:]} <= {"yes", "no"}
    assert {line.split(",")[1] for line in lines[1:]} <= {"0", "1", "2"}


def test_a_run_of_a_frame_is_judged_by_a_file_with_its_columns(tmp_path: Path) -> None:
    run = trained(tmp_path / "run")
    FRAME[["cars", "owns"]].to_csv(tmp_path / "other.csv", index=False)
    result = CliRunner().invoke(main, ["evaluate", str(run), "--data", str(tmp_path / "other.csv")])
    assert result.exit_code == 0, result.output
    found = hm.evaluate(hm.load(run / "model.safetensors"), from_frame(FRAME)[1])
    assert str(found).splitlines()[0] in result.output


def test_an_interrupted_training_from_python_has_the_names_of_its_columns(tmp_path: Path) -> None:
    class Broken(hm.training.Callback):
        def on_epoch(self, training: hm.training.Training, row: dict[str, float]) -> None:
            raise KeyboardInterrupt

    FRAME.to_csv(tmp_path / "t.csv", index=False)
    data = hm.data.load(str(tmp_path / "t.csv"), table=True)
    assert data.table is not None
    with pytest.raises(KeyboardInterrupt):
        hm.fit(hm.RBM(data.table.units(), 2), data.train, epochs=2, callbacks=[Broken()], out=tmp_path / "run")
    (tmp_path / "t.csv").unlink()
    table = hm.runs.open_run(tmp_path / "run", unfinished=True).table()
    assert table is not None and [column.name for column in table.columns] == ["owns", "cars"]


def test_damaged_columns_are_refused(tmp_path: Path) -> None:
    run = trained(tmp_path / "run")
    columns = json.loads((run / "columns.json").read_text())
    columns[0]["labels"].reverse()
    (run / "columns.json").write_text(json.dumps(columns))
    with pytest.raises(DamagedFileError, match=r"columns\.json"):
        hm.runs.open_run(run).table()
