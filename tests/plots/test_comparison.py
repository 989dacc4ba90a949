"""The picture of a comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import harmonium as hm
from harmonium.plots.comparison import _apart


def test_labels_keep_apart_and_near_their_points() -> None:
    assert _apart([0.9, 0.5, 0.1], 0.05) == [0.9, 0.5, 0.1]
    assert _apart([0.5, 0.5], 0.1) == pytest.approx([0.55, 0.45])
    places = _apart([0.52, 0.5, 0.49, 0.1], 0.05)
    gaps = -np.diff(places)
    assert bool((gaps >= 0.05 - 1e-12).all()) and places[3] == pytest.approx(0.1)
    assert float(np.mean(places[:3])) == pytest.approx(np.mean([0.52, 0.5, 0.49]))


def test_the_picture_names_every_model(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "bits.csv", np.random.default_rng(0).integers(0, 2, (90, 4)), fmt="%d", delimiter=",")
    data = hm.data.load(str(tmp_path / "bits.csv"), valid=20, test=20)
    cheap = hm.compare(data, ["independent", "tree"], seconds=0.2, out=tmp_path / "out")
    figure = hm.plots.comparison(cheap, data.test)
    words = [text.get_text() for text in figure.axes[0].texts]
    assert [word.split("  ")[0] for word in words] == [entry.title for entry in cheap.ranked]
    assert [axes.get_title() for axes in figure.axes[1:4]] == ["test cases", *(entry.title for entry in cheap.ranked)]


def test_labels_of_models_that_are_far_below_stay_above_the_ticks() -> None:
    """The axis is at 0, and half a line is below the middle of a label."""
    assert _apart([0.8, 0.0, 0.0, 0.0], 0.1) == pytest.approx([0.8, 0.25, 0.15, 0.05])
