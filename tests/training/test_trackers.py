from __future__ import annotations

import importlib
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harmonium as hm

BARS = hm.data.load("bars-and-stripes").train
SETTINGS: dict[str, Any] = {"objective": hm.PCD(k=1, chains=8), "batch_size": 8, "seed": 3}


class Break(hm.training.Callback):
    """Ends a training as Ctrl-C would, after so many epochs."""

    transient = True

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch(self, training: Any, row: Any) -> None:
        if row["epoch"] == self.epoch:
            next(c for c in training.callbacks if isinstance(c, hm.runs.Checkpoint)).write(training)
            raise KeyboardInterrupt


def events(folder: Path) -> list[Any]:
    """All summaries as (step, value), by TFRecord's own layout: length, its CRC, content, its CRC."""
    event_pb2 = importlib.import_module("tensorboardX.proto.event_pb2")
    found = []
    for path in sorted(folder.glob("events.*"), key=os.path.getmtime):
        content, place = path.read_bytes(), 0
        while place < len(content):
            (length,) = struct.unpack_from("<Q", content, place)
            event = event_pb2.Event.FromString(content[place + 12 : place + 12 + length])
            found += [(event.step, value) for value in event.summary.value]
            place += 16 + length
    return found


def scalars(folder: Path, tag: str) -> dict[int, float]:
    return {step: value.simple_value for step, value in events(folder) if value.tag == tag}


def test_tensorboard_holds_rows_and_pictures_and_changes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    plain, watched = hm.RBM(hm.Bernoulli((4, 4)), 5), hm.RBM(hm.Bernoulli((4, 4)), 5)
    hm.fit(plain, BARS, epochs=5, validation=BARS, **SETTINGS)
    board = hm.training.TensorBoard(tmp_path, every=2)
    history = hm.fit(watched, BARS, epochs=5, validation=BARS, callbacks=[hm.training.Monitor(), board], **SETTINGS)
    assert all((a == b).all() for a, b in zip(plain.to_arrays(), watched.to_arrays(), strict=True))
    for tag in ("pseudo_log_likelihood", "learning_rate", "free_energy_gap"):
        written = scalars(tmp_path, tag)
        assert list(written) == [1, 2, 3, 4, 5]
        assert np.allclose(list(written.values()), history[tag], rtol=1e-6)  # events are float32
    kinds = {(step, value.tag): value for step, value in events(tmp_path)}
    for step in (2, 4, 5):
        weights = kinds[step, "couplings.weights"].histo
        assert weights.num == 16 * 5
        assert min(kinds[step, name].image.height for name in ("filters", "chains")) >= 4
    assert (3, "filters") not in kinds
    total = watched.to_arrays()[0].sum(dtype=np.float64)
    assert kinds[5, "couplings.weights"].histo.sum == pytest.approx(total, abs=1e-6)


def test_tensorboard_draws_units_without_an_image_as_one(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    rbm = hm.RBM(hm.Categorical(3, 4), 5)
    hm.fit(rbm, [[0, 1, 3], [2, 2, 0]], epochs=1, callbacks=[hm.training.TensorBoard(tmp_path)], **SETTINGS)
    images = {value.tag: value.image for _, value in events(tmp_path) if value.image.height}
    assert (images["filters"].height, images["filters"].width) == (5, 12)
    assert (images["chains"].height, images["chains"].width) == (8, 3)


def test_tensorboard_goes_on_with_a_resumed_run(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    whole = hm.RBM(16, 5)
    hm.fit(whole, BARS, epochs=4, out=tmp_path / "whole", callbacks=[hm.training.TensorBoard()], **SETTINGS)
    broken = [hm.training.TensorBoard(), Break(2)]
    with pytest.raises(KeyboardInterrupt):
        hm.fit(hm.RBM(16, 5), BARS, epochs=4, out=tmp_path / "run", callbacks=broken, **SETTINGS)
    assert list(scalars(tmp_path / "run/tensorboard", "learning_rate")) == [1, 2]
    resumed, _ = hm.resume(tmp_path / "run", callbacks=[Break(0)])
    assert scalars(tmp_path / "run/tensorboard", "update") == {1: 4, 2: 8, 3: 12, 4: 16}
    assert all((a == b).all() for a, b in zip(whole.to_arrays(), resumed.to_arrays(), strict=True))


def test_tensorboard_needs_a_folder_and_sound_settings(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    with pytest.raises(ValueError, match=r"every=\.\.\.\) must be .*, found 0"):
        hm.training.TensorBoard(tmp_path, every=0)
    with pytest.raises(ValueError, match=r"name one with fit\(\.\.\., out=\.\.\.\)"):
        hm.fit(hm.RBM(16, 2), BARS, epochs=1, callbacks=[hm.training.TensorBoard()])


@pytest.mark.parametrize(
    ("tracker", "package", "extra"), [("TensorBoard", "tensorboardX", "tensorboard"), ("MLflow", "mlflow", "mlflow")]
)
def test_a_missing_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tracker: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(importlib.import_module("sys").modules, package, None)
    with pytest.raises(ImportError, match=rf"{tracker} needs {package}: pip install 'harmonium\[{extra}\]'"):
        getattr(hm.training, tracker)()


@pytest.mark.filterwarnings("ignore")  # of MLflow's own dependencies
def test_mlflow_has_plan_metrics_and_model_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed: more than 100 MB with what it needs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    store = (tmp_path / "store").as_uri()
    broken = [hm.training.MLflow("bars", "first", store), Break(2)]
    with pytest.raises(KeyboardInterrupt):
        hm.fit(hm.RBM(16, 5), BARS, epochs=4, out=tmp_path / "run", callbacks=broken, **SETTINGS)
    client = mlflow.MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("bars").experiment_id
    (run,) = client.search_runs([experiment])
    assert run.info.status == "KILLED" and run.info.run_name == "first"
    model, history = hm.resume(tmp_path / "run", callbacks=[Break(0)])
    (run,) = client.search_runs([experiment])
    assert run.info.status == "FINISHED"
    assert run.data.params["plan.objective.type"] == "PCD" and run.data.params["plan.objective.chains"] == "8"
    assert run.data.params["plan.epochs"] == "4" and run.data.params["model.hidden.shape"] == "[5]"
    rates = {metric.step: metric.value for metric in client.get_metric_history(run.info.run_id, "update")}
    assert rates == dict(zip(history["epoch"], history["update"], strict=True))
    again = hm.load(client.download_artifacts(run.info.run_id, "model.safetensors", str(tmp_path)))
    assert all((a == b).all() for a, b in zip(model.to_arrays(), again.to_arrays(), strict=True))
