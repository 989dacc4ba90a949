"""What a unit can be: one exponential family per file."""

from harmonium.units.base import Line, Natural, Units, as_units
from harmonium.units.bernoulli import Bernoulli
from harmonium.units.gaussian import Gaussian

__all__ = ["Bernoulli", "Gaussian", "Line", "Natural", "Units", "as_units"]
