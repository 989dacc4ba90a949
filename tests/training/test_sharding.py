"""Updates in shards: they are those of the whole batch, and their bits do not depend on the number of processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm

from ..processes import launch
from .helpers import one_thread as one_thread
from .helpers import patterns, same, tensors

TRAINED = """
import hashlib, json
from harmonium.core.processes import processes

def train(name, model, x, **options):
    options = dict(epochs=2, batch_size=25, learning_rate=0.1, seed=3, shards=8, validation=x[:20]) | options
    history = hm.fit(model, x, **options)
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode() + tensor.numpy().tobytes())
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in history.rows]
    print(name, digest.hexdigest(), json.dumps(rows), history.stopped)

rng = np.random.default_rng(0)
binary = (rng.random((61, 12)) < 0.3).astype(np.float32)
"""

FEW = """
train("pcd", hm.RBM(12, 6), binary, objective=hm.PCD(chains=20))
train("cd", hm.RBM(12, 6), binary, objective=hm.CD(2), sample_weight=1 + rng.random(61))
train("nade", hm.NADE(12, 6), binary)
"""

ALL = """
real = rng.standard_normal((61, 12))
train("categorical", hm.RBM(hm.Categorical(6, 4), 6), rng.integers(0, 4, (61, 6)))
train("gaussian", hm.RBM(hm.Gaussian(12), 6), real, metric="diagonal", learning_rate=0.01)
train("spin", hm.RBM(hm.Spin(12), hm.Spin(6)), 2 * binary - 1)
penalties = [hm.training.WeightDecay(0.01), hm.training.Sparsity()]
train("dbm", hm.DBM([12, 8, 6]), binary, objective=hm.PCD(chains=40), penalties=penalties)
gibbs = hm.objectives.ClampedGibbs(2)
train("clamped", hm.DBM([12, 8, 6]), binary, objective=hm.PCD(chains=40, inference=gibbs))
train("machine", hm.BoltzmannMachine(12, hidden=4), binary)
train("pseudo", hm.BoltzmannMachine(12), binary, objective=hm.PseudoLikelihood())
train("made", hm.MADE(12, hidden=(8,)), binary)
train("orderless", hm.OrderlessNADE(12, hidden=(8,)), binary)
train("vae", hm.VAE(12, latent=2, hidden=(8,)), binary)
gaps = np.where(rng.random((61, 12)) < 0.1, np.nan, binary)
train("gaps", hm.RBM(12, 6), gaps, missing="draw")
train("omitted", hm.RBM(hm.Categorical(6, 4), 6), np.where(rng.random((61, 6)) < 0.1, np.nan, 1.0), missing="omit")
train("stopped", hm.RBM(12, 6), binary, epochs=9, callbacks=[hm.training.EarlyStopping(patience=1)])
likelihood = hm.training.LikelihoodMonitor(every=1, chains=10, temperatures=20)
train("measured", hm.RBM(12, 24), binary, callbacks=[likelihood, hm.training.Trim(0.1)])
"""


def check(script: str, worlds: list[int], folder: Path) -> None:
    said = launch(TRAINED + script, worlds, folder)
    expected = said[worlds[0]][0]
    assert expected.endswith("\n0\n") and len(expected.splitlines()) == script.count("train(") + 1
    for texts in said.values():
        assert texts == [expected] * len(texts)


def test_the_bits_are_those_of_one_process(tmp_path: Path) -> None:
    check(FEW, [1, 2, 3], tmp_path)


@pytest.mark.slow
def test_the_bits_of_every_model_are_those_of_one_process(tmp_path: Path) -> None:
    check(FEW + ALL, [1, 2, 3, 4], tmp_path)


MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "pcd": (lambda: hm.RBM(12, 5, dtype=torch.float64), {"objective": hm.PCD(chains=21)}),
    "cd": (lambda: hm.RBM(12, 5, dtype=torch.float64), {"objective": hm.CD(2)}),
    "weights": (lambda: hm.RBM(12, 5, dtype=torch.float64), {"sample_weight": np.arange(60) + 0.5}),
    "dbm": (
        lambda: hm.DBM([12, 6, 5], dtype=torch.float64),
        {"objective": hm.PCD(chains=16, inference=hm.objectives.ClampedGibbs(2))},
    ),
    "nade": (lambda: hm.NADE(12, 5, dtype=torch.float64), {"sample_weight": np.arange(60) + 0.5}),
    "vae": (lambda: hm.VAE(12, latent=2, hidden=(5,), dtype=torch.float64), {}),
}


@pytest.mark.parametrize("name", MODELS)
def test_an_update_in_shards_is_the_update_of_the_whole_batch(name: str) -> None:
    # The same words are drawn, so the two differ by rounding alone: float64, few updates, and no draw near its bound.
    # Batches of 25, 25 and 10 cases; the last ones have fewer cases than there are shards.
    make, options = MODELS[name]
    found = []
    for shards in (None, 11):
        model = make()
        hm.fit(model, patterns(), shards=shards, epochs=2, batch_size=25, seed=1, penalties=[], **options)
        found.append(tensors(model))
    for key, whole in found[0].items():
        torch.testing.assert_close(found[1][key], whole, rtol=1e-9, atol=1e-11)


def test_the_result_depends_on_the_number_of_shards_by_rounding_alone() -> None:
    found = []
    for shards in (2, 3):
        model = hm.RBM(12, 5)
        hm.fit(model, patterns(), shards=shards, epochs=1, batch_size=30, seed=1)
        found.append(tensors(model))
    assert not same(*found)
    torch.testing.assert_close(found[0]["couplings.weights"], found[1]["couplings.weights"], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"objective": hm.PCD(chains=5)}, "pass shards=5"),
        ({"objective": hm.PT(chains=20)}, "PT is not computed in shards"),
        ({"metric": "natural"}, "NaturalGradient needs all states"),
        ({"shards": 0}, "shards must be a positive integer"),
    ],
)
def test_what_cannot_be_cut_is_refused(options: dict[str, Any], advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        hm.fit(hm.RBM(12, 5), patterns(), **({"shards": 8, "epochs": 1} | options))
