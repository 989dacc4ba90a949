"""A run folder: made, found by name, read."""

from __future__ import annotations

import difflib
import itertools
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmonium.core.errors import DamagedFileError, RunInUseError
from harmonium.core.files import check_seal, read_json, read_tensors
from harmonium.core.registry import building
from harmonium.runs.columns import kept_columns
from harmonium.runs.command import command
from harmonium.runs.lock import is_training, remove
from harmonium.runs.names import CHECKPOINT, COLUMNS, CONFIG, ENVIRONMENT, LOCK, METRICS, MODEL, TABLE

if TYPE_CHECKING:
    from harmonium.data import Dataset
    from harmonium.data.cases import Standardization
    from harmonium.data.table import Table
    from harmonium.models.machine.machine import Machine
    from harmonium.models.model import Model
    from harmonium.training.history import Row

__all__ = ["Run", "check_free", "new_folder", "open_run", "read_config"]

_PLAIN = (OSError, DamagedFileError)  # errors that take a sentence
_PLAN = frozenset({"objective", "metric", "learning_rate", "optimizer", "penalties", "epochs", "batch_size", "seed"})


@dataclass(frozen=True)
class Run:
    """A model on disk and, if it is in a run folder, how it was trained.

    Attributes:
        name: as the user typed it.
        folder: the run folder, or the folder of a model file.
        file: the model file; the checkpoint of a run that has not come to its end.
        config: what ``config.json`` says; None for a model file alone.
    """

    name: str
    folder: Path
    file: Path
    config: dict[str, Any] | None

    # Training -----------------------------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether training has come to its end."""
        return self.file.name != CHECKPOINT

    @property
    def position(self) -> str:
        """The update and epoch of the last checkpoint, in words."""
        assert self.config is not None
        position = self._checkpoint[1]["checkpoint"]["position"]
        return f"update {position['update']:,}, in epoch {position['epoch'] + 1} of {self.config['plan']['epochs']}"

    @property
    def rows(self) -> list[Row]:
        """Rows of measurements, one per epoch; a last line that was cut short is left out."""
        path, rows = self.folder / METRICS, []
        if self.config is not None and path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    rows.append(json.loads(line))
                except ValueError:
                    break
        return rows

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, processor, threads and command of the training; empty for a model file alone."""
        if self.config is None:
            return {}
        try:
            content = read_json(self.folder / ENVIRONMENT)
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    @property
    def threads(self) -> int | None:
        """Number of threads that trained the model; None if it is not known.

        Another number rounds sums otherwise, and threads that share small products wait for each other.
        """
        threads = self.environment.get("threads")
        return threads if isinstance(threads, int) and threads > 0 else None

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose model early stopping kept; None if it kept none."""
        if self.config is None or not (self.folder / CHECKPOINT).is_file():
            return None
        best = self._checkpoint[1].get("checkpoint", {}).get("history", {}).get("best")
        return None if best is None else int(best["epoch"])

    @cached_property
    def _checkpoint(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return read_tensors(self.folder / CHECKPOINT)

    def command(self, action: str) -> str:
        """Spell a command about this run, such as "evaluate", with the modules that its classes come from."""
        return command(action, self.name, self.config)

    # The model ----------------------------------------------------------------------------------------------------

    def load(self) -> Model:
        """Load the model; that of the last checkpoint if training has not come to its end.

        Raises:
            FileNotFoundError: if there is no checkpoint yet.
            DamagedFileError: if the file is cut short, changed, or holds something else.
        """
        from harmonium.core.registry import build
        from harmonium.models.io import load, restore

        model: Model
        if self.finished:
            model = load(self.file)
            return model
        if not self.file.is_file():
            raise FileNotFoundError(
                f"{self.name} was stopped before its first checkpoint, so there is no model: go on with "
                f"`{self.command('train --resume')}`"
            )
        tensors, meta = self._checkpoint
        if self.config is None or "checkpoint" not in meta:
            raise DamagedFileError(f"{self.file} is no checkpoint: put that of the run back")
        with building(self.folder / CONFIG):
            model = build(self.config["model"])
        own = {key.removeprefix("model."): value for key, value in tensors.items() if key.startswith("model.")}
        restore(model, own, str(self.file))
        return model

    def machine(self) -> Machine:
        """Load the model, which must be a Boltzmann machine."""
        from harmonium.models.machine.machine import as_machine

        return as_machine(self.load(), "this command")

    # The data -----------------------------------------------------------------------------------------------------

    @property
    def source(self) -> dict[str, Any] | None:
        """Arguments of `harmonium.data.load` that give the training data again; None for arrays."""
        source = None if self.config is None else self.config["data"]["source"]
        return None if source is None else dict(source["load"])

    def data(self) -> Dataset:
        """Load the data the run was trained on.

        Raises:
            ValueError: if the run does not say what they were, or they cannot be loaded again.
            OSError: if a file cannot be read.

        Warns:
            UserWarning: if they have changed.
        """
        from harmonium.data import load
        from harmonium.data.reading import ReadingNote

        if self.config is None or self.source is None:
            why = "does not say what it was trained on" if self.config is None else "was trained on arrays, not kept"
            raise ValueError(f"{self.name} {why}: name the data with --data")
        kept = kept_columns(self.folder) if self.source.get("table", False) else None
        source = self.source if kept is None else self.source | {"table": kept}  # columns mean what they meant
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ReadingNote)  # it was told when the run was trained
                data = load(**source)
        except (ValueError, OSError) as error:
            text = f"the data that {self.name} was trained on: {error}"
            raise (type(error) if isinstance(error, _PLAIN) else ValueError)(text) from error
        except TypeError as error:
            raise DamagedFileError(f"{self.folder / CONFIG} is damaged ({error}): use a copy of it") from None
        split = self.config["data"]["source"]["split"]
        if split not in data.splits:
            raise ValueError(f"the data that {self.name} was trained on have no {split} split any more: put them back")
        if data.splits[split].fingerprint() != self.config["data"]["fingerprint"]:
            warnings.warn(f"{data.name} has changed since {self.name} was trained", UserWarning, stacklevel=2)
        return data

    def table(self) -> Table | None:
        """Describe the columns, if the data were a table read column by column.

        Raises:
            ValueError: if the run folder does not say what they are, and the data cannot be loaded again.
            OSError: if their file is gone.
        """
        kept = None if self.config is None else kept_columns(self.folder)
        if kept is None and self.source is not None and self.source.get("table", False):
            return self.data().table
        return kept

    @property
    def standardized(self) -> bool:
        """Whether the model was trained on columns of mean 0 and variance 1."""
        return self.source is not None and bool(self.source["standardize"])

    def standard(self) -> Standardization | None:
        """Means and scales by which the run standardised its columns."""
        return self.data().train.standard if self.standardized else None


def open_run(name: str | Path, *, unfinished: bool = False) -> Run:
    """Open a run folder or a model file.

    Args:
        name: a run folder, a folder of `harmonium.exchange.save_pretrained`, or a model file.
        unfinished: also open a run that has not come to its end; its model is that of the last checkpoint.

    Raises:
        FileNotFoundError: if there is no such run, or it has no model yet.
        DamagedFileError: if ``config.json`` is damaged.

    >>> import harmonium as hm, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> history = hm.fit(hm.RBM(16, 4), hm.data.load("bars-and-stripes").train, epochs=2, out=f"{folder}/run")
    >>> run = hm.runs.open_run(f"{folder}/run")
    >>> len(run.rows), run.load()
    (2, RBM(visible=Bernoulli(16), hidden=Bernoulli(4)))
    """
    name = str(name)
    path = Path(name).expanduser()
    if not path.is_dir():
        if not path.is_file():
            raise FileNotFoundError(f"there is no run folder and no model file {name}{_other_runs(path)}")
        if path.name == CHECKPOINT:
            raise ValueError(f"{name} is a checkpoint, not a model: name its folder, {path.parent}")
        return Run(name, path.parent, path, _config(path.parent) if path.name == MODEL else None)
    if (path / TABLE).is_file():
        raise ValueError(f"{name} is the model of a table: use `harmonium table sample {name}` and the like")
    if (path / MODEL).is_file():
        return Run(name, path, path / MODEL, _config(path))
    if not (path / CONFIG).is_file():
        raise FileNotFoundError(f"{name} is no run folder: it has neither {CONFIG} nor {MODEL}{_other_runs(path)}")
    if is_training(path):
        raise FileNotFoundError(f"{name} is still being trained, there is no {MODEL} yet: wait for it")
    if not unfinished:
        go_on = command("train --resume", name, read_config(path))
        raise FileNotFoundError(f"{name} is unfinished, there is no {MODEL} yet: go on with `{go_on}`")
    return Run(name, path, path / CHECKPOINT, read_config(path))


def read_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json`` of a run folder.

    Raises:
        DamagedFileError: if it is cut short, or not that of a run.
    """
    config: dict[str, Any] = read_json(folder / CONFIG)
    if (
        not isinstance(config, dict)
        or not {"model", "fresh", "plan", "data", "validation", "callbacks"} <= config.keys()
    ):
        raise DamagedFileError(f"{folder / CONFIG} is not that of a harmonium run")
    check_seal(config, folder / CONFIG)
    odd = _odd_entry(config)
    if odd is not None:  # of a run without a digest
        raise DamagedFileError(f"{folder / CONFIG} is damaged (its entry {odd!r} is malformed): use a copy of it")
    return config


def _odd_entry(config: dict[str, Any]) -> str | None:
    """The first entry that lacks what every run has, None if there is none."""
    for name in ("data", "validation"):
        cases = config[name]
        if cases is None and name == "validation":
            continue
        if not isinstance(cases, dict) or not {"source", "shape", "fingerprint"} <= cases.keys():
            return name
        source = cases["source"]
        if source is not None and not (isinstance(source, dict) and isinstance(source.get("load"), dict)):
            return name
        if source is not None and source.get("split") not in ("train", "valid", "test"):
            return name
        if source is not None and not {"name_or_path", "standardize"} <= source["load"].keys():
            return name
        if not isinstance(cases["shape"], list) or not isinstance(cases["fingerprint"], str):
            return name
    plan = config["plan"]
    if not isinstance(plan, dict) or not plan.keys() >= _PLAN or not isinstance(plan["seed"], list):
        return "plan"
    if not isinstance(config["model"], dict) or not isinstance(config["model"].get("type"), str):
        return "model"
    if not isinstance(config["fresh"], bool):
        return "fresh"
    callbacks = config["callbacks"]
    if not isinstance(callbacks, list) or any(
        not isinstance(each, dict) or "type" not in each for each in callbacks if each is not None
    ):
        return "callbacks"
    return None


def _config(folder: Path) -> dict[str, Any] | None:
    """What ``config.json`` says of the training; None if there is none, or the folder was made for the Hub."""
    if not (folder / CONFIG).is_file():
        return None
    found = read_json(folder / CONFIG)
    if isinstance(found, dict) and "library_name" in found:
        return None
    return read_config(folder)


def _other_runs(path: Path) -> str:
    """A hint at runs that are there."""
    folder = path.parent if path.parent != Path() else Path("runs")
    runs = sorted(str(config.parent) for config in folder.glob(f"*/{CONFIG}"))
    if not runs:
        return ""
    near = difflib.get_close_matches(str(path), runs, n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(runs[:5])}{', ...' if runs[5:] else ''}"


def check_free(out: Path | None) -> None:
    """Refuse a folder that holds a run.

    Raises:
        RunInUseError: if it does.
    """
    if out is not None and ((out / MODEL).exists() or (out / CONFIG).exists()):
        raise RunInUseError(f"{out} already holds a run: choose another folder")


@contextmanager
def new_folder(out: Path | None, stem: str = "run") -> Iterator[Path]:
    """Make the folder of a new run: ``out``, or ``runs/STEM-1`` with the first number that is free.

    If training fails before there is anything to resume, a folder that was made here is removed again.

    Raises:
        OSError: if the folder cannot be made.
    """
    made = True
    try:
        if out is None:
            out = _numbered(stem)
        else:
            out.parent.mkdir(parents=True, exist_ok=True)
            try:
                out.mkdir()
            except FileExistsError:
                if not out.is_dir():
                    raise
                made = False
    except OSError as error:
        raise OSError(error.errno, f"cannot make the folder {out}: {error.strerror}. Choose another") from error
    try:
        yield out
    except BaseException:
        if made and not (out / CONFIG).exists():
            with suppress(OSError):  # files that others have put there stay
                remove(out, LOCK, COLUMNS)
                out.rmdir()
        raise


def _numbered(stem: str) -> Path:
    for number in itertools.count(1):
        out = Path("runs") / f"{stem}-{number}"
        with suppress(FileExistsError):
            out.mkdir(parents=True)
            return out
    raise AssertionError
