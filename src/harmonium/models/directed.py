"""Models that are networks of conditionals: learned by backpropagation, normalised by construction."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from harmonium.core.random import Stream, as_cursor
from harmonium.models.arrays import Array, as_batch
from harmonium.models.model import Model
from harmonium.models.state import Clamp

__all__ = ["Directed", "Tractable", "as_directed"]


class Directed(Model):
    """A distribution of visible units that is sampled from its roots down.

    Subclasses keep their visible layer in ``self.units`` and give: `initialise`, `log_weights`, `draw`, `config`.
    """

    @abstractmethod
    def draw(self, n: int, stream: Stream, clamp: Clamp | None = None) -> Tensor:
        """Visible states inside, (n, size): independent draws, given the held units where there are any.

        Raises:
            ValueError: where the model cannot draw given these units.
        """

    def log_conditional(self, v: Tensor, asked: Tensor, given: Tensor) -> Tensor:
        """log p(v_asked | v_given), (batch,), float64, the other variables summed out; v (batch, size) inside.

        Args:
            v: states, finite; those of variables neither asked for nor given are not looked at.
            asked: bool (batch, columns).
            given: likewise, and apart from those.

        Raises:
            ValueError: where the model does not know it.
        """
        raise ValueError(
            f"a {type(self).__name__} does not know how probable variables are given any others; an OrderlessNADE does"
        )


class Tractable(Directed):
    """A directed model of which log p(v) is known in closed form."""

    @abstractmethod
    def log_likelihood(self, v: Tensor) -> Tensor:
        """log p(v), (batch,), float64; v (batch, size) inside.  Differentiable."""

    def training_log_prob(self, v: Tensor, stream: Stream) -> Tensor:
        """What maximum likelihood ascends, (batch,): log p(v), or an unbiased estimate of it."""
        return self.log_likelihood(v)

    def log_prob(self, v: Array) -> Tensor:
        """log p(v) in nats, (batch,), float64.

        Args:
            v: cases, (batch, n_visible), within the domain of the visible units.

        Raises:
            ValueError: for another shape, or values outside the domain.
        """
        return self.log_likelihood(as_batch(v, self, "v", domain=True))

    @torch.no_grad()
    def log_weights(self, v: Tensor, stream: Stream, samples: int = 1) -> Tensor:
        return self.log_likelihood(v).unsqueeze(0)

    @torch.no_grad()
    def sample_visible(self, n: int, stream: Stream) -> Tensor:
        """Independent draws, (n, n_visible), as users see them."""
        return self.visible.decode(self.draw(n, as_cursor(stream)))


def as_directed(model: object, function: str) -> Directed:
    """The model as it is.

    Raises:
        TypeError: where it is no directed model.
    """
    if not isinstance(model, Directed):
        raise TypeError(f"{function} takes a directed model such as a NADE or a VAE, found {type(model).__name__}")
    return model
