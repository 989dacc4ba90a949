"""Several processes for tests: `launch` runs a script in groups of processes that meet over a file.

They are forked from one process that has imported the library, so that they cost little more than what they compute.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path

import numpy as np
import torch
import torch.distributed

import harmonium as hm

SECONDS = 300


def launch(script: str, worlds: list[int], folder: Path) -> dict[int, list[str]]:
    """What each process printed, by the number of processes; its last line is its exit code, as subprocess has it.

    Args:
        script: Python, which finds ``hm``, ``np``, ``torch``, and ``folder``, one for each number of processes.
        worlds: numbers of processes.
        folder: where to work.
    """
    path = folder / "script.py"
    path.write_text(textwrap.dedent(script))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, __file__, str(path), *map(str, worlds)], check=True, timeout=SECONDS, env=environment
    )
    return {world: [(folder / str(world) / f"{rank}.txt").read_text() for rank in range(world)] for world in worlds}


def _together(path: Path, world: int) -> None:
    folder = path.parent / str(world)
    folder.mkdir()
    children = []
    for rank in range(world):
        child = os.fork()
        if not child:
            _one(path, folder, rank, world)
        children.append(child)
    for rank, child in enumerate(children):
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with open(folder / f"{rank}.txt", "a") as file:
            file.write(f"{code}\n")


def _one(path: Path, folder: Path, rank: int, world: int) -> None:
    code = 1
    try:
        out = os.open(folder / f"{rank}.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(out, stream)
        if world > 1:
            meeting = f"file://{folder / 'meeting'}"
            torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
        exec(compile(path.read_text(), str(path), "exec"), {"hm": hm, "np": np, "torch": torch, "folder": folder})
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    for each in sys.argv[2:]:
        _together(Path(sys.argv[1]), int(each))
