"""Directed models: networks of conditional distributions, learned by backpropagation and normalised by construction."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import torch
from torch import Tensor

from harmonium.core.random import Stream, as_cursor
from harmonium.core.registry import build
from harmonium.models.arrays import Array, as_batch
from harmonium.models.conditionals import Conditional, UnitConditional
from harmonium.models.model import Model
from harmonium.models.state import Clamp
from harmonium.units import Bernoulli, Units, as_units

__all__ = ["Directed", "DirectedNetwork", "Tractable", "as_outputs"]


class Directed(Model):
    """A distribution of visible units that is sampled from its roots down (ancestral sampling).

    Subclasses define `visible`, `initialise`, `log_weights`, `draw` and `config`.
    """

    @abstractmethod
    def draw(self, n: int, stream: Stream, clamp: Clamp | None = None) -> Tensor:
        """Independent draws of encoded visible states, (n, size), given the held units if there are any.

        Raises:
            ValueError: if the model cannot draw given these units.
        """

    @torch.no_grad()
    def sample_visible(self, n: int, stream: Stream) -> Tensor:
        """Independent draws of raw visible states, (n, n_visible)."""
        return self.visible.decode(self.draw(n, as_cursor(stream)))

    def log_conditional(self, v: Tensor, asked: Tensor, given: Tensor) -> Tensor:
        """log p(v_asked | v_given) in nats, (batch,), float64; the other variables are summed out.

        Args:
            v: encoded states (batch, size), finite; variables neither asked for nor given are ignored.
            asked: bool (batch, columns).
            given: bool (batch, columns), disjoint from ``asked``.

        Raises:
            ValueError: if the model cannot compute it.
        """
        raise ValueError(
            f"a {type(self).__name__} cannot compute conditional probabilities of variables given any others; an "
            "OrderlessNADE can"
        )


class Tractable(Directed):
    """A directed model whose log p(v) is known in closed form."""

    @abstractmethod
    def log_likelihood(self, v: Tensor) -> Tensor:
        """log p(v) of encoded states (batch, size) in nats, (batch,), float64.  Differentiable."""

    def training_log_prob(self, v: Tensor, stream: Stream, present: Tensor | None = None) -> Tensor:
        """The objective of maximum likelihood, (batch,): log p(v), or an unbiased estimate of it.

        A model that ``takes_gaps`` gives that of the units that are ``present``, bool (batch, size).
        """
        return self.log_likelihood(v)

    @torch.no_grad()
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


class DirectedNetwork(Directed):
    """A directed model whose network feeds an output layer: the distribution of the visible units.

    Attributes:
        outputs: the output layer; its units are the visible ones.
    """

    outputs: Conditional

    @property
    def visible(self) -> Units:
        return self.outputs.units

    def initialise_from_data(self, stream: Stream) -> None:
        assert self.data_mean is not None and self.data_variance is not None and self.data_cases is not None
        self.initialise(stream)
        self.outputs.set_base_rate(self.data_mean, self.data_variance, float(self.data_cases))

    def constrain(self) -> None:
        self.visible.constrain()

    def config(self) -> dict[str, Any]:
        return super().config() | {"outputs": self.outputs.config()}

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        outputs = build(arguments["outputs"])
        return super().from_config(arguments | {"visible": outputs.units, "outputs": outputs})

    def _start(self, n: int, clamp: Clamp | None) -> tuple[Tensor, Tensor]:
        """Where a draw starts: held values, elsewhere 0, (n, size), and which variables are held, bool (n, columns)."""
        v = torch.zeros(n, self.visible.size, dtype=self.dtype, device=self.device)
        if clamp is None:
            return v, torch.zeros(n, self.visible.columns, dtype=torch.bool, device=self.device)
        return torch.where(clamp[0], clamp[1], v), self.visible.one_per_column(clamp[0].expand_as(v))

    def _repr_of_outputs(self) -> str:
        """The output layer as an argument, for `repr`; empty for the default one."""
        return "" if isinstance(self.outputs, UnitConditional) else f", outputs={self.outputs!r}"


def as_outputs(visible: Units | int | tuple[int, ...] | None, outputs: Conditional | None) -> Conditional:
    """Return the output layer, by default the conditional distribution of the visible units (Bernoulli for an int).

    Raises:
        ValueError: if neither is given, or if ``outputs`` has other units than ``visible``.
    """
    if outputs is None:
        if visible is None:
            raise ValueError("visible is missing: give the visible units, or an output layer that has them (outputs=)")
        return UnitConditional(as_units(visible, Bernoulli, "visible"))
    if not isinstance(outputs, Conditional):
        raise TypeError(f"outputs must be an output layer, such as harmonium.models.MixtureConditional(3, 5), found "
                        f"{outputs!r}")  # fmt: skip
    if visible is not None:
        own = outputs.units
        same = visible.config() == own.config() if isinstance(visible, Units) else visible in (own.columns, own.shape)
        if not same:
            raise ValueError(f"outputs has the units {own!r}, and visible is {visible!r}: they must be the same layer")
    return outputs
