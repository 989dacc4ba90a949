"""Models on disk: safetensors with the model's description in the header.  Nothing is pickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harmonium.core.errors import DamagedFileError
from harmonium.core.files import read_tensors, write_tensors
from harmonium.core.registry import build
from harmonium.models.model import BUFFERS, Model

__all__ = ["save_snapshot", "snapshots", "load", "load_trajectory", "save"]

_TRAJECTORY = "trajectory"  # the folder of a run that holds models which the machine has been


def save(model: Model, path: str | Path) -> None:
    """Write a model to one safetensors file: parameters, base rate, persistent chains and description.

    Raises:
        OSError: where the file cannot be written; an earlier file of that name is then unchanged.

    >>> import harmonium as hm, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> hm.save(hm.RBM(4, 2), path)
    >>> hm.load(path)
    RBM(visible=Bernoulli(4), hidden=Bernoulli(2))
    """
    write_tensors(path, model.state_dict(), {"format": 1, "model": model.config()})


def load(path: str | Path) -> Any:
    """Read a model that `save` wrote.

    Raises:
        FileNotFoundError: where there is no such file.
        DamagedFileError: where the file is cut short, changed, or holds something else.
    """
    tensors, meta = read_tensors(path)
    if "model" not in meta:
        raise DamagedFileError(
            f"{path} holds no harmonium model (is it a checkpoint? use harmonium.resume on its folder)"
        )
    model = build(meta["model"])
    restore(model, tensors, str(path))
    return model


def save_snapshot(model: Model, run: Path, update: int) -> None:
    """Write what a model is at this update among the kept ones of a run."""
    (run / _TRAJECTORY).mkdir(exist_ok=True)
    save(model, run / _TRAJECTORY / f"{update:012d}.safetensors")


def snapshots(run: Path) -> dict[int, Path]:
    """The files of the models that a run has kept, by update, from early to late."""
    return {int(path.stem): path for path in sorted((run / _TRAJECTORY).glob("[0-9]*.safetensors"))}


def load_trajectory(run: str | Path) -> list[Any]:
    """The models that a run has kept on its way, from early to late.

    Raises:
        FileNotFoundError: where it has kept none.
        DamagedFileError: where a file is cut short, changed, or holds something else.
    """
    paths = snapshots(Path(run))
    if not paths:
        raise FileNotFoundError(
            f"{run} holds no trajectory: train with fit(..., out=..., callbacks=[KeepTrajectory()])"
        )
    return [load(path) for path in paths.values()]


def restore(model: Model, tensors: dict[str, Tensor], source: str) -> None:
    """Put stored tensors into a model in place.

    Raises:
        DamagedFileError: where names or shapes are those of another model.
    """
    left = {
        f"{name}.{buffer}".removeprefix(".")
        for name, module in model.named_modules()
        if isinstance(module, Model)
        for buffer in BUFFERS
    }
    known = model.state_dict().keys() - left
    odd = sorted(known - tensors.keys()) or sorted(tensors.keys() - known - left)
    if odd:
        raise DamagedFileError(
            f"{source} belongs to another model ({odd[0]} does not fit): build the model it was trained with"
        )
    for name, parameter in list(model.named_parameters()):
        stored = tensors[name]
        if stored.shape[-parameter.dim() :] != parameter.shape and stored.shape != parameter.shape:
            raise DamagedFileError(
                f"{source} belongs to another model: {name} has shape {tuple(stored.shape)}, "
                f"expected {tuple(parameter.shape)}"
            )
        if stored.shape == parameter.shape:
            with torch.no_grad():
                parameter.copy_(stored)
        else:  # a stack of models
            owner, _, leaf = name.rpartition(".")
            module: Any = model.get_submodule(owner)
            if isinstance(module, nn.ParameterDict):
                module[leaf] = nn.Parameter(stored)
            else:
                setattr(module, leaf, nn.Parameter(stored))
    for name in left | {name for name, _ in model.named_buffers() if name in known}:
        owner, _, leaf = name.rpartition(".")
        buffer = tensors.get(name)
        setattr(model.get_submodule(owner), leaf, None if buffer is None else buffer.to(model.device).clone())
