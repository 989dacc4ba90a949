"""The exact distribution of a small machine at one temperature, and whether draws follow it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models.state import State
from harmonium.testing.compare import assert_counts, assert_mean
from harmonium.testing.joint import Joint

__all__ = ["Law"]


class _Moments(NamedTuple):
    """Expectations under a layer's distribution, (n,) each."""

    mean: Tensor
    variance: Tensor
    covariance: Tensor
    third: Tensor


class Law:
    """The distribution whose log-weights (N,) belong to the joint states of a table.

    What the draws of many moments are compared with is summed up once.
    """

    @torch.no_grad()
    def __init__(self, joint: Joint, log_p: Tensor) -> None:
        self._joint = joint
        self._p = torch.softmax(log_p, 0)
        self._probability: dict[tuple[int, ...], Tensor] = {}
        self._moments: dict[int, _Moments] = {}

    @torch.no_grad()
    def assert_followed(self, identity: str, state: State, layers: Sequence[int] | None = None) -> None:
        """Independent rows of ``state`` follow it: counts of the finite layers, moments of the continuous ones.

        Args:
            identity: what is checked, for the message.
            state: the draws.
            layers: the layers that are compared; without them all that ``state`` holds.

        Raises:
            AssertionError: naming the identity, with numbers.
        """
        layers = [layer for layer, s in enumerate(state) if s is not None] if layers is None else layers
        finite = tuple(layer for layer in layers if self._joint.finite[layer])
        if finite:
            if finite not in self._probability:
                self._probability[finite] = self._joint.probability(self._p, finite)
            assert_counts(identity, self._joint.index_of(state, finite), self._probability[finite])
        for layer in layers:
            s = state[layer]
            if self._joint.finite[layer] or s is None:
                continue
            expected = self._moments_of(layer)
            s = s.double()
            centred = s - expected.mean
            where = f"{identity}: {self._joint.machine.names[layer]}"
            assert_mean(f"{where} mean", s, expected.mean)
            assert_mean(f"{where} variance", centred * centred, expected.variance)
            assert_mean(f"{where} covariance", centred[:, :1] * centred, expected.covariance)
            assert_mean(f"{where} third moment", centred**3, expected.third)

    def _moments_of(self, layer: int) -> _Moments:
        if layer not in self._moments:
            values, p = self._joint.states[layer], self._joint.probability(self._p, (layer,))
            mean = p @ values
            centred = values - mean
            self._moments[layer] = _Moments(
                mean, p @ (centred * centred), p @ (centred[:, :1] * centred), p @ centred**3
            )
        return self._moments[layer]
