"""Tests here see no data folders, except those that ask for the benchmark data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = os.environ.get("HARMONIUM_DATA")


@pytest.fixture(autouse=True)
def no_data_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HARMONIUM_DATA", raising=False)
    monkeypatch.delenv("HARMONIUM_MIRROR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def benchmark_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    if not FOLDER or not Path(FOLDER).is_dir():
        pytest.skip("HARMONIUM_DATA does not name a folder with the benchmark data")
    monkeypatch.setenv("HARMONIUM_DATA", FOLDER)
    return Path(FOLDER)
