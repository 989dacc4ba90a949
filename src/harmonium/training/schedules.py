"""Learning rates that change with the progress of training."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from harmonium.core.checks import check_int_fields, check_non_negative, check_positive
from harmonium.core.registry import Registered

_CYCLES = 6

__all__ = [
    "Constant", "Cosine", "Cycles", "Exponential", "Linear", "Schedule", "WarmUp", "as_schedule", "ends_cycle",
]  # fmt: skip


class Schedule(Registered, ABC):
    """A learning rate as a function of progress, 0 at the first update and 1 after the last."""

    @abstractmethod
    def __call__(self, progress: float) -> float: ...


@dataclass(frozen=True)
class Constant(Schedule):
    """The same learning rate throughout."""

    rate: float

    def __post_init__(self) -> None:
        _check(self, "rate")

    def __call__(self, progress: float) -> float:
        return self.rate


@dataclass(frozen=True)
class Linear(Schedule):
    """From ``start`` to ``end`` along a straight line, after an optional share of training at ``start``.

    Falling to zero lets persistent chains catch up with the model (Tieleman 2008).

    >>> Linear(0.1)(0.5)
    0.05
    """

    start: float
    end: float = 0.0
    hold: float = 0.0

    def __post_init__(self) -> None:
        _check(self, "start", "end")
        if not 0 <= self.hold < 1:
            raise ValueError(f"Linear(hold=...) must be a share of training in [0, 1), found {self.hold!r}")

    def __call__(self, progress: float) -> float:
        share = max(0.0, progress - self.hold) / (1 - self.hold)
        return self.start + (self.end - self.start) * share


@dataclass(frozen=True)
class Exponential(Schedule):
    """From ``start`` to ``end`` by a constant factor per update."""

    start: float
    end: float

    def __post_init__(self) -> None:
        _check(self, "start", "end", positive=True)

    def __call__(self, progress: float) -> float:
        return float(self.start * (self.end / self.start) ** progress)


@dataclass(frozen=True)
class Cosine(Schedule):
    """From ``start`` to ``end`` along half a period of the cosine, slowly at first and at last.

    (Loshchilov & Hutter 2017.)

    >>> Cosine(0.1)(0.5)
    0.05
    """

    start: float
    end: float = 0.0

    def __post_init__(self) -> None:
        _check(self, "start", "end")

    def __call__(self, progress: float) -> float:
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class WarmUp(Schedule):
    """From a hundredth of where another schedule begins along a straight line to there, then that schedule.

    Args:
        then: the schedule, from its beginning to its end over the rest of the training; a number stays the same.
        share: of the training, until the schedule begins.

    >>> schedule = WarmUp(Linear(0.1), share=0.2)
    >>> [round(schedule(progress), 3) for progress in (0.0, 0.1, 0.2, 0.6, 1.0)]
    [0.001, 0.051, 0.1, 0.05, 0.0]
    """

    then: Schedule | float
    share: float = 0.05

    def __post_init__(self) -> None:
        object.__setattr__(self, "then", as_schedule(self.then))
        if not 0 < self.share < 1:
            raise ValueError(f"WarmUp(share=...) must be a share of training in (0, 1), found {self.share!r}")

    def __call__(self, progress: float) -> float:
        then = as_schedule(self.then)
        if progress < self.share:
            return then(0.0) * (0.01 + 0.99 * progress / self.share)
        return then((progress - self.share) / (1 - self.share))


@dataclass(frozen=True)
class Cycles(Schedule):
    """Falls to zero again and again, each time over as many updates as all cycles before it (Loshchilov & Hutter 2017).

    At the end of a cycle the model is as good as a training that was meant to end there: training can stop when a
    cycle, which doubles its length, has brought no gain.

    Args:
        start: learning rate at the beginning of the first cycle.
        doublings: number of cycles after the first; there are 2^doublings first cycles in all.
        decay: factor of the learning rate from one cycle to the next.
        epochs: of the training, if cycles are to end with whole epochs: after the half of them, rounded down, and so
            on.  The last cycle is then longer than all before it.

    >>> schedule = Cycles(0.1, doublings=2)
    >>> [schedule(progress) for progress in (0.0, 0.125, 0.26, 0.51, 0.75)]
    [0.1, 0.05, 0.096, 0.098, 0.05]
    """

    start: float
    doublings: int = 5
    decay: float = 1.0
    epochs: int | None = None

    def __post_init__(self) -> None:
        _check(self, "start", "decay", positive=True)
        check_int_fields(self, doublings=0)
        if self.epochs is not None:
            check_int_fields(self, epochs=2**self.doublings)

    def __call__(self, progress: float) -> float:
        end, cycle = 1.0, self.doublings
        while cycle and progress < self._end(cycle - 1):
            end, cycle = self._end(cycle - 1), cycle - 1
        begin = self._end(cycle - 1) if cycle else 0.0
        return self.start * self.decay**cycle * max(0.0, end - progress) / (end - begin)

    def _end(self, cycle: int) -> float:
        """The progress at which a cycle ends."""
        whole = self.epochs or 2**self.doublings
        return (whole >> self.doublings - cycle) / whole


def ends_cycle(epoch: int, epochs: int, schedule: Schedule) -> bool:
    """Whether one of the last six cycles of `Cycles` ends with this epoch, counted from 1.

    Other schedules are looked at as if they had six cycles.

    >>> [epoch for epoch in range(1, 97) if ends_cycle(epoch, 96, Cycles(0.1))]
    [3, 6, 12, 24, 48, 96]
    >>> [epoch for epoch in range(1, 97) if ends_cycle(epoch, 96, Cycles(0.1, doublings=1))]
    [48, 96]
    """
    cycles = min(_CYCLES, schedule.doublings + 1) if isinstance(schedule, Cycles) else _CYCLES
    return epoch in {epochs >> later for later in range(cycles)}


def _check(schedule: Schedule, *names: str, positive: bool = False) -> None:
    for name in names:
        check = check_positive if positive else check_non_negative
        check(f"{type(schedule).__name__}({name}=...)", getattr(schedule, name))


def as_schedule(rate: Schedule | float) -> Schedule:
    """A number becomes a constant schedule."""
    if isinstance(rate, Schedule):
        return rate
    if not isinstance(rate, (int, float)) or not 0 <= rate < float("inf"):
        raise ValueError(f"learning_rate must be a non-negative number or a schedule, found {rate!r}")
    return Constant(float(rate))
