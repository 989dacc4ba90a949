"""Progress bars, and whether there is somebody to show them to."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, TypeVar

__all__ = ["Progress", "bar_delay", "showing", "somebody_looks", "steps"]

Progress = bool | Literal["auto"]
T = TypeVar("T")

PATIENCE = 2.0  # seconds before a bar appears that nobody asked for


def bar_delay(progress: Progress) -> float | None:
    """Return the seconds after which a progress bar appears; None: never.

    Args:
        progress: True: at once; False: never; "auto": after two seconds, where standard error is a terminal or the
            output goes into a notebook.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(progress, bool):
        return 0.0 if progress else None
    if progress != "auto":
        raise ValueError(f'progress must be True, False or "auto", found {progress!r}')
    return PATIENCE if _watched() else None


@dataclass
class _Call:
    """A call of the library that has an argument ``progress``."""

    delay: float | None
    bars: bool


_outermost: ContextVar[_Call | None] = ContextVar("outermost", default=None)


@contextmanager
def showing(progress: Progress, bars: bool = True) -> Iterator[None]:
    """Let loops inside, those that go through `steps`, show bars; the outermost call decides for those within it.

    Args:
        progress: what the user asked for.
        bars: whether loops show bars; False where the caller shows its own.

    Raises:
        ValueError: as `bar_delay`.
    """
    call = _Call(bar_delay(progress), bars)
    token = _outermost.set(_outermost.get() or call)
    try:
        yield
    finally:
        _outermost.reset(token)


def somebody_looks() -> bool:
    """Whether the present call may write to standard error; outside of `showing` as by "auto"."""
    call = _outermost.get()
    return (bar_delay("auto") if call is None else call.delay) is not None


def steps(items: Sequence[T], unit: str) -> Iterable[T]:
    """Return the items of a loop, with a progress bar inside of `showing`; loops within this one then show none.

    A loop of one item shows none either, so that loops within it do.
    """
    call = _outermost.get()
    if call is None or call.delay is None or not call.bars or len(items) < 2:
        return items
    return _with_bar(items, unit, call, call.delay)


def _with_bar(items: Sequence[T], unit: str, call: _Call, delay: float) -> Iterator[T]:
    from tqdm.auto import tqdm

    call.bars = False
    try:
        with tqdm(total=len(items), unit=unit, mininterval=0.2, dynamic_ncols=True, delay=delay) as bar:
            for item in items:
                yield item
                bar.update()
    finally:
        call.bars = True


def _watched() -> bool:
    kernel = sys.modules.get("ipykernel.kernelapp")  # only if this process is the kernel of a notebook
    return sys.stderr.isatty() or (kernel is not None and kernel.IPKernelApp.initialized())
