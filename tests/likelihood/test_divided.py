"""log Z, likelihoods and samples in shards: the same bits on any number of processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core import shards
from harmonium.sampling import replica_blocks

from ..processes import launch

SCRIPT = """
from harmonium.core import shards
from harmonium.sampling import replica_blocks

shards.LEAST, replica_blocks.LEAST = 2, 2  # small machines in many blocks
rng = np.random.default_rng(0)
x = (rng.random((200, 30)) < 0.3).astype(np.float32)
rbm = hm.RBM(30, 25)
hm.fit(rbm, x, epochs=3, objective=hm.PCD(chains=40), seed=1, shards=8)
tempered = dict(method="tempering", sweeps=20, chains=17, shards=8)
print(hm.log_partition(rbm, "ais", chains=20, temperatures=200, seed=2, shards=8))
print(hm.log_partition(rbm, seed=2, **tempered).value.hex())
print(hm.evaluate(rbm, x, method="ais", chains=20, temperatures=50, shards=8).mean.hex())
print(hm.sample(rbm, 20, sweeps=10, shards=8).double().sum(1).tolist())
"""

MORE = """
import hashlib

def show(*found):
    print([each if isinstance(each, (int, str)) else float(each).hex() for each in found])

def of(tensor):
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()

z = hm.log_partition(rbm, "ais", chains=20, temperatures=200, seed=2, shards=8)
show(z.value, z.lower, z.upper, z.ess, z.why)
z = hm.log_partition(rbm, seed=2, **tempered)
show(z.value, z.lower, z.upper, z.ess, z.why)
show(hm.log_partition(rbm, "integration", sweeps=10, chains=9, shards=8).value)
show(hm.log_partition(rbm, "ais", chains=5, temperatures=20, seed=2, shards=8).value)  # fewer blocks than processes
dbm = hm.DBM([30, 12, 11])
hm.fit(dbm, x, epochs=1, objective=hm.PCD(chains=40), seed=1, shards=8)
found = hm.evaluate(dbm, x, method="ais", chains=20, temperatures=50, samples=3, shards=8)
show(found.mean, found.lower, found.upper, found.bound, found.stderr, found.why)
many = np.concatenate([x] * 30)
show(hm.evaluate(rbm, many, method="ais", chains=20, temperatures=50, shards=8).mean)
nade = hm.NADE(30, 8)
show(hm.evaluate(nade, many, shards=8).mean, of(hm.sample(nade, 20, shards=8)))
show(of(hm.sample(dbm, 20, sweeps=10, shards=8)), of(hm.sample(hm.VAE(30, latent=2, hidden=(8,)), 19, shards=8)))
show(of(hm.sample(rbm, 20, sweeps=10, clamp=(x[0] > 0, x[:20]), shards=8)))
sampler = hm.sampling.Tempering(rungs=5)
show(of(hm.sample(rbm, 20, sweeps=10, sampler=sampler, shards=8)))
show(of(hm.sample(rbm, 20, sweeps=10, sampler=sampler, clamp=(x[0] > 0, x[:20]), shards=8)))
"""


def check(script: str, worlds: list[int], folder: Path) -> None:
    said = launch(script, worlds, folder)
    expected = said[worlds[0]][0]
    assert expected.endswith("\n0\n"), expected
    for texts in said.values():
        assert texts == [expected] * len(texts)


def test_values_are_those_of_one_process(tmp_path: Path) -> None:
    check(SCRIPT, [1, 3], tmp_path)


@pytest.mark.slow
def test_every_value_is_that_of_one_process(tmp_path: Path) -> None:
    check(SCRIPT + MORE, [1, 2, 3, 4], tmp_path)


@pytest.fixture(scope="module")
def rbm() -> hm.RBM:
    rng = np.random.default_rng(0)
    made = hm.RBM.from_arrays(*(0.3 * rng.standard_normal(shape) for shape in ((12, 9), (12,), (9,))))
    made.chains = hm.sample(made, 100, sweeps=200)
    return made


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "LEAST", 2)
    monkeypatch.setattr(replica_blocks, "LEAST", 2)


@pytest.mark.usefixtures("small_blocks")
def test_rows_in_shards_are_the_rows_of_all(rbm: hm.RBM) -> None:
    # In float64 no draw is near enough to its bound to be changed by rounding.
    whole, divided = (hm.log_partition(rbm, "ais", chains=50, temperatures=100, shards=n) for n in (None, 7))
    assert whole.value == pytest.approx(divided.value, abs=1e-9)
    assert whole.upper == pytest.approx(divided.upper, abs=1e-9)
    assert torch.equal(hm.sample(rbm, 20, sweeps=10), hm.sample(rbm, 20, sweeps=10, shards=7))
    nade = hm.NADE(12, 5, dtype=torch.float64)
    assert torch.equal(hm.sample(nade, 20), hm.sample(nade, 20, shards=7))


@pytest.mark.usefixtures("small_blocks")
def test_tempering_in_shards_is_right(rbm: hm.RBM) -> None:
    # Other draws than those of one block; the 99 % interval of this seed holds the exact value.
    exact = hm.log_partition(rbm, "exact").value
    found = hm.log_partition(rbm, "tempering", sweeps=200, shards=8)
    assert found.lower < exact < found.upper
    assert found.reliable


@pytest.mark.usefixtures("small_blocks")
def test_the_outermost_call_decides(rbm: hm.RBM) -> None:
    x = np.zeros((3, 12))
    options = {"method": "tempering", "sweeps": 20, "chains": 16}
    assert hm.evaluate(rbm, x, shards=4, **options).mean == pytest.approx(
        hm.evaluate(rbm, x, log_partition=hm.log_partition(rbm, shards=4, **options)).mean, abs=0
    )
    assert hm.evaluate(rbm, x, **options).mean != hm.evaluate(rbm, x, shards=4, **options).mean


def test_blocks_have_a_size_that_pays() -> None:
    # whatever the number of processes: those that get none wait
    assert shards.blocks_for(10_000, 100) == 1
    with shards.divided(8):
        assert [shards.blocks_for(n, 100) for n in (20, 199, 200, 399, 400, 10_000)] == [1, 1, 2, 2, 4, 8]
        with shards.divided(64):
            assert shards.blocks_for(10_000, 100) == 8
