"""The line that says that machine code is being made."""

from __future__ import annotations

import io
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from harmonium.core import progress
from harmonium.core.progress import showing
from harmonium.kernels import announcement, cache
from harmonium.kernels.announcement import Announcement
from harmonium.kernels.cache import _Files


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing has been announced."""
    monkeypatch.setattr(cache, "ANNOUNCEMENT", Announcement())
    monkeypatch.setattr(announcement, "LATE", 0.05)
    yield
    cache.ANNOUNCEMENT.end()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    shown = Terminal()
    monkeypatch.setattr(announcement, "sys", SimpleNamespace(stderr=shown))
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=shown, modules={}))
    return shown


def compile_(folder: Path, key: str, seconds: float = 0.3) -> None:
    """What Numba does with a loop, without the loop."""
    files = _Files(str(folder), compile_, pickle.dumps)
    if files.load(key) is None:
        time.sleep(seconds)
        files.save(key, "code")


def test_a_slow_compilation_is_announced_once(terminal: Terminal, tmp_path: Path) -> None:
    compile_(tmp_path, "one")
    compile_(tmp_path, "two")
    assert terminal.getvalue() == f"compiling for this processor: once, some seconds; kept in {tmp_path}\n"


def test_what_is_kept_is_not_announced(terminal: Terminal, tmp_path: Path) -> None:
    with showing(False):
        compile_(tmp_path, "one")
    compile_(tmp_path, "one")
    assert terminal.getvalue() == ""


def test_quick_compilations_are_not_announced_until_they_add_up(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcement, "LATE", 1.0)
    compile_(tmp_path, "one", seconds=0.0)
    time.sleep(1.1)  # of something else
    assert terminal.getvalue() == ""
    compile_(tmp_path, "two", seconds=0.6)
    assert terminal.getvalue() == ""
    compile_(tmp_path, "three", seconds=0.6)
    assert terminal.getvalue() != ""


def test_nothing_is_announced_where_nobody_looks(terminal: Terminal, tmp_path: Path) -> None:
    with showing(False):
        compile_(tmp_path, "one")
    terminal.isatty = lambda: False  # type: ignore[method-assign]
    compile_(tmp_path, "two")
    assert terminal.getvalue() == ""
