"""Layers from their JSON descriptions."""

from __future__ import annotations

from typing import Any

from harmonium.core.errors import DamagedFileError
from harmonium.units.base import Units
from harmonium.units.bernoulli import Bernoulli
from harmonium.units.binomial import Binomial
from harmonium.units.categorical import Categorical
from harmonium.units.drelu import DReLU
from harmonium.units.gaussian import Gaussian
from harmonium.units.mixed import Mixed
from harmonium.units.poisson import Poisson
from harmonium.units.relu import ReLU
from harmonium.units.replicated_softmax import ReplicatedSoftmax
from harmonium.units.spin import Spin

__all__ = ["build"]

_TYPES: dict[str, type[Units]] = {
    kind.__name__: kind
    for kind in (Bernoulli, Binomial, Categorical, DReLU, Gaussian, Mixed, Poisson, ReLU, ReplicatedSoftmax, Spin)
}


def build(config: dict[str, Any]) -> Units:
    """A layer with fresh parameters from what its `Units.config` returned.

    Raises:
        DamagedFileError: where its type is unknown.

    >>> build({"type": "Bernoulli", "shape": [2, 3]})
    Bernoulli((2, 3))
    """
    arguments = dict(config)
    kind = arguments.pop("type")
    if kind not in _TYPES:
        raise DamagedFileError(f"unknown unit type {kind!r}: written by a newer harmonium?")
    return _TYPES[kind].from_config(arguments)
