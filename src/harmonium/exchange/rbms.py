"""Import from the HDF5 files of the library rbms (Décelle, Seoane, Rosset and others)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harmonium.core.errors import DamagedFileError
from harmonium.core.optional import need
from harmonium.models.machine.rbm import RBM
from harmonium.units import Bernoulli, Categorical, Gaussian, Spin, Units

__all__ = ["from_rbms"]

_PARAMETERS = ("weight_matrix", "vbias", "hbias")
_KINDS: dict[str, tuple[Callable[..., Units], Callable[..., Units]]] = {
    "BBRBM": (Bernoulli, Bernoulli),
    "PBRBM": (Categorical, Bernoulli),
    "BGRBM": (Bernoulli, Gaussian),
    "IGRBM": (Spin, Gaussian),
    "IIRBM": (Spin, Spin),
}
_NUMBERS = np.typing.NDArray[Any]


def from_rbms(path: str | os.PathLike[str], index: int = -1) -> RBM:
    """Read the RBM that an ``rbms`` file (version 0.5.0) holds after one of its updates, with the same energies.

    Its ``model_type`` decides.  A ``BBRBM`` has binary units with E(v, h) = -v.W.h - vbias.v - hbias.h, an ``IIRBM``
    units -1 and 1 (`Spin`) with the same energy.  A ``PBRBM`` has Potts variables with ``weight_matrix`` (n_visible,
    states, n_hidden), which become `Categorical` units.  ``BGRBM`` and ``IGRBM`` have binary units and spins, with
    `Gaussian` hidden units of variance 1 / n_visible: n_visible h.h / 2 is added to the energy.  A file without
    ``model_type`` holds a ``BBRBM``, or with three axes of weights a ``PBRBM``.  The last update comes with its
    persistent chains, so that `harmonium.log_partition` can bound log Z from both sides.

    Args:
        path: path of the file.
        index: number of a saved update, or -1 for the last one.

    Returns:
        The RBM, in the precision of the file.

    Raises:
        ImportError: without the extra ``rbms`` (h5py).
        FileNotFoundError: where the file does not exist.
        DamagedFileError: where it is not an rbms file.
        ValueError: where this update was not saved, or for a model of another type.

    >>> import h5py, numpy as np, os, tempfile, harmonium as hm
    >>> path = os.path.join(tempfile.mkdtemp(), "RBM.h5")
    >>> with h5py.File(path, "w") as file:
    ...     for name, shape in (("weight_matrix", (4, 2)), ("vbias", 4), ("hbias", 2)):
    ...         file[f"update_1/params/{name}"] = np.zeros(shape, np.float32)
    >>> hm.exchange.from_rbms(path)
    RBM(visible=Bernoulli(4), hidden=Bernoulli(2))
    """
    h5py = need("h5py", "rbms", "from_rbms")
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DamagedFileError(f"{path} is not an HDF5 file, or is cut short ({error}): copy it again") from None
    with file:
        if "rbm_type" in file and "weights" in file:
            raise ValueError(
                f"{path} is a file of RestrictedBoltzmannMachines.jl, which is not read: from_rbms is for rbms"
            )
        saved = sorted(int(name[7:]) for name in file if name.startswith("update_") and name[7:].isdecimal())
        if not saved:
            raise DamagedFileError(f"{path} holds no training update: pass a model file that rbms wrote")
        kind = _kind(file, path)
        update = saved[-1] if index == -1 else index
        if update not in saved:
            shown = ", ".join(map(str, saved[:10])) + (", ..." if len(saved) > 10 else "")
            raise ValueError(f"index={index}: {path} holds the updates {shown}; -1 takes the last one")
        group = file[f"update_{update}"]
        group = group.get("params", group)  # older files have the parameters beside the rest
        missing = [name for name in _PARAMETERS if name not in group]
        if missing:
            raise DamagedFileError(f"{path}, update {update} has no {missing[0]}: pass a model file that rbms wrote")
        W, b, c = (np.asarray(group[name][()]) for name in _PARAMETERS)
        chains = np.asarray(file["parallel_chains"][()]) if "parallel_chains" in file else None
    if chains is not None and kind is None and chains.size and chains.min() < 0:
        raise ValueError(
            f"{path} does not say its model_type, and its chains hold {chains.min():g}, so its units are not those of "
            "a BBRBM: write model_type into the file, such as IIRBM"
        )
    rbm = _build(kind or ("BBRBM" if W.ndim == 2 else "PBRBM"), W, b, c, str(path))
    if chains is not None and update == saved[-1] and chains.ndim == 2 and chains.shape[1] == rbm.visible.columns:
        states = rbm.visible.encode(torch.from_numpy(chains).to(rbm.dtype), f"the chains of {path}")
        rbm.visible.check(states, f"the chains of {path}")
        rbm.chains = states
    return rbm


def _kind(file: Any, path: str | os.PathLike[str]) -> str | None:
    """The model_type of a file, None where it has none.

    Raises:
        ValueError: for a model of another type.
    """
    if "model_type" not in file:
        return None
    found = file["model_type"][()]
    kind = found.decode() if isinstance(found, bytes) else str(found)
    if kind not in _KINDS:
        raise ValueError(
            f"{path} holds a model of type {kind!r}, which is not read: from_rbms reads {', '.join(_KINDS)}"
        )
    return kind


def _build(kind: str, W: _NUMBERS, b: _NUMBERS, c: _NUMBERS, path: str) -> RBM:
    potts = kind == "PBRBM"
    if W.ndim != 2 + potts or b.shape != W.shape[:-1] or c.shape != W.shape[-1:]:
        expected = (
            "(n_visible, states, n_hidden), (n_visible, states)" if potts else "(n_visible, n_hidden), (n_visible,)"
        )
        raise DamagedFileError(
            f"{path}: weight_matrix {W.shape}, vbias {b.shape} and hbias {c.shape} do not fit a {kind}: expected "
            f"{expected} and (n_hidden,)"
        )
    dtype = torch.float64 if W.dtype == np.float64 else torch.float32
    seen, hidden = _KINDS[kind]
    visible = Categorical(W.shape[0], W.shape[1], dtype=dtype) if potts else _layer(seen, W.shape[0], dtype, W.shape[0])
    rbm = RBM(visible, _layer(hidden, W.shape[-1], dtype, W.shape[0]), dtype=dtype)
    with torch.no_grad():
        rbm.weights.copy_(torch.from_numpy(W.reshape(-1, W.shape[-1])))
        rbm.visible_bias.copy_(torch.from_numpy(b.reshape(-1)))
        rbm.hidden_bias.copy_(torch.from_numpy(c))
    bad = next((name for name, array in zip(_PARAMETERS, (W, b, c), strict=True) if not np.isfinite(array).all()), None)
    if bad is not None:
        raise DamagedFileError(f"{path}: {bad} holds values that are not finite: take an earlier update (index=)")
    return rbm


def _layer(kind: Callable[..., Units], size: int, dtype: torch.dtype, precision: int) -> Units:
    """Units of a type; Gaussian ones have the same variance, 1 / precision, throughout."""
    if kind is not Gaussian:
        return kind(size, dtype=dtype)
    log_variance = -math.log(precision)
    if log_variance < -10:
        raise ValueError(
            f"hidden units of variance 1 / {precision} are too narrow: from_rbms takes up to 22026 variables"
        )
    units = Gaussian(size, log_variance_bounds=(min(-7.0, math.floor(log_variance)), 7.0), dtype=dtype)
    with torch.no_grad():
        units.log_variance.fill_(log_variance)
    return units
