"""``harmonium compare`` as a user meets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harmonium as hm

from .calls import call


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    np.savetxt(tmp_path / "bits.csv", rng.integers(0, 2, (120, 4)), fmt="%d", delimiter=",")
    np.savetxt(tmp_path / "real.csv", rng.normal(size=(120, 3)), delimiter=",")
    np.save(tmp_path / "grey.npy", rng.random((60, 4)))
    return tmp_path / "bits.csv"


QUICK = ("--minutes", 0.005, "--no-progress")
SPLIT = ("--valid", 0.2, "--test", 0.2)


def test_a_table_and_a_picture(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = call("compare", table, *SPLIT, *QUICK, "--models", "tree,independent", "--out", out)
    assert result.exit_code == 0, result.output
    assert {"comparison.csv", "comparison.md", "comparison.png", "tree", "independent"} <= {
        p.name for p in out.iterdir()
    }
    data = hm.data.load(str(table), valid=0.2, test=0.2)
    mean = hm.evaluate(hm.load(out / "tree" / "model.safetensors"), data.test).mean
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("Chow-Liu tree  ")]
    assert f"{mean:.2f} ± " in row and "exact" in row
    again = call("compare", table, *SPLIT, *QUICK, "--models", "tree,independent", "--out", out, "--quiet")
    assert again.exit_code == 0 and again.stdout.strip() in result.stdout
    text = call("evaluate", out / "tree" / "model.safetensors", "--data", table, "--split", "train").stdout
    assert ", exact" in text


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        ("bits.csv", (*SPLIT, "--models", "rbn"), ("no model 'rbn'", "did you mean rbm?")),
        ("bits.csv", (), ("no valid cases", "--valid 0.1")),
        ("bits.csv", ("--valid", 0.2), ("no test cases", "--test 0.1")),
        ("bits.csv", (*SPLIT, "--models", ","), ("name a model at least",)),
        ("bits.csv", (*SPLIT, "--minutes", 0), ("--minutes",)),
        ("real.csv", (*SPLIT, "--models", "tree"), ("tree cannot model these data", "finitely many states")),
        ("real.csv", (*SPLIT, "--visible", "bernoulli", "--models", "tree"), ("0 and 1",)),
        ("grey.npy", SPLIT, ("--binarize threshold",)),
        ("nothing.csv", SPLIT, ("nothing.csv",)),
        ("bits.csv", (*SPLIT, "--out", "bits.csv"), ("is a file",)),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else value,
)
def test_what_the_user_can_mend_is_one_line(
    data: str, options: tuple[Any, ...], words: tuple[str, ...], table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(table.parent)
    result = call("compare", data, *options)
    lines = [line for line in result.stderr.splitlines() if not line.startswith("harmonium: note: ")]
    assert result.exit_code == 2, result.output
    assert len(lines) == 1 and lines[0].startswith("harmonium: ")
    for word in words:
        assert word in lines[0]
