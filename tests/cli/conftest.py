"""A table and a finished run that all commands are tried on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .calls import SMALL, call


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Binary rows in which neighbours agree, with a header."""
    path = tmp_path_factory.mktemp("data") / "table.csv"
    rng = np.random.default_rng(0)
    rows = (rng.random((100, 3)) < 0.4).repeat(2, axis=1).astype(int)
    path.write_text("a,b,c,d,e,f\n" + "\n".join(",".join(map(str, row)) for row in rows) + "\n")
    return path


@pytest.fixture(scope="session")
def finished(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the table, with what the command printed; nobody writes into it."""
    out = tmp_path_factory.mktemp("runs") / "small"
    result = call("train", table, "--valid", "0.2", "--test", "30", *SMALL, "--out", out)
    assert result.exit_code == 0, result.output
    (out / "printed.txt").write_text(result.stdout)
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def blank_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are composed, but not rendered: half a second for every run of which something else is asked."""
    from matplotlib.figure import Figure

    def savefig(self: Figure, file: Any, **options: Any) -> None:
        file.write(b"\x89PNG")

    monkeypatch.setattr(Figure, "savefig", savefig)
