"""A bracket of log Z as narrow as asked for, within a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

from harmonium.core.numbers import fixed
from harmonium.core.random import Stream
from harmonium.likelihood.log_z import LogPartition

__all__ = ["WIDTH", "narrowed"]

WIDTH = 0.1  # nats: a bracket of this width is narrow
_LONGER = 4  # how many times as long the next run is
_LEAST = 1.5  # a run that can only be so much longer is not worth its time
_SLOWEST, _FASTEST = 0.5, 1.0  # the width falls as a power of the length: errors by 1/2, the bias of annealing by 1


def narrowed(
    run: Callable[[int, Stream], LogPartition],
    length: int,
    stream: Stream,
    seconds: float | None,
    width: float = WIDTH,
    clock: Callable[[], float] = time.perf_counter,
) -> LogPartition:
    """Run an estimate longer and longer, until its bracket is narrow or the time is over.

    The last run counts alone.  Where the time is not enough, `why` says how long it would take, by the rate at which
    the width of the bracket has fallen so far.

    Args:
        run: an estimate of a length, such as a number of temperatures, by draws of a stream.
        length: of the first run.
        stream: of the first run; later ones have children of it.
        seconds: for all runs; None: the first one alone.
        width: of the bracket, in nats.
        clock: seconds.
    """
    begun = before = clock()
    found = run(length, stream)
    if seconds is None:
        return found
    power, took = 0.75, clock() - before
    while math.isfinite(found.upper) and _width(found) > width:
        factor = min(float(_LONGER), (seconds - (clock() - begun)) / took)
        if factor < _LEAST:
            times = (_width(found) / width) ** (1 / power)
            wide = f"the bracket is {fixed(_width(found), 2)} nats wide"
            return replace(found, why=f"{found.why}; {wide}, about {_spoken(times * took)} would make it {width:g}")
        before, last, longer = clock(), found, max(length + 1, int(length * factor))
        found = run(longer, stream.child("longer", longer))
        took = clock() - before
        if not math.isfinite(found.upper):
            wide = f"the bracket is {fixed(_width(last), 2)} nats wide"
            return replace(last, why=f"{last.why}; {wide}, and a longer run had no upper end: {found.why}")
        factor, length = longer / length, longer
        if _width(found) > 0:
            power = math.log(_width(last) / _width(found)) / math.log(factor)
            power = min(_FASTEST, max(_SLOWEST, power))
    return found


def _width(found: LogPartition) -> float:
    return found.upper - found.lower


def _spoken(seconds: float) -> str:
    """Such as "3 minutes"."""
    minutes = seconds / 60
    return f"{max(1, round(seconds))} seconds" if minutes < 1.5 else f"{math.ceil(minutes)} minutes"
