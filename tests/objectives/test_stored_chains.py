"""Chains that are kept as bytes: the same bits as floats, whatever happens to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.objectives import negative
from harmonium.objectives.negative import stored
from harmonium.runs.checkpoint import Checkpoint

from ..processes import launch

ROWS = np.random.default_rng(0)
BITS = (ROWS.random((90, 130)) < 0.3).astype(np.float32)
CODES = ROWS.integers(3, size=(90, 40))

MACHINES: dict[str, tuple[Callable[[], Any], np.ndarray, torch.dtype]] = {
    "rbm": (lambda: hm.RBM(130, 100), BITS, torch.uint8),
    "spins": (lambda: hm.RBM(hm.Spin(130), hm.Spin(100)), 2 * BITS - 1, torch.int8),
    "categories": (lambda: hm.RBM(hm.Categorical(40, 3), 160), CODES, torch.uint8),
    "counts": (lambda: hm.RBM(hm.Binomial(40, trials=200), 160), CODES, torch.uint8),
    "dbm": (lambda: hm.DBM([130, 100, 20]), BITS, torch.uint8),
    "lateral": (lambda: hm.BoltzmannMachine(130, hidden=5), BITS, torch.uint8),
}


def trained(make: Callable[[], Any], data: np.ndarray, **options: Any) -> Any:
    model = make()
    options = {"objective": hm.PCD(chains=200), "epochs": 2, "batch_size": 30, "seed": 3} | options
    hm.fit(model, data, **options)
    return model


def same(a: Any, b: Any) -> bool:
    here, there = a.state_dict(), b.state_dict()
    return here.keys() == there.keys() and all(torch.equal(here[k], there[k]) for k in here)


class Look(hm.training.Callback):
    def __init__(self) -> None:
        self.seen: set[torch.dtype] = set()

    def on_update(self, training: Any) -> None:
        self.seen.add(training.objective_state["chains"].dtype)


@pytest.mark.parametrize("objective", [hm.PCD(chains=200), hm.PCD(k=5, chains=200), hm.FPCD(chains=200)])
@pytest.mark.parametrize("name", MACHINES)
def test_training_gives_the_same_bits(name: str, objective: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make, data, dtype = MACHINES[name]
    whole = trained(make, data, objective=objective)
    monkeypatch.setattr(negative, "LARGE", 1)
    look = Look()
    bytewise = trained(make, data, objective=objective, callbacks=[look])
    assert look.seen == {dtype}
    assert bytewise.chains.dtype == torch.float32 and same(whole, bytewise)


def test_only_large_chains_of_small_whole_numbers_are_kept_as_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stored(hm.RBM(4, 2), torch.ones(9, 4)).dtype == torch.float32  # small
    monkeypatch.setattr(negative, "LARGE", 1)
    for visible in (hm.Gaussian(4), hm.Poisson(4), hm.Binomial(4, trials=300)):
        assert stored(hm.RBM(visible, 2), torch.ones(9, 4)).dtype == torch.float32
    assert stored(hm.RBM(4, 2, dtype=torch.float64), torch.ones(9, 4, dtype=torch.float64)).dtype == torch.float64
    mixed = hm.RBM(hm.Mixed([hm.Bernoulli(2), hm.Gaussian(2)]), 2)
    assert stored(mixed, torch.ones(9, 4)).dtype == torch.float32
    for lengths in ([4], [4, 6]):  # counts of documents: their states are too many to look through
        assert stored(hm.RBM(hm.ReplicatedSoftmax(4, lengths), 2), torch.ones(9, 4)).dtype == torch.float32
    assert stored(hm.RBM(4, 2), torch.ones(9, 4)).dtype == torch.uint8


def test_small_machines_keep_the_floats_of_their_compiled_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(negative, "LARGE", 1)
    look = Look()
    trained(lambda: hm.RBM(130, 10), BITS, callbacks=[look])
    assert look.seen == {torch.float32}


def test_the_best_model_and_a_return_to_it_have_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    class Back(hm.training.Callback):
        def on_epoch(self, training: Any, row: Any) -> None:
            if row["epoch"] == 1:
                training.keep_best(row)
            if row["epoch"] == 3:
                training.go_back(0.5)
            if row["epoch"] == 4:
                training.keep_best(row)

    whole = trained(*MACHINES["rbm"][:2], epochs=5, callbacks=[Back()])
    monkeypatch.setattr(negative, "LARGE", 1)
    bytewise = trained(*MACHINES["rbm"][:2], epochs=5, callbacks=[Back()])
    assert same(whole, bytewise) and bytewise.chains.dtype == torch.float32


@pytest.mark.parametrize("before", [1, 1 << 26])
def test_checkpoints_of_bytes_and_of_floats_go_on(tmp_path: Path, before: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Break(hm.training.Callback):
        def on_epoch(self, training: Any, row: Any) -> None:
            if row["epoch"] == 2:
                raise KeyboardInterrupt

    whole = trained(*MACHINES["rbm"][:2], epochs=4)
    monkeypatch.setattr(negative, "LARGE", before)
    with pytest.raises(KeyboardInterrupt):
        trained(*MACHINES["rbm"][:2], epochs=4, callbacks=[Break(), Checkpoint(seconds=0)], out=tmp_path / "run")
    monkeypatch.setattr(negative, "LARGE", 1)  # a checkpoint of an earlier version has floats
    look = Look()
    resumed, _ = hm.resume(tmp_path / "run", callbacks=[look], data=BITS)
    assert look.seen == {torch.uint8 if before == 1 else torch.float32}
    assert same(whole, resumed)


def test_monitors_see_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(negative, "LARGE", 1)
    monitors = [
        hm.training.LikelihoodMonitor(every=1, chains=10, temperatures=20),
        hm.training.EquilibriumMonitor(every=1, chains=10, sweeps=5, annealed=5, temperatures=10),
    ]
    model = trained(*MACHINES["rbm"][:2], callbacks=monitors, validation=BITS[:20])
    assert same(model, trained(*MACHINES["rbm"][:2]))


def test_the_bits_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    said = launch(
        """
        import harmonium.objectives.negative as negative
        x = (np.random.default_rng(0).random((90, 130)) < 0.3).astype(np.float32)
        for large in (1, 1 << 26):
            negative.LARGE = large
            rbm = hm.RBM(130, 100)
            hm.fit(rbm, x, objective=hm.PCD(chains=200), epochs=2, batch_size=30, shards=4, seed=1)
            print(rbm.weights.double().sum().item().hex(), rbm.chains.double().sum().item(), rbm.chains.dtype)
        """,
        [1, 3],
        tmp_path,
    )
    lines = {line for texts in said.values() for text in texts for line in text.splitlines()[:-1]}
    assert len(lines) == 1 and lines.pop().endswith("torch.float32"), said
    assert all(text.endswith("\n0\n") for texts in said.values() for text in texts)
