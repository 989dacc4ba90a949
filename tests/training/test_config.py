"""Objects to JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

import harmonium as hm
from harmonium.training.config import callback_config, from_config


@pytest.mark.parametrize(
    "thing",
    [
        hm.CD(k=3),
        hm.PCD(k=2, chains=17),
        hm.Exact(),
        hm.training.Plain(),
        hm.training.Centered(rate=0.3),
        hm.training.Diagonal(rate=0.2, floor=0.4),
        hm.schedules.Constant(0.25),
        hm.schedules.Linear(0.2, 0.01, hold=0.3),
        hm.schedules.Exponential(0.2, 0.01),
        hm.training.WeightDecay(l2=0.1, l1=0.2),
        hm.training.Sparsity(target=0.3, cost=0.4, decay=0.5),
        hm.training.Monitor(every=3, cases=70),
        hm.training.LikelihoodMonitor(every=4, chains=50, temperatures=60, start=7),
        hm.training.EarlyStopping("log_likelihood", patience=None),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_round_trip(thing: Any) -> None:
    again = from_config(json.loads(json.dumps(thing.config())))
    assert type(again) is type(thing) and again == thing


def test_what_only_its_owner_can_build() -> None:
    class Mine(hm.CD):
        pass

    with pytest.raises(ValueError, match=r"'Mine', which only you can build: pass it to harmonium\.resume again"):
        from_config(Mine(k=2).config())

    class Louder(hm.training.EarlyStopping):
        pass

    assert callback_config(Louder()) is None and callback_config(hm.training.Callback()) is None
    assert callback_config(hm.training.EarlyStopping()) == {
        "type": "EarlyStopping",
        "metric": "pseudo_log_likelihood",
        "patience": 10,
    }
