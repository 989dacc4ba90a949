"""Models on disk: safetensors with the model's description in the header.  Nothing is pickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harmonium.files import DamagedFileError, read_tensors, write_tensors
from harmonium.models.dbn import DBN
from harmonium.models.machine import BUFFERS, Machine
from harmonium.models.rbm import RBM
from harmonium.units import Bernoulli, Gaussian, Units

__all__ = ["build", "load", "save"]

_UNITS: dict[str, type[Units]] = {"Bernoulli": Bernoulli, "Gaussian": Gaussian}


def save(model: Machine | DBN, path: str | Path) -> None:
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


def build(config: dict[str, Any]) -> Any:
    """A model with fresh parameters from its JSON description."""
    if config["type"] == "DBN":
        recognition = config["recognition"]
        return DBN.from_rbms(
            [build(rbm) for rbm in config["rbms"]],
            None if recognition is None else [build(rbm) for rbm in recognition],
        )
    if config["type"] != "RBM":
        raise DamagedFileError(f"unknown model type {config['type']!r}: written by a newer harmonium?")
    dtype = getattr(torch, config.get("dtype", "float32"))
    return RBM(_build_units(config["visible"]), _build_units(config["hidden"]), dtype=dtype)


def restore(model: Machine | DBN, tensors: dict[str, Tensor], source: str) -> None:
    """Put stored tensors into a model in place.

    Raises:
        DamagedFileError: where names or shapes are those of another model.
    """
    if isinstance(model, DBN):
        for name, part in model.parts().items():
            own = {key.removeprefix(f"{name}."): t for key, t in tensors.items() if key.startswith(f"{name}.")}
            restore(part, own, source)
        return
    known = {name for name, _ in model.named_parameters()}
    missing = known - tensors.keys()
    optional = set(BUFFERS)
    if missing or tensors.keys() - known - optional:
        odd = sorted(missing or tensors.keys() - known - optional)
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
    for name in BUFFERS:
        buffer = tensors.get(name)
        setattr(model, name, None if buffer is None else buffer.to(model.device).clone())


def _build_units(config: dict[str, Any]) -> Units:
    config = dict(config)
    kind = config.pop("type")
    if kind not in _UNITS:
        raise DamagedFileError(f"unknown unit type {kind!r}: written by a newer harmonium?")
    arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}
    shape = arguments.pop("shape")
    return _UNITS[kind](shape, **arguments)
