"""Two processes that compile at once must not be served each other's machine code."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from numba import njit

from harmonium.kernels.cache import compiled

FACTORY = """
import sys
from harmonium.kernels.cache import compiled

def factory(by):
    @compiled(nogil=True)
    def scale(x):
        return by * x
    return scale
"""
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from factory import factory
loop = factory(int(sys.argv[2]))
files = loop._cache._cache_file
write = files._dump
def waiting(what):
    print("about to write", flush=True)
    sys.stdin.readline()
    return write(what)
files._dump = waiting
print(loop(1.0), flush=True)
"""


def _process(folder: Path, by: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", RUN, str(folder), str(by)]
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _waits(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "about to write\n"


def _go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def test_loops_of_one_factory_compiled_at_once_keep_their_own_code(tmp_path: Path) -> None:
    (tmp_path / "factory.py").write_text(FACTORY)
    first, second = (_process(tmp_path, by) for by in (2, 3))
    _waits(first)
    _waits(second)
    _go_on(first)
    time.sleep(0.5)  # an index would now be written, and next by the second with its own name for the same number
    for process, result in ((second, "3.0"), (first, "2.0")):
        assert process.communicate("go\n" * 3, timeout=120)[0].endswith(f"{result}\n")
    for by in (3, 2):
        found, _ = _process(tmp_path, by).communicate("go\n" * 3, timeout=120)
        assert found == f"{float(by)}\n"  # its own, and kept: nothing is written again


ONE_FAMILY = """
import sys
import torch, harmonium as hm
for name in sys.argv[1:]:
    s = getattr(hm, name)(3).sample(torch.zeros(100, 3), hm.Stream(0).advance())
    print(name, sorted(set(s.flatten().tolist())))
"""


def test_loops_kept_by_processes_that_compiled_in_another_order_do_not_meet(tmp_path: Path) -> None:
    # Each family compiled first of all in a process of its own: Numba then gives both the same number.
    def run(*names: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", ONE_FAMILY, *names],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    run("Bernoulli")
    run("Spin")
    assert run("Bernoulli", "Spin") == "Bernoulli [0.0, 1.0]\nSpin [-1.0, 1.0]\n"


def test_a_loop_without_a_place_for_its_code_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import harmonium.kernels.cache as module

    def refusing(*, cache: bool = False, **options: object) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(module, "njit", refusing)
    assert compiled(nogil=True)(lambda x: x + 1)(2) == 3
