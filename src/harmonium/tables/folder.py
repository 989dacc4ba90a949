"""The run folder of a table: its model, what columns are taken for, and where the rows are."""

from __future__ import annotations

import hashlib
import shlex
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.core.errors import DamagedFileError
from harmonium.core.files import check_seal, read_json, sealed, write_json
from harmonium.core.random import Stream
from harmonium.data.reading import ReadingNote, ReadOptions, read_options
from harmonium.data.rows import Rows, read_rows
from harmonium.data.written import Written
from harmonium.runs.folder import check_free, new_folder
from harmonium.runs.lock import remove
from harmonium.runs.names import COLUMNS, CONFIG, ENVIRONMENT, MODEL, TABLE

if TYPE_CHECKING:
    from harmonium.data.raw import Frame
    from harmonium.tables.model import TableModel

__all__ = ["Source", "TableRun", "new_table_folder", "open_table", "read_source", "source_of"]

_READING = ("header", "skip_rows", "missing_values", "decimal")
_BLOCK = 2**22


@dataclass(frozen=True)
class Source:
    """Where the rows of a table are; they are not copied.

    Attributes:
        path: the file or folder.
        reading: arguments of `harmonium.data.load` that say how it is read.
        kinds: what the user said that columns are.
        test: how many rows are set aside (int), or which share of them (float), or None.
        seed: that chooses them.
        digest: of the file.
    """

    path: Path
    reading: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, Any] = field(default_factory=dict)
    test: int | float | None = None
    seed: int = 0
    digest: str = ""

    def read(self) -> Rows:
        """Read all rows.

        Raises:
            ValueError: if they cannot be read.
            OSError: if the file is gone.
        """
        kinds = {name: said if isinstance(said, str) else said.get("as") for name, said in self.kinds.items()}
        return read_rows(self.path, read_options(**self.reading), kinds)

    def split(self, frame: Frame) -> tuple[Frame, Frame | None]:
        """The rows that are trained on, and those that are set aside, None if there are none."""
        if not self.test:
            return frame, None
        count = self.test if isinstance(self.test, int) else round(self.test * len(frame))
        if not 0 < count < len(frame) - 1:
            raise ValueError(
                f"test={self.test} sets aside {count} of {len(frame)} rows: choose from 1 to {len(frame) - 2}"
            )
        order = np.random.default_rng(Stream(self.seed, "test_rows").key).permutation(len(frame))
        return frame.iloc[np.sort(order[count:])], frame.iloc[np.sort(order[:count])]

    def config(self) -> dict[str, Any]:
        """Describe it in JSON."""
        return {
            "path": str(self.path.absolute()), "reading": dict(self.reading), "kinds": dict(self.kinds),
            "test": self.test, "seed": self.seed, "digest": self.digest,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Source:
        """Return what `config` described."""
        return cls(**{**config, "path": Path(config["path"])})


def read_source(
    path: Path, options: Mapping[str, Any], kinds: Mapping[str, Any], test: float | None = None, seed: int = 0
) -> tuple[Source, Rows]:
    """Read the rows of a file, and say where they are and how they were read.

    Args:
        path: the file.
        options: what the user says about it, arguments of `harmonium.data.load`.
        kinds: what the user says that columns are.
        test: how many rows are set aside, or which share of them.
        seed: that chooses them.

    Raises:
        ValueError: as `read_rows`.
        OSError: if the file cannot be read.
    """
    rows = Source(path, options, kinds).read()
    return source_of(path, rows, options, kinds, test, seed), rows


def source_of(
    path: Path, rows: Rows, options: Mapping[str, Any], kinds: Mapping[str, Any], test: float | None = None,
    seed: int = 0,
) -> Source:  # fmt: skip
    """Say where rows that were read are (see `read_source`)."""
    found = {name: value for name, value in rows.reading.options.items() if name in _READING}
    return Source(path, {**found, **options}, kinds, test, seed, _digest(path))


def _digest(path: Path) -> str:
    if not path.is_file():
        return ""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class TableRun:
    """A `TableModel` on disk and, if it is in a run folder, where its rows are.

    Attributes:
        name: as the user typed it.
        folder: the run folder, or that of the model file.
        file: the model file.
        source: where the rows are; None for a model file alone.
        styles: how numbers are written, by column.
        delimiter: between the cells of the file; None if it was no text.
    """

    name: str
    folder: Path
    file: Path
    source: Source | None = None
    styles: Mapping[str, Written] = field(default_factory=dict)
    delimiter: str | None = None

    def load(self) -> TableModel:
        """Load the model.

        Raises:
            DamagedFileError: if its file is damaged.
        """
        from harmonium.tables.model import TableModel

        return TableModel.load(self.file)

    def options(self) -> ReadOptions:
        """How another file with such columns is read."""
        reading = {} if self.source is None else self.source.reading
        return read_options(**{name: reading[name] for name in ("missing_values",) if name in reading})

    def rows(self) -> tuple[Frame, Frame | None]:
        """The rows that the model was fitted to, and those that were set aside.

        Raises:
            ValueError: for a model file alone, or if the rows cannot be read again.
            OSError: if their file is gone.

        Warns:
            UserWarning: if the file has changed.
        """
        if self.source is None:
            raise ValueError(f"{self.name} does not say what rows it was fitted to: name its run folder")
        if self.source.path.is_file() and _digest(self.source.path) != self.source.digest:
            warnings.warn(f"{self.source.path} has changed since {self.name} was fitted", UserWarning, stacklevel=2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReadingNote)
            return self.source.split(self.source.read().frame)


def open_table(name: str | Path) -> TableRun:
    """Open the run folder of a table, or the file of a `TableModel`.

    Raises:
        FileNotFoundError: if there is none, or its model was not finished.
        DamagedFileError: if ``table.json`` is damaged.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return TableRun(str(name), path.parent, path)
    if not path.is_dir():
        raise FileNotFoundError(f"there is no run folder and no model file {name}")
    if (path / CONFIG).is_file():
        raise ValueError(f"{name} is a run of `harmonium train`, not of a table: use `harmonium sample` and the like")
    if not (path / MODEL).is_file():
        again = f": fit again with `harmonium table fit DATA --out {shlex.quote(str(name))}`"
        what = "was not finished" if (path / TABLE).is_file() else "is no run folder of a table"
        raise FileNotFoundError(f"{name} {what}, there is no {MODEL}{again}")
    if not (path / TABLE).is_file():
        return TableRun(str(name), path, path / MODEL)
    content = read_json(path / TABLE)
    try:
        check_seal(content, path / TABLE)
        styles = {column: Written(**style) for column, style in content["styles"].items()}
        return TableRun(
            str(name), path, path / MODEL, Source.from_config(content["data"]), styles, content["delimiter"]
        )
    except DamagedFileError:
        raise
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedFileError(f"{path / TABLE} is damaged ({error}): use a copy of it") from None


@contextmanager
def new_table_folder(out: Path | None, stem: str, command: Sequence[str]) -> Iterator[_Writer]:
    """Make the run folder of a table; if fitting fails, it is removed again.

    Args:
        out: the folder; None: ``runs/STEM-1`` with the first number that is free.
        stem: see ``out``.
        command: the command line, as ``sys.argv`` has it.

    Raises:
        RunInUseError: if there is a run in the folder.
        OSError: if the folder cannot be made.
    """
    check_free(out)
    with new_folder(out, stem) as folder:
        try:
            yield _Writer(folder, list(command))
        except BaseException:
            with suppress(OSError):
                remove(folder, COLUMNS, TABLE, ENVIRONMENT, f".{MODEL}.*")
            raise


@dataclass(frozen=True)
class _Writer:
    """Writes the files of a run folder of a table."""

    folder: Path
    command: list[str]

    def begin(self, columns: Mapping[Any, Any], source: Source, rows: Rows, settings: Mapping[str, Any]) -> None:
        """Write what is known before fitting: columns, rows and settings."""
        from harmonium.tables.columns import write_columns

        write_columns(columns, self.folder / COLUMNS)
        content = {
            "format": 1,
            "command": self.command,
            "settings": dict(settings),
            "data": source.config(),
            "rows": len(rows.frame),
            "delimiter": rows.delimiter,
            "styles": {name: style.config() for name, style in rows.styles.items() if style.config()},
        }
        write_json(self.folder / TABLE, sealed(content))

    def environment(self) -> None:
        """Write versions and the processor."""
        import torch

        from harmonium.runs.description import environment

        write_json(self.folder / ENVIRONMENT, environment(torch.device("cpu")))

    def end(self, table: TableModel) -> None:
        """Write the model."""
        table.save(self.folder / MODEL)
