"""Judgements that fit into a time."""

from __future__ import annotations

import numpy as np
import pytest

import harmonium as hm
from harmonium.data import Cases, as_cases
from harmonium.recipes import judging
from harmonium.recipes.contenders import Sizes, recipe_of
from harmonium.recipes.judging import Judging, plan_judging

LOOK = 0.01  # seconds from one look at the clock to the next: what every pilot takes
COSTS = {"temperatures": LOOK / 100, "sweeps": LOOK / 30}  # seconds of one


class Clock:
    """Nothing depends on the machine."""

    now = 0.0

    def process_time(self) -> float:
        self.now += LOOK
        return self.now


def cases(rows: int, columns: int) -> Cases:
    return as_cases(np.random.default_rng(0).integers(0, 2, (rows, columns), np.uint8))


def plan(model: hm.models.Model, count: int, seconds: float, monkeypatch: pytest.MonkeyPatch) -> Judging:
    columns = model.visible.columns
    hm.fit(model, cases(40, columns), epochs=1)
    monkeypatch.setattr(judging, "time", Clock())
    monkeypatch.setattr(judging, "_cost", lambda part, knob, seed: COSTS[knob])
    effort = recipe_of(model, Sizes(model.visible, 40, count)).effort
    return plan_judging(model, cases(count, columns), effort, seconds, hm.Stream(0))


def test_temperatures_and_sweeps_fill_the_time_that_cases_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    # 20 cases take a look, and so do 100 temperatures.
    found = plan(hm.RBM(24, 24), 100, 1.0, monkeypatch)
    steps = found.options
    assert 0.5 < found.seconds < 0.8 and len(found.cases) == 100
    spent = {knob: steps[knob] * COSTS[knob] for knob in COSTS}
    assert found.seconds == pytest.approx(sum(spent.values()) + LOOK * 100 / 20)
    assert spent["temperatures"] == pytest.approx(spent["sweeps"], abs=2 * LOOK / 30)  # half of the time each
    assert found.words == f"{steps['temperatures']:,} temperatures or {steps['sweeps']:,} sweeps, 100 cases"


def test_where_time_is_short_there_are_fewer_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    found = plan(hm.RBM(24, 24), 5000, 0.4, monkeypatch)
    assert 100 <= len(found.cases) < 500 and found.options["temperatures"] > 500
    assert found.seconds < 0.4


def test_there_is_a_least_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    found = plan(hm.RBM(24, 24), 5000, 0.001, monkeypatch)
    assert found.options == {"temperatures": 100, "sweeps": 100} and len(found.cases) == 100


def test_a_step_costs_what_more_steps_add() -> None:
    rbm = hm.RBM(24, 24)
    hm.fit(rbm, cases(40, 24), epochs=1)
    for knob in COSTS:
        assert 0 < judging._cost(rbm, knob, hm.Stream(0)) < 1


def test_orderings_and_samples_grow_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    short, long = (plan(hm.OrderlessNADE(6, hidden=(3,)), 100, s, monkeypatch) for s in (0.25, 10.0))
    assert 1 <= len(short.model.orderings) < len(long.model.orderings) == 16
    short, long = (plan(hm.VAE(6, latent=1, hidden=(3,)), 100, s, monkeypatch) for s in (0.25, 10.0))
    assert 10 <= short.options["samples"] < long.options["samples"] <= 1000


def test_what_is_exact_needs_no_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plan(hm.NADE(6, hidden=3), 50, 1.0, monkeypatch).words == "50 cases"
    assert plan(hm.RBM(6, 3), 50, 1.0, monkeypatch).options == {}
