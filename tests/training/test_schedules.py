"""Learning rates that change."""

from __future__ import annotations

from typing import Any

import pytest

import harmonium as hm
from harmonium.core.registry import build
from harmonium.training.schedules import as_schedule


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (hm.schedules.Constant(0.3), {0.0: 0.3, 0.5: 0.3, 1.0: 0.3}),
        (hm.schedules.Linear(0.2), {0.0: 0.2, 0.25: 0.15, 1.0: 0.0}),
        (hm.schedules.Linear(0.2, 0.1), {0.0: 0.2, 0.5: 0.15, 1.0: 0.1}),
        (hm.schedules.Linear(0.1, 0.3), {0.0: 0.1, 0.5: 0.2, 1.0: 0.3}),
        (hm.schedules.Linear(0.2, hold=0.5), {0.0: 0.2, 0.4: 0.2, 0.5: 0.2, 0.75: 0.1, 1.0: 0.0}),
        (hm.schedules.Cosine(0.2), {0.0: 0.2, 1 / 3: 0.15, 0.5: 0.1, 2 / 3: 0.05, 1.0: 0.0}),
        (hm.schedules.Cosine(0.1, 0.3), {0.0: 0.1, 1 / 3: 0.15, 1.0: 0.3}),
        (hm.schedules.WarmUp(0.2, 0.25), {0.0: 0.002, 0.125: 0.101, 0.25: 0.2, 0.7: 0.2, 1.0: 0.2}),
        (hm.schedules.WarmUp(hm.schedules.Linear(0.2), 0.2), {0.0: 0.002, 0.2: 0.2, 0.6: 0.1, 1.0: 0.0}),
        (hm.schedules.Exponential(0.1, 0.001), {0.0: 0.1, 0.5: 0.01, 1.0: 0.001}),
        (hm.schedules.Exponential(0.1, 0.1), {0.0: 0.1, 0.7: 0.1}),
        (hm.schedules.Cycles(0.2, 0), {0.0: 0.2, 0.5: 0.1, 1.0: 0.0}),
        (hm.schedules.Cycles(0.2, 2), {0.0: 0.2, 0.125: 0.1, 0.25: 0.2, 0.375: 0.1, 0.5: 0.2, 0.75: 0.1, 1.0: 0.0}),
        (
            hm.schedules.Cycles(0.2, 2, epochs=7),  # they end with epochs 1, 3 and 7
            {0.0: 0.2, 0.5 / 7: 0.1, 1 / 7: 0.2, 2 / 7: 0.1, 3 / 7: 0.2, 5 / 7: 0.1, 1.0: 0.0},
        ),
        (hm.schedules.Cycles(0.2, 1, decay=0.5), {0.0: 0.2, 0.25: 0.1, 0.5: 0.1, 0.75: 0.05, 1.0: 0.0}),
    ],
)
def test_values(schedule: Any, values: dict[float, float]) -> None:
    for progress, rate in values.items():
        assert schedule(progress) == pytest.approx(rate, rel=1e-12, abs=1e-15)


def test_a_number_is_a_constant() -> None:
    assert as_schedule(1) == hm.schedules.Constant(1.0) and as_schedule(0) == hm.schedules.Constant(0.0)
    linear = hm.schedules.Linear(0.1)
    assert as_schedule(linear) is linear


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hm.schedules.Constant(-1.0), r"Constant\(rate=\.\.\.\) must be .*, found -1"),
        (lambda: hm.schedules.Linear(float("nan")), r"Linear\(start=\.\.\.\) must be .*, found nan"),
        (lambda: hm.schedules.Linear(0.1, -0.1), r"Linear\(end=\.\.\.\) must be .*, found -0\.1"),
        (
            lambda: hm.schedules.Linear(0.1, hold=1.0),
            r"Linear\(hold=\.\.\.\) must be a share of .* \[0, 1\), found 1\.0",
        ),
        (lambda: hm.schedules.Cosine(-0.1), r"Cosine\(start=\.\.\.\) must be .*, found -0\.1"),
        (lambda: hm.schedules.WarmUp(0.1, 0.0), r"WarmUp\(share=\.\.\.\) must be a share of .* \(0, 1\), found 0\.0"),
        (lambda: hm.schedules.WarmUp(-0.1), "learning_rate must be .*, found -0.1"),
        (
            lambda: hm.schedules.Exponential(0.1, 0.0),
            r"Exponential\(end=\.\.\.\) must be .*, found 0\.0",
        ),
        (lambda: hm.schedules.Exponential(float("inf"), 0.1), r"Exponential\(start=\.\.\.\) must be a positive .*inf"),
        (lambda: as_schedule(float("inf")), "learning_rate must be .*, found inf"),
    ],
)
def test_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_schedule_within_a_schedule_is_described() -> None:
    schedule = hm.schedules.WarmUp(hm.schedules.Cosine(0.1, 0.01), 0.1)
    assert build(schedule.config()) == schedule
    assert build(hm.schedules.WarmUp(0.1).config()) == hm.schedules.WarmUp(hm.schedules.Constant(0.1))
