"""How numbers are written for people: a number and its error with the same decimals, on screen and on pages alike."""

from __future__ import annotations

import math

__all__ = ["fixed", "nats", "with_error"]

_MOST_DECIMALS = 12


def fixed(value: float, decimals: int = 2) -> str:
    """Write a number with this many decimals, commas between thousands, and no sign on zero.

    >>> fixed(-1234.5, 1), fixed(-0.001), fixed(-7.123e13)
    ('-1,234.5', '0.00', '-7.12e+13')
    """
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 1e9:
        return f"{value:.2e}"  # nobody counts its digits
    return f"{round(value, decimals) + 0.0:,.{decimals}f}"


def nats(value: float, error: float = 0.0) -> str:
    """Write a log-likelihood, or what belongs to it, such as an end of its bracket or its error.

    Two decimals, or as many as the first digit of the error needs: numbers that share an error have the same decimals.

    >>> nats(-84.123, 0.21), nats(0.21, 0.21), nats(0.0213, 0.0034), nats(0.0034, 0.0034)
    ('-84.12', '0.21', '0.021', '0.003')
    """
    small = math.isfinite(error) and 1e-6 < error < 0.005
    return fixed(value, max(2, _decimals(error, 1)) if small else 2)


def with_error(value: float, error: float) -> tuple[str, str]:
    """Write a number of any scale and its error, or its spread, with the same decimals: two digits of the error.

    >>> with_error(229.7, 118.2), with_error(0.03021, 3.02), with_error(4.84e-7, 2.9e-7)
    (('230', '118'), ('0.0', '3.0'), ('4.8e-7', '2.9e-7'))
    """
    size = max(abs(value), error)
    if not math.isfinite(size) or not error:
        return _plain(value), _plain(error)
    if size < 1e-4 or size >= 1e9:
        power = math.floor(math.log10(size))
        scaled = with_error(value / 10.0**power, error / 10.0**power)
        return f"{scaled[0]}e{power}", f"{scaled[1]}e{power}"
    decimals = _decimals(error, 2)
    return fixed(value, decimals), fixed(error, decimals)


def _decimals(error: float, digits: int) -> int:
    """The number of decimals that shows this many digits of an error."""
    return min(_MOST_DECIMALS, max(0, digits - 1 - math.floor(math.log10(error))))


def _plain(value: float) -> str:
    return f"{value + 0.0:.4g}" if math.isfinite(value) else fixed(value)
