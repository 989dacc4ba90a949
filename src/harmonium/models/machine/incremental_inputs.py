"""Inputs kept through a run at fixed weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from harmonium import kernels

__all__ = ["CachedInput", "CachedLateral", "Receive", "Neighbours"]

Neighbours = Sequence[tuple[int, Tensor]]
"""Neighbours of a layer, each with the matrix that turns its states into inputs (see `Machine.neighbours`)."""

_WAIT = 7  # calls for which nothing is kept after one that found too many changes

Receive = Callable[[Sequence[Tensor | None]], Tensor]
"""What turns a state into the input of a layer, (batch, n)."""


class CachedInput:
    """What a layer receives, brought up to date by the units that changed since it was asked for last.

    Args:
        senders: the neighbours; their matrices must not change while this object lives.
        gather: the whole input of a state, multiplied out: asked for at first, after every `kernels.REFRESH` calls, and
            wherever many units changed.

    Right for whatever states it is given, in any order; fast where few units differ from one call to the next.  Tensors
    of states that it was given must not be written into.  Inputs stay with their rows: chains that exchange
    temperatures keep them.
    """

    def __init__(self, senders: Neighbours, gather: Receive) -> None:
        self._senders, self._gather = senders, gather
        self._wait = 0
        self._x: Tensor | None = None
        self._seen: list[Tensor | None] = []
        self._age = 0

    @torch.no_grad()
    def __call__(self, state: Sequence[Tensor | None]) -> Tensor:
        """The input at a state, (batch, n), in memory of its own."""
        if self._wait:  # looking for changes in vain costs some percent
            self._wait -= 1
            return self._gather(state)
        now = [state[other] for other, _ in self._senders]
        self._age += 1
        if self._x is None or self._age == kernels.REFRESH:
            self._x, self._age = self._gather(state), 0
        elif not self._follow(self._x, now, state):
            self._x, self._wait = None, _WAIT
            return self._gather(state)
        self._seen = now
        return self._x.clone()

    def _follow(self, x: Tensor, now: list[Tensor | None], state: Sequence[Tensor | None]) -> bool:
        """Bring x up to date, in place; false, and nothing done, where a product of all rows is better."""
        found = []
        for (_, weights), old, new in zip(self._senders, self._seen, now, strict=True):
            if old is new:
                continue
            changed = None if old is None or new is None else kernels.list_flips(old, new)
            if changed is None:
                return False
            found.append((changed, weights))
        for changed, weights in found:
            kernels.add_flips_(x, changed, weights)
        others = [changed.others for changed, _ in found if len(changed.others)]
        if others:
            rows: Tensor = torch.cat(others).unique()  # type: ignore[no-untyped-call]
            x[rows] = self._gather([None if s is None else s[rows] for s in state])
        return True


class CachedLateral:
    """What the units of a layer send to each other: s . W, which a walk through the units brings up to date itself."""

    def __init__(self, weights: Tensor) -> None:
        self._weights = weights.detach()
        self._sent: Tensor | None = None
        self._state: Tensor | None = None
        self._age = 0

    def at(self, s: Tensor) -> Tensor:
        """s . W, to be brought up to date in place: then say so by `moved`."""
        self._age += 1
        if self._sent is None or self._state is not s or self._age == kernels.REFRESH:
            self._sent, self._age = s @ self._weights, 0
        return self._sent

    def moved(self, s: Tensor) -> None:
        """The states are now s, and what `at` returned is s . W."""
        self._state = s
