"""``harmonium data``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from .calls import call, refused


def test_data_lists_describes_and_advises(table: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", train=np.full((1200, 3), 0.5), test=np.zeros((2, 3)))
    monkeypatch.setenv("HARMONIUM_DATA", str(tmp_path))
    listed = call("data").stdout
    assert listed == call("data", "list").stdout
    assert "digits" in listed and "bars-and-stripes" in listed and str(tmp_path / "mine.npz") in listed
    described = call("data", "describe", "mine").stdout
    assert "3 constant columns" in described
    assert "harmonium train mine --binarize dynamic --valid 0.1\n" in described
    assert "train 100 cases; binary" in call("data", "describe", table).stdout
    refused(call("data", "download", "moon"), "moon", "mnist")
