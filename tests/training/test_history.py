"""What training reports."""

from __future__ import annotations

import pytest

import harmonium as hm

from .helpers import one_thread as one_thread
from .helpers import patterns


def test_columns() -> None:
    history = hm.training.History(rows=[{"epoch": 1, "update": 5}, {"epoch": 2, "update": 10, "score": 0.5}])
    assert history["epoch"] == [1, 2] and history["score"] == [None, 0.5]
    assert len(history) == 2


def test_an_unknown_column_names_those_there_are() -> None:
    history = hm.training.History(rows=[{"epoch": 1, "update": 5}, {"epoch": 2, "score": 0.5}])
    with pytest.raises(KeyError, match="no column 'loss'; there are epoch, score, update"):
        history["loss"]
    with pytest.raises(KeyError, match="no column 'epoch'; there are none yet"):
        hm.training.History()["epoch"]


def test_repr() -> None:
    history = hm.training.History(rows=[{"epoch": 3, "learning_rate": 0.05, "score": -1.23456789, "lower": None}])
    assert repr(history) == "History(1 epochs; last: epoch 3, learning_rate 0.05, score -1.235, lower None)"
    assert repr(hm.training.History()) == "History(0 epochs; last: empty)"


def test_of_a_training() -> None:
    history = hm.fit(hm.RBM(12, 4), patterns(), validation=patterns(), epochs=3, batch_size=20, learning_rate=0.25)
    assert history["epoch"] == [1, 2, 3] and history["update"] == [3, 6, 9]
    assert history["learning_rate"] == [0.25] * 3
    seconds = history["seconds"]
    assert 0 <= seconds[0] <= seconds[1] <= seconds[2]
    always, measured = {"epoch", "update", "seconds", "learning_rate"}, {"free_energy_gap", "pseudo_log_likelihood"}
    assert set(history.rows[0]) == always | measured
    assert history.best is None and history.stopped is None
