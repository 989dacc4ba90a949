"""Folders of files that together are one table: which files, in which order, and of which split."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["find_parts", "holds_parts", "natural_order"]

PARTS = (".npy", ".parquet")

_SPLITS = {"train": "train", "valid": "valid", "validation": "valid", "val": "valid", "test": "test"}
_ABOUT = (".md", ".json", ".yaml", ".yml")  # files that describe data


def natural_order(name: str) -> list[tuple[bool, int | str]]:
    """Return the key by which names are sorted as people number them.

    >>> sorted(["part-10", "part-2", "a"], key=natural_order)
    ['a', 'part-2', 'part-10']
    """
    words = re.split(r"([0-9]+)", name)
    return [*((True, int(word)) if i % 2 else (False, word) for i, word in enumerate(words)), (False, name)]


def holds_parts(folder: Path, suffix: str | None = None) -> bool:
    """Return whether a folder holds files that may be parts of one table, those with ``suffix`` or any."""
    wanted = PARTS if suffix is None else (suffix,)
    return folder.is_dir() and any(path.suffix.lower() in wanted for path in _visible(folder))


def find_parts(folder: Path) -> dict[str, list[Path]]:
    """Find the files of a folder that together are one table.

    Their rows follow each other in the natural order of the names.  If all names begin with train, valid (or
    validation, val) or test, these are the splits.  Hidden files, those whose names begin with an underscore, and
    descriptions (.md, .json, .yaml) are passed over.

    Returns:
        The files by split, "train" first.

    Raises:
        ValueError: files of several types, or a name that belongs to no split where others do.
    """
    paths = sorted(_visible(folder), key=lambda path: natural_order(path.name))
    kind = next(path.suffix.lower() for path in paths if path.suffix.lower() in PARTS)
    for path in paths:
        if path.is_dir():
            raise ValueError(f"{folder} holds {kind} files and the folder {path.name}: name one of them, not both")
        if path.suffix.lower() != kind:
            raise ValueError(
                f"{folder} holds {kind} files and {path.name}: all files of a table must be of one type; move it away"
            )
    words = {path: re.match(r"(train|validation|valid|val|test)(?![a-z])", path.name.lower()) for path in paths}
    named = [path for path in paths if words[path]]
    if not named:
        return {"train": paths}
    other = next((path for path in paths if not words[path]), None)
    if other is not None:
        raise ValueError(
            f"{folder} holds {named[0].name}, which is named after a split, and {other.name}, which is not: name all "
            "files after train, valid or test, or none"
        )
    splits: dict[str, list[Path]] = {"train": [], "valid": [], "test": []}
    for path in paths:
        word = words[path]
        assert word is not None
        splits[_SPLITS[word[1]]].append(path)
    if not splits["train"]:
        raise ValueError(
            f"{folder} holds no training cases, only {named[0].name}: name the files to train on train-..."
        )
    return {split: found for split, found in splits.items() if found}


def _visible(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.iterdir()
        if not path.name.startswith((".", "_")) and path.suffix.lower() not in _ABOUT
    ]  # fmt: skip
