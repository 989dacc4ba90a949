"""Units: one exponential family per file."""

from harmonium.units.bernoulli import Bernoulli
from harmonium.units.biased import Biased
from harmonium.units.binomial import Binomial
from harmonium.units.categorical import Categorical
from harmonium.units.contract import FusedKernels, Natural
from harmonium.units.drelu import DReLU
from harmonium.units.gaussian import Gaussian
from harmonium.units.layer import Interpolation, Units, UpdateOrder, as_units
from harmonium.units.mixed import Mixed
from harmonium.units.poisson import Poisson
from harmonium.units.relu import ReLU
from harmonium.units.replicated_softmax import ReplicatedSoftmax
from harmonium.units.spin import Spin

__all__ = [
    "Bernoulli", "Biased", "Binomial", "Categorical", "DReLU", "FusedKernels", "Gaussian", "Interpolation", "Mixed",
    "Natural", "Poisson", "ReLU", "ReplicatedSoftmax", "Spin", "Units", "UpdateOrder", "as_units",
]  # fmt: skip
