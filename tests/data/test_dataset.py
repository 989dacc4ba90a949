"""The splits of a data set."""

from __future__ import annotations

import pytest

from harmonium.data import load
from harmonium.data.dataset import choose_split


def test_the_split_to_judge_by() -> None:
    data = load("digits")
    assert [choose_split(data, name)[0] for name in (None, "train")] == ["test", "train"]
    with pytest.raises(ValueError, match="no test split"):
        choose_split(load("bars-and-stripes"), "test")
