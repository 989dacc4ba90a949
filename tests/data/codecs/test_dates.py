"""Dates as periods, weekdays and times of day."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from harmonium.core.registry import build
from harmonium.data.codecs.dates import Dates


def workdays(n: int = 1500) -> pd.Series:
    rng = np.random.default_rng(0)
    days = pd.Series(pd.Timestamp("2021-01-04") + pd.to_timedelta(rng.integers(0, 730, n), unit="D"))
    return days[days.dt.day_of_week < 5].reset_index(drop=True)


def test_probabilities_of_all_days_sum_to_one() -> None:
    codec = Dates.of(workdays())
    assert codec.weekday is not None and codec.weekday[5:] == [0.0, 0.0]
    every = pd.Series(pd.date_range("2018-01-01", "2026-01-01"))  # days beyond keep a small share
    states = codec.encode(every, "day")
    period, weekday = (share[states[:, k].astype(int)] for k, share in enumerate(codec.shares()))
    p = period * weekday * np.exp(codec.log_density(every, states))
    assert p.sum() == pytest.approx(1.0, abs=1e-9)


def test_drawn_days_have_their_weekday_and_period() -> None:
    values = workdays()
    codec = build(Dates.of(values).config())
    states = codec.encode(values, "day")
    u = np.random.default_rng(1).random(states.shape)
    drawn = codec.decode(states, u)
    assert drawn.dtype == values.dtype
    assert (drawn.dt.day_of_week == values.dt.day_of_week).all()
    assert (codec.encode(drawn, "day") == states).all()
    assert drawn.min() >= values.min() and drawn.max() <= values.max()


def test_times_of_day_zones_and_old_dates() -> None:
    base = pd.Series(pd.date_range("1850-03-01 08:00", periods=300, freq="37h", tz="Europe/Berlin"))
    codec = build(Dates.of(base).config())
    assert len(codec.states) == 3
    states = codec.encode(base, "at")
    drawn = codec.decode(states, np.random.default_rng(0).random(states.shape))
    assert drawn.dtype == base.dtype
    assert drawn.min() >= pd.Timestamp("1850-03-01", tz="Europe/Berlin")
    assert np.isfinite(codec.log_density(base, states)).all()


def test_a_time_that_is_always_the_same_comes_back() -> None:
    at_eight = workdays(300) + pd.Timedelta("8h")
    codec = Dates.of(at_eight)
    states = codec.encode(at_eight, "at")
    drawn = codec.decode(states, np.random.default_rng(0).random(states.shape))
    assert (drawn.dt.hour == 8).all() and (drawn.dt.minute == 0).all()
    usual = Dates.of(workdays(300))
    expected = usual.log_density(workdays(300), usual.encode(workdays(300), "at"))
    assert codec.log_density(at_eight, states) == pytest.approx(expected + np.log1p(-1 / (len(at_eight) + 2)))


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%Y-%m-%d", "%d %b %Y"])
def test_dates_in_text_come_back_as_they_were_written(form: str) -> None:
    days = workdays(200).dt.strftime(form)
    codec = build(Dates.of(days, form=form).config())
    states = codec.encode(days, "day")
    drawn = codec.decode(states, np.random.default_rng(0).random(states.shape))
    assert (pd.to_datetime(drawn, format=form).dt.strftime(form) == drawn).all()
    with pytest.raises(ValueError, match="column 'day' held dates"):
        codec.encode(pd.Series(["soon"]), "day")


def test_objects_of_python_and_empty_cells() -> None:
    values = pd.Series([datetime.date(2020, 1, day) for day in range(1, 11)] * 3 + [None])
    codec = Dates.of(values, missing=True)
    states = codec.encode(values, "day")
    drawn = codec.decode(states, np.full(states.shape, 0.5))
    assert drawn.tolist()[:10] == values.tolist()[:10] and drawn.iloc[-1] is None


def test_a_day_after_the_last_one_is_improbable_and_possible() -> None:
    values = workdays()
    codec = Dates.of(values)
    days = pd.Series([values.max() + pd.Timedelta(days=after) for after in (0, 7, 70)])
    density = codec.log_density(days, codec.encode(days, "day"))
    assert np.isfinite(density).all() and (np.diff(density) < -1).all()
