"""Models kept along a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import harmonium as hm
from harmonium.models.io import snapshots
from harmonium.runs.checkpoint import Checkpoint

from .helpers import Break, bars, same, stored, tensors

OPTIONS: dict[str, Any] = {"objective": hm.PCD(chains=8), "batch_size": 8, "epochs": 5, "learning_rate": 0.1, "seed": 2}


class Snapshots(hm.training.Callback):
    def __init__(self) -> None:
        self.weights: dict[int, torch.Tensor] = {}

    def on_update(self, training: Any) -> None:
        self.weights[training.position.update] = training.model.weights.detach().clone()


def test_models_are_kept_on_an_exponential_grid_as_they_were() -> None:
    trajectory, seen = hm.training.KeepTrajectory(growth=1.5, every=2), Snapshots()
    hm.fit(hm.RBM(16, 4), bars(), callbacks=[trajectory, seen], **OPTIONS)
    # 20 updates: from 0 in steps of at least 2, then by a factor of 1.5, rounded up.
    updates = [0, 2, 4, 6, 9, 14]
    assert len(trajectory.models) == len(updates)
    for update, model in zip(updates[1:], trajectory.models[1:], strict=True):
        assert torch.equal(model.weights, seen.weights[update])
    assert not torch.equal(trajectory.models[0].weights, trajectory.models[1].weights)
    assert trajectory.models[0].data_mean is not None
    hm.fit(hm.RBM(16, 4), bars(), callbacks=[trajectory], **OPTIONS | {"epochs": 1})
    assert len(trajectory.models) == 3  # another training starts anew


def test_a_run_folder_holds_them_and_a_resumed_run_holds_the_same(tmp_path: Path) -> None:
    def callbacks(stop: int | None = None) -> list[hm.training.Callback]:
        return [hm.training.KeepTrajectory(growth=1.5), Break(stop), Checkpoint(0.0)]

    hm.fit(hm.RBM(16, 4), bars(), out=tmp_path / "whole", callbacks=callbacks(), **OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        hm.fit(hm.RBM(16, 4), bars(), out=tmp_path / "broken", callbacks=callbacks(8), **OPTIONS)
    assert list(snapshots(tmp_path / "broken")) == [0, 1, 2, 3, 5, 8]  # one of them of an update that is yet to come
    (tmp_path / "broken" / "trajectory" / "000000000013.safetensors").write_bytes(b"of another life")
    hm.resume(tmp_path / "broken", data=bars(), callbacks=[Break()])
    whole, broken = snapshots(tmp_path / "whole"), snapshots(tmp_path / "broken")
    assert list(whole) == list(broken) == [0, 1, 2, 3, 5, 8, 12, 18]
    assert all(same(tensors(hm.load(whole[update])), tensors(hm.load(broken[update]))) for update in whole)
    assert same(stored(tmp_path / "whole"), stored(tmp_path / "broken"))


def test_a_run_can_be_sampled_along_its_trajectory(tmp_path: Path) -> None:
    trajectory, rbm = hm.training.KeepTrajectory(), hm.RBM(16, 4)
    hm.fit(rbm, bars(), out=tmp_path / "run", callbacks=[trajectory], **OPTIONS)
    sampler = hm.sampling.TrajectoryTempering.from_run(tmp_path / "run")
    assert [same(tensors(a), tensors(b)) for a, b in zip(sampler.models, trajectory.models, strict=True)]
    samples = [
        hm.sample(rbm, 5, sweeps=3, sampler=each)
        for each in (sampler, hm.sampling.TrajectoryTempering(trajectory.models))
    ]
    assert torch.equal(*samples)


def test_keeping_changes_no_parameter() -> None:
    models = [hm.RBM(16, 4), hm.RBM(16, 4)]
    for model, callbacks in zip(models, ([], [hm.training.KeepTrajectory()]), strict=True):
        hm.fit(model, bars(), callbacks=callbacks, **OPTIONS)
    assert same(*map(tensors, models))


@pytest.mark.parametrize(("arguments", "words"), [({"growth": 0.9}, "at least 1"), ({"every": 0}, "positive integer")])
def test_what_makes_no_sense_is_refused(arguments: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        hm.training.KeepTrajectory(**arguments)
