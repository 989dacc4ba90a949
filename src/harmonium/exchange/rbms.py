"""Import from the HDF5 files of the library rbms (Décelle, Seoane, Rosset and others)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harmonium.core.errors import DamagedFileError
from harmonium.core.optional import need
from harmonium.models.machine.rbm import RBM
from harmonium.units import Categorical

__all__ = ["from_rbms"]

_PARAMETERS = ("weight_matrix", "vbias", "hbias")
_NUMBERS = np.typing.NDArray[Any]


def from_rbms(path: str | os.PathLike[str], index: int = -1) -> RBM:
    """Read the RBM that an ``rbms`` file (version 0.5.0) holds after one of its updates, with the same energies.

    A ``BBRBM`` has binary units with E(v, h) = -v.W.h - vbias.v - hbias.h.  A ``PBRBM`` has Potts variables with
    ``weight_matrix`` (n_visible, states, n_hidden), which become `Categorical` units.  The last update comes with its
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
        ValueError: where this update was not saved.

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
        saved = sorted(int(name[7:]) for name in file if name.startswith("update_") and name[7:].isdecimal())
        if not saved:
            raise DamagedFileError(f"{path} holds no training update: pass a model file that rbms wrote")
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
    rbm = RBM.from_arrays(W, b, c) if W.ndim == 2 else _potts(W, b, c, str(path))
    if chains is not None and update == saved[-1] and chains.ndim == 2 and chains.shape[1] == rbm.visible.columns:
        states = rbm.visible.encode(torch.from_numpy(chains).to(rbm.dtype), f"the chains of {path}")
        rbm.visible.check(states, f"the chains of {path}")
        rbm.chains = states
    return rbm


def _potts(W: _NUMBERS, b: _NUMBERS, c: _NUMBERS, path: str) -> RBM:
    if W.ndim != 3 or b.shape != W.shape[:2] or c.shape != W.shape[2:]:
        raise DamagedFileError(
            f"{path}: weight_matrix {W.shape}, vbias {b.shape} and hbias {c.shape} do not fit together: expected "
            "(n_visible, states, n_hidden), (n_visible, states) and (n_hidden,)"
        )
    dtype = torch.float64 if W.dtype == np.float64 else torch.float32
    visible, states, hidden = W.shape
    rbm = RBM(Categorical(visible, states, dtype=dtype), hidden, dtype=dtype)
    with torch.no_grad():
        rbm.weights.copy_(torch.from_numpy(W.reshape(visible * states, hidden)))
        rbm.visible_bias.copy_(torch.from_numpy(b.reshape(-1)))
        rbm.hidden_bias.copy_(torch.from_numpy(c))
    return rbm
