"""Run folders as the commands see them."""

from __future__ import annotations

import difflib
import json
import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harmonium.data import Cases, Dataset
    from harmonium.data.cases import Standardization
    from harmonium.data.table import Table
    from harmonium.models.machine.machine import Machine
    from harmonium.models.model import Model

__all__ = ["Run", "choose_split", "claim", "describe", "find", "is_training", "read_config"]

CONFIG, MODEL, CHECKPOINT, LOCK = "config.json", "model.safetensors", "checkpoint.safetensors", ".lock"
COLUMNS = "columns.json"  # what the columns of a table are: names, categories, means and scales


@dataclass(frozen=True)
class Run:
    """A finished model and, where it lies in a run folder, how it was trained.

    Attributes:
        name: as the user typed it.
        model: the model file.
        config: of the run, or None for a model file alone.
    """

    name: str
    model: Path
    config: dict[str, Any] | None

    @property
    def source(self) -> dict[str, Any] | None:
        """The arguments of `harmonium.data.load` that gave the training data, where they were loaded."""
        source = None if self.config is None else self.config["data"]["source"]
        return None if source is None else dict(source["load"])

    def load(self) -> Model:
        """The model."""
        from harmonium.models.io import load

        model: Model = load(self.model)
        return model

    def machine(self) -> Machine:
        """The model, which must be a Boltzmann machine."""
        from harmonium.models.machine.machine import as_machine

        return as_machine(self.load(), "this command")

    def table(self) -> Table | None:
        """What the columns were, where the data were a table that was read column by column."""
        path = self.model.parent / COLUMNS
        if self.source is None or not self.source.get("table", False) or not path.is_file():
            return None
        from harmonium.data.table import Table

        try:
            return Table.from_config(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise ValueError(f"{path} is damaged ({error}): use a copy of it") from None

    @property
    def standardized(self) -> bool:
        """Whether the model knows columns of mean 0 and variance 1."""
        return self.source is not None and bool(self.source["standardize"])

    def standard(self) -> Standardization | None:
        """The means and scales by which the run standardised its columns."""
        return self.data().train.standard if self.standardized else None

    def data(self) -> Dataset:
        """The data the run was trained on."""
        from harmonium.data import load

        if self.source is None:
            raise ValueError(f"{self.name} does not say what it was trained on: name the data with --data")
        try:
            data = load(**self.source)
        except (ValueError, OSError) as error:
            raise type(error)(f"the data that {self.name} was trained on: {error}") from error
        assert self.config is not None
        split = self.config["data"]["source"]["split"]
        if getattr(data, split).fingerprint() != self.config["data"]["fingerprint"]:
            warnings.warn(f"{data.name} has changed since {self.name} was trained", UserWarning, stacklevel=2)
        return data


def find(name: str) -> Run:
    """The run folder or model file of this name."""
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / CONFIG).is_file() and not (path / MODEL).is_file():
            raise FileNotFoundError(f"{name} is no run folder: it has neither {CONFIG} nor {MODEL}{_known(path)}")
        if not (path / MODEL).is_file():
            if is_training(path):
                raise FileNotFoundError(f"{name} is still being trained, there is no {MODEL} yet: wait for it")
            raise FileNotFoundError(
                f"{name} is unfinished, there is no {MODEL} yet: "
                f"go on with `harmonium train --resume {shlex.quote(name)}`"
            )
        return Run(name, path / MODEL, read_config(path))
    if not path.is_file():
        raise FileNotFoundError(f"there is no run folder and no model file {name}{_known(path)}")
    if path.name == CHECKPOINT:
        raise ValueError(f"{name} is a checkpoint, not a model: name its folder, {path.parent}")
    return Run(name, path, read_config(path.parent) if path.name == MODEL else None)


@contextmanager
def claim(out: Path | None, stem: str) -> Iterator[Path]:
    """A folder for a new run: ``out``, or else ``runs/stem-1`` or the first number that nobody has.

    Where training fails before there is anything to resume, no folder is left behind.
    """
    made = False
    if out is None:
        number = 0
        while not made:
            number += 1
            out = Path("runs") / f"{stem}-{number}"
            with suppress(FileExistsError):
                out.mkdir(parents=True)
                made = True
    assert out is not None
    made = made or not out.exists()
    try:
        yield out
    except BaseException:
        if made and not (out / CONFIG).exists():
            with suppress(OSError):
                (out / LOCK).unlink(missing_ok=True)
                out.rmdir()
        raise


def describe(data: Dataset) -> str:
    """One line about a data set."""
    from harmonium.data.fasta import is_fasta

    splits = ((split, getattr(data, split)) for split in ("train", "valid", "test"))
    counts = ", ".join(f"{split} {len(cases)}" for split, cases in splits if cases is not None)
    features = " x ".join(map(str, data.shape)) + (" features" if len(data.shape) == 1 else " pixels")
    kind = {
        "threshold": "binary by threshold",
        "fixed": "binary, drawn once from the greys",
        "dynamic": "binary, drawn from the greys in every epoch",
        "binary": "binary",
    }.get(data.binarization or "", "real values" if data.table is None else "columns by their values")
    kind = "amino acids" if data.binarization is None and is_fasta(data.name) else kind
    standard = ", standardised" if data.source.get("standardize") else ""
    return f"{data.name}: {features}; {counts} cases; {kind}{standard}"


def choose_split(data: Dataset, split: str | None) -> tuple[str, Cases]:
    """The split of this name, or the best one to judge by: test, else valid, else train."""
    have = {name: getattr(data, name) for name in ("test", "valid", "train") if getattr(data, name) is not None}
    split = next(iter(have)) if split is None else split
    if split not in have:
        raise ValueError(f"{data.name} has no {split} split, only {', '.join(have)}: choose with --split")
    cases = have[split]
    if data.table is not None and not cases.statistics().finite:
        cases, count = cases.complete(), len(cases)
        if not len(cases):
            raise ValueError(f"every {split} case of {data.name} has missing values: no case can be judged whole")
        warnings.warn(
            f"{len(cases)} of {count} {split} cases have no missing values: they are judged", UserWarning, stacklevel=2
        )
    return split, cases


def read_config(folder: Path) -> dict[str, Any] | None:
    """What ``config.json`` of a run folder says; None where there is none."""
    path = folder / CONFIG
    if not path.is_file():
        return None
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = "source" in config["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({type(error).__name__}: {error}): use a copy of it") from None
    if not known:
        raise ValueError(f"{path} does not say what the run was trained on: was it written by harmonium?")
    return config


def is_training(folder: Path) -> bool:
    """Whether a process is training there."""
    from filelock import FileLock, Timeout

    if not (folder / LOCK).exists():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True


def _known(path: Path) -> str:
    """A hint at runs that are there."""
    folder = path.parent if path.parent != Path() else Path("runs")
    runs = sorted(str(config.parent) for config in folder.glob(f"*/{CONFIG}"))
    if not runs:
        return ""
    near = difflib.get_close_matches(str(path), runs, n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(runs[:5])}{', ...' if runs[5:] else ''}"
