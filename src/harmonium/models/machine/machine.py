"""One machine for the whole family: layers of units plus couplings between them.

`Structure` holds layers and couplings, `EnergyModel` what follows from their energy, `GibbsSampling` draws; `Machine`
adds inference given visible states, gradients and the likelihood.  Every model of the Boltzmann family is a subclass
that names its layers, couplings and colours.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.random import Stream
from harmonium.models.initial import normal_
from harmonium.models.machine.mean_field import importance_weights, mean_field
from harmonium.models.machine.sampling import GibbsSampling
from harmonium.models.state import LayerExpectations, Moments

__all__ = ["Machine", "as_machine"]


class Machine(GibbsSampling):
    """A Boltzmann machine of layers (see `Structure` for its arguments)."""

    # Inference and the likelihood --------------------------------------------------------------------------------

    def infer(self, v: Tensor) -> LayerExpectations:
        """Expectations of all layers given visible states: under p(hidden | v), or under its mean field.

        Exact if the hidden layers share no coupling.
        """
        if self.hidden_couplings:
            return mean_field(self, v).expectations(self, v)
        return self.conditional_expectation(self.visible_only_state(v))

    @property
    def energy_part(self) -> Machine:
        return self

    @property
    def likelihood_is_estimated(self) -> bool:
        return bool(self.hidden_couplings)

    def log_weights(self, v: Tensor, stream: Stream, samples: int = 1) -> Tensor:
        """log p*(v); if hidden layers are coupled, log of p*(v, h) / q(h | v) for draws of the mean field q.

        See `Model.log_weights`.
        """
        if not self.hidden_couplings:
            return self.log_weight(self.visible_only_state(v)).unsqueeze(0)
        return importance_weights(self, v, mean_field(self, v, iterations=100, tolerance=1e-5), stream, samples)

    # Initialisation ----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def initialise(self, stream: Stream) -> None:
        """Draw normal weights of standard deviation 0.01 and set the biases of every layer to neutral values."""
        for name in self.edges:
            normal_(self.couplings[name], 0.01, stream.child(name))
        for units in self.unit_layers():
            units.set_natural(units.neutral_natural())
        self.constrain()

    def initialise_from_data(self, stream: Stream) -> None:
        """Draw initial parameters; visible biases match the moments of the data, and persistent chains are dropped."""
        self.chains = None
        self.initialise(stream)
        self.visible.set_natural(self.base_rate()[0])

    # Gradients ---------------------------------------------------------------------------------------------------

    def moments(self, phase: LayerExpectations, weight: Tensor | None = None) -> Moments:
        """Mean over the batch of everything the gradient of the log-likelihood is made of.

        ``weight`` (batch,) weighs the cases; it is normalised to sum to one here, so each phase is divided by its own
        number of cases.
        """
        couplings = {
            name: self.add_coupling_moment(torch.empty_like(weights), name, phase, weight, keep=0.0)
            for name, weights in self.couplings.items()
        }
        return couplings | self.layer_moments(phase, weight)

    @torch.no_grad()
    def layer_moments(self, phase: LayerExpectations, weight: Tensor | None = None) -> Moments:
        """The part of `moments` that belongs to the layers: "visible_bias", "hidden_bias", ..."""
        share = None if weight is None else _share(weight).unsqueeze(-2)
        moments: Moments = {}
        for name, layer, statistics in zip(self.names, self._units_of, phase.statistics, strict=True):
            means = tuple(T.mean(-2) if share is None else (share @ T).squeeze(-2) for T in statistics)
            moments |= {f"{name}_{key}": value for key, value in layer.parameter_gradient(means).items()}
        return moments

    @torch.no_grad()
    def add_coupling_moment(
        self,
        out: Tensor,
        name: str,
        phase: LayerExpectations,
        weight: Tensor | None = None,
        scale: float = 1.0,
        keep: float = 1.0,
    ) -> Tensor:
        """out = keep * out + scale * mean over the batch of s_a s_b', for the coupling ``name``; in place."""
        a, b = self.edges[name]
        left, right = phase.means[a], phase.means[b]
        if weight is None:
            scale /= max(left.shape[-2], right.shape[-2])
        else:
            left = left * _share(weight).unsqueeze(-1)
        if out.dim() == left.dim() == right.dim() == 2:
            return self.mask_(name, out.addmm_(left.mT, right, beta=keep, alpha=scale))
        product = (left.mT @ right).mul_(scale)
        return self.mask_(name, out.copy_(product) if keep == 0 else out.mul_(keep).add_(product))

    @torch.no_grad()
    def coupling_difference(
        self,
        out: Tensor,
        name: str,
        plus: tuple[LayerExpectations, Tensor | None],
        minus: tuple[LayerExpectations, Tensor | None],
    ) -> Tensor:
        """The moment of the coupling ``name`` under ``plus`` less that under ``minus``, each a phase with its weights.

        In ``out``, or in memory of its own.
        """
        a, b = self.edges[name]
        if not self.batched:
            pairs = [
                (phase.means[a], phase.means[b] * (1 / len(phase.means[b]) if w is None else _share(w).unsqueeze(-1)))
                for phase, w in (plus, minus)
            ]
            difference = kernels.difference_of_outers(*pairs)
            if difference is not None:
                return self.mask_(name, difference)
        self.add_coupling_moment(out, name, *plus, keep=0.0)
        return self.add_coupling_moment(out, name, *minus, scale=-1.0)


def as_machine(model: Any, function: str) -> Machine:
    """Return the model as it is.

    Raises:
        TypeError: if it is not a machine (a deep belief network, say), which ``function`` requires.
    """
    if not isinstance(model, Machine):
        raise TypeError(
            f"{function} takes a machine such as an RBM or a DBM, found {type(model).__name__}"
            + (": its top machine is dbn.top" if hasattr(model, "top") else "")
        )
    return model


def _share(weight: Tensor) -> Tensor:
    return weight / weight.sum(-1, keepdim=True)
