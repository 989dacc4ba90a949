"""Energies of machines, and what follows from them when a colour of layers is summed out.

The energy of a joint state s = (s_0, s_1, ...) is

    E(s) = sum_i U_i(s_i) - sum_(i,j) s_i . W_ij . s_j,

where U_i is the energy of layer i alone; a lateral coupling contributes -s_i . W_ii . s_i / 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.models.machine.structure import Structure
from harmonium.models.state import LayerExpectations, State
from harmonium.units import Interpolation, Natural

__all__ = ["EnergyModel"]


class EnergyModel(Structure):
    """Energies, log-weights and conditional expectations of coupled layers."""

    def joint_energy(self, state: Sequence[Tensor]) -> Tensor:
        """E(s) of joint states in nats, (..., batch), float64."""
        energy = sum(self.units(i).energy(s) for i, s in enumerate(state))
        for name in self.edges:
            energy = energy - self.neg_coupling_energy(name, state)
        assert isinstance(energy, Tensor)
        return energy

    def neg_coupling_energy(self, name: str, state: Sequence[Tensor | None], weights: Tensor | None = None) -> Tensor:
        """s_a . W . s_b of one coupling, halved if it is lateral: (..., batch), float64.

        ``weights`` take the place of the coupling's own W.
        """
        a, b = self.edges[name]
        left, right = state[a], state[b]
        assert left is not None and right is not None
        return self.form(name).energy(left, self.couplings[name] if weights is None else weights, right)

    def log_weight(
        self,
        state: State,
        colour: int | Sequence[int] = 0,
        lines: Sequence[Interpolation] | None = None,
        inputs: dict[int, Tensor] | None = None,
    ) -> Tensor:
        """log of the unnormalised probability of a state with one colour of layers summed out, in nats.

        Args:
            state: states of all other layers.
            colour: number of the colour, or a list of layers of one colour.
            lines: where each row lies between two models, one `Interpolation` per layer.
            inputs: inputs of the layers that are summed out, if they have been computed already.

        Returns:
            (..., batch), float64; with ``lines`` whose t is (..., batch, points): (..., batch, points).

        Raises:
            TypeError: for visible states alone.
        """
        if not isinstance(state, tuple):
            raise TypeError(
                "log_weight takes the states of all layers, with None for those that are summed out: "
                "model.log_weight(model.visible_only_state(v)), which is differentiable and minus the free energy"
            )
        summed = self._layers_of(colour)
        total: Tensor | float = 0.0
        for layer, s in enumerate(state):
            units, line = self.units(layer), None if lines is None else lines[layer]
            if layer in summed:
                x = self.inputs(layer, state) if inputs is None else inputs[layer]
                total = total + units.log_normalizer(x, line)
                continue
            assert s is not None
            total = total + (units.neg_energy(s) if line is None else units.neg_energy_along(s, line))
        for name in self.edges:
            if set(self.edges[name]) & set(summed):
                continue
            product = self.neg_coupling_energy(name, state)
            t = None if lines is None else lines[self.edges[name][0]].t
            if t is not None:
                product = t.double() * (product.unsqueeze(-1) if t.dim() > product.dim() else product)
            total = total + product
        assert isinstance(total, Tensor)
        return total

    @torch.no_grad()
    def conditional_expectation(self, state: State, colour: int | Sequence[int] = 0) -> LayerExpectations:
        """Replace the layers of one colour, or some of them, by their conditional expectations given the others.

        Exact, and less noisy than a draw (Rao-Blackwell).
        """
        means: list[Tensor] = []
        statistics: list[Natural] = []
        for layer, s in enumerate(state):
            units = self.units(layer)
            if layer in self._layers_of(colour):
                expected = units.expected_statistics(self.inputs(layer, state))
            else:
                assert s is not None
                expected = units.statistics(s)
            means.append(expected[0])
            statistics.append(expected)
        return LayerExpectations(tuple(means), tuple(statistics))

    def base_rate(self) -> tuple[Natural, ...]:
        """Natural parameters of the independent model at the start of every annealing path, one entry per layer.

        Visible units get the stored means (and variances) of the training data; without them (`data_mean` None) the
        means of the model's own mean field.  Hidden layers are neutral: biases 0.
        """
        hidden = [self.units(layer).neutral_natural() for layer in range(1, len(self.names))]
        if self.data_mean is None or self.data_variance is None or self.data_cases is None:
            return self._mean_field_base(), *hidden
        return self.visible.base_rate(self.data_mean, self.data_variance, float(self.data_cases)), *hidden

    @torch.no_grad()
    def _mean_field_base(self, iterations: int = 100) -> Natural:
        means: list[Tensor | None] = [
            units.mean(torch.zeros_like(units.natural()[0]).unsqueeze(-2)) for units in self.unit_layers()
        ]
        for _ in range(iterations):
            for colour in self.colours:
                for layer in colour:
                    old = means[layer]
                    assert old is not None
                    means[layer] = 0.5 * old + 0.5 * self.units(layer).mean(self.inputs(layer, tuple(means)))
        mean = means[0]
        assert mean is not None
        variance = self.visible.variance(self.inputs(0, tuple(means)))
        return self.visible.base_rate(mean.squeeze(-2).double(), variance.squeeze(-2).double(), 1e4)

    def _layers_of(self, colour: int | Sequence[int]) -> Sequence[int]:
        return self.colours[colour] if isinstance(colour, int) else colour
