"""Finding a data set by its name or path."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harmonium.data.download import cache_folder, download
from harmonium.data.files import FORMATS, read_path
from harmonium.data.idx import MNIST_PARTS, find_mnist, read_idx_folder
from harmonium.data.named import IMAGES, data_folder, names, read_named
from harmonium.data.raw import RawData
from harmonium.data.reading import ReadOptions

if TYPE_CHECKING:
    from harmonium.data.table import Table

__all__ = ["find", "find_root", "mnist_folders"]


def find(
    name_or_path: str | os.PathLike[str],
    root: Path | None,
    fetch: bool = False,
    table: bool | Table = False,
    drop: Sequence[str] = (),
    options: ReadOptions | None = None,
) -> tuple[RawData, str, str]:
    """Read a data set.

    Args:
        name_or_path: a name or path; a `Path` is never a name.
        root: the folder of named sets; None means the folder HARMONIUM_DATA.
        fetch: download the set if it is not on this machine.
        table: as in `harmonium.data.load`.
        drop: as in `harmonium.data.load`.
        options: what the caller said about the file.

    Returns:
        The content, a short name, and the name or absolute path by which it is found again.

    Raises:
        ValueError: an unknown name, a file that cannot be read, or ``table`` or ``drop`` for a set that is not a table.
        FileNotFoundError: no such file, or the files of a named set are not on this machine.
    """
    asked = os.fspath(name_or_path)
    if not isinstance(name_or_path, Path):
        raw = _find_name(asked, root, fetch)
        if raw is not None:
            if table is not False or drop:
                raise ValueError(f"{asked} is a named data set, not a table: leave out table=... and drop=...")
            if options is not None and options.given.keys() - {"columns"}:
                given = min(options.given.keys() - {"columns"})
                raise ValueError(f"{asked} is a named data set, not a file to be read: leave out {given}=...")
            return raw, asked, asked
    path = Path(asked).expanduser()
    if not path.exists() and not isinstance(name_or_path, Path) and path.name == asked and not path.suffix:
        raise _unknown(asked, root)
    return read_path(path, table, drop, options), path.name, str(path.resolve())


def find_root(name_or_path: str | os.PathLike[str], root: str | os.PathLike[str] | None) -> str | None:
    """Return the absolute folder of named sets, so that a run finds its data where HARMONIUM_DATA is not set."""
    if root is None and not Path(name_or_path).exists():
        root = data_folder(None)
    return None if root is None else str(Path(root).expanduser().resolve())


def mnist_folders(root: Path | None = None) -> list[Path]:
    """Return the folders that may hold the files of MNIST, the preferred ones first."""
    folders = [] if root is None else [root, root / "mnist"]
    shared = data_folder(None)
    return [*folders, *([] if shared is None else [shared / "mnist"]), cache_folder("mnist")]


def _find_name(name: str, root: Path | None, fetch: bool) -> RawData | None:
    if name == "mnist":
        return read_idx_folder(_find_mnist(root, fetch))
    raw = read_named(name)
    if raw is not None:
        return raw
    folder = data_folder(root)
    if folder is not None and name == Path(name).name and (folder / f"{name}.npz").is_file():
        raw = read_path(folder / f"{name}.npz")
        shape = IMAGES.get(name, ())
        return replace(raw, shape=shape) if raw.splits["train"].shape[1:] == (math.prod(shape),) else raw
    return None


def _find_mnist(root: Path | None, fetch: bool) -> Path:
    folders = mnist_folders(root)
    for folder in folders:
        if len(find_mnist(folder)) == len(MNIST_PARTS):
            return folder
    if fetch:
        return download("mnist", root)
    raise FileNotFoundError(
        f"the files of mnist are not in {', '.join(map(str, folders))}: load with download=True, run `harmonium data "
        "download mnist`, or put the four IDX files into a folder mnist in the folder that HARMONIUM_DATA names"
    )


def _unknown(name: str, root: Path | None) -> ValueError:
    known = names(root)
    near = difflib.get_close_matches(name.lower(), known, n=3)
    hint = f" did you mean {' or '.join(near)}?" if near else ""
    return ValueError(
        f"no data set is named {name!r}, and there is no such file;{hint} known names: {', '.join(known)} "
        f"(the variable HARMONIUM_DATA names a folder with more); files: {FORMATS}"
    )
