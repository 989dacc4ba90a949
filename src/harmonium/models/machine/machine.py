"""One machine for the whole family: layers of units plus couplings between them.

`Structure` holds layers and couplings, `EnergyModel` what follows from their energy, `GibbsSampling` draws; `Machine`
adds inference given visible states, gradients and the likelihood.  Every model of the Boltzmann family is a subclass
that names its layers, couplings and colours.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.models.machine.mean_field import importance_weights, mean_field, variational_bound
from harmonium.models.machine.sampling import GibbsSampling
from harmonium.models.model import TrainingDefaults, as_model
from harmonium.models.state import LayerExpectations, Moments, Phase

__all__ = ["Machine", "as_machine", "joined"]


class Machine(GibbsSampling):
    """A Boltzmann machine of layers (see `Structure` for its arguments)."""

    takes_gaps = True
    training_defaults = TrainingDefaults(0.05, "sgd", "centered")

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

    def log_weight_bound(self, v: Tensor, stream: Stream, samples: int = 1) -> Tensor:
        """log p*(v), or its variational bound if hidden layers are coupled: (batch,), float64.  Draws nothing."""
        return variational_bound(self, v)

    # Initialisation ----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def initialise(self, stream: Stream) -> None:
        """Draw normal weights of standard deviation 0.01 and set the biases of every layer to neutral values."""
        for name in self.edges:
            self.form(name).initialise_(self.couplings[name], 0.01, stream.child(name))
        for units in self.unit_layers():
            units.set_natural(units.neutral_natural())
        self.constrain()

    def initialise_from_data(self, stream: Stream) -> None:
        """Draw initial parameters; visible biases match the moments of the data, and persistent chains are dropped."""
        self.chains = None
        self.initialise(stream)
        self.visible.set_natural(self.base_rate()[0])

    # Gradients ---------------------------------------------------------------------------------------------------

    def moments(self, phase: Phase) -> Moments:
        """Average a phase over its batch: everything that the gradient of the log-likelihood is made of.

        Returns:
            Moments by parameter name, such as "weights" (n_visible, n_hidden) and "visible_bias" (n_visible,).
        """
        if isinstance(phase, dict):
            return phase
        couplings = {
            name: self.add_coupling_moment(torch.empty_like(weights), name, phase, keep=0.0)
            for name, weights in self.couplings.items()
        }
        return couplings | self.layer_moments(phase)

    @torch.no_grad()
    def layer_moments(self, phase: Phase) -> Moments:
        """The part of `moments` that belongs to the layers alone: "visible_bias", "hidden_bias", ..."""
        if isinstance(phase, dict):
            return {name: value for name, value in phase.items() if name not in self.edges}
        return {
            f"{name}_{key}": value
            for name, units, average in zip(self.names, self._units_of, phase.averages, strict=True)
            for key, value in units.parameter_gradient(average).items()
        }

    def mean_states(self, phase: Phase) -> list[Tensor]:
        """Mean state of every layer in a phase, each (..., n)."""
        if isinstance(phase, dict):
            return [joined(self.fields(layer, phase)) for layer in range(len(self.names))]
        return [average[0] for average in phase.averages]

    @torch.no_grad()
    def fill_gradients(self, positive: Phase, negative: Phase) -> None:
        """Write the gradient of minus the mean log-likelihood into ``.grad``: negative less positive moments.

        Args:
            positive: what the data say.
            negative: what the model says.
        """
        data, model = self.layer_moments(positive), self.layer_moments(negative)
        for name, parameter in self.parameters_by_name().items():
            grad = torch.empty_like(parameter) if parameter.grad is None else parameter.grad
            if name in self.edges:
                grad = self._coupling_difference(grad, name, negative, positive)
            else:
                torch.sub(model[name], data[name], out=grad)
            parameter.grad = grad

    @torch.no_grad()
    def add_coupling_moment(
        self, out: Tensor, name: str, phase: LayerExpectations, scale: float = 1.0, keep: float = 1.0
    ) -> Tensor:
        """out = keep * out + scale * mean over the batch of s_a s_b', for the coupling ``name``; in place."""
        a, b = self.edges[name]
        left, right = phase.means[a], phase.means[b]
        if phase.share is None:
            scale /= phase.rows(left, right)
        else:
            left = left * phase.share.unsqueeze(-1)
        return self.form(name).add_outer_(out, left, right, scale, keep)

    def _coupling_difference(self, out: Tensor, name: str, plus: Phase, minus: Phase) -> Tensor:
        """Moment of a coupling in the phase ``plus`` less that in ``minus``: in ``out``, or in new memory."""
        if isinstance(plus, dict) or isinstance(minus, dict):
            first, second = (
                phase[name]
                if isinstance(phase, dict)
                else self.add_coupling_moment(torch.empty_like(out), name, phase, keep=0.0)
                for phase in (plus, minus)
            )
            return torch.sub(first, second, out=out)
        a, b = self.edges[name]
        if not self.batched:
            difference = self.form(name).difference(
                *(
                    (p.means[a], p.means[b] * (1 / p.rows(p.means[b]) if p.share is None else p.share.unsqueeze(-1)))
                    for p in (plus, minus)
                )
            )
            if difference is not None:
                return difference
        self.add_coupling_moment(out, name, plus, keep=0.0)
        return self.add_coupling_moment(out, name, minus, scale=-1.0)


def as_machine(model: Any, function: str) -> Machine:
    """Return the model as it is.

    Raises:
        TypeError: if it is not a machine (a deep belief network, say), which ``function`` requires.
    """
    if not isinstance(model, Machine):
        as_model(model, function)
        raise TypeError(
            f"{function} takes a model that is a machine, such as an RBM or a DBM, found {type(model).__name__}"
            + (": its top machine is dbn.top" if hasattr(model, "top") else "")
        )
    return model


def joined(parts: list[Tensor]) -> Tensor:
    """Parts of a field side by side, (..., n)."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)
