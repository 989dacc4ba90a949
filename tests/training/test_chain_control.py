"""Chains that lag behind the model get more sweeps, then smaller steps, and the history says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.files import read_tensors
from harmonium.objectives import ObjectiveState
from harmonium.runs.checkpoint import Checkpoint

from .helpers import Break


def bars() -> np.ndarray:
    return np.asarray(hm.data.load("bars-and-stripes").train)


class Late(hm.PCD):
    """Chains that are shown to callbacks as if all units were off, far from any model of the data."""

    def model_chains(self, state: ObjectiveState) -> torch.Tensor | None:
        return torch.zeros_like(state["chains"])


def fit(objective: hm.objectives.Objective, *callbacks: hm.training.Callback, **options: Any) -> tuple[hm.RBM, Any]:
    rbm = hm.RBM(16, 8)
    usual: dict[str, Any] = {"epochs": 6, "learning_rate": 0.1, "batch_size": 16, "seed": 2}
    return rbm, hm.fit(rbm, bars(), objective=objective, callbacks=callbacks, **(usual | options))


def test_chains_that_keep_up_are_left_alone() -> None:
    control = hm.training.ChainControl(every=3, most=4)
    rbm, history = fit(hm.PCD(k=1, chains=50), control, learning_rate=0.001)
    assert history["sweeps"] == [None, None, 1, None, None, 1]
    assert all(drift < 4.5 for drift in history["chain_drift"] if drift is not None)
    plain, _ = fit(hm.PCD(k=1, chains=50), learning_rate=0.001)
    assert torch.equal(rbm.weights, plain.weights)


def test_chains_that_lag_get_more_sweeps_then_a_smaller_step() -> None:
    control = hm.training.ChainControl(every=1, most=4)
    with pytest.warns(UserWarning, match=r"lag behind the model by [\d.]+ standard errors.*more sweeps or smaller"):
        _, history = fit(Late(k=1, chains=50), control)
    assert history["sweeps"] == [2, 4, 4, 4, 4, 4]
    rates = history["learning_rate"]
    # The row has the rate of its own updates: the third test, at four sweeps, halves that of the fourth epoch.
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.025, 0.0125])
    assert all(drift >= 4.5 for drift in history["chain_drift"])


def test_chains_are_tested_under_the_last_parameters_whatever_is_averaged() -> None:
    options: dict[str, Any] = {"learning_rate": 0.5, "metric": "diagonal"}
    plain, history = fit(hm.PCD(k=1, chains=50), hm.training.ChainControl(every=3, most=1), **options)
    control = hm.training.ChainControl(every=3, most=1)
    average = hm.training.Average(1.0, every=1)
    mean, averaged = fit(hm.PCD(k=1, chains=50), control, average=average, **options)
    assert averaged["chain_drift"] == history["chain_drift"]
    assert not torch.equal(mean.weights, plain.weights)


def test_chains_that_do_not_move_are_told_from_those_that_lag() -> None:
    stuck = hm.RBM.from_arrays(np.zeros((16, 8)), np.full(16, 60.0), np.zeros(8))  # all units are on for ever
    stuck.chains = torch.ones(50, 16)
    control = hm.training.ChainControl(every=1, most=1)
    with pytest.warns(UserWarning, match="the chains do not move at the end of training"):
        hm.fit(stuck, bars(), objective=hm.PCD(chains=50), epochs=1, learning_rate=0.0, callbacks=[control])


class Take(hm.training.Callback):
    """Lets the chains take this number of sweeps from the first update on."""

    def __init__(self, sweeps: int) -> None:
        self.sweeps = sweeps

    def on_begin(self, training: Any) -> None:
        training.set_sweeps(self.sweeps)


@pytest.mark.parametrize("kind", [hm.PCD, hm.FPCD, hm.Jarzynski, hm.PT, hm.PTT])
def test_more_sweeps_are_those_of_k(kind: Any) -> None:
    raised, _ = fit(kind(k=1, chains=30), Take(3))
    asked, _ = fit(kind(k=3, chains=30))
    once, _ = fit(kind(k=1, chains=30))
    assert torch.equal(raised.weights, asked.weights) or kind is hm.PTT  # whose first reservoir takes k sweeps
    assert not torch.equal(raised.weights, once.weights)


def test_more_sweeps_without_the_compiled_loop_and_in_shards() -> None:
    for options in ({"metric": "diagonal"}, {"shards": 2}):
        raised, _ = fit(hm.PCD(k=1, chains=30), Take(3), **options)
        asked, _ = fit(hm.PCD(k=3, chains=30), **options)
        assert torch.equal(raised.weights, asked.weights)


class Most(hm.training.Callback):
    """Notes how many sweeps the control of the chains may ask for."""

    def on_begin(self, training: Any) -> None:
        self.most = [each.most for each in training.callbacks if isinstance(each, hm.training.ChainControl)]


def test_a_training_that_plans_itself_controls_its_chains() -> None:
    most = Most()
    history = hm.fit(hm.RBM(16, 4), np.tile(bars(), (8, 1)), minutes=0.02, callbacks=[most])
    measured = [sweeps for sweeps in history["sweeps"] if sweeps is not None]
    assert measured and all(sweeps == 5 for sweeps in measured)
    assert most.most == [1]  # updates of the time that is left were planned with these sweeps
    hm.fit(hm.RBM(4, 2), bars()[:, :4], callbacks=[most])
    assert most.most == [32]
    hm.fit(hm.RBM(4, 2), bars()[:, :4], callbacks=[most, hm.training.ChainControl(most=7)])
    assert most.most == [7]


@pytest.mark.parametrize("objective", [hm.CD(), hm.Exact()])
def test_objectives_without_chains_have_no_columns(objective: hm.objectives.Objective) -> None:
    _, history = fit(objective, hm.training.ChainControl(every=1))
    assert "sweeps" not in history.rows[-1]


def test_a_resumed_run_is_bit_identical(tmp_path: Path) -> None:
    def run(folder: Path, update: int | None, seconds: float) -> None:
        control = hm.training.ChainControl(every=1, most=4)
        fit(Late(k=1, chains=30), control, Break(update), Checkpoint(seconds), out=folder, epochs=8)

    with pytest.warns(UserWarning, match="lag behind"):
        run(tmp_path / "whole", None, 60.0)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", 11, 0.0)
    with pytest.warns(UserWarning, match="lag behind"):
        hm.resume(tmp_path / "broken", data=bars(), callbacks=[Break()])
    whole, broken = (read_tensors(tmp_path / name / "checkpoint.safetensors")[0] for name in ("whole", "broken"))
    assert int(whole["objective.sweeps"]) == 4
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


@pytest.mark.parametrize("options", [{"every": 0}, {"most": 0}, {"test": 0}, {"chains": 0}])
def test_what_makes_no_sense_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        hm.training.ChainControl(**options)
