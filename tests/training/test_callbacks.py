"""What listens to training: the interface, early stopping, the progress bar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import harmonium as hm
from harmonium.runs.checkpoint import Checkpoint

from .helpers import Tensors, clusters, patterns, same, tensors, trained
from .helpers import one_thread as one_thread


class Score(hm.training.Callback):
    """Measures what it is told, None being nothing, and keeps the parameters of every epoch."""

    def __init__(self, *scores: float | None) -> None:
        self.scores = scores
        self.models: dict[int, Tensors] = {}

    def on_measure(self, training: Any, row: hm.training.History) -> None:
        score = self.scores[row["epoch"] - 1]
        if score is not None:
            row["score"] = score
        self.models[row["epoch"]] = tensors(training.model)


def fit(*callbacks: hm.training.Callback, epochs: int, **options: Any) -> tuple[hm.models.Machine, hm.training.History]:
    model = hm.RBM(12, 4)
    return model, hm.fit(
        model, patterns(), objective=hm.CD(), epochs=epochs, batch_size=30, callbacks=callbacks, **options
    )


def test_events_come_in_order() -> None:
    events: list[str] = []

    def note(name: str) -> Any:
        return lambda *_: events.append(name)

    names = ("begin", "update", "measure", "epoch", "end", "close")
    Log = type("Log", (hm.training.Callback,), {f"on_{name}": note(name) for name in names})

    fit(Log(), epochs=2)
    epoch = ["update", "update", "measure", "epoch"]
    assert events == ["begin", *epoch, *epoch, "end", "close"]


def test_a_callback_may_stop_training_between_updates() -> None:
    class Enough(hm.training.Callback):
        def on_update(self, training: Any) -> None:
            if training.position.update == 3:
                training.stop = "enough"

    _, history = fit(Enough(), epochs=5)
    assert history.stopped == "enough"
    assert history["update"] == [2]


@pytest.mark.parametrize(
    ("scores", "patience", "epochs", "best"),
    [
        ((1.0, 3.0, 2.0, 2.5, 2.9, 9.0), 3, 5, 2),  # it must stop, and never see the 9
        ((1.0, 3.0, 3.0, 3.0, 3.0, 3.0), 2, 4, 2),  # equal is not better
        ((5.0, 4.0, 6.0, 5.0, 4.0, 9.0), 2, 5, 3),
        ((-9.0, -8.0, -7.0, -6.0, -5.0, -4.0), 1, 6, 6),
        ((1.0, None, None, 0.5, 0.9, 9.0), 3, 4, 1),  # epochs without a measurement are passed over
        ((None, None, 1.0, float("nan"), 2.0, 1.0), 3, 6, 5),
        ((4.0, 3.0, 2.0, 1.0, 0.0, -1.0), None, 6, 1),
    ],
)
def test_early_stopping_keeps_the_best(
    scores: tuple[float | None, ...], patience: int | None, epochs: int, best: int
) -> None:
    score = Score(*scores)
    model, history = fit(score, hm.training.EarlyStopping("score", patience), epochs=6)
    assert len(history) == epochs
    assert history.best["epoch"] == best and history.best["score"] == scores[best - 1]
    stopped = f"no better score since epoch {best}" if epochs < 6 else None
    assert history.stopped == stopped
    assert same(tensors(model), score.models[best])
    assert epochs == best or not same(tensors(model), score.models[epochs])


def test_early_stopping_by_pseudo_likelihood_keeps_the_best_of_the_history() -> None:
    model = hm.RBM(12, 8)
    valid = patterns(seed=1)
    history = hm.fit(
        model,
        patterns(),
        objective=hm.CD(),
        learning_rate=1.0,
        epochs=500,
        batch_size=10,
        validation=valid,
        callbacks=[hm.training.EarlyStopping(patience=6)],
    )
    column = history["pseudo_log_likelihood"]
    assert len(column) < 500 and history.best["pseudo_log_likelihood"] == max(column) > column[-1]
    assert len(column) - history.best["epoch"] == 6
    found = hm.likelihood.pseudo_log_likelihood(model, torch.as_tensor(valid, dtype=torch.float32)).mean()
    assert float(found) == pytest.approx(max(column), abs=1e-9)


def test_early_stopping_changes_no_update() -> None:
    valid = patterns(seed=1)
    seen: list[list[Tensors]] = []

    class Keep(hm.training.Callback):
        def on_update(self, training: Any) -> None:
            seen[-1].append(tensors(training.model))

    for callbacks in ([Keep()], [Keep(), hm.training.EarlyStopping(patience=None)]):
        seen.append([])
        trained(patterns(), validation=valid, callbacks=callbacks)
    assert len(seen[0]) == 12 and all(same(a, b) for a, b in zip(*seen, strict=True))


@pytest.mark.parametrize("patience", [None, 10])
def test_a_column_that_nothing_measures_is_refused_before_training(patience: int | None, tmp_path: Path) -> None:
    model = hm.RBM(12, 4)
    updates: list[int] = []

    class Watch(hm.training.Callback):
        def on_update(self, training: Any) -> None:
            updates.append(1)

    with pytest.raises(ValueError, match=r"EarlyStopping\(metric='log_likelihood'\): nothing measures it.*pseudo_log"):
        hm.fit(
            model,
            patterns(),
            validation=patterns(),
            epochs=10,
            callbacks=[Watch(), hm.training.EarlyStopping("log_likelihood", patience)],
            out=tmp_path / "run",
        )
    with pytest.raises(ValueError, match=r"only epoch, learning_rate, seconds, update\. Measures need validation="):
        hm.fit(model, patterns(), epochs=10, callbacks=[Watch(), hm.training.EarlyStopping(patience=patience)])
    with pytest.raises(ValueError, match=r"only .*free_energy_gap.*add a LikelihoodMonitor"):
        hm.fit(
            hm.RBM(hm.Gaussian(3), 2),
            clusters(),
            validation=clusters(),
            epochs=10,
            callbacks=[hm.training.EarlyStopping(patience=patience)],
        )
    assert not updates
    callbacks = [
        hm.training.EarlyStopping("log_likelihood", patience),
        hm.training.LikelihoodMonitor(every=1),
        hm.training.ProgressBar(),
    ]
    history = hm.fit(hm.RBM(12, 2), patterns(), validation=patterns(), epochs=1, callbacks=callbacks)
    assert history.best["epoch"] == 1


@pytest.mark.parametrize("patience", [None, 10])
def test_a_column_that_ones_own_callback_fails_to_measure_is_refused_at_the_end(patience: int | None) -> None:
    with pytest.raises(ValueError, match=r"\(metric='skore'\): no epoch measured it; the last row has .*score"):
        fit(Score(1.0, 2.0), hm.training.EarlyStopping("skore", patience), epochs=2)


def test_early_stopping_may_serve_again() -> None:
    stopping = hm.training.EarlyStopping("score", 2)
    fit(Score(9.0, 8.0, 7.0, 6.0), stopping, epochs=4)
    _, history = fit(Score(1.0, 2.0, 3.0, 4.0), stopping, epochs=4)
    assert len(history) == 4 and history.best["score"] == 4.0


@pytest.mark.parametrize("patience", [0, -1, True])
def test_patience_refused(patience: int) -> None:
    with pytest.raises(ValueError, match=r"EarlyStopping\(patience=.* must be .*, found"):
        hm.training.EarlyStopping(patience=patience)


def test_state_round_trip() -> None:
    a, b = hm.training.EarlyStopping(), hm.training.EarlyStopping()
    a.best, a.best_epoch = -3.5, 7
    b.restore(a.state())
    assert (b.best, b.best_epoch) == (-3.5, 7)


def test_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    hm.fit(hm.RBM(12, 4), patterns(), validation=patterns(), epochs=3, batch_size=30, progress=True)
    out, err = capsys.readouterr()
    assert "6/6" in err and "epoch 3/3" in err and "pseudo-LL" in err and not out


def test_the_progress_bar_changes_no_parameter(tmp_path: Path) -> None:
    expected = trained(patterns())
    assert same(trained(patterns(), progress=True), expected)
    assert same(trained(patterns(), progress=True, out=tmp_path / "run", callbacks=[Checkpoint(0)]), expected)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("on_epoch_end", "it is called on_epoch here"),
        ("on_train_batch_end", "it is called on_update here"),
        ("on_train_end", "it is called on_end here"),
        ("on_epcoh", "it is called on_epoch here"),
        ("on_updates", "it is called on_update here"),
        ("on_sunday", "there are on_begin, on_close, on_end, on_epoch, on_measure, on_update"),
    ],
)
def test_a_method_that_would_never_be_called_is_refused_with_the_right_name(name: str, advice: str) -> None:
    with pytest.raises(TypeError, match=rf"Mine\.{name} is never called: {advice} \(a method of your own: _{name}\)"):
        type("Mine", (hm.training.Callback,), {name: lambda self, training: None})
    with pytest.raises(TypeError, match=advice):  # of a class beside the callback, too
        type("Mine", (type("Other", (), {name: lambda self: None}), hm.training.Callback), {})


def test_a_method_that_takes_other_arguments_is_refused_before_training() -> None:
    with pytest.raises(TypeError, match=r"Mine\.on_epoch must take \(self, training, row\)"):
        type("Mine", (hm.training.Callback,), {"on_epoch": lambda self, training: None})
    type("Mine", (hm.training.Callback,), {"on_epoch": lambda self, training, row, more=0: None})


@pytest.mark.parametrize(
    ("callback", "advice"),
    [
        (hm.training.ProgressBar, r"the class ProgressBar: make one of it, ProgressBar\("),
        (print, r"make it a subclass of harmonium\.training\.Callback"),
    ],
)
def test_what_is_no_callback_is_refused(callback: Any, advice: str) -> None:
    with pytest.raises(TypeError, match=advice):
        fit(callback, epochs=1)


def test_what_is_no_penalty_is_refused() -> None:
    with pytest.raises(TypeError, match=r"pass \[harmonium\.training\.WeightDecay\(0\.01\)\]"):
        hm.fit(hm.RBM(12, 4), patterns(), penalties=[0.01], epochs=1)
