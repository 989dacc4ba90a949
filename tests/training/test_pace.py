"""Plans that end in time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import harmonium as hm
from harmonium.training import automatic, pace
from harmonium.training.schedules import ends_cycle

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
    assert schedule.epochs == found.plan.epochs and schedule.doublings >= 2
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


class Stopped:
    """A clock that stands still: what is planned depends on nothing but the costs."""

    @staticmethod
    def process_time() -> float:
        return 0.0


@pytest.mark.parametrize("passes", [0.6, 1.3, 1.6, 2.45, 2.6, 3.01, 5.9, 7.2, 13.9, 31.5])
def test_little_time_is_left_over_of_large_data(passes: float, monkeypatch: pytest.MonkeyPatch) -> None:
    batches, each = 1450, 0.001
    seconds = passes * batches * each / 0.9  # a tenth is spared, and measurements take next to nothing
    monkeypatch.setattr(pace, "time", Stopped)
    monkeypatch.setattr(automatic, "timed", lambda *arguments: pace.Costs(0.0, each, 1e-7))
    found = Planned()
    cases = copies(30_000)  # of which 1,000 are held out
    hm.fit(hm.RBM(6, 2), cases, batch_size=20, learning_rate=0.1, minutes=seconds / 60, callbacks=[found])
    share = found.updates / (passes * batches)
    assert 0.75 < share <= 1.0
    if passes > 3:
        assert share > 0.9
    epochs, schedule = found.plan.epochs, found.plan.learning_rate
    ends = [epoch for epoch in range(1, epochs + 1) if ends_cycle(epoch, epochs, schedule)]
    assert len(ends) == min(6, 1 + schedule.doublings)
    for end in ends:  # where the likelihood is measured the rate has come down
        assert schedule(end / epochs - 1e-9) < 1e-6 * schedule.start
    if passes > 10:
        assert found.cases == 29_000


def test_where_trials_took_all_the_time_the_least_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "time", Stopped)
    monkeypatch.setattr(automatic, "timed", lambda *arguments: pace.Costs(-100.0, 0.001, 0.01))  # 100 s are spent
    found = Planned()
    hm.fit(hm.RBM(6, 2), copies(30_000), batch_size=20, learning_rate=0.1, minutes=0.1, callbacks=[found])
    assert found.updates == automatic.LEAST_TRIAL
    found = Planned()
    hm.fit(hm.RBM(6, 2), copies(300), batch_size=20, learning_rate=0.1, minutes=0.1, callbacks=[found])
    assert found.plan.epochs == 1
