"""scikit-learn's random_state as a seed of the library."""

from __future__ import annotations

import secrets
from numbers import Integral
from typing import Any

from sklearn.utils import check_random_state

__all__ = ["seed_of"]


def seed_of(random_state: Any) -> int:
    """An int is the seed itself; a RandomState is asked for one; None is a seed that nobody knows.

    The global generator of NumPy is neither read nor set, unlike scikit-learn's default.

    >>> seed_of(3), seed_of(None) != seed_of(None)
    (3, True)
    """
    if random_state is None:
        return secrets.randbits(63)
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
