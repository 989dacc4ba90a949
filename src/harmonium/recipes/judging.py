"""How much is spent on the likelihood of a trained model: a pilot measures what a little of it costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from harmonium.core.random import Stream
from harmonium.core.rows import some_rows
from harmonium.data import Cases
from harmonium.likelihood.evaluate import evaluate
from harmonium.likelihood.exact import cheapest_enumeration
from harmonium.likelihood.log_z import NORMALISED, LogPartition
from harmonium.likelihood.partition import EXACT_BITS, REPLICAS, LogPartitionOptions, log_partition
from harmonium.models.machine.machine import Machine

__all__ = ["ONCE", "SAMPLES", "Effort", "Judging", "plan_judging"]

LEAST_CASES = 100
PILOT_CASES = 20
Z_SHARE = 0.5  # of the time at least, for log Z, if it takes that
SPARE = 0.8  # of the time, for what is planned: clocks differ
LEAST, MOST = 100, 10_000  # temperatures, or sweeps on a ladder
METHODS = {"temperatures": "ais", "sweeps": "tempering"}  # of log Z, by what they take more of
FEW = {"temperatures": 100, "sweeps": 30}  # for a pilot


@dataclass(frozen=True)
class Effort:
    """What grows with the time for every case, from ``least`` to ``most``.

    Attributes:
        name: of what is counted, such as "samples".
        least: number of them at least.
        most: number of them at most.
        judged: from a model and a number, the model that is judged and options of `harmonium.evaluate`.
    """

    name: str
    least: int
    most: int
    judged: Callable[[Any, int], tuple[Any, dict[str, Any]]]


ONCE = Effort("", 1, 1, lambda model, count: (model, {}))
SAMPLES = Effort("samples", 10, 1000, lambda model, count: (model, {"samples": count}))


@dataclass(frozen=True)
class Judging:
    """A plan for the judgement of one model.

    Attributes:
        model: the model that is judged in place of the trained one.
        cases: the cases that it is judged on, evenly spaced.
        options: of `harmonium.evaluate`.
        words: the plan in words.
        seconds: of processor time that it is expected to take.
    """

    model: Any
    cases: Cases
    options: dict[str, Any] = field(default_factory=dict)
    words: str = ""
    seconds: float = 0.0


def plan_judging(model: Any, cases: Cases, effort: Effort, seconds: float, seed: Stream) -> Judging:
    """Choose temperatures of log Z, samples or orderings of every case, and the number of cases, by a pilot.

    Args:
        model: the trained model.
        cases: the test cases.
        effort: what grows with the time for every case.
        seconds: of processor time; the least that is useful may take longer.
        seed: of the pilot.
    """
    began, part = time.process_time(), model.energy_part
    some = cases.select(some_rows(len(cases), PILOT_CASES).numpy())
    judged, options = effort.judged(model, effort.least)
    if part is not None and part.visible.conditions_on_total:  # log Z of each length: there is no short pilot
        return Judging(judged, cases, words=f"{len(cases):,} cases")
    known: dict[str, Any] = {}
    costs: dict[str, float] = {}
    if isinstance(part, Machine):
        if cheapest_enumeration(part)[0] > EXACT_BITS:
            costs = {knob: _cost(part, knob, seed.child("pilot")) for knob in _knobs(part)}
        known = {"log_partition": NORMALISED if costs else log_partition(part)}  # its value costs nothing here
    _, took = _timed(lambda: evaluate(judged, some, seed=seed.child("pilot"), **options, **known))
    per_case = max(1e-9, took / (len(some) * effort.least))
    left = max(0.0, SPARE * (seconds - (time.process_time() - began)))
    for_z = max(Z_SHARE * left, left - per_case * effort.least * len(cases)) / max(1, len(costs))
    steps = {knob: int(min(MOST, max(LEAST, for_z / cost))) for knob, cost in costs.items()}
    spent = sum(steps[knob] * costs[knob] for knob in costs)
    words = [" or ".join(f"{count:,} {knob}" for knob, count in steps.items())] if steps else []
    count = int(min(effort.most, max(effort.least, (left - spent) / (per_case * len(cases)))))
    affordable = int(max(min(LEAST_CASES, len(cases)), (left - spent) / (per_case * count)))
    if affordable < len(cases):
        cases = cases.select(some_rows(len(cases), affordable).numpy())
    judged, options = effort.judged(model, count)
    options = options | steps
    if effort.name:
        words.append(f"{count:,} {effort.name}")
    words.append(f"{len(cases):,} cases")
    return Judging(judged, cases, options, ", ".join(words), spent + per_case * count * len(cases))


def _knobs(part: Machine) -> list[str]:
    """What an estimate of log Z takes more of; tempering follows where annealing from chains is not reliable."""
    return ["sweeps"] if part.chains is None else ["temperatures", "sweeps"]


def _cost(part: Machine, knob: str, seed: Stream) -> float:
    """Seconds of one more temperature, or of one more sweep: what a ladder takes to be placed does not count."""

    def estimate(count: int) -> LogPartition:
        options: LogPartitionOptions = {"sweeps": count} if knob == "sweeps" else {"temperatures": count}
        if knob == "sweeps" and part.chains is not None:
            options["chains"] = REPLICAS
        options["method"] = METHODS[knob]
        return log_partition(part, seed=seed, **options)

    few = FEW[knob]
    _, short = _timed(lambda: estimate(few))
    began = time.process_time()
    estimate(3 * few)
    return max(0.1 * short / few, (time.process_time() - began - short) / (2 * few))


def _timed(what: Callable[[], Any]) -> tuple[Any, float]:
    """What comes out, and the processor time that it takes the second time: the first time may compile."""
    what()
    began = time.process_time()
    found = what()
    return found, time.process_time() - began
