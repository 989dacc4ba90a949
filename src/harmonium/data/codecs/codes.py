"""Whole numbers that are codes, such as those of branches or diagnoses, and no amounts."""

from __future__ import annotations

import numpy as np

from harmonium.data.codecs.codec import Array

__all__ = ["look_like_codes"]

LEAST_DIGITS = 3
LEAST, MOST = 3, 200  # different codes
ROWS_PER_CODE = 10
FIRST_YEAR, LAST_YEAR = 1800, 2100
NEIGHBOURS = 0.25  # share of codes that follow on another one, at most: amounts lie close together


def look_like_codes(numbers: Array) -> bool:
    """Whether numbers, (rows,) float64 without NaN, look like codes.

    Codes are whole and positive, have all the same number of digits (three at least), come back often, and lie apart
    from each other without a common step.  Most ratings, counts and amounts fail one of these; years are no codes.

    >>> import numpy as np
    >>> look_like_codes(np.array([101.0, 205.0, 310.0] * 20)), look_like_codes(np.array([100.0, 200.0, 500.0] * 20))
    (True, False)
    """
    codes = np.unique(numbers)
    if not LEAST <= len(codes) <= min(MOST, len(numbers) / ROWS_PER_CODE):
        return False
    if codes[0] < 10 ** (LEAST_DIGITS - 1) or (codes % 1 != 0).any() or codes[-1] >= 2**53:
        return False
    if codes[0] >= FIRST_YEAR and codes[-1] <= LAST_YEAR:
        return False
    if len(str(int(codes[0]))) != len(str(int(codes[-1]))):
        return False
    steps = np.diff(codes).astype(np.int64)
    return bool(np.gcd.reduce(steps) == 1 and (steps == 1).mean() <= NEIGHBOURS)
