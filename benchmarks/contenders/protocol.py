"""What all contenders share: a JSON task on the command line, a JSON answer as the last line of standard output."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Spec = dict[str, Any]
Answer = dict[str, Any]


def answer(library: str, tasks: dict[str, Callable[[Spec], Answer]], distribution: str | None = None) -> None:
    """Run the task that the specification (argv[1]) names and print its answer.

    A library that is not installed is an answer too: ``{"missing": library}``.
    """
    spec: Spec = json.loads(sys.argv[1])
    if importlib.util.find_spec(library) is None:
        print(json.dumps({"missing": library}))
        return
    result = tasks[spec["task"]](spec)
    versions = {"Python": platform.python_version()}
    for name in (distribution or library, "torch", "numpy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    print("\n" + json.dumps({"versions": versions, **result}), flush=True)


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long one call takes."""
    start = clock()
    work()
    return clock() - start


def both_times(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of one call: on the clock, and of processor time in all threads, which other work disturbs less."""
    processor = time.process_time()
    wall = seconds(work)
    return wall, time.process_time() - processor


def repeat(work: Callable[[], object], repeats: int, warmup: int, per: float = 1.0) -> float:
    """Median seconds of a call after a warm-up, divided by ``per``."""
    for _ in range(warmup):
        work()
    return statistics.median(seconds(work) for _ in range(repeats)) / per


def clock_of(spec: Spec) -> Callable[[], float]:
    """The clock of the wall, or of the processor if the specification says so: one thread, on a busy machine."""
    return time.process_time if spec.get("processor_time") else time.perf_counter


def interleave(
    work: Callable[[], object],
    bare: Callable[[], object],
    repeats: int,
    warmup: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float, float]:
    """Two works in turn: (median seconds of the first, of the second, median of the ratios of neighbours)."""
    for _ in range(warmup):
        work()
        bare()
    pairs = [(seconds(work, clock), seconds(bare, clock)) for _ in range(repeats)]
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratio


def peak_bytes() -> int:
    """Largest resident memory that this process ever had, mapped files included.

    The kernel's high-water mark of this program where there is one: `ru_maxrss` also remembers the program that
    started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
