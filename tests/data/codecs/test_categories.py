"""Labels as states: rare ones are pooled and come back by their frequencies, types stay."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harmonium.core.registry import build
from harmonium.data.codecs.categories import Categories

U = np.full((1, 1), 0.5)


def test_labels_come_back() -> None:
    values = pd.Series(["b", "a", "c", "a"])
    codec = build(Categories.of(values).config())
    states = codec.encode(values, "x")
    assert states[:, 0].tolist() == [1, 0, 2, 0]
    assert codec.decode(states, np.full((4, 1), 0.5)).tolist() == values.tolist()


def test_rare_labels_share_a_state_and_are_drawn_by_their_frequencies() -> None:
    rare = [f"r{k}" for k in range(10)]
    values = pd.Series(["a"] * 100 + ["b"] * 50 + rare + ["r0"])
    codec = Categories.of(values)
    assert codec.states == (3,)
    states = codec.encode(values, "x")
    assert set(states[150:, 0]) == {2}
    p = np.exp(codec.log_density(values, states))
    assert p[150] == pytest.approx(2 / 11) and p[151] == pytest.approx(1 / 11) and p[0] == 1
    u = (np.arange(1100) + 0.5)[:, None] / 1100
    drawn = codec.decode(np.full((1100, 1), 2.0), u).value_counts()
    assert drawn["r0"] == 200 and drawn["r5"] == 100


def test_booleans_and_categories_keep_their_types() -> None:
    flags = pd.Series([True, False, True])
    codec = Categories.of(flags)
    back = codec.decode(codec.encode(flags, "x"), np.full((3, 1), 0.5))
    assert back.dtype == bool and back.tolist() == flags.tolist()
    sizes = pd.Series(pd.Categorical(["S", "L", "S"], ["S", "M", "L", "XL"], ordered=True))
    codec = build(Categories.of(sizes).config())
    assert codec.states == (2,)  # M and XL are not used
    back = codec.decode(codec.encode(sizes, "x"), np.full((3, 1), 0.5))
    assert back.dtype == sizes.dtype and back.tolist() == sizes.tolist()


def test_labels_called_nan_and_other_are_labels() -> None:
    values = pd.Series(["nan", "other", None, "a"] * 5)
    codec = Categories.of(values, missing=True)
    states = codec.encode(values, "x")
    assert codec.states == (4,) and states[2, 0] == 3
    back = codec.decode(states, np.full((20, 1), 0.5))
    assert back.tolist()[:2] == ["nan", "other"] and pd.isna(back[2])


def test_a_new_label_is_unseen() -> None:
    codec = Categories.of(pd.Series(["a", "b"]))
    new = pd.Series(["a", "z", None])
    assert codec.unseen(new).tolist() == [False, True, False]
    assert np.isnan(codec.encode(new, "x")[1:, 0]).all()


def test_numbers_among_text_stay_numbers() -> None:
    values = pd.Series(["x", 1, 2.5, "x"], dtype=object)
    codec = build(Categories.of(values).config())
    assert codec.decode(codec.encode(values, "v"), np.full((4, 1), 0.5)).tolist() == values.tolist()
