"""Learning rates that change with the progress of training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Constant", "Exponential", "Linear", "Schedule", "as_schedule"]


class Schedule(ABC):
    """A learning rate as a function of progress, 0 at the first update and 1 after the last."""

    @abstractmethod
    def __call__(self, progress: float) -> float: ...

    def config(self) -> dict[str, Any]:
        """JSON-able description."""
        return {"type": type(self).__name__} | asdict(self)  # type: ignore[call-overload]


@dataclass(frozen=True)
class Constant(Schedule):
    """The same learning rate throughout."""

    rate: float

    def __call__(self, progress: float) -> float:
        return self.rate


@dataclass(frozen=True)
class Linear(Schedule):
    """From ``start`` to ``end`` along a straight line, after an optional share of training at ``start``.

    Falling to zero lets persistent chains catch up with the model (Tieleman 2008).

    >>> Linear(0.1)(0.25)
    0.075
    """

    start: float
    end: float = 0.0
    hold: float = 0.0

    def __call__(self, progress: float) -> float:
        share = max(0.0, progress - self.hold) / (1 - self.hold)
        return self.start + (self.end - self.start) * share


@dataclass(frozen=True)
class Exponential(Schedule):
    """From ``start`` to ``end`` by a constant factor per update."""

    start: float
    end: float

    def __call__(self, progress: float) -> float:
        return float(self.start * (self.end / self.start) ** progress)


def as_schedule(rate: Schedule | float) -> Schedule:
    """A number becomes a constant schedule."""
    if isinstance(rate, Schedule):
        return rate
    if not isinstance(rate, (int, float)) or not 0 <= rate < float("inf"):
        raise ValueError(f"learning_rate must be a non-negative number or a schedule, found {rate!r}")
    return Constant(float(rate))
