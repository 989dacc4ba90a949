"""Rows divided among threads of Python, for loops that release the GIL and whose rows do not depend on each other."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise
from threading import Lock

import torch

__all__ = ["WORTH", "divided"]

WORTH = 500_000
"""Nanoseconds of work that are worth waking other threads, which takes some tens of thousands."""

_lock = Lock()
_pools: dict[int, ThreadPoolExecutor] = {}  # by number of threads; they sleep when there is nothing to do


def divided(task: Callable[[int, int], None], count: int, nanoseconds: float) -> None:
    """Call ``task(low, high)`` for ranges that make up 0 ... count - 1: one for each thread of torch, or one in all.

    Args:
        task: must release the GIL for most of its time, and not call this function.
        count: of the things that can be divided.
        nanoseconds: how long all of them take in one thread.

    >>> done = []
    >>> divided(lambda low, high: done.append((low, high)), 10, nanoseconds=1.0)
    >>> done
    [(0, 10)]
    """
    threads = min(torch.get_num_threads(), count) if nanoseconds >= WORTH else 1
    if threads < 2:
        task(0, count)
        return
    (mine, *others) = pairwise(count * k // threads for k in range(threads + 1))
    pool = _pool(threads - 1)
    futures = [pool.submit(task, low, high) for low, high in others]
    try:
        task(*mine)
    finally:
        wait(futures)
    for future in futures:
        future.result()


def _pool(threads: int) -> ThreadPoolExecutor:
    with _lock:
        if threads not in _pools:
            _pools[threads] = ThreadPoolExecutor(threads, "harmonium")
        return _pools[threads]


def _forget_pools() -> None:
    """A forked child has none of these threads, and perhaps a lock that nobody will release."""
    global _lock
    _lock = Lock()
    _pools.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pools)
