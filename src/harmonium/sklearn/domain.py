"""Treatment of values that binary units do not take.

A case of `Bernoulli` units is a row of zeros and ones, and `harmonium.fit` refuses anything else.  Users of
scikit-learn have grey values and unscaled tables, so every estimator has a parameter ``domain`` for its binary columns:

- ``"clip"``: values are clipped to [0, 1] and taken as *mean activations*, as in scikit-learn: hidden units see
  W'v + c with v the means.  Features and gradients are then those of the mean case, which for steep features differ
  from the mean over binary cases; and grey values have no likelihood (`score_samples` in nats refuses them).
- ``"binarize"``: values above 1/2 become 1, all others 0, in fitting and in using the model.
- ``"raise"``: anything but 0 and 1 is refused.

Columns of other unit types are not changed; values outside their domain are refused.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal, TypeVar

import numpy as np
from scipy import sparse
from torch import Tensor

from harmonium.core.registry import build
from harmonium.models.machine.machine import Machine
from harmonium.units import Bernoulli, Mixed, Units

__all__ = [
    "Activations", "Domain", "DomainWarning", "columns_of", "into_domain", "is_sparse", "lend", "lenient", "strict",
]  # fmt: skip

Domain = Literal["clip", "binarize", "raise"]
M = TypeVar("M", bound=Machine)


class DomainWarning(UserWarning):
    """Binary units got values below 0 or above 1, which were clipped or binarised."""


class Activations(Bernoulli):
    """Binary units that also take mean activations, values from 0 to 1; in files they are `Bernoulli` units.

    >>> Activations(2).check(np.array([[0.25, 1.0]]), "v")
    """

    def invalid(self, s: Tensor) -> Tensor:
        return ~((s >= 0) & (s <= 1))

    def config(self) -> dict[str, Any]:
        return super().config() | {"type": "Bernoulli"}


def lenient(units: Units) -> Units:
    """Build the same layer with `Activations` in place of `Bernoulli` units, and initial parameters."""
    if isinstance(units, Mixed):
        return Mixed([lenient(part) for part in units.parts])  # type: ignore[arg-type]
    return Activations(units.shape) if type(units) is Bernoulli else units


def lend(machine: M) -> M:
    """Return the machine with `Activations` in place of `Bernoulli` units, so that it takes grey values.

    Couplings are shared.
    """
    return _with_visible(machine, lenient(build(machine.visible.config())))


def strict(machine: M) -> M:
    """Return the machine with `Bernoulli` units in place of `Activations`: grey values have no likelihood."""
    return _with_visible(machine, build(machine.visible.config()))


def _with_visible(machine: M, units: Units) -> M:
    units.to(machine.dtype).load_state_dict(machine.visible.state_dict())
    return machine.with_visible(units)


def is_sparse(X: Any) -> bool:
    """Whether X is a SciPy sparse matrix or array."""
    return bool(sparse.issparse(X))


def columns_of(units: Units, kind: type[Units]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which columns (columns,) of a visible layer are of this type, bool."""
    return np.array([isinstance(units.units_of_column(j, encoded=False), kind) for j in range(units.columns)])


def into_domain(X: Any, units: Units, domain: Domain, *, warn: bool) -> Any:
    """Clip or binarise the binary columns of X (n, columns), dense or CSR; NaN stays.

    Args:
        X: what scikit-learn validated; it is not changed.
        units: the visible layer.
        domain: see this module.
        warn: whether to warn of values below 0 or above 1.

    Returns:
        X itself if no value has to change, otherwise a copy.

    Raises:
        ValueError: for another ``domain``.

    >>> import harmonium as hm
    >>> into_domain(np.array([[0.2, 0.7]]), hm.Bernoulli(2), "binarize", warn=False).tolist()
    [[0.0, 1.0]]
    """
    if domain not in ("clip", "binarize", "raise"):
        raise ValueError(f"domain must be 'clip', 'binarize' or 'raise', found {domain!r}")
    binary = columns_of(units, Bernoulli)
    if domain == "raise" or not binary.any():
        return X
    if is_sparse(X) and not binary.all():
        X = X.toarray()
    values = X.data if is_sparse(X) else X if binary.all() else X[:, binary]
    low, high = (np.fmin.reduce(values, None), np.fmax.reduce(values, None)) if values.size else (0.0, 1.0)
    if low >= 0 and high <= 1:
        if domain == "clip":
            return X
    elif warn and not np.isnan(low):
        warnings.warn(
            f"binary units got values from {low:g} to {high:g}, which domain={domain!r} brings to [0, 1]: scale them, "
            "or use other units such as harmonium.Gaussian",
            DomainWarning, stacklevel=5,
        )  # fmt: skip
    changed = np.clip(values, 0, 1) if domain == "clip" else np.where(np.isnan(values), values, values > 0.5)
    changed = changed.astype(X.dtype, copy=False)
    if is_sparse(X):
        return type(X)((changed, X.indices, X.indptr), shape=X.shape)
    if binary.all():
        return changed
    out = X.copy()
    out[:, binary] = changed
    return out
