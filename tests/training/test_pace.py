"""Plans that end in time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import harmonium as hm
from harmonium.training import pace

UPDATE = 0.01  # seconds of processor time between two looks at the clock


class Clock:
    """Every look takes as long, so that nothing depends on the machine."""

    now = 0.0

    def process_time(self) -> float:
        self.now += UPDATE
        return self.now


def copies(rows: int) -> np.ndarray:
    half = np.random.default_rng(0).integers(0, 2, (rows, 3))
    return np.hstack((half, half))


class Planned(hm.training.Callback):
    """Keeps the plan, and ends the training."""

    every_updates = None

    def on_begin(self, training: Any) -> None:
        self.updates, self.plan, self.callbacks = training.updates, training.plan, training.callbacks
        self.cases = len(training.cases)
        training.stop = "the plan is known"


def plan(minutes: float | None, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Planned:
    monkeypatch.setattr(pace, "time", Clock())
    kept = Planned()
    # The diagonal metric has no compiled loop: there is a look at the clock after every update.
    options = {"metric": "diagonal", "callbacks": [kept]} | options
    hm.fit(hm.RBM(6, 2), copies(300), minutes=minutes, **options)
    return kept


def test_what_is_planned_takes_the_time_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds in (10.0, 40.0):
        found = plan(seconds / 60, monkeypatch)
        assert 0.5 * seconds < UPDATE * found.updates < seconds
        (limit,) = (each for each in found.callbacks if isinstance(each, hm.training.TimeLimit))
        assert limit.processor and UPDATE * found.updates < limit.seconds < 1.2 * seconds


def test_the_last_cycle_ends_with_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    found = plan(1.0, monkeypatch)
    schedule = found.plan.learning_rate
    assert found.plan.epochs % 2**schedule.doublings == 0 and schedule.doublings >= 2
    assert schedule(1.0) == 0.0


def test_binary_machines_slow_down_from_cycle_to_cycle(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plan(1.0, monkeypatch).plan.learning_rate.decay < 1.0
    kept = Planned()
    rows = np.random.default_rng(0).normal(size=(300, 3))
    hm.fit(hm.RBM(hm.Gaussian(3), 2), rows, minutes=0.5, callbacks=[kept])
    assert kept.plan.learning_rate.decay == 1.0 and kept.plan.learning_rate.start <= 0.1


def test_where_trials_do_not_fit_a_careful_rate_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    found = plan(1 / 60, monkeypatch)  # a trial would have 8 updates
    assert found.plan.learning_rate.start == 0.05 and found.plan.epochs >= 1


def test_objectives_without_chains_are_judged_by_what_they_fill_in() -> None:
    found = Planned()
    half = np.random.default_rng(0).integers(0, 2, (300, 10))
    rbm = hm.RBM(20, 16)  # its smaller side is too large to be enumerated often
    hm.fit(rbm, np.hstack((half, half)), objective=hm.CD(), callbacks=[found])
    (ends,) = (each for each in found.callbacks if isinstance(each, hm.training.Convergence))
    assert ends.metric == "gap_score" and found.plan.learning_rate.start >= 0.03


def test_what_compiles_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = []

    class Once(hm.CD):
        def gradient(self, *arguments: Any) -> Any:
            if not slow:  # as a first update that compiles
                slow.append(None)
                pace.time.now += 1000.0  # type: ignore[attr-defined]
            return super().gradient(*arguments)

    found = plan(10 / 60, monkeypatch, objective=Once())
    assert UPDATE * found.updates > 5.0
