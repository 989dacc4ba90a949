"""What a unit can be: one exponential family per file."""

from harmonium.units.base import Line, Natural, Units, as_units
from harmonium.units.bernoulli import Bernoulli
from harmonium.units.binomial import Binomial
from harmonium.units.categorical import Categorical
from harmonium.units.gaussian import Gaussian
from harmonium.units.registry import build
from harmonium.units.spin import Spin

__all__ = [
    "Bernoulli",
    "Binomial",
    "Categorical",
    "Gaussian",
    "Line",
    "Natural",
    "Spin",
    "Units",
    "as_units",
    "build",
]
