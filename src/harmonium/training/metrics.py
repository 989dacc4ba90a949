"""Metrics: the stage that turns the gradient of a plain model into an update.

The model stores plain parameters; what other libraries keep as centered or standardised models is here a change of
the direction of descent (Melchior, Fischer & Wiskott 2016; Montavon & Mueller 2012).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from harmonium.models.machine import Machine
from harmonium.objectives import Gradient

__all__ = ["Centered", "Diagonal", "Metric", "Plain", "as_metric"]

MetricState = dict[str, Tensor]


class Metric(ABC):
    """A linear map applied to ``.grad`` before the optimizer sees it."""

    def begin(self, model: Machine, mean: Tensor, variance: Tensor) -> MetricState:
        """The state before the first update, from the mean and variance of the training data (n_visible,)."""
        return {}

    @abstractmethod
    def apply(self, model: Machine, gradient: Gradient, state: MetricState) -> None:
        """Change ``.grad`` in place; ``gradient`` holds both phases."""

    def config(self) -> dict[str, Any]:
        """JSON-able description."""
        return {"type": type(self).__name__} | asdict(self)  # type: ignore[call-overload]


@dataclass(frozen=True)
class Plain(Metric):
    """The gradient as it is."""

    def apply(self, model: Machine, gradient: Gradient, state: MetricState) -> None:
        pass


@dataclass(frozen=True)
class Centered(Metric):
    """The gradient that a model in centered states (v - m), (h - l) would follow.

    With offsets m, l the running means of the data phase,

        dW = <(v - m)(h - l)'>_data - <(v - m)(h - l)'>_model,   db = d<v> - dW l,   dc = d<h> - dW' m,

    which is the plain gradient minus m d<h>' + d<v> l': closer to the natural gradient, and the same for a data set and
    its negative.

    Args:
        rate: how fast the offsets follow the batch means (0: they stay where they began).
    """

    rate: float = 0.01

    def begin(self, model: Machine, mean: Tensor, variance: Tensor) -> MetricState:
        v = mean.to(model.device, model.dtype)
        means = model.infer(v.unsqueeze(-2)).means
        return {f"offset.{name}": m.squeeze(-2).clone() for name, m in zip(model.names, means, strict=True)}

    def apply(self, model: Machine, gradient: Gradient, state: MetricState) -> None:
        parameters = model.parameters_by_name()
        offsets, slopes = [], []
        for name in model.names:
            offset = state[f"offset.{name}"]
            if self.rate:
                offset.lerp_(gradient.positive[f"{name}_bias"], self.rate)
            slope = parameters[f"{name}_bias"].grad
            assert slope is not None
            offsets.append(offset)
            slopes.append(slope)
        # Every coupling is centered with the plain slopes before any bias is corrected.
        plain = [slope.clone() for slope in slopes]
        for name, (a, b) in model.edges.items():
            dW = parameters[name].grad
            assert dW is not None
            left = torch.stack((offsets[a].expand_as(plain[a]), plain[a]), -1)
            right = torch.stack((plain[b], offsets[b].expand_as(plain[b])), -2)
            torch.baddbmm(*_batched(dW, left, right), alpha=-1, out=_batched(dW)[0])
            slopes[a].sub_((dW @ offsets[b].unsqueeze(-1)).squeeze(-1))
            slopes[b].sub_((dW.mT @ offsets[a].unsqueeze(-1)).squeeze(-1))


@dataclass(frozen=True)
class Diagonal(Centered):
    """Centering, and every direction scaled by the inverse variances of the states it joins.

    This is the direction that a model in standardised states (v - m) / sigma_v, (h - l) / sigma_h would follow.
    Variances are taken relative to the mean variance of their layer, so that learning rates keep their meaning, and
    floored; constant units are left unscaled.

    Args:
        rate: how fast offsets and hidden variances follow the batches.
        floor: smallest relative variance.
    """

    floor: float = 0.1

    def begin(self, model: Machine, mean: Tensor, variance: Tensor) -> MetricState:
        state = super().begin(model, mean, variance)
        for name in model.names:
            state[f"variance.{name}"] = torch.ones_like(state[f"offset.{name}"])
        state[f"variance.{model.names[0]}"] = variance.to(model.device, model.dtype).clone()
        return state

    def apply(self, model: Machine, gradient: Gradient, state: MetricState) -> None:
        super().apply(model, gradient, state)
        parameters = model.parameters_by_name()
        scales = []
        for index, name in enumerate(model.names):
            variance = state[f"variance.{name}"]
            if index:
                units = model.units(index)
                at_offset = units.variance(_input_of_mean(model, index, state))
                variance.lerp_(at_offset.squeeze(-2), self.rate)
            relative = variance / variance.mean(-1, keepdim=True)
            scales.append(torch.where(variance > 0, relative.clamp(min=self.floor), 1.0))
        for name, (a, b) in model.edges.items():
            grad = parameters[name].grad
            assert grad is not None
            grad.div_(scales[a].unsqueeze(-1) * scales[b].unsqueeze(-2))
        for name, scale in zip(model.names, scales, strict=True):
            grad = parameters[f"{name}_bias"].grad
            assert grad is not None
            grad.div_(scale)


def _input_of_mean(model: Machine, layer: int, state: MetricState) -> Tensor:
    means = tuple(state[f"offset.{name}"].unsqueeze(-2) for name in model.names)
    return model.inputs(layer, means)


def _batched(*matrices: Tensor) -> tuple[Tensor, ...]:
    return tuple(matrix.reshape(-1, *matrix.shape[-2:]) for matrix in matrices)


def as_metric(metric: Metric | str) -> Metric:
    """A metric by name ("plain", "centered", "diagonal") or as it is."""
    if isinstance(metric, Metric):
        return metric
    known = {"plain": Plain, "centered": Centered, "diagonal": Diagonal}
    if metric not in known:
        raise ValueError(f"metric must be one of {', '.join(known)} or a harmonium metric, found {metric!r}")
    return known[metric]()
