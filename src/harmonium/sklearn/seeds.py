"""Seeds from scikit-learn's random_state."""

from __future__ import annotations

import secrets
from numbers import Integral
from typing import Any

from sklearn.utils import check_random_state

__all__ = ["seed_of"]


def seed_of(random_state: Any) -> int:
    """Turn random_state into a seed: an int is the seed itself, a RandomState draws one, None takes a random one.

    NumPy's global generator is neither read nor set, in contrast to scikit-learn's default.

    >>> seed_of(3), seed_of(None) != seed_of(None)
    (3, True)
    """
    if random_state is None:
        return secrets.randbits(63)
    if isinstance(random_state, Integral):
        return int(random_state)
    try:
        return int(check_random_state(random_state).randint(2**31 - 1))
    except ValueError as error:
        raise ValueError(f"random_state must be an int, a RandomState or None: {error}") from None
