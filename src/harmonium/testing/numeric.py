"""Truth by brute force: enumeration, quadrature, finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from scipy import integrate
from torch import Tensor, nn

from harmonium import kernels
from harmonium.random import Stream
from harmonium.units import Units

__all__ = ["Conditional", "accepted", "conditional", "derivative", "domain", "moved", "normals", "pick", "scatter"]

_STEP = 1e-3


def derivative(function: Callable[[float], Tensor]) -> Tensor:
    """d function / dh at 0, five-point: error about 1e-11 of the function's size in float64."""
    near, far = function(_STEP) - function(-_STEP), function(2 * _STEP) - function(-2 * _STEP)
    return torch.div(8 * near - far, 12 * _STEP)


def normals(stream: Stream, rows: int, columns: int) -> Tensor:
    """Standard normal numbers, float64."""
    u = kernels.uniforms(stream.advance(), rows, columns, torch.float64, torch.device("cpu"))
    z: Tensor = torch.special.ndtri(u)
    return z


def moved(function: Callable[[], Tensor], parameter: Tensor, j: int | list[int]) -> Callable[[float], Tensor]:
    """``function`` as a function of a common step of entries ``j`` of ``parameter``, which is put back each time."""
    flat = parameter.data.view(-1)

    def at(h: float) -> Tensor:
        before = flat[j].clone()
        flat[j] += h
        value = function()
        flat[j] = before
        return value

    return at


@torch.no_grad()
def scatter(module: nn.Module, stream: Stream, spread: float) -> None:
    """Move every parameter by normal steps of standard deviation ``spread``."""
    for name, parameter in module.named_parameters():
        step = normals(stream.child(name), 1, parameter.numel()).view(parameter.shape)
        parameter.add_((spread * step).to(parameter))


def pick(count: int, most: int = 8) -> list[int]:
    """At most ``most`` indices below ``count``, spread evenly."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def domain(layer: Units, width: float = 60.0, step: float = 0.005) -> tuple[Tensor, bool]:
    """States of one unit (points,): all of them where finite, else a grid over those that `check` accepts."""
    if layer.finite:
        return layer.unit_states().double(), True
    count = round(width / step)
    grid = step * torch.arange(-count, count + 1, dtype=torch.float64)
    if not accepted(layer, grid):
        grid = grid[grid >= 0]
        assert accepted(layer, grid), "continuous units are real or non-negative"
    return grid, False


def accepted(layer: Units, values: Tensor) -> bool:
    """Whether `check` accepts these values for every unit."""
    try:
        layer.check(values.unsqueeze(-1).expand(-1, layer.size), "values")
    except ValueError:
        return False
    return True


class Conditional(NamedTuple):
    """p(s | x) of single units by brute force: cumulant (batch,), the rest (batch, n)."""

    cumulant: Tensor
    mean: Tensor
    variance: Tensor
    statistics: tuple[Tensor, ...]
    highest: Tensor
    log_density: Callable[[Tensor], Tensor]


def conditional(layer: Units, x: Tensor) -> Conditional:
    """The conditional distribution of a float64 layer from its states and `statistics` alone."""
    points, finite = domain(layer)
    natural = layer.natural()

    def exponent(s: Tensor) -> Tensor:
        return torch.stack([eta * T for eta, T in zip(natural, layer.statistics(s), strict=True)]).sum(0)

    def total(values: Tensor) -> Tensor:
        if finite:
            return values.sum(0)
        return torch.as_tensor(integrate.simpson(values.numpy(), x=points.numpy(), axis=0))

    states = points.unsqueeze(-1).expand(-1, layer.size)
    energy, statistics = exponent(states), layer.statistics(states)
    cumulant, means, highest, moments = [], [], [], []
    for row in x:
        log_p = energy + states * row
        highest.append(log_p.max(0).values)
        p = torch.exp(log_p - highest[-1])
        mass = total(p)
        cumulant.append((torch.log(mass) + highest[-1]).sum())
        means.append(torch.stack([total(p * T) / mass for T in statistics]))
        mean = means[-1][0]
        moments.append(total(p * (states - mean) ** 2) / mass)
    stacked = torch.stack(means, 1)
    return Conditional(
        torch.stack(cumulant), stacked[0], torch.stack(moments), tuple(stacked), torch.stack(highest),
        lambda s: exponent(s) + s * x,
    )  # fmt: skip
