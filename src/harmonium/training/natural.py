"""The natural gradient, by a Fisher matrix of as low a rank as there are chains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from harmonium.core.checks import check_positive
from harmonium.core.errors import DivergedError
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.models.state import LayerExpectations
from harmonium.objectives import Phases
from harmonium.training.metrics import Centered, MetricState

__all__ = ["NaturalGradient"]


@dataclass(frozen=True)
class NaturalGradient(Centered, word="natural"):
    """The direction (F + damping I)^-1 g in centered coordinates (Amari 1998).

    F is the Fisher information of p(v), the covariance under the model of the statistics

        phi(v) = ((v - m)(E[h|v] - l)', v, E[h|v]),

    whose mean is the negative phase; m and l are the offsets of `Centered`.  It is estimated from the N chains of that
    phase, and never built: with Psi (N, parameters) the centred and weighted phi of the chains, F = Psi' Psi and

        (F + damping I)^-1 g = (g - Psi' (damping I + Psi Psi')^-1 Psi g) / damping,

    where Psi Psi' (N, N) follows from the inner products (v_a.v_b)(h_a.h_b) + v_a.v_b + h_a.h_b of pairs of chains, and
    Psi g, Psi' y from products of the size of a phase's own (compare Desjardins et al. 2013; Grosse & Salakhutdinov
    2015).  Directions in which the chains do not vary are those of `Centered`, 1 / damping times as long; in the others
    a learning rate of 1 is a full natural step.

    Works with objectives whose negative phase is a batch of states (`PCD`, `CD`, `FPCD`, `Jarzynski`); more chains,
    more directions.  Machines whose couplings are all full, without lateral ones.

    Args:
        rate: how fast the offsets follow the batch means.
        damping: added to all eigenvalues of F, which are variances of statistics; never less than what rounding changes
            in them, so that the system is never singular.

    >>> import harmonium as hm
    >>> bars = hm.data.load("bars-and-stripes").train
    >>> history = hm.fit(hm.RBM(16, 4), bars, metric=hm.training.NaturalGradient(damping=0.1), epochs=2)
    """

    former_names: ClassVar[tuple[str, ...]] = ("Natural",)

    damping: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("NaturalGradient(damping=...)", self.damping)

    def init_state(self, model: Any, mean: Tensor, variance: Tensor) -> MetricState:
        as_machine(model, "the metric NaturalGradient")
        if not model.full:
            names = ", ".join((*model.masked, *model.sparse))
            raise ValueError(
                f"NaturalGradient takes machines whose couplings are full; {names} is lateral or has entries that do "
                "not exist: use metric='centered'"
            )
        return super().init_state(model, mean, variance)

    def check_parts(self) -> None:
        raise ValueError(
            "NaturalGradient needs all states of a phase in one place, and updates in shards have averages: use "
            'metric="centered", or start one process, without shards='
        )

    @contextmanager
    def coordinates(self, model: Machine, phases: Phases, state: MetricState) -> Iterator[None]:
        if isinstance(phases.negative, dict):
            raise ValueError(
                "NaturalGradient estimates the Fisher matrix from the states of the negative phase, and this objective "
                "has none: use PCD, or metric='centered'"
            )
        with super().coordinates(model, phases, state):
            sample = _Sample(model, phases.negative, [state[f"offset.{name}"] for name in model.names])
            grads = {name: p.grad for name, p in model.parameters_by_name().items() if p.grad is not None}
            gram = sample.gram()
            diagonal = gram.diagonal(dim1=-2, dim2=-1)
            # Products are rounded: eigenvalues near zero may come out below zero, by so much at most.
            rounding = gram.shape[-1] * torch.finfo(model.dtype).eps * diagonal.amax(-1)
            damping = rounding.clamp(min=self.damping)
            diagonal.add_(damping.unsqueeze(-1))
            y, failed = torch.linalg.solve_ex(gram, sample.project(grads))
            if bool(failed.any()) or not bool(torch.isfinite(y).all()):
                raise DivergedError(
                    "the Fisher matrix of NaturalGradient has values that are not finite: lower the learning rate, or "
                    f"raise its damping (now {self.damping:g}); real columns should be standardised"
                )
            for name, fisher in sample.combine(y).items():
                grad = grads[name]
                grad.sub_(fisher).div_(damping.to(grad).view(damping.shape + (1,) * (grad.dim() - damping.dim())))
            yield


class _Sample:
    """Psi: statistics of the states of a phase, less their mean, times the roots of their weights (which sum to one).

    Statistics of a coupling are kept as its two factors (..., N, n); other parameters' as they are.
    """

    def __init__(self, model: Machine, phase: LayerExpectations, offsets: list[Tensor]) -> None:
        weight = phase.weight
        centred = [m - offset.unsqueeze(-2) for m, offset in zip(phase.means, offsets, strict=True)]
        self.factors = {name: (centred[a], centred[b]) for name, (a, b) in model.edges.items()}
        self.rows = {
            f"{name}_{key}": row
            for layer, name in enumerate(model.names)
            for key, row in model.units(layer).parameter_gradient(phase.statistics[layer]).items()
        }
        if weight is None:
            weight = centred[0].new_ones(centred[0].shape[-2])
        self.weight = weight.double() / weight.double().sum(-1, keepdim=True)
        self.root = self.weight.sqrt()

    def gram(self) -> Tensor:
        """Psi Psi', (..., N, N), float64."""
        gram: Tensor | float = 0.0
        for left, right in self.factors.values():
            gram = gram + ((left @ left.mT) * (right @ right.mT)).double()
        for row in self.rows.values():
            gram = gram + (row @ row.mT).double()
        assert isinstance(gram, Tensor)
        mean = (gram @ self.weight.unsqueeze(-1)).squeeze(-1)
        total = (self.weight * mean).sum(-1, keepdim=True).unsqueeze(-1)
        centred = gram - mean.unsqueeze(-1) - mean.unsqueeze(-2) + total
        return self.root.unsqueeze(-1) * centred * self.root.unsqueeze(-2)

    def project(self, grads: dict[str, Tensor]) -> Tensor:
        """Psi g, (..., N), float64."""
        products: Tensor | float = 0.0
        for name, (left, right) in self.factors.items():
            products = products + ((left @ grads[name]) * right).sum(-1, dtype=torch.float64)
        for name, row in self.rows.items():
            products = products + (row * grads[name].unsqueeze(-2)).sum(-1, dtype=torch.float64)
        assert isinstance(products, Tensor)
        return self.root * (products - (self.weight * products).sum(-1, keepdim=True))

    def combine(self, y: Tensor) -> dict[str, Tensor]:
        """Psi' y, by parameter name."""
        share = self.root * y
        share = (share - self.weight * share.sum(-1, keepdim=True)).unsqueeze(-1)
        combined = {name: (left * share.to(left)).mT @ right for name, (left, right) in self.factors.items()}
        return combined | {name: (row * share.to(row)).sum(-2) for name, row in self.rows.items()}
