"""Model files: safetensors with the description of the model in the header.  Nothing is pickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harmonium.core.errors import DamagedFileError
from harmonium.core.files import read_tensors, write_tensors
from harmonium.core.registry import build, check_described
from harmonium.models.model import BUFFERS, Model, as_model

__all__ = ["save_snapshot", "snapshots", "load", "load_trajectory", "save"]

_TRAJECTORY = "trajectory"  # the folder with snapshots in a run folder


def save(model: Model, path: str | Path) -> None:
    """Write a model to one safetensors file: parameters, base rate, persistent chains and description.

    Args:
        model: any model of the library.
        path: the file; an earlier file of that name is replaced.

    Raises:
        TypeError: for something else than a model.
        OSError: if the file cannot be written; an earlier file is then unchanged.
        ValueError: if a class of your own does not describe the arguments of its constructor (see `Registered.config`).

    >>> import harmonium as hm, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> hm.save(hm.RBM(4, 2), path)
    >>> hm.load(path)
    RBM(visible=Bernoulli(4), hidden=Bernoulli(2))
    """
    config = as_model(model, "save").config()
    check_described(config)
    write_tensors(path, model.state_dict(), {"format": 1, "model": config})


def load(path: str | Path) -> Any:
    """Read a model that `save` wrote.

    Args:
        path: the file.

    Returns:
        the model, on the CPU.

    Raises:
        FileNotFoundError: if there is no such file.
        DamagedFileError: if the file is truncated, changed, or not a model.

    >>> import harmonium as hm, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> hm.save(hm.DBN([4, 3, 2]), path)
    >>> hm.load(path)
    DBN([Bernoulli(4), Bernoulli(3), Bernoulli(2)])
    """
    tensors, meta = read_tensors(path)
    if "table" in meta:
        raise DamagedFileError(f"{path} is the model of a table: read it with harmonium.TableModel.load")
    if "model" not in meta:
        raise DamagedFileError(
            f"{path} is not a harmonium model (is it a checkpoint? use harmonium.resume on its folder)"
        )
    model = build(meta["model"])
    restore(model, tensors, str(path))
    return model


def save_snapshot(model: Model, run: Path, update: int) -> None:
    """Write a snapshot of the model at this update into a run folder."""
    (run / _TRAJECTORY).mkdir(exist_ok=True)
    save(model, run / _TRAJECTORY / f"{update:012d}.safetensors")


def snapshots(run: Path) -> dict[int, Path]:
    """Files of the snapshots in a run folder by update, from early to late."""
    return {int(path.stem): path for path in sorted((run / _TRAJECTORY).glob("[0-9]*.safetensors"))}


def load_trajectory(run: str | Path) -> list[Any]:
    """Read the snapshots in a run folder, from early to late.

    Raises:
        FileNotFoundError: if there are none.
        DamagedFileError: if a file is truncated, changed, or not a model.
    """
    paths = snapshots(Path(run))
    if not paths:
        raise FileNotFoundError(f"{run} has no trajectory: train with fit(..., out=..., callbacks=[KeepTrajectory()])")
    return [load(path) for path in paths.values()]


def restore(model: Model, tensors: dict[str, Tensor], source: str) -> None:
    """Copy stored tensors into a model, in place.

    Raises:
        DamagedFileError: if names or shapes are those of another model.
    """
    buffers = {
        f"{name}.{buffer}".removeprefix(".")
        for name, module in model.named_modules()
        if isinstance(module, Model)
        for buffer in BUFFERS
    }
    expected = model.state_dict().keys() - buffers
    unexpected = sorted(expected - tensors.keys()) or sorted(tensors.keys() - expected - buffers)
    if unexpected:
        raise DamagedFileError(
            f"{source} belongs to another model ({unexpected[0]} does not fit): build the model it was trained with"
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
        else:  # several models as one
            owner, _, leaf = name.rpartition(".")
            module: Any = model.get_submodule(owner)
            if isinstance(module, nn.ParameterDict):
                module[leaf] = nn.Parameter(stored)
            else:
                setattr(module, leaf, nn.Parameter(stored))
    for name in buffers | {name for name, _ in model.named_buffers() if name in expected}:
        owner, _, leaf = name.rpartition(".")
        buffer = tensors.get(name)
        setattr(model.get_submodule(owner), leaf, None if buffer is None else buffer.to(model.device).clone())
