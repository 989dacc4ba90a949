"""What estimators do with values that binary units do not take.

A case of `Bernoulli` units is a row of zeros and ones, and the core refuses anything else.  scikit-learn's users bring
greys and unscaled tables; so every estimator has a ``domain`` that says what becomes of the binary columns:

- ``"clip"``: values are clipped to [0, 1] and stand for *mean activations*, as in scikit-learn: hidden units see
  W'v + c with v the means.  Features and gradients are then those of the mean case, which for steep features is not
  the mean over the binary cases that it stands for; and it has no likelihood (`score_samples` in nats refuses greys).
- ``"binarize"``: values above 1/2 become 1, all others 0, in fitting and in using the model alike.
- ``"raise"``: anything but 0 and 1 is refused with the core's own message.

Columns of other unit types are left to the core, which refuses what lies outside their domain.
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

__all__ = ["Activations", "Domain", "DomainWarning", "into_domain", "is_sparse", "lend", "lenient", "strict"]

Domain = Literal["clip", "binarize", "raise"]
M = TypeVar("M", bound=Machine)


class DomainWarning(UserWarning):
    """Values below 0 or above 1 were given to binary units, and were clipped or binarised."""


class Activations(Bernoulli):
    """Binary units that are also given their means, values from 0 to 1; on disk they are `Bernoulli` units.

    >>> Activations(2).check(np.array([[0.25, 1.0]]), "v")
    """

    def invalid(self, s: Tensor) -> Tensor:
        return ~((s >= 0) & (s <= 1))

    def config(self) -> dict[str, Any]:
        return super().config() | {"type": "Bernoulli"}


def lenient(units: Units) -> Units:
    """The same layer with `Activations` in the place of `Bernoulli` units, fresh."""
    if isinstance(units, Mixed):
        return Mixed([lenient(part) for part in units.parts])  # type: ignore[arg-type]
    return Activations(units.shape) if type(units) is Bernoulli else units


def lend(machine: M) -> M:
    """The machine with `Activations` in the place of `Bernoulli` units, to be given greys; couplings are shared."""
    return _revisited(machine, lenient(build(machine.visible.config())))


def strict(machine: M) -> M:
    """The machine with `Bernoulli` units where it was trained with `Activations`: greys have no likelihood."""
    return _revisited(machine, build(machine.visible.config()))


def _revisited(machine: M, units: Units) -> M:
    units.to(machine.dtype).load_state_dict(machine.visible.state_dict())
    return machine.with_visible(units)


def is_sparse(X: Any) -> bool:
    """Whether X is a SciPy sparse matrix or array."""
    return bool(sparse.issparse(X))


def into_domain(X: Any, units: Units, domain: Domain, *, warn: bool) -> Any:
    """X (n, columns), dense or CSR, with its binary columns clipped or binarised; NaN stays.

    X itself is not changed; where nothing in it has to be, it is what is returned.

    Args:
        X: what scikit-learn validated.
        units: the visible layer.
        domain: see this module.
        warn: whether to warn of values below 0 or above 1.

    Raises:
        ValueError: for another ``domain``.

    >>> import harmonium as hm
    >>> into_domain(np.array([[0.2, 0.7]]), hm.Bernoulli(2), "binarize", warn=False).tolist()
    [[0.0, 1.0]]
    """
    if domain not in ("clip", "binarize", "raise"):
        raise ValueError(f"domain must be 'clip', 'binarize' or 'raise', found {domain!r}")
    binary = np.array(
        [isinstance(units.units_of_column(column, encoded=False), Bernoulli) for column in range(units.columns)]
    )
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
            f"binary units are given values from {low:g} to {high:g}, which domain={domain!r} brings to [0, 1]: scale "
            "them, or take other units such as harmonium.Gaussian",
            DomainWarning, stacklevel=4,
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
