"""Results as JSON lines: a run goes on where it stopped, and baselines are not computed again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import harmonium

__all__ = ["Key", "Store", "digest", "fingerprint", "library"]

HERE = Path(__file__).resolve().parent
SHARED = ("sources", "draws", "encoding")  # modules whose change makes all results stale
MORE = {"table_imputation": ("imputation", "proper")}  # modules that a job has besides its own
LIBRARY = Path(harmonium.__file__).resolve().parent


class Key(NamedTuple):
    """What a result is of; the fingerprint is that of the code it depends on."""

    job: str
    set: str
    method: str
    seed: int
    fingerprint: str


class Store:
    """Results of a folder: baselines in one file, the library's own in another.

    Args:
        folder: it is created.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._files = {False: folder / "baselines.jsonl", True: folder / "defaults.jsonl"}
        self._found = {_key(record): record for path in self._files.values() for record in _records(path)}

    def __contains__(self, key: Key) -> bool:
        return key in self._found

    def get(self, key: Key) -> dict[str, Any] | None:
        """The record of a key: ``scores``, ``seconds``, and ``failed`` or ``warnings`` where there are any."""
        return self._found.get(key)

    def add(self, key: Key, ours: bool, record: dict[str, Any]) -> None:
        """Append a record; what is not available may be later, so that it is remembered in this process alone."""
        whole = key._asdict() | record
        self._found[key] = whole
        if record.get("unavailable"):
            return
        with self._files[ours].open("a") as file:
            file.write(json.dumps(whole) + "\n")


@cache
def fingerprint(module: str, ours: bool) -> str:
    """A hash of the code that a result depends on: of the library and its doors only if it is ours."""
    files = [HERE / f"{name}.py" for name in (*SHARED, *MORE.get(module, ()), module)]
    return digest(files, [HERE / "doors.py", *library()] if ours else [])


def library() -> list[Path]:
    """All files of the library's code."""
    return sorted(LIBRARY.rglob("*.py"))


def digest(*groups: Iterable[Path]) -> str:
    """A hash of what files hold."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for group in groups for path in group)).hexdigest()[:16]


def _records(path: Path) -> Iterable[dict[str, Any]]:
    if not path.exists():
        return
    for line in path.read_text().splitlines():
        yield json.loads(line)


def _key(record: dict[str, Any]) -> Key:
    return Key(*(record[field] for field in Key._fields))
