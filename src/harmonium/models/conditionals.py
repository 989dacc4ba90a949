"""Output layers: what a network says of visible variables that are independent of each other given its numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Laplace, MixtureSameFamily, Normal

from harmonium import kernels
from harmonium.core.checks import check_int
from harmonium.core.random import RandomAddress
from harmonium.core.registry import Registered
from harmonium.units import Gaussian, Units
from harmonium.units.joint import joint_log_density

__all__ = ["Conditional", "MixtureConditional", "UnitConditional", "check_same"]


class Conditional(Registered, nn.Module, ABC):
    """p(s | x) = prod_i p(s_i | x_i) over the variables i of a visible layer, given numbers x of a network.

    Biases belong to the conditional: x = 0 is the base rate.  States s are inside, (batch, units.size).

    Attributes:
        units: the visible layer, which knows the domain.
        width: how many numbers x the network gives per case.
    """

    units: Units
    width: int

    @abstractmethod
    def log_prob(self, x: Tensor, s: Tensor) -> Tensor:
        """log p(s_i | x_i) in nats, (batch, columns), float64, for x (batch, width).  Differentiable."""

    def joint_log_prob(self, x: Tensor, s: Tensor) -> Tensor:
        """log p(s | x) of all variables, (..., batch), float64, where x may have dimensions before those of s."""
        return self.log_prob(x, s).sum(-1)

    @abstractmethod
    def sample(self, x: Tensor, draw: RandomAddress) -> Tensor:
        """A draw of all variables, (batch, units.size).  What variable i draws depends on x_i and ``draw`` alone."""

    @abstractmethod
    def mean(self, x: Tensor) -> Tensor:
        """E[s | x], (batch, units.size)."""

    @abstractmethod
    def set_base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> None:
        """Set the biases by moments of data, each (units.size,), of so many cases."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Describe the output layer: a JSON-able dict of its type and the arguments that build it again."""

    def variable_of_column(self) -> Tensor:
        """Which variable each of the numbers x belongs to, int64 (width,), ascending."""
        return torch.arange(self.units.columns).repeat_interleave(self.width // self.units.columns)


class UnitConditional(Conditional):
    """The conditional distribution of a layer of units: log p(s | x) = x . s + sum_k eta_k . T_k(s) - A(x).

    So a network's output enters a layer as the input from a hidden layer enters it in a machine.

    Args:
        units: `Bernoulli`, `Categorical`, `Gaussian`, ...; a table of several types is `Mixed`.

    Raises:
        ValueError: for units whose columns are drawn together.

    >>> import torch, harmonium as hm
    >>> UnitConditional(hm.Bernoulli(2)).log_prob(torch.zeros(1, 2), torch.ones(1, 2)).exp().float().tolist()
    [[0.5, 0.5]]
    """

    def __init__(self, units: Units) -> None:
        super().__init__()
        units.require_independent_columns("UnitConditional")
        self.units, self.width = units, units.size

    def log_prob(self, x: Tensor, s: Tensor) -> Tensor:
        return self.units.log_density(x, s)

    def joint_log_prob(self, x: Tensor, s: Tensor) -> Tensor:
        return joint_log_density(self.units, x, s)

    @torch.no_grad()
    def sample(self, x: Tensor, draw: RandomAddress) -> Tensor:
        return self.units.sample(x, draw)

    def mean(self, x: Tensor) -> Tensor:
        return self.units.mean(x)

    def set_base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> None:
        self.units.set_natural(self.units.base_rate(mean, variance, cases))

    def config(self) -> dict[str, Any]:
        return Registered.config(self) | {"units": self.units.config()}

    def variable_of_column(self) -> Tensor:
        return self.units.variable_of_column()


_FAMILIES: dict[str, type[Normal] | type[Laplace]] = {"gaussian": Normal, "laplace": Laplace}


class MixtureConditional(Conditional):
    """Mixtures of Gaussians or of Laplace distributions, one for each real variable (Uria, Murray & Larochelle 2013).

    With (a, m, z) = x + bias, each with one number per variable and component,

        p(s_i | x) = sum_k softmax(a_i)_k f((s_i - m_ik) / sigma_ik) / sigma_ik,   sigma_ik = floor + exp(z_ik).

    The floor keeps a component from collapsing on one case, where the density has no bound.

    Args:
        columns: number of variables, or their shape.
        components: of each mixture.
        family: f, "gaussian" or "laplace".
        floor: of the scales, in units of the data.

    The numbers x stand in the order (variable, what, component), what being a, m, z.

    Raises:
        ValueError: for no component, an unknown family or a floor that is not positive.

    >>> import torch
    >>> mixture = MixtureConditional(3, 5)
    >>> mixture.width, mixture.log_prob(torch.zeros(2, mixture.width), torch.zeros(2, 3)).shape
    (45, torch.Size([2, 3]))
    """

    def __init__(
        self,
        columns: int | tuple[int, ...],
        components: int,
        family: str = "gaussian",
        floor: float = 0.01,
    ) -> None:
        super().__init__()
        columns = tuple(columns) if isinstance(columns, list) else columns
        components = check_int("components", components)
        if family not in _FAMILIES:
            raise ValueError(f"family must be 'gaussian' or 'laplace', found {family!r}")
        if not 0 < floor < float("inf"):
            raise ValueError(f"floor must be a positive number, found {floor!r}: without one the density has no bound")
        self.units = Gaussian(columns).requires_grad_(False)  # the domain; it remembers the base rate
        self.components, self.family, self.floor = components, family, float(floor)
        self.width = self.units.size * 3 * components
        self.bias = nn.Parameter(torch.zeros(self.units.size, 3, components))
        one = torch.ones(self.units.size)
        self.set_base_rate(0 * one, one, 1.0)

    def log_prob(self, x: Tensor, s: Tensor) -> Tensor:
        mixed: Tensor = self._mixture(x).log_prob(s)
        return mixed.double()

    @torch.no_grad()
    def sample(self, x: Tensor, draw: RandomAddress) -> Tensor:
        u = kernels.uniforms(draw, len(x), 2 * self.units.size, torch.float64, x.device)
        u = u.view(len(x), -1, 2)
        logits, location, scale = self._parts(x)
        below = torch.softmax(logits.double(), -1).cumsum(-1) <= u[..., :1]
        k = below.sum(-1, keepdim=True).clamp(max=self.components - 1)
        if self.family == "gaussian":
            noise = torch.special.ndtri(u[..., 1])
        else:
            noise = Laplace(0.0, 1.0, validate_args=False).icdf(u[..., 1])  # type: ignore[no-untyped-call]
        drawn: Tensor = location.gather(-1, k)[..., 0] + scale.gather(-1, k)[..., 0] * noise.to(x.dtype)
        return drawn

    def mean(self, x: Tensor) -> Tensor:
        mean: Tensor = self._mixture(x).mean
        return mean

    @torch.no_grad()
    def set_base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> None:
        # Components side by side within the base rate: alike, they would never part.  Their own variance is what is
        # missing to that of the data, or close to it.
        self.units.set_natural(self.units.base_rate(mean, variance, cases))
        deviation = torch.sqrt(self.units.variance(torch.zeros_like(mean.to(self.bias)).unsqueeze(0))[0]).unsqueeze(-1)
        place = torch.special.ndtri((torch.arange(self.components).to(deviation) + 0.5) / self.components)
        width = torch.sqrt((1 - (place * place).mean()).clamp(min=1 / self.components**2))
        width = width / float(_FAMILIES[self.family](0.0, 1.0, validate_args=False).stddev)
        self.bias[:, 0] = 0
        self.bias[:, 1] = mean.to(deviation).unsqueeze(-1) + deviation * place
        self.bias[:, 2] = torch.log((deviation * width - self.floor).clamp(min=self.floor))

    def config(self) -> dict[str, Any]:
        return Registered.config(self) | {
            "columns": list(self.units.shape),
            "components": self.components,
            "family": self.family,
            "floor": self.floor,
        }

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, location, log_scale = (x.view(*x.shape[:-1], *self.bias.shape) + self.bias).unbind(-2)
        return logits, location, self.floor + torch.exp(log_scale)

    def _mixture(self, x: Tensor) -> Distribution:
        logits, location, scale = self._parts(x)
        components = _FAMILIES[self.family](location, scale, validate_args=False)
        return MixtureSameFamily(Categorical(logits=logits, validate_args=False), components, validate_args=False)

    def extra_repr(self) -> str:
        return f"components={self.components}, family={self.family!r}, floor={self.floor:g}"


def check_same(visible: Units | int | tuple[int, ...], outputs: Conditional) -> None:
    """Raise ValueError where an output layer is not of these visible units."""
    if isinstance(visible, Units):
        same = visible.config() == outputs.units.config()
    else:
        same = visible in (outputs.units.columns, outputs.units.shape)
    if not same:
        raise ValueError(f"outputs are of {outputs.units!r}, and visible is {visible!r}: they must be the same layer")
