"""The public check kit: what a new unit type or machine must satisfy before anything is built on it.

Both functions raise AssertionError naming the identity that failed, with numbers, and return None when all hold.

>>> import harmonium as hm
>>> hm.testing.check_units(hm.Bernoulli(3))
>>> hm.testing.check_model(hm.RBM(3, 2))
"""

from harmonium.testing.models import check_model
from harmonium.testing.units import check_units

__all__ = ["check_model", "check_units"]
