"""Two processes that compile at once must not be given each other's machine code."""

import os
import pickle
import runpy
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numba
import pytest
from numba import njit

from harmonium.kernels import cache as cache_module
from harmonium.kernels.cache import _Files, compiled


@pytest.fixture(autouse=True)
def beside_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine code lies beside its source here, wherever the user keeps that of other programs."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")


FACTORY = """
import sys
from harmonium.kernels.cache import _Files, compiled

def factory(by):
    @compiled(nogil=True)
    def scale(x):
        return by * x
    return scale
"""
RUN = """
import os, sys
sys.path.insert(0, sys.argv[1])
from factory import factory
loop = factory(int(sys.argv[2]))
replace = os.replace
def waiting(*paths):
    print("about to write", flush=True)
    sys.stdin.readline()
    return replace(*paths)
os.replace = waiting
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
        assert process.communicate("go\n" * 3)[0].endswith(f"{result}\n")
    for by in (3, 2):
        found, _ = _process(tmp_path, by).communicate("go\n" * 3)
        assert found == f"{float(by)}\n"  # its own, and kept: nothing is written again
    assert len(list(tmp_path.rglob("*.nbc"))) == 2
    assert not list(tmp_path.rglob("*.nbi")), "this release of Numba no longer uses harmonium.kernels.cache._Files"


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
    def refusing(*, cache: bool = False, **options: object) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(cache_module, "njit", refusing)
    assert compiled(nogil=True)(lambda x: x + 1)(2) == 3


def test_a_release_of_numba_with_another_cache_costs_the_cache_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def rebuilt(*, cache: bool = False, **options: object) -> object:
        return (lambda function: SimpleNamespace(_cache=None)) if cache else njit(**options)

    monkeypatch.setattr(cache_module, "njit", rebuilt)
    cache_module._warn.cache_clear()
    with pytest.warns(UserWarning, match=r"Numba \d.*_cache_file.*[Ii]nstall"):
        assert compiled(nogil=True)(lambda x: x + 1)(2) == 3
    with warnings.catch_warnings(action="error"):  # once
        assert compiled(nogil=True)(lambda x: x + 1)(2) == 3


def test_a_full_disk_costs_the_cache_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module, "write_atomically", full)
    (tmp_path / "factory.py").write_text(FACTORY)
    assert runpy.run_path(str(tmp_path / "factory.py"))["factory"](5)(1.0) == 5.0


@pytest.mark.parametrize("content", [b"", b"other", pickle.dumps("x" * 100)[:50]], ids=["empty", "other", "cut"])
def test_a_damaged_file_is_compiled_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "factory.py").write_text(FACTORY)
    found = runpy.run_path(str(tmp_path / "factory.py"))
    assert found["factory"](5)(1.0) == 5.0
    (file,) = tmp_path.rglob("*.nbc")
    file.write_bytes(content)
    assert found["factory"](5)(1.0) == 5.0
    assert len(file.read_bytes()) > len(content)


def test_code_that_another_process_compiles_is_waited_for(tmp_path: Path) -> None:
    files = _Files(str(tmp_path), test_a_full_disk_costs_the_cache_alone, pickle.dumps)
    assert files.load("key") is None  # this process compiles
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(files.load, "key")
        time.sleep(0.2)
        assert not waiting.done()
        files.save("key", "code")
        assert waiting.result(timeout=10) == "code"
    assert not list(tmp_path.glob("*.compiling"))


def test_a_process_that_was_killed_while_compiling_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = _Files(str(tmp_path), test_a_full_disk_costs_the_cache_alone, pickle.dumps)
    assert files.load("key") is None
    monkeypatch.setattr(cache_module, "PATIENCE", 0.1)
    time.sleep(0.2)
    assert files.load("key") is None
    files.save("key", "code")
    assert files.load("key") == "code"
