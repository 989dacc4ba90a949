"""Training that ends by the clock."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import harmonium as hm
from harmonium.training.callbacks import Callback

BARS = hm.data.load("bars-and-stripes").train


class Clock(Callback):
    """A clock that every update moves on by one second: what stops a training at update 5 is then no accident."""

    def on_update(self, training) -> None:  # type: ignore[no-untyped-def]
        training.position.seconds = float(training.position.update)


def test_it_stops_in_time_and_says_why() -> None:
    history = hm.fit(hm.RBM(16, 2), BARS, epochs=100, batch_size=10, callbacks=[Clock(), hm.training.TimeLimit(5)])
    assert history.stopped == "the time limit of 5 s was reached"
    assert history.rows[-1]["update"] <= 5


def test_a_run_that_reached_its_limit_stays_there(tmp_path: Path) -> None:
    history = hm.fit(
        hm.RBM(16, 2), BARS, epochs=10_000, batch_size=5, callbacks=[hm.training.TimeLimit(0.05)], out=tmp_path / "run"
    )
    assert history.stopped is not None
    _, again = hm.resume(tmp_path / "run")
    assert again.stopped == history.stopped and again.rows == history.rows


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True])
def test_no_time_at_all_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="positive number"):
        hm.training.TimeLimit(seconds)


def test_processor_time_does_not_pass_while_others_work() -> None:
    class Wait(hm.training.Callback):
        def on_update(self, training: Any) -> None:
            time.sleep(0.05)

    limit = hm.training.TimeLimit(0.5, processor=True)
    history = hm.fit(hm.RBM(16, 2), BARS, epochs=12, batch_size=len(BARS), callbacks=[Wait(), limit])
    assert len(history) == 12 and history.rows[-1]["seconds"] > 0.5
