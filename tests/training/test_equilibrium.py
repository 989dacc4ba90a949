"""The watch on persistent chains: it warns of what is wrong, and of nothing else."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.testing.joint import Joint, start_at

from .helpers import bars, patterns, rows, same, trained
from .helpers import one_thread as one_thread

WIDTH, FIELD = 20, 2.5
STILL = {"objective": hm.PCD(k=1, chains=256), "epochs": 1, "learning_rate": 1e-9, "initialise": False}


def watched(rbm: hm.RBM, chains: Any, data: Any, **options: Any) -> dict[str, Any]:
    """The row of one epoch at (all but) fixed parameters, with persistent chains that begin where they are put."""
    rbm.chains = torch.as_tensor(chains, dtype=rbm.dtype)
    history = hm.fit(rbm, data, callbacks=[hm.training.EquilibriumMonitor(temperatures=200)], **STILL | options)
    return history.rows[-1]


def two_modes(mode: np.ndarray, seed: int = 0) -> np.ndarray:
    """Draws of twenty units, nearly all zeros in mode 0 and nearly all ones in mode 1."""
    on = 1 / (1 + np.exp(-FIELD))
    return np.random.default_rng(seed).random((len(mode), WIDTH)) < np.where(mode, on, 1 - on)[:, None]


def bimodal() -> hm.RBM:
    """The machine of those draws, both modes with probability one half."""
    bias = WIDTH * (np.logaddexp(0, -FIELD) - np.logaddexp(0, FIELD))
    return hm.RBM.from_arrays(np.full((WIDTH, 1), 2 * FIELD), np.full(WIDTH, -FIELD), np.array([bias]))


def test_chains_that_have_not_arrived() -> None:
    """Strong couplings, and chains at all ones, where the model never is."""
    rng = np.random.default_rng(0)
    rbm = hm.RBM.from_arrays(4 * rng.standard_normal((30, 20)), np.full(30, -3.0), np.full(20, -3.0))
    with pytest.warns(UserWarning, match=r"epoch 1: the chains lag behind the model .*standard errors.*PCD\(k=10\)"):
        row = watched(rbm, np.ones((256, 30)), rng.integers(0, 2, (100, 30)))
    assert row["equilibrium"] is False and row["drift"] > 4.5


def test_chains_that_cannot_follow() -> None:
    """A learning rate far too high: PCD-1 is left behind, and says so in nats and in what to do."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = hm.fit(
            hm.RBM(16, 16), bars(), objective=hm.PCD(k=1, chains=256), epochs=400, batch_size=32, learning_rate=2.0,
            callbacks=[hm.training.EquilibriumMonitor(every=100)],
        )  # fmt: skip
    said = [str(warning.message) for warning in caught]
    assert [row["equilibrium"] for row in history.rows if "drift" in row] == [False] * 4
    assert sum("lag behind the model" in text for text in said) == 1  # once, though every epoch measured it
    assert all(text.split(". ")[1].startswith(("Use", "The", "Gibbs", "Lower")) for text in said)


def test_chains_that_are_stuck() -> None:
    rng = np.random.default_rng(0)
    rbm = hm.RBM.from_arrays(60 * rng.standard_normal((12, 8)), np.zeros(12), np.zeros(8))
    settled = rbm.gibbs(torch.as_tensor(rng.integers(0, 2, (256, 12)).astype(float)), 50, hm.Stream(0))
    with pytest.warns(UserWarning, match=r"the chains are stuck.*lower learning rate or weight decay"):
        row = watched(rbm, settled, settled.numpy())
    assert row["equilibrium"] is False


def test_chains_that_miss_a_mode() -> None:
    data = two_modes(np.arange(400) % 2)
    with pytest.warns(UserWarning, match=r"lies where 0% of the chains are.*tempered chains \(PT, PTT\)"):
        row = watched(bimodal(), two_modes(np.zeros(256), seed=1), data)
    assert row["equilibrium"] is False and row["missing_mode"] > 4.5
    assert row["drift"] < 4.5 and row["spread"] < 0.6  # nothing drifts: the drift alone would not have seen it
    row = watched(bimodal(), two_modes(np.arange(256) % 2, seed=1), data)
    assert row["equilibrium"] is True


def test_chains_that_have_collapsed() -> None:
    rbm = hm.RBM.from_arrays(np.zeros((20, 3)), np.full(20, -8.0), np.zeros(3))
    with pytest.warns(UserWarning, match=r"the chains have collapsed: they have \d\.\d% of the variance of the data"):
        row = watched(rbm, np.zeros((256, 20)), two_modes(np.arange(400) % 2))
    assert row["spread"] < 0.1 and row["equilibrium"] is False


def test_no_alarm_at_equilibrium(make_rbm: Callable[..., hm.RBM]) -> None:
    """20 machines with exact chains; warnings are errors.  About 20 statistics each at 4.5 standard errors."""
    for seed in range(20):
        rbm = make_rbm(8, 5, scale=(0.5, 1.0, 2.0)[seed % 3], seed=seed)
        exact = start_at(Joint(rbm), 600, hm.Stream(seed))[0]
        assert exact is not None
        row = watched(rbm, exact[:256], exact[256:].numpy(), seed=seed)
        assert row["equilibrium"] is True, (seed, row)
        assert 0.8 < row["spread"] < 1.25


def test_no_alarm_in_a_sound_training() -> None:
    watch = hm.training.EquilibriumMonitor(every=200)
    history = hm.fit(
        hm.RBM(16, 8), bars(), objective=hm.PCD(k=1, chains=256), epochs=600, batch_size=32,
        learning_rate=hm.schedules.Linear(0.1), callbacks=[watch],
    )  # fmt: skip
    assert [row["equilibrium"] for row in history.rows if "drift" in row] == [True] * 3 and watch.said == []


def test_it_changes_no_parameter() -> None:
    data = patterns(width=24)
    options = {"hidden": 21, "objective": hm.PCD(chains=40)}
    watch = hm.training.EquilibriumMonitor(every=1, sweeps=20, annealed=40, temperatures=10)
    assert same(trained(data, callbacks=[watch], **options), trained(data, **options))


def test_when_it_measures() -> None:
    callbacks = [hm.training.EquilibriumMonitor(every=2, sweeps=5, annealed=40, temperatures=10)]
    history = hm.fit(hm.RBM(12, 4), patterns(), epochs=5, learning_rate=0.01, callbacks=callbacks)
    assert ["drift" in row for row in history.rows] == [False, True, False, True, True]
    assert {"equilibrium", "drift", "spread", "missing_mode"} <= set(history.rows[-1])


def test_few_chains_are_not_judged() -> None:
    options = {"objective": hm.PCD(chains=10), "epochs": 1, "learning_rate": 0.01}
    history = hm.fit(hm.RBM(12, 4), patterns(), callbacks=[hm.training.EquilibriumMonitor()], **options)
    assert history["equilibrium"] == [None] and history["missing_mode"] == [None]


def test_a_step_without_spread_is_written_as_json(tmp_path: Path) -> None:
    """All chains fall from all ones to all zeros: infinitely many standard errors, which JSON does not know."""
    rbm = hm.RBM.from_arrays(np.zeros((6, 3)), np.full(6, -60.0), np.zeros(3))
    rbm.chains = torch.ones(100, 6, dtype=torch.float64)
    watch = hm.training.EquilibriumMonitor(every=1, temperatures=10)
    options = STILL | {"objective": hm.PCD(chains=100), "out": tmp_path / "run"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hm.fit(rbm, np.eye(6), callbacks=[watch], **options)
    text = (tmp_path / "run" / "metrics.jsonl").read_text()
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_an_objective_without_chains() -> None:
    with pytest.warns(UserWarning, match="CD has no persistent chains.*: use PCD"):
        history = hm.fit(
            hm.RBM(12, 4), patterns(), objective=hm.CD(), epochs=1, callbacks=[hm.training.EquilibriumMonitor()]
        )
    assert "drift" not in history.rows[0]


def test_a_resumed_run_does_not_repeat_itself(tmp_path: Path) -> None:
    """Stopped in the middle, gone on: the same rows, and nothing said twice."""

    class Stop(hm.training.Callback):
        def on_epoch(self, training: Any, row: dict[str, Any]) -> None:
            if row["epoch"] == 25 and stop:
                raise KeyboardInterrupt

    def fit(out: Path) -> None:
        hm.fit(
            hm.RBM(16, 8),
            bars(),
            objective=hm.PCD(chains=30),
            epochs=40,
            batch_size=8,
            learning_rate=3.0,
            out=out,
            callbacks=[
                hm.training.EquilibriumMonitor(every=10, sweeps=20, annealed=40, temperatures=20),
                Stop(),
                hm.runs.Checkpoint(0.0),
            ],
        )

    with warnings.catch_warnings(record=True) as whole:
        warnings.simplefilter("always")
        stop = False
        fit(tmp_path / "whole")
    with warnings.catch_warnings(record=True) as parts:
        warnings.simplefilter("always")
        stop = True
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path / "parts")
        stop = False
        hm.resume(tmp_path / "parts", data=bars(), callbacks=[Stop()])
    assert len(whole) > 0 and [str(w.message) for w in parts] == [str(w.message) for w in whole]
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


@pytest.mark.parametrize(("name", "value"), [("every", 0), ("sweeps", 1.5), ("chains", True), ("temperatures", 1)])
def test_options_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"EquilibriumMonitor\({name}=\.\.\.\) must be .*, found"):
        hm.training.EquilibriumMonitor(**{name: value})
