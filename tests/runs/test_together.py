"""Run folders of several processes: one folder, any number of processes at a resume, and what goes wrong."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from harmonium.core.files import read_tensors

from ..processes import launch
from ..training.helpers import one_thread as one_thread
from ..training.helpers import rows, same, stored

PLAN = """
import os, signal
from harmonium.core.processes import processes
from harmonium.models.machine.machine import Machine

def kill_in_update(number, rank):
    # in the middle: the first shard of the process has been computed, and nothing was sent
    calls, own = [], Machine.fill_gradients

    def fill_gradients(self, *phases):
        calls.append(1)
        if len(calls) == number * (8 // processes().size) and processes().rank == rank:
            os.kill(os.getpid(), signal.SIGKILL)
        return own(self, *phases)

    Machine.fill_gradients = fill_gradients

binary = (np.random.default_rng(0).random((61, 12)) < 0.3).astype(np.float32)
options = dict(epochs=4, batch_size=20, learning_rate=0.1, seed=3, validation=binary[:20], optimizer="adam")
options |= dict(callbacks=[hm.training.EarlyStopping(patience=None), hm.runs.Checkpoint(seconds=0)])
run, size = folder.parent / "run", processes().size
"""


def planned(script: str) -> str:
    return PLAN + textwrap.dedent(script)


def test_a_killed_process_and_another_number_of_them_change_no_byte(tmp_path: Path) -> None:
    script = """
    if size == 1:
        hm.fit(hm.RBM(12, 6), binary, out=folder.parent / "reference", shards=8, **options)
    elif size == 4:
        kill_in_update(5, rank=1)
        hm.fit(hm.RBM(12, 6), binary, out=run, **options)
    else:
        model, history = hm.resume(run, data=binary, validation=binary[:20])
        assert history["update"] == [4, 8, 12, 16], history
    """
    said = launch(planned(script), [1, 4, 2], tmp_path)
    assert [text.splitlines()[-1] for text in said[4]] == ["1", "-9", "1", "1"], said[4]
    assert "process 0 lost one of the 3 others" in said[4][0] and "harmonium.resume" in said[4][0], said[4][0]
    assert [text.splitlines()[-1] for text in said[2]] == ["0", "0"], said[2]
    reference, run = tmp_path / "reference", tmp_path / "run"
    assert same(stored(run), stored(reference))
    assert rows(run) == rows(reference)
    state, expected = (read_tensors(each / "checkpoint.safetensors")[0] for each in (run, reference))
    assert same(state, expected)
    assert {path.name for path in run.iterdir()} == {path.name for path in reference.iterdir()}


def test_what_goes_wrong_is_said_by_one(tmp_path: Path) -> None:
    script = """
    rank = processes().rank

    def refused(act):
        try:
            act()
        except Exception as error:
            print(f"{type(error).__name__}: {error}")

    other = binary.copy()
    other[3, 3] = 1 - other[3, 3]
    refused(lambda: hm.fit(hm.RBM(12, 6), other if rank == 1 else binary, **options))
    refused(lambda: hm.fit(hm.RBM(12, 6), binary, shards=1, **options))
    hm.fit(hm.RBM(12, 6), binary, out=run, **options)
    refused(lambda: hm.fit(hm.RBM(12, 6), binary, out=run, **options))

    class Angry(hm.training.Callback):
        def on_epoch(self, training, row):
            raise ZeroDivisionError("an error of one's own")

    refused(lambda: hm.fit(hm.RBM(12, 6), binary, **(options | {"callbacks": [Angry()]})))
    print("still here")
    """
    said = launch(planned(script), [2], tmp_path)[2]
    first, second = (text.splitlines() for text in said)
    assert "the processes do not train the same: data: process 0 has 61 x 12 (" in first[0]
    assert first[0].startswith("ValueError") and "), process 1 has 61 x 12 (" in first[0]
    assert second[0].startswith("LostProcessError: process 0 stopped: the processes do not")
    assert "2 processes cannot divide 1 shards: start at most 1, or pass shards=2" in first[1]
    assert first[2].startswith("RunInUseError") and second[2].startswith("LostProcessError: process 0 stopped: ")
    assert first[3] == "ZeroDivisionError: an error of one's own"
    assert second[3] == "LostProcessError: process 0 stopped: an error of one's own"
    assert first[4:] == second[4:] == ["still here", "0"]


@pytest.mark.slow
def test_any_number_of_processes_goes_on_with_any_other(tmp_path: Path) -> None:
    script = """
    import shutil

    class Stop(hm.training.Callback):
        def on_update(self, training):
            if training.position.update == 7:
                os.kill(os.getpid(), signal.SIGTERM)

    options["callbacks"] = []
    if not (folder.parent / "reference").exists():
        hm.fit(hm.DBM([12, 6, 5]), binary, out=folder.parent / "reference", shards=8, **options)
    stopped = folder.parent / f"stopped-{size}"
    if not stopped.exists():
        try:
            hm.fit(hm.DBM([12, 6, 5]), binary, out=stopped, shards=8, **(options | {"callbacks": [Stop()]}))
        except BaseException as error:
            print(type(error).__name__)
    else:
        for before in (1, 2, 3, 4):
            run = folder.parent / f"{before}-{size}"
            processes().by_first(lambda: str(shutil.copytree(folder.parent / f"stopped-{before}", run)))
            hm.resume(run, data=binary, validation=binary[:20], callbacks=[hm.training.Callback()])
    """
    script = planned(script)
    for again in (False, True):
        if again:
            for size in (1, 2, 3, 4):
                (tmp_path / str(size)).rename(tmp_path / f"{size}-first")
        said = launch(script, [1, 2, 3, 4], tmp_path)
        for texts in said.values():
            first = [] if again else ["InterruptedRunError"]
            others = [] if again else ["LostProcessError"]
            assert [text.splitlines() for text in texts] == [
                [*(others if rank else first), "0"] for rank in range(len(texts))
            ]
    for before in (1, 2, 3, 4):
        for after in (1, 2, 3, 4):
            assert same(stored(tmp_path / f"{before}-{after}"), stored(tmp_path / "reference")), (before, after)
