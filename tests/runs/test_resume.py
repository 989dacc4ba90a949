"""Run folders: what they hold, how they resume, what they refuse."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.errors import InterruptedRunError, RunInUseError
from harmonium.core.files import read_tensors, write_tensors
from harmonium.core.registry import type_name
from harmonium.runs.checkpoint import Checkpoint

from ..training.helpers import RECIPES, Drift, Server, begin, go_on, momentum, patterns, rows, same, stored, tensors
from ..training.helpers import one_thread as one_thread


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@dataclass
class Reference:
    """A run that was never stopped, under the conditions of those that will be."""

    folder: Path
    seconds: float


@pytest.fixture(scope="module")
def references(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reference]:
    folder = tmp_path_factory.mktemp("references")
    found = {}
    for recipe in RECIPES:
        started = time.monotonic()
        assert server.run(recipe, folder / recipe) == 0
        found[recipe] = Reference(folder / recipe, time.monotonic() - started)
    return found


def check_equal(out: Path, expected_run: Reference) -> None:
    reference = expected_run.folder
    assert same(stored(out), stored(reference))
    assert rows(out) == rows(reference)
    state, meta = read_tensors(out / "checkpoint.safetensors")
    expected, expected_meta = read_tensors(reference / "checkpoint.safetensors")
    assert same(state, expected)
    for key in ("stream", "optimizer", "callbacks"):
        assert meta["checkpoint"][key] == expected_meta["checkpoint"][key]
    leftovers = {path.name for path in out.iterdir()} - {path.name for path in reference.iterdir()}
    assert not leftovers


def stop_at(update: int, number: int = signal.SIGTERM) -> hm.training.Callback:
    """A callback that sends this process a signal after an update; it needs no place in a folder."""

    class Stop(hm.training.Callback):
        transient = True

        def on_update(self, training: Any) -> None:
            if training.position.update == update:
                signal.raise_signal(number)

    return Stop()


def small(out: Path, **changes: Any) -> tuple[hm.models.Machine, hm.training.History]:
    """A run of 12 updates on arrays."""
    model = changes.pop("model", None) or hm.RBM(12, 4)
    options: dict[str, Any] = {"objective": hm.PCD(chains=8), "epochs": 3, "batch_size": 16, "seed": 2}
    return model, hm.fit(model, changes.pop("data", patterns()), out=out, **(options | changes))


def interrupted(out: Path, update: int = 5, **changes: Any) -> None:
    """The same run, stopped after an update."""
    with pytest.raises(InterruptedRunError):
        small(out, **({"callbacks": [stop_at(update)]} | changes))
    forget_callbacks(out)


def forget_callbacks(out: Path) -> None:
    """Strike the callbacks of one's own from a config, so that a resumed run needs none."""
    config = json.loads((out / "config.json").read_text())
    config.pop("digest", None)  # because it is changed on purpose
    config["callbacks"] = [entry for entry in config["callbacks"] if entry is not None]
    (out / "config.json").write_text(json.dumps(config))


# ------------------------------------------------------------------------------------------------------- contents


def test_run_folder_contents(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    data = hm.data.load("digits")
    model = hm.RBM(64, 4)
    history = hm.fit(
        model,
        data.train,
        objective=hm.CD(k=2),
        learning_rate=hm.schedules.Linear(0.1),
        penalties=[hm.training.WeightDecay(l2=0.01)],
        validation=data.valid,
        epochs=2,
        batch_size=400,
        seed=9,
        out=out,
    )
    config = json.loads((out / "config.json").read_text())
    assert config["plan"] == {
        "objective": {"type": "CD", "k": 2, "inference": {"type": "MeanField", "iterations": 30, "tolerance": 1e-3}},
        "metric": {"type": "Centered", "rate": 0.01},
        "learning_rate": {"type": "Linear", "start": 0.1, "end": 0.0, "hold": 0.0},
        "optimizer": "sgd",
        "penalties": [{"type": "WeightDecay", "l2": 0.01, "l1": 0.0}],
        "epochs": 2,
        "batch_size": 400,
        "missing": None,
        "hold_out": False,
        "most": None,
        "shards": None,
        "average": None,
        "seed": [9],
    }
    assert config["fresh"] is True
    assert config["model"]["hidden"]["shape"] == [4]
    assert config["data"]["shape"] == [1197, 64] and config["validation"]["shape"] == [300, 64]
    assert config["data"]["source"]["split"] == "train" and config["validation"]["source"]["split"] == "valid"
    assert config["data"]["fingerprint"] == data.train.fingerprint() != config["validation"]["fingerprint"]
    assert [entry["type"] for entry in config["callbacks"]] == ["Monitor", "Checkpoint"]
    run = json.loads((out / "run.json").read_text())
    assert run["torch"] == torch.__version__ and run["threads"] == torch.get_num_threads()
    assert {"harmonium", "python", "numpy", "numba", "processor", "command", "started"} <= run.keys()
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert lines == history.rows and [row["update"] for row in lines] == [3, 6]
    assert same(stored(out), tensors(model))
    assert not (out / "sample_weight.safetensors").exists()


def test_a_run_folder_changes_no_parameter(tmp_path: Path) -> None:
    model = hm.RBM(12, 4)
    hm.fit(model, patterns(), objective=hm.PCD(chains=8), epochs=3, batch_size=16, seed=2)
    written, _ = small(tmp_path / "run", callbacks=[Checkpoint(seconds=0)])
    assert same(tensors(model), tensors(written))


def test_every_update_is_checkpointed_with_seconds_zero_and_none_with_a_long_interval(tmp_path: Path) -> None:
    seen: dict[str, list[int]] = {"every": [], "late": []}

    class Watch(hm.training.Callback):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_update(self, training: Any) -> None:
            path = tmp_path / self.name / "checkpoint.safetensors"
            if path.exists():
                seen[self.name].append(read_tensors(path)[1]["checkpoint"]["position"]["update"])

    small(tmp_path / "every", callbacks=[Watch("every"), Checkpoint(seconds=0)])
    small(tmp_path / "late", callbacks=[Watch("late"), Checkpoint(seconds=60)])
    assert seen == {"every": list(range(1, 12)), "late": []}


# --------------------------------------------------------------------------------------------------------- resume


@pytest.mark.parametrize("recipe", RECIPES)
def test_killed_at_any_moment_it_ends_as_if_never_stopped(
    server: Server, references: dict[str, Reference], recipe: str, tmp_path: Path
) -> None:
    draw = random.Random(recipe)
    for attempt in range(5):  # a machine that was busy and is no more may be done before it is killed: again, sooner
        out = tmp_path / f"run{attempt}"
        codes = []
        for seconds in (60.0, 0.0, 0.03, 0.0):
            change_interval(out, seconds)
            moment = draw.uniform(0.02, 0.7) * references[recipe].seconds / 2**attempt
            codes.append(server.run(recipe, out, seconds, (signal.SIGKILL, moment)))
        assert set(codes) <= {0, -signal.SIGKILL}
        if codes.count(-signal.SIGKILL) > 1:
            break
    else:
        pytest.fail("the trainings end before they can be killed: lengthen them")
    assert server.run(recipe, out) == 0
    check_equal(out, references[recipe])


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(4))
@pytest.mark.parametrize("recipe", RECIPES)
def test_killed_again_and_again_it_ends_as_if_never_stopped(
    server: Server, references: dict[str, Reference], recipe: str, attempt: int, tmp_path: Path
) -> None:
    draw = random.Random(f"{recipe} {attempt}")
    out = tmp_path / "run"
    for _ in range(8):
        change_interval(out, draw.choice((0.0, 0.02, 0.1)))
        moment = draw.uniform(0.0, 0.8) * references[recipe].seconds
        assert server.run(recipe, out, draw.choice((0.0, 0.1, 60.0)), (signal.SIGKILL, moment)) in (0, -signal.SIGKILL)
    assert server.run(recipe, out) == 0
    check_equal(out, references[recipe])


def change_interval(out: Path, seconds: float) -> None:
    """Let a stored run write its checkpoints at another interval."""
    if not (out / "config.json").exists():
        return
    config = json.loads((out / "config.json").read_text())
    config.pop("digest", None)  # because it is changed on purpose
    for entry in config["callbacks"]:
        if entry is not None and entry["type"] == "Checkpoint":
            entry["seconds"] = seconds
    (out / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_a_checkpoint(
    server: Server, references: dict[str, Reference], recipe: str, number: int, tmp_path: Path
) -> None:
    for attempt in range(5):  # a busy machine may send it too late
        out = tmp_path / f"run{attempt}"
        code = server.run(recipe, out, end=(number, "metrics.jsonl"))
        if code != 0:
            break
    assert code == number  # the child returns the number that InterruptedRunError names
    assert (out / "checkpoint.safetensors").exists() and not (out / "model.safetensors").exists()
    assert server.run(recipe, out) == 0
    check_equal(out, references[recipe])


def test_the_config_alone_is_enough(server: Server, references: dict[str, Reference], tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert server.run("everything", out) == 0
    for name in ("checkpoint.safetensors", "model.safetensors", "metrics.jsonl", "run.json"):
        (out / name).unlink()
    assert server.run("everything", out) == 0
    expected = references["everything"].folder
    assert same(stored(out), stored(expected)) and rows(out) == rows(expected)


@pytest.mark.parametrize("update", [1, 4, 7, 12])
def test_stopped_after_any_update_of_an_epoch(update: int, tmp_path: Path) -> None:
    whole, history = small(tmp_path / "whole")
    interrupted(tmp_path / "run", update)
    (tmp_path / "run" / "metrics.jsonl").write_text('{"epoch": 77}\n{"half a li')  # rows later than the checkpoint
    model, resumed = hm.resume(tmp_path / "run", data=patterns())
    assert same(tensors(model), tensors(whole))
    assert [row["update"] for row in resumed.rows] == [row["update"] for row in history.rows] == [4, 8, 12]
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("optimizer", ["adagrad", "adam", "adamax", "radam", "rmsprop", "rprop"])
def test_optimizers_resume_bit_for_bit(optimizer: str, dtype: torch.dtype, tmp_path: Path) -> None:
    options = {"optimizer": optimizer, "learning_rate": 0.01}
    whole, _ = small(tmp_path / "whole", model=hm.RBM(12, 4, dtype=dtype), **options)
    interrupted(tmp_path / "run", 6, model=hm.RBM(12, 4, dtype=dtype), **options)
    model, _ = hm.resume(tmp_path / "run", data=patterns())
    assert model.dtype == dtype
    assert same(tensors(model), tensors(whole))


def test_a_model_that_is_not_fresh_resumes_from_its_own_start(tmp_path: Path) -> None:
    first, _ = small(tmp_path / "first")
    hm.save(first, tmp_path / "model.safetensors")
    whole, _ = small(tmp_path / "whole", model=hm.load(tmp_path / "model.safetensors"), seed=8)
    assert not same(tensors(whole), tensors(small(tmp_path / "fresh", seed=8)[0]))
    with pytest.raises(RuntimeError, match="before anything"):
        small(tmp_path / "run", model=hm.load(tmp_path / "model.safetensors"), seed=8, callbacks=[Fail()])
    forget_callbacks(tmp_path / "run")
    model, _ = hm.resume(tmp_path / "run", data=patterns())
    assert same(tensors(model), tensors(whole))
    (tmp_path / "run" / "checkpoint.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"checkpoint\.safetensors.*fresh"):
        hm.resume(tmp_path / "run", data=patterns())


class Fail(hm.training.Callback):
    transient = True

    def on_begin(self, training: Any) -> None:
        raise RuntimeError("before anything was trained")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_complete_run_is_returned_as_it_ended(recipe: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    model, history = begin(recipe, out)
    again, same_history = go_on(recipe, out)
    assert same(tensors(again), tensors(model))
    assert same_history == history
    assert (history.stopped is not None) == (recipe == "stopping")


def test_early_stopping_goes_on_counting(references: dict[str, Reference]) -> None:
    meta = read_tensors(references["stopping"].folder / "checkpoint.safetensors")[1]["checkpoint"]
    assert meta["history"]["stopped"].startswith("no better pseudo_log_likelihood since epoch")
    assert len(meta["history"]["rows"]) - meta["history"]["best"]["epoch"] == 8


# ------------------------------------------------------------------------------------------- what must be given again


def test_arrays_must_be_passed_again_and_be_the_same(tmp_path: Path) -> None:
    out = tmp_path / "run"
    interrupted(out, validation=patterns(seed=1))
    before = (out / "checkpoint.safetensors").read_bytes()
    with pytest.raises(ValueError, match="arrays: pass them again with data="):
        hm.resume(out)
    with pytest.raises(ValueError, match="arrays: pass them again with validation="):
        hm.resume(out, data=patterns())
    other = patterns()
    other[7, 3] = ~other[7, 3]
    with pytest.raises(ValueError, match=r"data \(60, 12\) is not what the run was trained on \(60, 12\)"):
        hm.resume(out, data=other, validation=patterns(seed=1))
    with pytest.raises(ValueError, match=r"validation \(60, 12\) is not what"):
        hm.resume(out, data=patterns(), validation=patterns())
    with pytest.raises(ValueError, match=r"data \(59, 12\) is not what the run was trained on \(60, 12\)"):
        hm.resume(out, data=patterns()[:59], validation=patterns(seed=1))
    assert (out / "checkpoint.safetensors").read_bytes() == before
    _, history = hm.resume(out, data=patterns(), validation=patterns(seed=1))
    assert len(history) == 3


def test_named_data_of_another_binarisation_are_refused(tmp_path: Path) -> None:
    data = hm.data.load("digits", binarize="dynamic", seed=1).train
    small(tmp_path / "run", model=hm.RBM(64, 2), data=data, epochs=1, batch_size=1197)
    with pytest.raises(ValueError, match="its contents or its binarisation differ"):
        hm.resume(tmp_path / "run", data=hm.data.load("digits", binarize="dynamic", seed=2).train)
    hm.resume(tmp_path / "run")


def test_own_callbacks_must_be_passed_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(InterruptedRunError):
        small(out, callbacks=[stop_at(5), hm.training.Monitor(), Drift()])
    with pytest.raises(ValueError, match=r"2 callbacks of your own.*found 0 \(known without .*: Monitor, Check"):
        hm.resume(out, data=patterns())
    with pytest.raises(ValueError, match=r"2 callbacks of your own.*found 3"):
        hm.resume(out, data=patterns(), callbacks=[stop_at(99), hm.training.Monitor(), Drift()])
    whole, history = small(tmp_path / "whole", callbacks=[Drift()])
    model, resumed = hm.resume(out, data=patterns(), callbacks=[stop_at(99), Drift()])
    assert resumed["drift"] == history["drift"]
    assert same(tensors(model), tensors(whole))


def test_a_subclass_of_a_known_callback_is_ones_own(tmp_path: Path) -> None:
    class Louder(hm.training.EarlyStopping):
        pass

    interrupted_by = [stop_at(5), Louder(patience=None)]
    with pytest.raises(InterruptedRunError):
        small(tmp_path / "run", callbacks=interrupted_by, validation=patterns(seed=1))
    with pytest.raises(ValueError, match="2 callbacks of your own"):
        hm.resume(tmp_path / "run", data=patterns(), validation=patterns(seed=1), callbacks=[stop_at(99)])


def test_an_own_optimizer_must_be_passed_again(tmp_path: Path) -> None:
    whole, _ = small(tmp_path / "whole", optimizer=momentum)
    interrupted(tmp_path / "run", optimizer=momentum)
    with pytest.raises(ValueError, match="optimizer of your own: pass it again with optimizer="):
        hm.resume(tmp_path / "run", data=patterns())
    model, _ = hm.resume(tmp_path / "run", data=patterns(), optimizer=momentum)
    assert same(tensors(model), tensors(whole))


class Slow(hm.CD):
    """An objective of one's own."""


def test_an_objective_of_ones_own_is_found_by_its_name_or_passed_again(tmp_path: Path) -> None:
    whole, _ = small(tmp_path / "whole", objective=Slow(k=2))
    interrupted(tmp_path / "run", objective=Slow(k=2))
    shutil.copytree(tmp_path / "run", tmp_path / "elsewhere")
    model, _ = hm.resume(tmp_path / "run", data=patterns())
    assert same(tensors(model), tensors(whole))
    config = tmp_path / "elsewhere" / "config.json"
    config.write_text(config.read_text().replace(type_name(Slow), "unknown_module:Slow"))
    with pytest.raises(ValueError, match=r"class Slow.*pass the object itself to harmonium\.resume"):
        hm.resume(tmp_path / "elsewhere", data=patterns())


def test_sample_weights_are_kept_in_the_folder(tmp_path: Path) -> None:
    weight = np.arange(60) % 4
    whole, _ = small(tmp_path / "whole", sample_weight=weight)
    interrupted(tmp_path / "run", sample_weight=weight)
    model, _ = hm.resume(tmp_path / "run", data=patterns())
    assert same(tensors(model), tensors(whole))
    assert not same(tensors(model), tensors(small(tmp_path / "unweighted")[0]))


# -------------------------------------------------------------------------------------------------------- refusals


def test_a_folder_that_holds_a_run_is_refused(tmp_path: Path) -> None:
    small(tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(RunInUseError, match=r"already holds a run: go on with harmonium\.resume"):
        small(tmp_path / "run", seed=3)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_no_run_to_resume(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no run to resume"):
        hm.resume(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "config.json").write_text('{"name": "somebody else\'s"}')
    with pytest.raises(hm.errors.DamagedFileError, match=r"config\.json is not that of a harmonium run"):
        hm.resume(tmp_path)
    (tmp_path / "config.json").write_text('{"format": 1, "mod')
    with pytest.raises(hm.errors.DamagedFileError, match=r"config\.json is damaged"):
        hm.resume(tmp_path)


def test_the_place_of_the_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("precious")
    with pytest.raises(OSError, match=r"cannot make the folder .*run: .* Choose another"):
        small(tmp_path / "run")
    assert (tmp_path / "run").read_text() == "precious"


def test_a_second_process_in_the_folder_is_refused(server: Server, tmp_path: Path) -> None:
    out = tmp_path / "run"
    child = server.start("loaded", out, 0.0)
    try:
        while not (out / "config.json").exists():
            time.sleep(0.005)
        os.kill(child, signal.SIGSTOP)
        with pytest.raises(RunInUseError, match=r"another process is training in .*run: wait for it"):
            go_on("loaded", out)
        with pytest.raises(RunInUseError, match="another process is training"):
            small(out)
    finally:
        os.kill(child, signal.SIGKILL)  # the lock file stays behind
        server.wait()
    assert (out / ".lock").exists()
    assert server.run("loaded", out) == 0
    assert len(rows(out)) == 60


def test_two_trainings_of_one_process_in_one_folder(tmp_path: Path) -> None:
    class Nested(hm.training.Callback):
        refused = False

        def on_update(self, training: Any) -> None:
            if not self.refused:
                with pytest.raises(RunInUseError, match="another process"):
                    small(tmp_path / "run")
                Nested.refused = True

    small(tmp_path / "run", callbacks=[Nested()])
    assert Nested.refused


@pytest.mark.parametrize("leftover", ["checkpoint.safetensors", "sample_weight.safetensors"])
def test_what_a_start_killed_before_its_config_left_is_not_taken_up(leftover: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    whole, _ = small(tmp_path / "whole")
    small(tmp_path / "other", sample_weight=np.arange(60), model=hm.RBM(12, 4, seed=5), initialise=False)
    out.mkdir()
    (out / leftover).write_bytes((tmp_path / "other" / leftover).read_bytes())
    (out / ".checkpoint.safetensors.k1ll3d").write_bytes(b"half of it")
    with pytest.raises(RuntimeError, match="before anything"):
        small(out, callbacks=[Fail()])
    forget_callbacks(out)
    model, _ = hm.resume(out, data=patterns())
    assert same(tensors(model), tensors(whole))
    assert not list(out.glob(".checkpoint*"))


def test_a_damaged_checkpoint_is_refused_and_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "run"
    interrupted(out)
    path = out / "checkpoint.safetensors"
    whole = path.read_bytes()
    draw = random.Random(0)
    header = int.from_bytes(whole[:8], "little")
    places = [0, 7, 8, 9, len(whole) - 1, *(draw.randrange(8, 8 + header) for _ in range(15))]
    places += [draw.randrange(8 + header, len(whole)) for _ in range(10)]
    damaged = [whole[:i] + bytes([whole[i] ^ 1 << draw.randrange(8)]) + whole[i + 1 :] for i in places]
    damaged += [whole[:cut] for cut in (0, 4, 100, 8 + header, len(whole) // 2, len(whole) - 1)]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(hm.errors.DamagedFileError, match=r"run/checkpoint\.safetensors"):
            hm.resume(out, data=patterns())
        assert path.read_bytes() == content
    path.write_bytes(whole)
    _, history = hm.resume(out, data=patterns())
    assert len(history) == 3


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "run"
    interrupted(out)
    path = out / "checkpoint.safetensors"
    other = tmp_path / "other"
    small(other, model=hm.RBM(12, 5))
    gaussian = tmp_path / "gaussian"
    small(gaussian, model=hm.RBM(hm.Gaussian(12), 4), learning_rate=0.001)
    for source, message in (
        (other / "checkpoint.safetensors", "another model"),
        (gaussian / "checkpoint.safetensors", "another model"),
        (other / "model.safetensors", "is a model, not a checkpoint"),
    ):
        path.write_bytes(source.read_bytes())
        with pytest.raises(hm.errors.DamagedFileError, match=rf"run/checkpoint\.safetensors.*{message}"):
            hm.resume(out, data=patterns())
        assert path.read_bytes() == source.read_bytes()


def test_a_full_disk_keeps_the_earlier_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    path = out / "checkpoint.safetensors"
    full = False

    class Fill(hm.training.Callback):
        transient = True

        def on_update(self, training: Any) -> None:
            nonlocal full
            full = training.position.update >= 6

    sync = os.fsync

    def fsync(handle: int) -> None:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    whole, _ = small(tmp_path / "whole")
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=r"cannot write .*checkpoint.* Free space") as caught:
        small(out, callbacks=[Fill(), Checkpoint(seconds=0)])
    full = False
    assert caught.value.errno == errno.ENOSPC and "earlier file is unchanged" in str(caught.value)
    assert read_tensors(path)[1]["checkpoint"]["position"]["update"] == 5
    assert not list(out.glob(".checkpoint*"))
    forget_callbacks(out)
    model, _ = hm.resume(out, data=patterns())
    assert same(tensors(model), tensors(whole))


def test_other_conditions_are_warned_of(tmp_path: Path) -> None:
    out = tmp_path / "run"
    interrupted(out)
    run = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps(run | {"threads": 97, "torch": "1.0", "command": ["other"]}))
    with pytest.warns(UserWarning, match=r"other conditions \(torch 1\.0 -> .*, threads 97 -> \d+\): results"):
        hm.resume(out, data=patterns())
    (out / "run.json").write_text(json.dumps(run))
    hm.resume(out, data=patterns())  # warnings are errors here


def test_a_checkpoint_callback_needs_a_folder() -> None:
    with pytest.raises(ValueError, match=r"Checkpoint writes into a run folder: name one with fit\(\.\.\., out="):
        hm.fit(hm.RBM(12, 4), patterns(), callbacks=[Checkpoint()])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.full((4, 12), 0.5), "binarisation"),
        (np.full((4, 12), np.nan), "nan|finite"),
        (np.zeros((4, 11)), "11 columns"),
        (np.zeros((0, 12)), "empty"),
    ],
)
def test_bad_data_leave_no_run_behind(data: np.ndarray, message: str, tmp_path: Path) -> None:
    model = hm.RBM(12, 4)
    before = tensors(model)
    with pytest.raises(ValueError, match=message):
        small(tmp_path / "run", model=model, data=data)
    assert not [path for path in (tmp_path / "run").glob("*") if path.name != ".lock"]
    assert same(tensors(model), before) and model.is_untrained
    small(tmp_path / "run", model=model)  # the folder is free


# --------------------------------------------------------------------------------------------------------- signals


@pytest.fixture
def heeded() -> Iterator[None]:
    """Shells start what runs in the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_handlers_are_what_they_were(number: int, tmp_path: Path) -> None:
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    with pytest.raises(KeyboardInterrupt, match=r"stopped after update 3 of 12.*harmonium train --resume") as caught:
        small(tmp_path / "run", callbacks=[stop_at(3, number)])
    assert caught.value.signal == number
    assert signal.Signals(number).name in str(caught.value) and str(tmp_path / "run") in str(caught.value)
    small(tmp_path / "whole")
    with pytest.raises(RuntimeError):
        small(tmp_path / "failed", callbacks=[Fail()])
    assert {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)} == before
    assert read_tensors(tmp_path / "run" / "checkpoint.safetensors")[1]["checkpoint"]["position"]["update"] == 3


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _, history = small(tmp_path / "run", callbacks=[stop_at(3, signal.SIGINT)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(history) == 3


def test_a_signal_after_the_last_update_is_passed_on_when_the_run_is_complete(tmp_path: Path) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))

    class Late(hm.training.Callback):
        def on_epoch(self, training: Any, row: hm.training.History) -> None:
            if row["epoch"] == 3:
                signal.raise_signal(signal.SIGTERM)

    try:
        small(tmp_path / "run", callbacks=[Late()])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_a_checkpoint_object_may_serve_again(tmp_path: Path) -> None:
    writer = Checkpoint(seconds=60)
    interrupted(tmp_path / "one", callbacks=[stop_at(3), writer])
    _, history = small(tmp_path / "two", callbacks=[writer])
    assert len(history) == 3 and (tmp_path / "two" / "model.safetensors").exists()


def test_a_thread_may_train_into_a_folder(tmp_path: Path) -> None:
    whole, _ = small(tmp_path / "whole")
    failures: list[BaseException] = []

    def work() -> None:
        try:
            small(tmp_path / "run")
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures and same(stored(tmp_path / "run"), tensors(whole))


def test_a_program_that_is_interrupted_says_how_to_go_on(tmp_path: Path) -> None:
    program = """
        import sys, numpy as np, harmonium as hm
        rng = np.random.default_rng(0)
        hm.fit(hm.RBM(12, 4), rng.random((400, 12)) < 0.5, epochs=10**6, out=sys.argv[1])
    """
    out = tmp_path / "run"
    command = [sys.executable, "-c", textwrap.dedent(program), str(out)]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        while not (out / "metrics.jsonl").exists():
            assert child.poll() is None
            time.sleep(0.02)
        child.send_signal(signal.SIGTERM)
        _, said = child.communicate()
    finally:
        child.kill()
    assert child.returncode != 0
    assert f"Go on with: harmonium train --resume {out}" in said
    assert read_tensors(out / "checkpoint.safetensors")[1]["checkpoint"]["position"]["update"] >= 1


@pytest.mark.filterwarnings("ignore:data. column")  # they are not standardised, on purpose
def test_a_diverging_run_keeps_its_last_good_checkpoint(tmp_path: Path) -> None:
    out = tmp_path / "run"
    data = np.random.default_rng(0).normal(size=(50, 6)) * 30
    with pytest.raises(hm.errors.DivergedError):
        small(out, model=hm.RBM(hm.Gaussian(6), 4), data=data, learning_rate=1e12, callbacks=[Checkpoint(seconds=0)])
    files = [out / name for name in ("checkpoint.safetensors", "model.safetensors") if (out / name).exists()]
    for path in files:
        for name, tensor in read_tensors(path)[0].items():
            assert torch.isfinite(tensor).all(), name


def test_write_tensors_is_what_checkpoints_are_made_with(tmp_path: Path) -> None:
    """A checkpoint whose tensors are changed is refused even where it is a valid safetensors file."""
    out = tmp_path / "run"
    interrupted(out)
    state, meta = read_tensors(out / "checkpoint.safetensors")
    del state["model.couplings.weights"]
    write_tensors(out / "checkpoint.safetensors", state, meta)
    with pytest.raises(hm.errors.DamagedFileError, match="another model"):
        hm.resume(out, data=patterns())
