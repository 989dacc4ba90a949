"""Latent layers of a VAE: distributions given the outputs of a network, drawn by reparametrisation."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Normal

__all__ = ["BernoulliLatents", "GaussianLatents", "Latents"]


class Latents(ABC):
    """n independent latent units given the outputs x of a network, (..., width).

    Args:
        n: number of units.
    """

    def __init__(self, n: int) -> None:
        self.n = n

    @property
    @abstractmethod
    def width(self) -> int:
        """Number of network outputs per case."""

    @abstractmethod
    def distribution(self, x: Tensor) -> Distribution:
        """q(z | x), over (..., n) units."""

    @abstractmethod
    def rsample(self, x: Tensor, u: Tensor, relaxation: float | None = None) -> Tensor:
        """A draw z (..., n) as a function of x and of uniform noise u (..., n), float64.

        Discrete units have a gradient in x only if they are relaxed to (0, 1), at the temperature ``relaxation``.
        """


class GaussianLatents(Latents):
    """Normal units: x contains n means, then n logarithms of standard deviations (Kingma & Welling 2014)."""

    @property
    def width(self) -> int:
        return 2 * self.n

    def distribution(self, x: Tensor) -> Normal:
        mean, log_scale = x.chunk(2, -1)
        return Normal(mean, log_scale.exp(), validate_args=False)

    def rsample(self, x: Tensor, u: Tensor, relaxation: float | None = None) -> Tensor:
        mean, log_scale = x.chunk(2, -1)
        noise: Tensor = torch.special.ndtri(u)
        return mean + log_scale.exp() * noise.to(x.dtype)


class BernoulliLatents(Latents):
    """Binary units with fields x.

    z = 1 if x + logit(u) > 0.  Relaxed, z = sigmoid((x + logit(u)) / temperature), the binary concrete distribution
    (Maddison et al. 2017; Jang et al. 2017), which rounds to the same states.
    """

    @property
    def width(self) -> int:
        return self.n

    def distribution(self, x: Tensor) -> Bernoulli:
        return Bernoulli(logits=x, validate_args=False)

    def rsample(self, x: Tensor, u: Tensor, relaxation: float | None = None) -> Tensor:
        field = x + torch.logit(u).to(x.dtype)
        return (field > 0).to(x.dtype) if relaxation is None else torch.sigmoid(field / relaxation)
