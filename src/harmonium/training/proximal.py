"""Penalties without a slope everywhere, and bounds: steps on the weights after the step of the optimizer.

With the learning rate t, the weights W after the step of the optimizer become the minimum of

    |X - W|^2 / (2 t) + penalty(X)

(the proximal step; Parikh & Boyd 2014), which sets weights to zero exactly, where a slope only makes them small.
Weights of a fresh model begin near zero, and stay there if a penalty is stronger than the first pull of the data.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harmonium.core.checks import check_non_negative, check_positive
from harmonium.models.machine.machine import as_machine
from harmonium.models.model import Model
from harmonium.objectives import Phases
from harmonium.training.penalties import Penalty

__all__ = ["L1", "GroupLasso", "L1Squared", "MaxNorm"]


class Proximal(Penalty):
    """A penalty that acts after the step of the optimizer, in plain parameters: a subclass writes `proximal_`."""

    def add_to_gradients(self, model: Any, phases: Phases | None, state: dict[str, Tensor]) -> None:
        pass

    @torch.no_grad()
    def after_step(self, model: Any, rate: float) -> None:
        for weights in self.weights(model):
            self.proximal_(weights, rate)

    @abstractmethod
    def weights(self, model: Any) -> Iterator[Tensor]:
        """The tensors on which it acts."""

    @abstractmethod
    def proximal_(self, weights: Tensor, rate: float) -> None:
        """Make the proximal step at this learning rate, in place."""


@dataclass(frozen=True)
class Strength:
    """The argument of penalties that have a strength."""

    strength: float

    def __post_init__(self) -> None:
        check_non_negative(f"{type(self).__name__}(strength=...)", self.strength)


@dataclass(frozen=True)
class L1(Strength, Proximal):
    """``strength`` times the absolute values of all weights, never of biases: many become zero (Tibshirani 1996).

    Args:
        strength: in nats per unit of weight.

    >>> import harmonium as hm
    >>> rbm = hm.RBM(16, 4)
    >>> history = hm.fit(rbm, hm.data.load("bars-and-stripes").train, epochs=2, penalties=[hm.training.L1(0.1)])
    >>> bool((rbm.weights == 0).any())
    True
    """

    def weights(self, model: Model) -> Iterator[Tensor]:
        return model.weights_to_decay()

    def proximal_(self, weights: Tensor, rate: float) -> None:
        weights.copy_(torch.nn.functional.softshrink(weights, rate * self.strength))


class OfUnits(Proximal):
    """A penalty of what reaches each hidden unit from the layer below: of the columns of every coupling.

    A unit of several states (`Categorical`) has a column for each of them.
    """

    def init_state(self, model: Any) -> dict[str, Tensor]:
        for _ in self.weights(model):
            pass
        return {}

    def weights(self, model: Any) -> Iterator[Tensor]:
        name = type(self).__name__
        machine = as_machine(model, f"the penalty {name}")
        for coupling, (a, b) in machine.edges.items():
            if a == b or coupling in machine.sparse:
                what = "couples a layer to itself" if a == b else "keeps one value per edge"
                raise ValueError(
                    f"{name} is about the weights of each hidden unit, and the coupling {coupling} {what}: use L1 or "
                    "WeightDecay"
                )
            yield machine.couplings[coupling]


@dataclass(frozen=True)
class GroupLasso(Strength, OfUnits):
    """``strength`` times the norm of the weights of each hidden unit: units that are not needed lose all of them.

    (Yuan & Lin 2006.)  Of each column w of a coupling, X = max(0, 1 - rate strength / |w|) w.

    Args:
        strength: in nats per unit of the norm.

    >>> import harmonium as hm
    >>> history = hm.fit(hm.RBM(16, 4), hm.data.load("bars-and-stripes").train, epochs=2,
    ...                  penalties=[hm.training.GroupLasso(0.01)])
    """

    def proximal_(self, weights: Tensor, rate: float) -> None:
        norm = torch.linalg.vector_norm(weights, dim=-2, keepdim=True)
        least = torch.finfo(weights.dtype).tiny
        weights.mul_((1 - rate * self.strength / norm.clamp(min=least)).clamp(min=0.0))


@dataclass(frozen=True)
class L1Squared(Strength, OfUnits):
    """``strength`` / 2 times the squared sum of absolute weights, of each hidden unit.

    Units with strong weights are pressed the most, so that all units end with few weights and none with nothing
    (Tubiana, Cocco & Monasson 2019, "Learning protein constitutive motifs from sequence data", the L1^2 penalty; their
    lambda_1^2 is ``strength`` times the number of visible units, one-hot ones included).  Of each column w,
    X = sign(w) max(0, |w| - rate strength |X|_1), whose |X|_1 follows from the sorted |w| (Kowalski 2009).

    Args:
        strength: in nats per squared unit of weight.

    >>> import harmonium as hm
    >>> history = hm.fit(hm.RBM(16, 4), hm.data.load("bars-and-stripes").train, epochs=2,
    ...                  penalties=[hm.training.L1Squared(0.001)])
    """

    def proximal_(self, weights: Tensor, rate: float) -> None:
        t, size = rate * self.strength, weights.abs()
        largest = size.sort(-2, descending=True).values
        count = torch.arange(1, weights.shape[-2] + 1, dtype=weights.dtype, device=weights.device).unsqueeze(-1)
        sums = largest.cumsum(-2) / (1 + t * count)  # |X|_1 if this many weights are left
        left = (largest > t * sums).sum(-2, keepdim=True).clamp(min=1)
        weights.sign_().mul_((size - t * sums.gather(-2, left - 1)).clamp(min=0.0))


@dataclass(frozen=True)
class MaxNorm(OfUnits):
    """A bound on the norm of the weights of each hidden unit: longer columns are scaled down to it.

    (Srivastava et al. 2014, section 5.1.)

    Args:
        bound: the largest norm.

    Raises:
        ValueError: for a bound that is not positive.

    >>> import harmonium as hm
    >>> rbm = hm.RBM(16, 4)
    >>> history = hm.fit(rbm, hm.data.load("bars-and-stripes").train, epochs=2, penalties=[hm.training.MaxNorm(0.01)])
    >>> bool(rbm.weights.norm(dim=0).max() < 0.01001)
    True
    """

    bound: float

    def __post_init__(self) -> None:
        check_positive("MaxNorm(bound=...)", self.bound)

    def proximal_(self, weights: Tensor, rate: float) -> None:
        norm = torch.linalg.vector_norm(weights, dim=-2, keepdim=True)
        weights.mul_((self.bound / norm.clamp(min=torch.finfo(weights.dtype).tiny)).clamp(max=1.0))
