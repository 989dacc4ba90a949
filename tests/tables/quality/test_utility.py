"""Usefulness: the target, and what a learner is worth that saw the wrong table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harmonium.tables.quality.encoding import Encoded, encode
from harmonium.tables.quality.utility import Target, choose_target, named_target, usefulness

from .helpers import independent, people


def encoded(*frames: pd.DataFrame) -> list[Encoded]:
    return encode(frames, ["real", "synthetic", "holdout"][: len(frames)])


def test_the_target_is_the_last_column_of_few_classes() -> None:
    table = people(300, 0).assign(id=[f"n{n}" for n in range(300)])
    assert choose_target(encoded(table)[0]) == Target("member", 4, True)
    assert choose_target(encoded(table[["town", "age", "income"]])[0]) == Target("town", 0, True)
    assert choose_target(encoded(table[["age", "income"]])[0]) == Target("income", 1, False)
    assert choose_target(encoded(table[["age", "income", "id"]])[0]) == Target("income", 1, False)  # 300 classes
    assert choose_target(encoded(table[["age"]])[0]) is None
    assert named_target(encoded(table)[0], "age").measure == "R²"
    binary = table[["town", "age"]].assign(bought=np.arange(300) % 2)
    assert named_target(encoded(binary)[0], "bought").classes


@pytest.mark.parametrize(("name", "least"), [("member", 0.75), ("town", 0.55), ("income", 0.3)])
def test_learners_of_independent_columns_are_worth_nothing(name: str, least: float) -> None:
    """0.5 for an AUC; R² is negative where noise was learned."""
    train, test = people(500, 1), people(500, 2)
    tables = encoded(train, independent(train, 3), test)
    target = named_target(tables[0], name)
    assert usefulness(tables[0], tables[2], target, 0) > least
    assert usefulness(tables[1], tables[2], target, 0) < (0.56 if target.classes else 0.05)


def test_a_class_that_was_never_drawn_is_never_predicted() -> None:
    frame = pd.DataFrame({"x": np.arange(60) % 3, "y": list("abc") * 20})
    real, without, alone = encoded(frame, frame[frame["y"] != "c"], frame[frame["y"] == "a"])
    target = named_target(real, "y")
    assert usefulness(real, real, target, 0) == 1
    # For c all rows tie; a or b is told from the other, and c takes the place of either.
    assert 0.5 < usefulness(without, real, target, 0) < 1
    assert usefulness(alone, real, target, 0) == 0.5
