"""One machine for the whole family: layers of units plus couplings between them.

The energy of a joint state s = (s_0, s_1, ...) is

    E(s) = sum_i U_i(s_i) - sum_(i,j) s_i . W_ij . s_j,

U_i being the energy of layer i alone.  W_ij has shape (n_i, n_j): its row index belongs to the first layer named, and
this is the only orientation in the library.  Layers of one *colour* share no coupling, so that they are independent
given the rest and are updated together; a *sweep* updates every colour once.  A restricted Boltzmann machine is two
layers of two colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from harmonium import kernels
from harmonium.random import Stream
from harmonium.units import Line, Natural, Units

__all__ = ["Clamp", "Machine", "Moments", "Phase", "State"]

State = tuple[Tensor | None, ...]
"""One tensor (..., batch, n_i) per layer; None where a layer is not set."""

Moments = dict[str, Tensor]
"""Expectations that form a gradient, by parameter name: "weights", "visible_bias", ..."""

Clamp = tuple[Tensor, Tensor]
"""(mask, values) over the visible units: where the mask is true the value is held."""


BUFFERS = ("data_mean", "data_variance", "data_cases", "chains")
"""What training leaves in a model besides parameters; None before."""


class Phase(NamedTuple):
    """What a batch contributes to a gradient: (expected) states and sufficient statistics of every layer."""

    means: tuple[Tensor, ...]
    statistics: tuple[Natural, ...]


class Machine(nn.Module):
    """Layers, couplings and colour classes.

    Args:
        layers: unit layers by name; the first ``visible`` of them are visible.
        couplings: pairs of layer names by coupling name; W has shape (n_first, n_second).
        colours: layer names updated together, in the order of a sweep.  Colour 0 is the one summed out of weights.
    """

    data_mean: Tensor | None
    data_variance: Tensor | None
    data_cases: Tensor | None
    chains: Tensor | None

    def __init__(
        self,
        layers: dict[str, Units],
        couplings: dict[str, tuple[str, str]],
        colours: Sequence[Sequence[str]],
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.names = list(layers)
        self._units_of = tuple(layer.to(dtype) for layer in layers.values())  # module lists are slow to look into
        self.layers = nn.ModuleList(self._units_of)
        self.edges = {name: (self.names.index(a), self.names.index(b)) for name, (a, b) in couplings.items()}
        self.couplings = nn.ParameterDict(
            {
                name: torch.zeros(self.units(a).size, self.units(b).size, dtype=dtype)
                for name, (a, b) in self.edges.items()
            }
        )
        self.colours = [[self.names.index(name) for name in colour] for colour in colours]
        for buffer in BUFFERS:
            self.register_buffer(buffer, None)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # A fresh model has no room for what training left in another: make some, so that load_state_dict works.
        for name in BUFFERS:
            if getattr(self, name) is None and prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name]))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def units(self, layer: int) -> Units:
        """The units of a layer."""
        return self._units_of[layer]

    @property
    def fresh(self) -> bool:
        """Whether the parameters are still those of the constructor, so that training may initialise them."""
        return self._untouched == self._versions()

    def mark_fresh(self) -> None:
        """Call the present parameters those of the constructor."""
        self._untouched = self._versions()

    def _versions(self) -> list[tuple[int, int]]:
        # torch counts every change in place; a replaced parameter is another object.
        return [(id(parameter), parameter._version) for parameter in self.parameters()]

    @property
    def visible(self) -> Units:
        """The visible layer."""
        return self.units(0)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the parameters."""
        return self.visible.natural()[0].dtype

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return self.visible.natural()[0].device

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """All parameters under the names that gradients use: "weights", "visible_bias", ..."""
        named: dict[str, nn.Parameter] = {name: self.couplings[name] for name in self.edges}
        for name, layer in zip(self.names, self._units_of, strict=True):
            for key, parameter in layer._parameters.items():  # asked for in every update: the generators are slow
                assert parameter is not None
                named[f"{name}_{key}"] = parameter
        return named

    # Conditionals ------------------------------------------------------------------------------------------------

    def inputs(self, layer: int, state: State) -> Tensor:
        """What the other layers send to ``layer``: the sum of s_i . W over its couplings, (..., batch, n)."""
        return self.gather(layer, self.senders(layer), state)

    def senders(self, layer: int, lasting: bool = False) -> list[tuple[int, Tensor]]:
        """Neighbours of a layer, each with the matrix that turns its states into inputs.

        ``lasting`` says that the matrices serve many products before the couplings change, so that one worth turning
        over in memory is: they are then copies.
        """
        senders: list[tuple[int, Tensor]] = []
        for name, (a, b) in self.edges.items():
            if layer == b:
                senders.append((a, self.couplings[name]))
            elif layer == a:
                turned = self.couplings[name].mT
                senders.append((b, turned.detach().contiguous() if lasting else turned))
        return senders

    def gather(self, layer: int, senders: list[tuple[int, Tensor]], state: Sequence[Tensor | None]) -> Tensor:
        """`inputs`, with the neighbours already looked up (see `senders`)."""
        total: Tensor | None = None
        for other, weights in senders:
            s = state[other]
            if s is not None:
                sent = kernels.product(s, weights)
                total = sent if total is None else total.add_(sent)
        if total is None:
            raise ValueError(f"no neighbour of layer {self.names[layer]!r} is set")
        return total

    @torch.no_grad()
    def sweep(
        self,
        state: State,
        stream: Stream,
        steps: int = 1,
        lines: Sequence[Line] | None = None,
        clamp: Clamp | None = None,
    ) -> State:
        """Block Gibbs sampling: every colour in turn, ``steps`` times (Fischer & Igel 2014, section 3.3 and 4.1).

        Each step takes one step of the stream; a layer's index is the site of its draws.  ``lines`` places every row
        of the batch on a line between models, one line per layer.
        """
        order = [layer for colour in self.colours for layer in colour]
        lines = lines or [units.line() for units in self._units()]
        # Looked up once: a small machine's sweep would otherwise be look-ups more than products.
        lasting = steps >= 4
        plan = [(layer, self.units(layer), self.senders(layer, lasting), lines[layer]) for layer in order]
        current = list(state)
        for _ in range(steps):
            draw = stream.advance()
            for layer, units, senders, line in plan:
                s = units.sample_(self.gather(layer, senders, current), draw.at(layer), line)
                current[layer] = s if layer or clamp is None else torch.where(clamp[0], clamp[1], s)
        return tuple(current)

    @torch.no_grad()
    def average(self, state: State, colour: int = 0) -> Phase:
        """Replace the layers of one colour by their conditional expectations given the others: exact, and with less
        noise than a draw (Rao-Blackwell)."""
        means: list[Tensor] = []
        statistics: list[Natural] = []
        for layer, s in enumerate(state):
            units = self.units(layer)
            if layer in self.colours[colour]:
                expected = units.expected_statistics(self.inputs(layer, state))
            else:
                assert s is not None
                expected = units.statistics(s)
            means.append(expected[0])
            statistics.append(expected)
        return Phase(tuple(means), tuple(statistics))

    def clamped(self, v: Tensor) -> State:
        """The state in which only the visible layer is set."""
        return (v, *[None] * (len(self.names) - 1))

    def infer(self, v: Tensor) -> Phase:
        """The clamped phase: expectations under p(hidden | v).  Exact where the hidden layers share no coupling."""
        return self.average(self.clamped(v))

    # Gradients ---------------------------------------------------------------------------------------------------

    def moments(self, phase: Phase, weight: Tensor | None = None) -> Moments:
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
    def layer_moments(self, phase: Phase, weight: Tensor | None = None) -> Moments:
        """The part of `moments` that belongs to the layers: "visible_bias", "hidden_bias", ..."""
        share = None if weight is None else _share(weight).unsqueeze(-2)
        moments: Moments = {}
        for name, layer, statistics in zip(self.names, self._units_of, phase.statistics, strict=True):
            means = tuple(T.mean(-2) if share is None else (share @ T).squeeze(-2) for T in statistics)
            moments |= {f"{name}_{key}": value for key, value in layer.pull(means).items()}
        return moments

    @torch.no_grad()
    def add_coupling_moment(
        self, out: Tensor, name: str, phase: Phase, weight: Tensor | None = None, scale: float = 1.0, keep: float = 1.0
    ) -> Tensor:
        """out = keep * out + scale * mean over the batch of s_a s_b', for the coupling ``name``; in place."""
        a, b = self.edges[name]
        left, right = phase.means[a], phase.means[b]
        if weight is None:
            scale /= max(left.shape[-2], right.shape[-2])
        else:
            left = left * _share(weight).unsqueeze(-1)
        if out.dim() == left.dim() == right.dim() == 2:
            return out.addmm_(left.mT, right, beta=keep, alpha=scale)
        product = (left.mT @ right).mul_(scale)
        return out.copy_(product) if keep == 0 else out.mul_(keep).add_(product)

    @torch.no_grad()
    def coupling_difference(
        self,
        out: Tensor,
        name: str,
        plus: tuple[Phase, Tensor | None],
        minus: tuple[Phase, Tensor | None],
    ) -> Tensor:
        """The moment of the coupling ``name`` under ``plus`` less that under ``minus``, each a phase with its weights.

        In ``out``, or in memory of its own.
        """
        a, b = self.edges[name]
        if not self.stacked:
            pairs = [
                (phase.means[a], phase.means[b] * (1 / len(phase.means[b]) if w is None else _share(w).unsqueeze(-1)))
                for phase, w in (plus, minus)
            ]
            difference = kernels.difference_of_outers(*pairs)
            if difference is not None:
                return difference
        self.add_coupling_moment(out, name, *plus, keep=0.0)
        return self.add_coupling_moment(out, name, *minus, scale=-1.0)

    # Energies and weights ----------------------------------------------------------------------------------------

    def joint_energy(self, state: Sequence[Tensor]) -> Tensor:
        """E(s) of joint states, (..., batch), float64."""
        energy = sum(self.units(i).energy(s) for i, s in enumerate(state))
        for name, (a, b) in self.edges.items():
            energy = energy - ((state[a].double() @ self.couplings[name].double()) * state[b]).sum(-1)
        assert isinstance(energy, Tensor)
        return energy

    def log_weight(
        self,
        state: State,
        colour: int = 0,
        lines: Sequence[Line] | None = None,
        inputs: dict[int, Tensor] | None = None,
    ) -> Tensor:
        """log of the unnormalised probability of the other layers' states with one colour summed out.

        Shape (..., batch), float64; with ``lines`` whose t is (..., batch, points): (..., batch, points).  The inputs
        of the summed-out layers may be passed where they are known.
        """
        summed = self.colours[colour]
        total: Tensor | float = 0.0
        for layer, s in enumerate(state):
            units, line = self.units(layer), None if lines is None else lines[layer]
            if layer in summed:
                x = self.inputs(layer, state) if inputs is None else inputs[layer]
                total = total + units.cumulant(x, line)
                continue
            assert s is not None
            if line is None:
                total = total + units.exponent(s)
                continue
            assert line.t is not None
            slope, start = units.exponents(s, (line.slope, line.start)).unbind(-1)
            if line.t.dim() == s.dim():
                slope, start = slope.unsqueeze(-1), start.unsqueeze(-1)
            total = total + start + line.t.double() * slope
        assert isinstance(total, Tensor)
        return total

    @property
    def stacked(self) -> bool:
        """Whether parameters have leading dimensions: a stack of models."""
        return self.visible.natural()[0].dim() > 1

    def refuse_stack(self, function: str) -> None:
        """Raise ValueError for a stack of models, where ``function`` takes one."""
        if self.stacked:
            raise ValueError(f"{function} takes one model at a time, found a stack: build each with RBM.from_arrays")

    # Base rate ---------------------------------------------------------------------------------------------------

    def base_rate(self) -> tuple[Natural, ...]:
        """Natural parameters of the independent model at the start of every path, one entry per layer.

        Visible units have the stored means (and variances) of the training data; without them (`data_mean` None) the
        means of the model's own mean field.  Hidden layers are at rest.
        """
        rest = [self.units(layer).rest() for layer in range(1, len(self.names))]
        if self.data_mean is None or self.data_variance is None or self.data_cases is None:
            return self._mean_field_base(), *rest
        return self.visible.base_rate(self.data_mean, self.data_variance, float(self.data_cases)), *rest

    @torch.no_grad()
    def _mean_field_base(self, iterations: int = 100) -> Natural:
        means: list[Tensor | None] = [
            units.mean(torch.zeros_like(units.natural()[0]).unsqueeze(-2)) for units in self._units()
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

    def _units(self) -> Iterator[Units]:
        return iter(self._units_of)

    def constrain(self) -> None:
        """Bring all parameters back into their bounds after an update."""
        for units in self._units():
            units.constrain()

    def initialise(self, stream: Stream) -> None:
        """Draw the parameters that training starts from."""
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """JSON-able arguments that build this machine again (see `harmonium.models.store`)."""
        raise NotImplementedError


def _share(weight: Tensor) -> Tensor:
    return weight / weight.sum(-1, keepdim=True)
