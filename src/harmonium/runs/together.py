"""Several processes that train one model: how many shards, the same code and data, one voice."""

from __future__ import annotations

import hashlib
import shlex
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch

from harmonium.core.errors import LostProcessError
from harmonium.core.processes import differences, processes
from harmonium.core.version import __version__
from harmonium.data import Cases
from harmonium.models.model import Model
from harmonium.runs.folder import new_folder

__all__ = ["check_alike", "common_folder", "one_voice", "training_together"]


def check_alike(model: Model, plan: dict[str, Any], cases: Cases, validation: Cases | None, weight: Any) -> None:
    """See that all processes train the same model on the same data with the same code.

    Raises:
        ValueError: that says which process differs, and in what.
    """
    together = processes()
    if together.size == 1:
        return
    own = {
        "harmonium": __version__,
        "the code of harmonium": _code(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "numba": numba.__version__,
        "threads": torch.get_num_threads(),
        "kind of device": model.device.type,
        "model": repr(model.config()),
        "parameters": _digest(*model.state_dict().values()),
        "plan": repr(plan),
        "data": _named(cases),
        "validation": None if validation is None else _named(validation),
        "sample_weight": None if weight is None else _digest(torch.as_tensor(weight)),
    }
    found = differences(together.everyones(own))

    def refuse() -> None:
        if found:
            raise ValueError(
                f"the processes do not train the same: {'; '.join(found)}. Start the same script with the same "
                "arguments, packages and files everywhere"
            )

    together.by_first(refuse)


@contextmanager
def common_folder(out: Path | None, stem: str) -> Iterator[Path]:
    """The folder that the first process makes (see `new_folder`), for all of them."""
    with ExitStack() as held:
        yield Path(processes().by_first(lambda: str(held.enter_context(new_folder(out, stem)))))


@contextmanager
def training_together(folder: Path | None) -> Iterator[None]:
    """Say how to go on if a process is lost on the way.

    Raises:
        LostProcessError: with what to do.
    """
    try:
        yield
    except LostProcessError as error:
        if error.told:
            raise
        go_on = "" if folder is None else (
            f". Go on from the last checkpoint with as many processes as there are: `harmonium train --resume "
            f"{shlex.quote(str(folder))}` under torchrun, or harmonium.resume({str(folder)!r})"
        )  # fmt: skip
        raise LostProcessError(f"{error}{go_on}") from error


@contextmanager
def one_voice() -> Iterator[None]:
    """Let the first process alone warn."""
    with warnings.catch_warnings():
        if not processes().first:
            warnings.simplefilter("ignore")
        yield


def _named(cases: Cases) -> str:
    return f"{cases.shape[0]} x {cases.shape[1]} ({cases.fingerprint()})"


def _digest(*tensors: torch.Tensor) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@cache
def _code() -> str:
    """Hash of the sources."""
    root = Path(__file__).parents[1]
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
