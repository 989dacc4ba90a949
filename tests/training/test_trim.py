"""Training without the oddest cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.training import Trim

BARS = np.asarray(hm.data.load("bars-and-stripes").train, dtype=np.float64)


def lowest(rbm: hm.RBM, data: np.ndarray, count: int) -> list[int]:
    order: np.ndarray = np.argsort(-rbm.free_energy(data).detach().numpy(), kind="stable")
    return sorted(order[:count].tolist())


def chosen(data: np.ndarray, share: float, epochs: int, **options: Any) -> tuple[hm.RBM, list[list[int]]]:
    """A trained machine, and the cases that each pass left out, and that one more would."""
    rbm, seen = hm.RBM(data.shape[1], 4), []
    trim = Trim(share)

    class Look(hm.training.Callback):
        every_updates = None

        def on_update(self, training: Any) -> None:
            weight = training.weight
            assert weight.mean().item() == pytest.approx(1)
            seen.append(torch.nonzero(weight < 1e-6).squeeze(-1).tolist())

    hm.fit(rbm, data, epochs=epochs, batch_size=len(data), callbacks=[trim, Look()], **options)
    seen.append(trim.out)
    return rbm, seen


def test_each_pass_leaves_out_what_is_least_probable_before_it() -> None:
    rbm, seen = chosen(BARS, 0.25, 3, learning_rate=0.5)
    first = hm.RBM(16, 4)
    hm.fit(first, BARS, epochs=1, learning_rate=0.0, batch_size=32)  # as training begins
    assert [len(out) for out in seen] == [8, 8, 8, 8]
    assert seen[0] == lowest(first, BARS, 8) and seen[-1] == lowest(rbm, BARS, 8) and seen[0] != seen[-1]


def test_cases_that_are_left_out_teach_nothing() -> None:
    data = np.concatenate((np.tile([[0.0, 0.0, 0.0, 1.0]], (27, 1)), np.tile([[1.0, 1.0, 1.0, 0.0]], (3, 1))))
    rbm, seen = chosen(data, 0.1, 800, learning_rate=0.3)
    assert seen[0] == seen[-1] == [27, 28, 29]
    # What nothing teaches the machine becomes ever rarer; with all cases it has a tenth: -2.3 nats.
    assert hm.evaluate(rbm, data[-1:]).lower < -5
    plain = hm.RBM(4, 4)
    hm.fit(plain, data, epochs=800, batch_size=30, learning_rate=0.3)
    assert hm.evaluate(plain, data[-1:]).lower > -3.5


def test_weights_of_the_user_stay() -> None:
    weight = np.linspace(1, 2, 32)
    kept: list[torch.Tensor] = []

    class Look(hm.training.Callback):
        def on_update(self, training: Any) -> None:
            kept.append(training.weight.clone())

    hm.fit(hm.RBM(16, 2), BARS, epochs=1, batch_size=32, sample_weight=weight, callbacks=[Trim(0.25), Look()])
    inside = kept[0] > 1e-6
    assert int(inside.sum()) == 24
    ratio = kept[0][inside].numpy() / weight[inside.numpy()]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_held_out_cases_keep_their_weights() -> None:
    """Without the oddest of them, weights still belong to the cases."""
    data, weight = np.tile(BARS, (10, 1)), np.linspace(1, 2, 320)
    seen: list[tuple[np.ndarray, torch.Tensor]] = []

    class Look(hm.training.Callback):
        def on_epoch(self, training: Any, row: Any) -> None:
            rows = training.validation.rows(torch.arange(len(training.validation)), dtype=torch.float64).numpy()
            seen.append((rows, training.validation_weight))

    hm.fit(hm.RBM(16, 2), data, sample_weight=weight, minutes=0.01, callbacks=[Trim(0.25), Look()])
    for rows, counts in seen:
        assert len(rows) == len(counts) == 24  # of a tenth of 320


def test_a_trimmed_run_is_resumed(tmp_path: Any) -> None:
    class Stop(BaseException):
        pass

    class Interrupt(hm.training.Callback):
        transient = True

        def on_epoch(self, training: Any, row: Any) -> None:
            if row["epoch"] == 2:
                raise Stop

    plan: dict[str, Any] = {"epochs": 4, "batch_size": 8, "seed": 1}
    straight = hm.RBM(16, 4)
    hm.fit(straight, BARS, callbacks=[Trim(0.25)], **plan)
    with pytest.raises(Stop):
        hm.fit(hm.RBM(16, 4), BARS, out=tmp_path / "run", callbacks=[Trim(0.25), Interrupt()], **plan)
    model, _ = hm.resume(tmp_path / "run", data=BARS, callbacks=[hm.training.Callback()])
    assert torch.equal(model.weights, straight.weights)


def test_what_trim_refuses() -> None:
    with pytest.raises(ValueError, match=r"Trim\(share=...\) must be a number between 0 and 0.5, found 0.7"):
        Trim(0.7)
    with pytest.raises(TypeError, match="Trim takes a machine such as an RBM, found NADE"):
        hm.fit(hm.NADE(16, hidden=4), BARS, epochs=1, callbacks=[Trim()])
    gaps = BARS.copy()
    gaps[0, 0] = np.nan
    with pytest.raises(ValueError, match="Trim compares whole cases: use missing='draw'"):
        hm.fit(hm.RBM(16, 4), gaps, epochs=1, missing="omit", callbacks=[Trim()])
