"""Truth by brute force: enumeration, quadrature, finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from scipy import integrate
from torch import Tensor, nn

from harmonium import kernels
from harmonium.core.random import Stream
from harmonium.units import Mixed, Units

__all__ = [
    "Conditional", "accepted", "bounded", "conditional", "derivative", "discrete", "domain", "moved", "normals", "pick",
    "scatter",
]  # fmt: skip

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
    """States of one unit (points,): counts, or a grid over the interval of valid ones; and whether they are counts."""
    if not accepted(layer, torch.tensor([0.5], dtype=torch.float64)):
        counts = torch.arange(4096, dtype=torch.float64)
        assert accepted(layer, counts), "units with infinitely many states hold reals or counts"
        return counts, True
    count = round(width / step)
    grid = step * torch.arange(-count, count + 1, dtype=torch.float64)
    inside = grid[~layer.invalid(grid.unsqueeze(-1).expand(-1, layer.size)).any(-1)]
    if inside[0] > grid[0] and inside[-1] < grid[-1]:  # an interval: as many points as the real line has
        low, high = _end(layer, float(inside[0]), -step), _end(layer, float(inside[-1]), step)
        inside = torch.linspace(low, high, len(grid), dtype=torch.float64)
    assert accepted(layer, inside), "the valid states of a continuous unit are an interval"
    return inside, False


def _end(layer: Units, inside: float, step: float) -> float:
    """The last valid state between ``inside``, which is valid, and ``inside + step``, which is not."""
    for _ in range(60):
        step *= 0.5
        if accepted(layer, torch.tensor([inside + step], dtype=torch.float64)):
            inside += step
    return inside


def discrete(layer: Units) -> bool:
    """Whether the states can be counted: draws then differ by whole steps."""
    return layer.finite or domain(layer)[1]


def bounded(layer: Units) -> bool:
    """Whether every unit has finitely many states or those of a bounded interval: it then takes any field."""
    far = torch.tensor([1e30], dtype=torch.float64)
    return all(part.finite or not (accepted(part, far) or accepted(part, -far)) for part, _ in layer.by_type())


def accepted(layer: Units, values: Tensor) -> bool:
    """Whether `check` accepts these values for every unit."""
    try:
        layer.check(values.unsqueeze(-1).expand(-1, layer.size), "values")
    except ValueError:
        return False
    return True


class Conditional(NamedTuple):
    """p(s | x) of a layer by brute force: log_normalizer (batch,), highest (batch, variables), others (batch, n)."""

    log_normalizer: Tensor
    mean: Tensor
    variance: Tensor
    statistics: tuple[Tensor, ...]
    highest: Tensor
    log_density: Callable[[Tensor], Tensor]


def conditional(layer: Units, x: Tensor) -> Conditional:
    """The conditional distribution of a float64 layer from its states, `statistics` and `log_measure` alone."""
    natural = layer.natural()

    def terms(s: Tensor) -> Tensor:
        """What each unit contributes to the exponent."""
        total = torch.stack([eta * T for eta, T in zip(natural, layer.statistics(s), strict=True)]).sum(0)
        measure = layer.log_measure(s)
        return total if measure is None else total + measure

    variables = _listed(layer)
    log_normalizers, highest = x.new_zeros(len(x)), x.new_zeros(len(x), len(variables))
    means = [torch.zeros_like(x) for _ in natural]
    variance = torch.zeros_like(x)
    for i, (columns, values, total) in enumerate(variables):
        states = x.new_zeros(len(values), layer.size)
        states[:, columns] = values.double()
        own, statistics = terms(states)[:, columns], [T[:, columns] for T in layer.statistics(states)]
        for r, row in enumerate(x):
            log_p = (own + values * row[columns]).sum(-1, keepdim=True)
            highest[r, i] = log_p.max()
            p = torch.exp(log_p - highest[r, i])
            mass = total(p)
            log_normalizers[r] += float(torch.log(mass) + highest[r, i])
            for mean, T in zip(means, statistics, strict=True):
                mean[r, columns] = total(p * T) / mass
            variance[r, columns] = total(p * (values - means[0][r, columns]) ** 2) / mass

    def log_density(s: Tensor) -> Tensor:
        each = terms(s) + s * x
        return torch.stack([each[:, columns].sum(-1) for columns, _, _ in variables], -1)

    return Conditional(log_normalizers, means[0], variance, tuple(means), highest, log_density)


def _listed(layer: Units) -> list[tuple[slice, Tensor, Callable[[Tensor], Tensor]]]:
    """For each variable its units, its states (states, units) and how functions of them are summed up."""
    if layer.finite:
        return [(*layer.variable(i), _sum) for i in range(layer.variables)]
    if isinstance(layer, Mixed):
        return [
            (slice(units.start + own.start, units.start + own.stop), values, total)
            for part, units in layer.by_type()
            for own, values, total in _listed(part)
        ]
    points, counts = domain(layer)

    def integral(values: Tensor) -> Tensor:
        return torch.as_tensor(integrate.simpson(values.numpy(), x=points.numpy(), axis=0))

    return [(slice(j, j + 1), points.unsqueeze(-1), _sum if counts else integral) for j in range(layer.size)]


def _sum(values: Tensor) -> Tensor:
    return values.sum(0)
