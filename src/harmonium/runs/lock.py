"""One process at a time trains in a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harmonium.core.errors import RunInUseError
from harmonium.runs.names import LOCK, WRITTEN_BY_TRAINING

__all__ = ["is_training", "locked", "remove"]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder, and remove half-written files that a killed process left there.

    The lock belongs to the process: a file left by a killed one locks nothing.

    Raises:
        RunInUseError: if another process holds the lock.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunInUseError(f"another process is training in {folder}: wait for it, or choose another folder") from None
    try:
        remove(folder, *(f".{name}.*" for name in WRITTEN_BY_TRAINING))
        yield
    finally:
        lock.release()


def is_training(folder: Path) -> bool:
    """Whether a process is training in the folder."""
    if not (folder / LOCK).exists():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True


def remove(folder: Path, *patterns: str) -> None:
    """Remove the files of a folder that match a pattern."""
    for pattern in patterns:
        for path in folder.glob(pattern):
            path.unlink()
