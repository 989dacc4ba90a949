from __future__ import annotations

import numpy as np
import torch

import harmonium as hm
from harmonium.sklearn import DBN

BARS = np.asarray(hm.data.load("bars-and-stripes").train, dtype=np.float32)


def test_it_is_what_greedy_does() -> None:
    plan = {"epochs": 3, "learning_rate": 0.05, "batch_size": 10}
    ours = DBN([6, 4], greedy_options=plan, random_state=2).fit(BARS)
    dbn = hm.DBN([16, 6, 4])
    hm.greedy(dbn, BARS, **plan, seed=hm.Stream(2).child("greedy"))
    for mine, theirs in zip(ours.model_.machines, dbn.machines, strict=True):
        assert torch.equal(mine.weights, theirs.weights)
    features = ours.transform(BARS)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, dbn.hidden_means(BARS)[-1].detach().numpy(), rtol=1e-6)
    assert list(ours.get_feature_names_out()) == [f"dbn{i}" for i in range(4)]


def test_greys_are_taken_and_the_model_is_strict() -> None:
    ours = DBN([6, 4], greedy_options={"epochs": 1}, random_state=2).fit(BARS * 0.5)
    assert type(ours.model_.visible) is hm.Bernoulli
    np.testing.assert_allclose(
        ours.transform(BARS * 0.5), ours.model_.hidden_means(BARS * 0.5)[-1].detach().numpy(), rtol=1e-6
    )
