"""Training ends when a measurement shows no gain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import harmonium as hm

DATA = np.random.default_rng(0).integers(0, 2, (40, 4))


class Measured(hm.training.Callback):
    """Measures the next of some values at the end of every epoch."""

    def __init__(self, *values: float | None) -> None:
        self.values = values

    def on_measure(self, training: Any, row: dict[str, Any]) -> None:
        row["score"] = self.values[row["epoch"] - 1]


def run(*values: float | None, **options: Any) -> hm.training.History:
    """Train for an epoch of two updates for each value."""
    stopping = hm.training.Convergence("score", **({"gain": 0.1, "least": 0} | options))
    return hm.fit(hm.RBM(4, 2), DATA, epochs=len(values), batch_size=20, callbacks=[Measured(*values), stopping])


def test_a_measurement_without_a_gain_is_the_last() -> None:
    history = run(1.0, 2.0, 2.05, 3.0)
    assert len(history) == 3 and history.stopped == "no gain of 0.1 in score in 2 updates"
    assert history.best is not None and history.best["epoch"] == 3  # better, if only by a little


def test_a_worse_model_is_not_kept() -> None:
    history = run(1.0, 2.0, 0.5, 3.0)
    assert history.best is not None and history.best["epoch"] == 2 and len(history) == 3


def test_patience_and_least_updates() -> None:
    assert len(run(1.0, 0.5, 2.0, 1.0, 1.0, 3.0, patience=2)) == 5
    assert len(run(1.0, 0.5, 0.4, 0.3, 0.2, least=8)) == 4


def test_epochs_without_a_measurement_are_passed_over() -> None:
    history = run(1.0, None, None, 2.0)
    assert history.stopped is None and len(history) == 4


def test_measurements_within_a_cycle_do_not_count() -> None:
    values = [1.0, 2.0, 9.0, 3.0, 3.0, 9.0, 3.0, 4.0]  # cycles end with epochs 1, 2, 4 and 8
    history = run(*values, at_cycles=True)
    assert len(history) == 8 and history.best is not None and history.best["epoch"] == 8
    assert len(run(*values)) == 4


def test_it_goes_on_counting_after_a_pause() -> None:
    first, second = (hm.training.Convergence("score") for _ in range(2))
    first.best, first.best_update, first.failures = 2.0, 30, 1
    second.restore(first.state())
    assert second.state() == first.state() and second.best_update == 30


@pytest.mark.parametrize("option", ["least", "patience"])
def test_numbers_out_of_range(option: str) -> None:
    with pytest.raises(ValueError, match=rf"Convergence\({option}=\.\.\.\) must be"):
        hm.training.Convergence(**{option: -1})
