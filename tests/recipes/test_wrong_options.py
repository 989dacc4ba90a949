"""Options of recipes that are wrong in one way each are refused by name, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import harmonium as hm

X = (np.random.default_rng(0).random((40, 6)) > 0.5).astype(float)
Y = np.arange(40) % 2


def pretrain(**given: Any) -> Any:
    return hm.pretrain(X, Y, **{"layers": [3]} | given)


def finetune(**given: Any) -> Any:
    return hm.finetune(hm.DBN([6, 4, 3]).to_classifier(2), X, Y, epochs=1, **given)


def greedy(**given: Any) -> Any:
    return hm.greedy(hm.DBN([6, 4, 3]), X, epochs=1, **given)


def up_down(**given: Any) -> Any:
    return hm.up_down(hm.DBN([6, 4, 3]), X, epochs=1, **given)


def fit(**given: Any) -> Any:
    return hm.fit(hm.RBM(6, 3), X, epochs=1, **given)


def gibbs(**given: Any) -> Any:
    return hm.RBM(6, 3).gibbs(X, 1, hm.Stream(0), **given)


def log_prob(**given: Any) -> Any:
    return hm.RBM(6, 3).log_prob(X, **given)


def nade(**given: Any) -> Any:
    return hm.NADE(6, 3, **given)


@pytest.mark.parametrize(
    ("function", "argument", "values"),
    [
        (pretrain, "layers", [None, 1.5, object()]),
        (pretrain, "test", ["x", 3, [1], {}, X]),
        (pretrain, "validation", ["x", 3, [1], {}, X]),
        (pretrain, "greedy_options", ["x", 3, [1]]),
        (pretrain, "finetune_options", ["x", 3, [1]]),
        (pretrain, "out", [3, ["x"]]),
        (finetune, "validation", ["x", 3, [1], {}]),
        (finetune, "learning_rate", [None, "x", -1, float("nan"), [1]]),
        (finetune, "weight_decay", [None, "x", -1, [1]]),
        (greedy, "layers", [None, "x", 3, [1]]),
        (greedy, "out", [3, ["x"]]),
        (up_down, "momentum", [None, "x", 1.5, [1]]),
        (fit, "metric", [[1], {}]),
        (fit, "callbacks", [None]),
        (gibbs, "beta", [None, "x", object(), {}, np.ones((2, 2))]),
        (log_prob, "log_partition", [None, "x", [1], True, {}]),
        (nade, "outputs", ["x", 3, [1], object()]),
    ],
)
def test_a_wrong_option_is_named(function: Callable[..., Any], argument: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises((TypeError, ValueError), match=argument):
            function(**{argument: value})
