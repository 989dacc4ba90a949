"""Training ends when a measurement shows no gain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.errors import InterruptedRunError
from harmonium.runs.checkpoint import Checkpoint

from .helpers import Break, same, tensors

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


class Parameters(hm.training.Callback):
    """Looks at the weights, the chains and the rate after every epoch, and after the first update of the next."""

    def __init__(self) -> None:
        self.seen: list[tuple[torch.Tensor, torch.Tensor, float]] = []

    def on_epoch(self, training: Any, row: dict[str, Any]) -> None:
        chains = training.objective_state["chains"]
        self.seen.append((training.model.weights.detach().clone(), chains.clone(), training.learning_rate))


def test_without_a_value_the_best_model_returns_with_its_chains_and_a_lower_rate() -> None:
    looks = Parameters()
    stopping = hm.training.Convergence("score", gain=0.1, least=0, slower=0.25)
    hm.fit(
        hm.RBM(4, 2), DATA, epochs=4, batch_size=20, learning_rate=0.1,
        callbacks=[Measured(1.0, 2.0, None, 3.0), stopping, looks],
    )  # fmt: skip
    rates = [rate for *_, rate in looks.seen]
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.025, 0.025])
    for which in (0, 1):
        assert torch.equal(looks.seen[2][which], looks.seen[1][which])
    assert not torch.equal(looks.seen[3][0], looks.seen[2][0])


def test_a_lower_rate_outlasts_an_interruption(tmp_path: Path) -> None:
    def options(stop: int | None) -> dict[str, Any]:
        measured, stopping = Measured(1.0, None, 2.0, 3.0), hm.training.Convergence("score", least=0, slower=0.25)
        return {"callbacks": [measured, stopping, Checkpoint(0.0), Break(stop)]}

    def train(out: Path, stop: int | None) -> hm.RBM:
        rbm = hm.RBM(4, 2)
        hm.fit(rbm, DATA, epochs=4, batch_size=20, out=out, **options(stop))
        return rbm

    whole = train(tmp_path / "whole", None)
    with pytest.raises((KeyboardInterrupt, InterruptedRunError)):
        train(tmp_path / "broken", 6)
    resumed, _ = hm.resume(tmp_path / "broken", data=DATA, callbacks=[Measured(1.0, None, 2.0, 3.0), Break()])
    assert same(tensors(whole), tensors(resumed))


def test_it_goes_on_counting_after_a_pause() -> None:
    first, second = (hm.training.Convergence("score") for _ in range(2))
    first.best, first.best_update, first.failures = 2.0, 30, 1
    second.restore(first.state())
    assert second.state() == first.state() and second.best_update == 30


@pytest.mark.parametrize("option", ["least", "patience"])
def test_numbers_out_of_range(option: str) -> None:
    with pytest.raises(ValueError, match=rf"Convergence\({option}=\.\.\.\) must be"):
        hm.training.Convergence(**{option: -1})
