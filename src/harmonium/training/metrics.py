"""Metrics: the coordinates in which a plain model is updated.

The model stores plain parameters; what other libraries keep as centered or standardised models is here a change of
the direction of descent (Melchior, Fischer & Wiskott 2016; Montavon & Mueller 2012).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from harmonium.core.registry import Registered
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.objectives import Gradient

__all__ = ["Centered", "Diagonal", "Metric", "Plain", "as_metric"]

MetricState = dict[str, Tensor]


class Metric(Registered, ABC):
    """Coordinates in which the optimizer steps.

    `before` turns ``.grad`` into the gradient in these coordinates, `after` turns the step that the optimizer then took
    into one of the plain parameters.  So momentum and adaptive rates live in the metric's coordinates too.
    """

    def init_state(self, model: Any, mean: Tensor, variance: Tensor) -> MetricState:
        """The state before the first update, from the mean and variance of the training data (n_visible,)."""
        return {}

    @abstractmethod
    def before(self, model: Any, gradient: Any, state: MetricState) -> None:
        """Change ``.grad`` in place; ``gradient`` holds both phases, or is None where there are not two."""

    def after(self, model: Any, state: MetricState) -> None:
        """Correct the parameters in place, after the optimizer's step."""


@dataclass(frozen=True)
class Plain(Metric):
    """The gradient as it is."""

    def before(self, model: Any, gradient: Gradient | None, state: MetricState) -> None:
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

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ValueError(f"{type(self).__name__}(rate=...) must be between 0 and 1, found {self.rate!r}")

    def init_state(self, model: Any, mean: Tensor, variance: Tensor) -> MetricState:
        as_machine(model, f"the metric {type(self).__name__}")
        v = mean.to(model.device, model.dtype)
        means = model.infer(v.unsqueeze(-2)).means
        return {f"offset.{name}": m.squeeze(-2).clone() for name, m in zip(model.names, means, strict=True)}

    def before(self, model: Machine, gradient: Gradient, state: MetricState) -> None:
        parameters = model.parameters_by_name()
        offsets = [state[f"offset.{name}"] for name in model.names]
        slopes = [_joined([_grad(p) for p in _fields(model, layer, parameters)]) for layer in range(len(offsets))]
        if self.rate:
            for layer, offset in enumerate(offsets):
                offset.lerp_(_joined(model.fields(layer, gradient.layers)), self.rate)
        for name, (a, b) in model.edges.items():
            left = torch.stack((offsets[a].expand_as(slopes[a]), slopes[a]), -1)
            right = torch.stack((slopes[b], offsets[b].expand_as(slopes[b])), -2)
            dW = _grad(parameters[name])
            if dW.dim() == 2:
                dW.addmm_(left, right, alpha=-1)
            else:
                dW.sub_(left @ right)
            model.mask_(name, dW)
            state[f"sent.{name}.{a}"], state[f"sent.{name}.{b}"] = _sent(parameters[name], offsets[a], offsets[b])
        self._scale(model, parameters, state)

    @torch.no_grad()
    def after(self, model: Machine, state: MetricState) -> None:
        # The step left the centered biases b + W l and c + W' m where the optimizer put them: take out dW l and dW' m.
        parameters = model.parameters_by_name()
        offsets = [state[f"offset.{name}"] for name in model.names]
        for name, (a, b) in model.edges.items():
            # A lateral coupling sends the same both ways, and is to be taken out once.
            for layer, now in dict(zip((a, b), _sent(parameters[name], offsets[a], offsets[b]), strict=True)).items():
                change = now - state.pop(f"sent.{name}.{layer}")
                fields = _fields(model, layer, parameters)
                for field, part in zip(fields, torch.split(change, [f.shape[-1] for f in fields], -1), strict=True):
                    field.sub_(part)

    def _scale(self, model: Machine, parameters: dict[str, nn.Parameter], state: MetricState) -> None:
        pass


@dataclass(frozen=True)
class Diagonal(Centered):
    """Centering, and every direction scaled by the inverse variances of the states it joins.

    This is the direction that a model in standardised states (v - m) / sigma_v, (h - l) / sigma_h would follow.
    Visible variances are those of the data, hidden ones the conditional variances at the offsets.  All are taken
    relative to the mean variance of their layer, so that learning rates keep their meaning, and floored; constant units
    are left unscaled.

    Args:
        rate: how fast the offsets follow the batch means.
        floor: smallest relative variance.
    """

    floor: float = 0.1

    def init_state(self, model: Machine, mean: Tensor, variance: Tensor) -> MetricState:
        state = super().init_state(model, mean, variance)
        state[f"variance.{model.names[0]}"] = variance.to(model.device, model.dtype).clone()
        return state

    def _scale(self, model: Machine, parameters: dict[str, nn.Parameter], state: MetricState) -> None:
        offsets = tuple(state[f"offset.{name}"].unsqueeze(-2) for name in model.names)
        scales = []
        for layer, name in enumerate(model.names):
            if layer:
                variance = model.units(layer).variance(model.inputs(layer, offsets)).squeeze(-2)
            else:
                variance = state[f"variance.{name}"]
            relative = variance / variance.mean(-1, keepdim=True)
            scale = torch.where(variance > 0, relative.clamp(min=self.floor), 1.0)
            fields = _fields(model, layer, parameters)
            for field, part in zip(fields, torch.split(scale, [f.shape[-1] for f in fields], -1), strict=True):
                _grad(field).div_(part)
            scales.append(scale)
        for name, (a, b) in model.edges.items():
            _grad(parameters[name]).div_(scales[a].unsqueeze(-1) * scales[b].unsqueeze(-2))


def _sent(weights: Tensor, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """What offsets send through a coupling: (W right, W' left)."""
    weights = weights.detach()
    return (weights @ right.unsqueeze(-1)).squeeze(-1), (weights.mT @ left.unsqueeze(-1)).squeeze(-1)


def _fields(model: Machine, layer: int, parameters: dict[str, nn.Parameter]) -> list[nn.Parameter]:
    return model.fields(layer, parameters)  # type: ignore[return-value]


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


def _grad(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def as_metric(metric: Metric | str) -> Metric:
    """A metric by name ("plain", "centered", "diagonal", "natural") or as it is."""
    from harmonium.training.natural import NaturalGradient

    if isinstance(metric, Metric):
        return metric
    known: dict[str, type[Metric]] = {
        "plain": Plain,
        "centered": Centered,
        "diagonal": Diagonal,
        "natural": NaturalGradient,
    }
    if metric not in known:
        raise ValueError(f"metric must be one of {', '.join(known)} or a harmonium metric, found {metric!r}")
    return known[metric]()
