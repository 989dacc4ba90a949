"""Output layers: distributions of visible variables that are independent given the parameters from a network."""

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

__all__ = ["Conditional", "MixtureConditional", "UnitConditional"]


class Conditional(Registered, nn.Module, ABC):
    """p(s | x) = prod_i p(s_i | x_i) over the variables i of a visible layer, given the outputs x of a network.

    Biases belong to the conditional: x = 0 is the base rate.  States s are encoded, (batch, units.size).

    Attributes:
        units: the visible layer, which defines the domain.
        width: number of network outputs x per case.
    """

    units: Units
    width: int

    @abstractmethod
    def log_prob(self, x: Tensor, s: Tensor) -> Tensor:
        """log p(s_i | x_i) in nats, (batch, columns), float64, for x (batch, width).  Differentiable."""

    def joint_log_prob(self, x: Tensor, s: Tensor) -> Tensor:
        """log p(s | x) of all variables, (..., batch), float64; x may have leading dimensions that s has not."""
        return self.log_prob(x, s).sum(-1)

    @abstractmethod
    def sample(self, x: Tensor, draw: RandomAddress) -> Tensor:
        """A draw of all variables, (batch, units.size).  The draw of variable i depends on x_i and ``draw`` only."""

    @abstractmethod
    def mean(self, x: Tensor) -> Tensor:
        """E[s | x], (batch, units.size)."""

    @abstractmethod
    def set_base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> None:
        """Set the biases from the mean and variance of ``cases`` cases, each (units.size,)."""

    def variable_of_column(self) -> Tensor:
        """Which variable each network output belongs to, int64 (width,), ascending."""
        return torch.arange(self.units.columns).repeat_interleave(self.width // self.units.columns)


class UnitConditional(Conditional):
    """The conditional distribution of a layer of units: log p(s | x) = x . s + sum_k eta_k . T_k(s) - A(x).

    The outputs of the network enter the layer like the input from a hidden layer in a machine.

    Args:
        units: `Bernoulli`, `Categorical`, `Gaussian`, ...; a table of several types is `Mixed`.

    Raises:
        ValueError: for units whose columns have a fixed total.

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
    """Mixtures of Gaussian or Laplace distributions, one for each real variable (Uria, Murray & Larochelle 2013).

    With (a, m, z) = x + bias, each with one entry per variable and component,

        p(s_i | x) = sum_k softmax(a_i)_k f((s_i - m_ik) / sigma_ik) / sigma_ik,   sigma_ik = floor + exp(z_ik).

    The floor keeps a component from collapsing onto a single case, where the density would be unbounded.  The outputs x
    are in the order (variable, parameter, component) with the parameters a, m, z.

    Args:
        columns: number of variables, or their shape.
        components: number of components of each mixture.
        family: f, "gaussian" or "laplace".
        floor: smallest scale, in units of the data.

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
            raise ValueError(f"floor must be a positive number, found {floor!r}: without one the density is unbounded")
        self.units = Gaussian(columns).requires_grad_(False)  # the domain, and the base rate
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
        # Components are spread over the base rate: if they were equal, they would stay equal.  Together with their own
        # variance they have about the variance of the data.
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
