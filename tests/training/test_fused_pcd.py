from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.training import fused_pcd as persistent
from harmonium.training.callbacks import Callback

from .helpers import patterns

PLAN = {"epochs": 3, "metric": "plain", "seed": 4}


def never(training: object) -> bool:
    return False


def trained(cases: np.ndarray, dtype: torch.dtype, **options: object) -> hm.RBM:
    rbm = hm.RBM(cases.shape[1], 9, dtype=dtype)
    hm.fit(rbm, cases, **(PLAN | options))  # type: ignore[arg-type]
    return rbm


@pytest.mark.parametrize(("batch", "chains"), [(7, 5), (60, 8), (1, 3)])
def test_the_loop_does_what_single_updates_do(batch: int, chains: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # 60 cases in batches of 7 leave a short last batch; odd numbers meet the tails of the loops.
    options = {"batch_size": batch, "objective": hm.PCD(k=1, chains=chains), "learning_rate": hm.schedules.Linear(0.2)}
    looped = trained(patterns(width=13), torch.float64, **options)
    monkeypatch.setattr(persistent, "applies", never)
    single = trained(patterns(width=13), torch.float64, **options)
    # The same words, so the same draws unless a uniform falls within rounding of its probability.
    assert looped.chains is not None and single.chains is not None
    assert torch.equal(looped.chains, single.chains)
    for ours, theirs in zip(looped.to_arrays(), single.to_arrays(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)


def test_float32_differs_by_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"batch_size": 10, "objective": hm.PCD(k=1, chains=10)}
    looped = trained(patterns(), torch.float32, **options)
    assert looped.weights.dtype == torch.float32
    monkeypatch.setattr(persistent, "applies", never)
    single = trained(patterns(), torch.float32, **options)
    for ours, theirs in zip(looped.to_arrays(), single.to_arrays(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)  # 18 updates of numbers of order 1, eps 6e-8


class Ear(Callback):
    """Counts updates, and so asks for them one by one."""

    def __init__(self) -> None:
        self.heard = 0

    def on_update(self, training: object) -> None:
        self.heard += 1


def test_listening_changes_no_bit() -> None:
    options = {"batch_size": 7, "objective": hm.PCD(k=1, chains=5), "learning_rate": 0.1}
    ear = Ear()
    alone, heard = (trained(patterns(), torch.float32, callbacks=[*more], **options) for more in ((), (ear,)))
    assert ear.heard == 27
    assert all(torch.equal(a, b) for a, b in zip(alone.state_dict().values(), heard.state_dict().values(), strict=True))


@pytest.mark.parametrize(
    ("changed", "does"),
    [
        ({}, True),
        ({"objective": hm.PCD(k=2, chains=5)}, False),
        ({"objective": hm.CD(k=1)}, False),
        ({"metric": "centered"}, False),
        ({"optimizer": "adam"}, False),
        ({"penalties": [hm.training.WeightDecay(0.01)]}, False),
        ({"sample_weight": np.arange(60)}, False),
        ({"missing": 1}, False),
    ],
)
def test_only_where_it_does_what_the_plan_says(
    changed: dict[str, object], does: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    applies: Callable[..., bool] = persistent.applies

    def listen(training: object) -> bool:
        said.append(applies(training))
        return said[-1]

    monkeypatch.setattr(persistent, "applies", listen)
    trained(patterns(), torch.float32, **({"objective": hm.PCD(k=1, chains=5), "epochs": 1} | changed))
    assert said == [does]


@pytest.mark.parametrize(("units", "does"), [(hm.Bernoulli(12), True), (hm.Spin(12), False)])
def test_only_binary_units(units: hm.units.Units, does: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    advance = persistent.advance

    def listen(training: Any, order: torch.Tensor, count: int) -> None:
        seen.append(count)
        advance(training, order, count)

    monkeypatch.setattr(persistent, "advance", listen)
    cases = patterns() if does else 2.0 * patterns() - 1
    hm.fit(hm.RBM(units, 4), cases, objective=hm.PCD(k=1, chains=5), epochs=1, metric="plain", batch_size=10)
    assert seen == ([6] if does else [])


def test_divergence_is_caught_in_the_loop() -> None:
    cases = patterns(cases=400)
    rbm = hm.RBM(12, 4)
    with pytest.raises(hm.errors.DivergedError, match="update 50 "):
        hm.fit(rbm, cases, objective=hm.PCD(k=1, chains=5), metric="plain", batch_size=4, learning_rate=3e38, epochs=2)
    assert all(bool(torch.isfinite(parameter).all()) for parameter in rbm.parameters())
