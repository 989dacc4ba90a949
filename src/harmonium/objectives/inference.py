"""The clamped phase: how the states of hidden units given the data are found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from harmonium.core.checks import check_int_fields
from harmonium.core.random import Stream
from harmonium.core.registry import Registered
from harmonium.models.machine.machine import Machine
from harmonium.models.machine.mean_field import mean_field
from harmonium.models.state import LayerExpectations

__all__ = ["ClampedGibbs", "Inference", "MeanField"]


class Inference(Registered, ABC):
    """Expectations under p(h | v), where hidden layers are coupled; elsewhere they are exact and nothing is asked."""

    def __call__(self, model: Machine, v: Tensor, stream: Stream) -> LayerExpectations:
        """The clamped phase of cases v (batch, n_visible)."""
        if not model.hidden_couplings:
            return model.infer(v)
        return self.approximate(model, v, stream)

    @abstractmethod
    def approximate(self, model: Machine, v: Tensor, stream: Stream) -> LayerExpectations:
        """Of a machine whose hidden layers are coupled."""


@dataclass(frozen=True)
class MeanField(Inference):
    """Independent hidden units that maximise the variational bound (Salakhutdinov & Hinton 2009, section 2.2).

    What is learned is then a lower bound of the likelihood, where the negative phase is right.

    Args:
        iterations: updates of every layer, at most.
        tolerance: no mean moves by more in the last one.
    """

    iterations: int = 30
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        check_int_fields(self, iterations=1)
        if not self.tolerance >= 0:
            raise ValueError(f"MeanField(tolerance=...) must not be negative, found {self.tolerance!r}")

    def approximate(self, model: Machine, v: Tensor, stream: Stream) -> LayerExpectations:
        return mean_field(model, v, self.iterations, self.tolerance).expectations(model, v)


@dataclass(frozen=True)
class ClampedGibbs(Inference):
    """Hidden states after Gibbs sweeps with the data clamped, from one pass upwards (Hinton & Sejnowski 1983).

    Unbiased where the sweeps reach equilibrium.

    Args:
        sweeps: over the hidden layers.
    """

    sweeps: int = 10

    def __post_init__(self) -> None:
        check_int_fields(self, sweeps=1)

    def approximate(self, model: Machine, v: Tensor, stream: Stream) -> LayerExpectations:
        return model.conditional_expectation(
            model.sweep(model.state_from_visible(v, stream), stream, self.sweeps, still=(0,))
        )
