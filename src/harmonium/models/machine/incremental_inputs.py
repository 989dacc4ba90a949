"""Inputs of layers that are updated incrementally during a run at fixed weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.models.machine.forms import Matrix

__all__ = ["CachedInput", "CachedLateral", "Receive", "Neighbours"]

Neighbours = Sequence[tuple[int, Matrix]]
"""Neighbours of a layer, each with the matrix that turns its states into inputs (see `Structure.neighbours`)."""

_WAIT = 7  # calls without caching after one that found too many changes

Receive = Callable[[Sequence[Tensor | None]], Tensor]
"""A function from a state to the input of a layer, (batch, n)."""


class CachedInput:
    """The input of a layer, updated by the units that changed since the last call.

    Correct for any states in any order; fast if few units differ from one call to the next.  Tensors of states that it
    was given must not be overwritten.  Inputs belong to rows: chains that exchange temperatures keep them.

    Args:
        neighbours: the neighbours; their matrices must not change while this object is in use.
        whole: computes the whole input of a state: on the first call, after every `kernels.REFRESH` calls, and if many
            units changed.
    """

    def __init__(self, neighbours: Neighbours, whole: Receive) -> None:
        self._neighbours, self._whole = neighbours, whole
        self._wait = 0
        self._x: Tensor | None = None
        self._seen: list[Tensor | None] = []
        self._age = 0

    @torch.no_grad()
    def __call__(self, state: Sequence[Tensor | None]) -> Tensor:
        """The input at a state, (batch, n), in memory of its own."""
        if self._wait:  # looking for changes in vain costs a few percent
            self._wait -= 1
            return self._whole(state)
        now = [state[other] for other, _ in self._neighbours]
        self._age += 1
        if self._x is None or self._age == kernels.REFRESH:
            self._x, self._age = self._whole(state), 0
        elif not self._update(self._x, now, state):
            self._x, self._wait = None, _WAIT
            return self._whole(state)
        self._seen = now
        return self._x.clone()

    def _update(self, x: Tensor, now: list[Tensor | None], state: Sequence[Tensor | None]) -> bool:
        """Update x in place; returns false, with x unchanged, if a product of all rows is faster."""
        found = []
        for (_, weights), old, new in zip(self._neighbours, self._seen, now, strict=True):
            if old is new:
                continue
            assert isinstance(weights, Tensor)  # others never pay (see `kernels.flips_pay`)
            changed = None if old is None or new is None else kernels.list_flips(old, new, weights.shape[-1])
            if changed is None:
                return False
            found.append((changed, weights))
        for changed, weights in found:
            kernels.add_flips_(x, changed, weights)
        others = [changed.others for changed, _ in found if len(changed.others)]
        if others:
            rows: Tensor = torch.cat(others).unique()  # type: ignore[no-untyped-call]
            x[rows] = self._whole([None if s is None else s[rows] for s in state])
        return True


class CachedLateral:
    """The inputs s . W within a lateral layer, which sequential Gibbs sampling updates itself."""

    def __init__(self, weights: Tensor) -> None:
        self._weights = weights.detach()
        self._within: Tensor | None = None
        self._state: Tensor | None = None
        self._age = 0

    def at(self, s: Tensor) -> Tensor:
        """s . W, which the caller updates in place, and then calls `moved`."""
        self._age += 1
        if self._within is None or self._state is not s or self._age == kernels.REFRESH:
            self._within, self._age = s @ self._weights, 0
        return self._within

    def moved(self, s: Tensor) -> None:
        """Declare that the states are now s, and that the tensor from `at` is s . W."""
        self._state = s
