"""Plans that end in time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import harmonium as hm
from harmonium.data import as_cases
from harmonium.recipes import budget as module
from harmonium.recipes.budget import budget

CASES = as_cases(np.random.default_rng(0).integers(0, 2, (200, 6), np.uint8))


class Ticks:
    """A clock of which every look takes a second, so that nothing depends on the machine."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 1.0
        return self.now


def plan(seconds: float, monkeypatch: pytest.MonkeyPatch, **options: Any) -> module.Budget:
    monkeypatch.setattr(module, "time", Ticks())
    return budget(
        hm.RBM(6, 2), CASES, CASES, seconds, hm.training.LikelihoodMonitor(every=1, temperatures=10), **options
    )


def test_the_plan_follows_from_the_measured_times(monkeypatch: pytest.MonkeyPatch) -> None:
    # One look per update, so an update takes 1 s and a measurement 1 s too; 50 cases a batch are 4 updates an epoch.
    found = plan(100.0, monkeypatch, batch_size=50, metric="diagonal")
    assert found.spent == 6.0  # the pilot goes on until more than MOST = 5 s have passed
    measurements = 20  # a fifth of the time
    assert found.epochs == int((90 - 6 - measurements) / 4)
    assert found.every == math.ceil(found.epochs / measurements)


def test_compiled_updates_are_timed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    found = plan(100.0, monkeypatch, batch_size=50)  # one look per epoch of 4 updates
    assert found.epochs == 90 - 6 - 20


def test_there_is_always_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plan(0.5, monkeypatch, batch_size=10) == module.Budget(1, 1, 1.0)


def test_the_model_is_left_alone() -> None:
    rbm = hm.RBM(6, 2)
    before = {name: tensor.clone() for name, tensor in rbm.state_dict().items()}
    budget(rbm, CASES, CASES, 0.1, hm.training.LikelihoodMonitor(temperatures=10))
    assert rbm.is_untrained and rbm.state_dict().keys() == before.keys()
    assert all((rbm.state_dict()[name] == tensor).all() for name, tensor in before.items())
