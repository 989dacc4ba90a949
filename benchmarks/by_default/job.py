"""What a job is: sets, methods that are scored on them, and what the default must reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["Cells", "Job", "Measure", "Scores"]

Scores = dict[str, float]
"""Numbers by the name of the measure."""

Cells = dict[str, float]
"""Medians over seeds of one set and measure, by method."""


class Measure(NamedTuple):
    """A column of scores.

    Attributes:
        text: how a number is printed.
        goal: what must be reached, in words.
        reached: whether it is, given the medians of all methods.
    """

    text: Callable[[float], str]
    goal: str
    reached: Callable[[Cells], bool]


class Job(NamedTuple):
    """One job that users have, with several sets and methods.

    Attributes:
        title: heading of its table.
        about: one or two sentences on how it is measured.
        sets: by name, the task of a seed.
        peers: by name, the scores of a baseline on a task.
        ours: by name, the scores of what the library does by default.
        measures: by name.
    """

    title: str
    about: str
    sets: Mapping[str, Callable[[int], Any]]
    peers: Mapping[str, Callable[[Any, int], Scores]]
    ours: Mapping[str, Callable[[Any, int], Scores]]
    measures: Mapping[str, Measure]
