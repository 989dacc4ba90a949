"""Deep belief networks: directed layers of units below a restricted Boltzmann machine."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from harmonium.core.random import Stream, as_stream
from harmonium.core.registry import Registered, build
from harmonium.models.arrays import Array, as_batch
from harmonium.models.deep.to_torch import linear, need_bernoulli, to_classes
from harmonium.models.machine.rbm import RBM
from harmonium.models.model import Model
from harmonium.units import Bernoulli, Units, as_units
from harmonium.units.joint import joint_log_density

__all__ = ["DBN"]

ROWS = 4096  # importance samples per batch, to bound memory


class DBN(Model):
    """A deep belief network (Hinton, Osindero & Teh 2006).

    With h_0 = v and L machines, the joint distribution is

        p(v, h_1, ..., h_L) = p(h_{L-1}, h_L) prod_{k=1}^{L-1} p(h_{k-1} | h_k),

    where p(h_{L-1}, h_L) is the top RBM and p(h_{k-1} | h_k) the visible conditional of the k-th machine.  The
    posterior is approximated from the bottom up by q(h_k | h_{k-1}), the hidden conditional of the k-th machine of the
    *recognition* model: the same machines until up-down training unties them.

    Train it with `harmonium.greedy`, then optionally with `harmonium.up_down`; evaluate it with `harmonium.evaluate`.

    Args:
        layers: the units of every layer from the visible one up, at least two; an int or a shape means that many
            `Bernoulli` units.  Layers between the first and the last must be Bernoulli: they are the hidden units of
            one machine and the visible units of the next.
        dtype: float32 or float64.
        seed: of the initial weights of all machines.

    Attributes:
        rbms: the machines from the bottom up: the generative model.

    Raises:
        ValueError: for fewer than two layers, or units that a layer cannot have.

    >>> import harmonium as hm
    >>> dbn = hm.DBN([6, 4, 3])
    >>> [mean.shape[1] for mean in dbn.hidden_means([[0, 1, 1, 0, 0, 1]])]
    [4, 3]
    """

    title = "Deep belief network"

    recognition: nn.ModuleList | None

    def __init__(
        self,
        layers: Sequence[Units | int | tuple[int, ...]],
        *,
        dtype: torch.dtype = torch.float32,
        seed: int | Stream = 0,
    ) -> None:
        super().__init__()
        if isinstance(layers, (int, str, Units)) or len(layers) < 2:
            raise ValueError(f"layers must be a list of at least two, such as [784, 500, 2000], found {layers!r}")
        units = [as_units(layer, Bernoulli, f"layers[{k}]") for k, layer in enumerate(layers)]
        stream = as_stream(seed)
        self.rbms = nn.ModuleList(
            RBM(copy.deepcopy(below), copy.deepcopy(above), dtype=dtype, seed=stream.child("layer", k))
            for k, (below, above) in enumerate(itertools.pairwise(units))
        )
        self.recognition = None
        _check_stack(self.machines)

    @classmethod
    def from_rbms(cls, rbms: Sequence[RBM], recognition: Sequence[RBM] | None = None) -> Self:
        """Build a DBN from trained machines, which are not copied.

        Args:
            rbms: from the bottom up; the hidden layer of each is the visible layer of the next.
            recognition: machines whose hidden conditionals approximate the posterior, one less than ``rbms``; None:
                the same machines.

        Raises:
            ValueError: if widths or unit types of neighbours do not match.

        >>> import harmonium as hm
        >>> hm.DBN.from_rbms([hm.RBM(6, 4), hm.RBM(4, 3)])
        DBN([Bernoulli(6), Bernoulli(4), Bernoulli(3)])
        """
        if not rbms:
            raise ValueError("rbms is empty: give at least one machine")
        dbn = cls.__new__(cls)
        Model.__init__(dbn)
        dbn.rbms = nn.ModuleList(rbms)
        dbn.recognition = None if recognition is None else nn.ModuleList(recognition)
        _check_stack(dbn.machines)
        if recognition is not None:
            shapes = [[tuple(rbm.weights.shape) for rbm in machines] for machines in (dbn.machines[:-1], recognition)]
            if shapes[0] != shapes[1]:
                raise ValueError(f"recognition has weights of shapes {shapes[1]}, expected {shapes[0]}")
        return dbn

    # Machines ----------------------------------------------------------------------------------------------------

    @property
    def machines(self) -> list[RBM]:
        """The generative machines as a list."""
        return list(self.rbms)  # type: ignore[arg-type]

    @property
    def top(self) -> RBM:
        """The top RBM, the only part with a partition function."""
        return self.machines[-1]

    @property
    def encoders(self) -> list[RBM]:
        """The machines whose hidden conditionals are q(h_k | h_{k-1}), the top one included."""
        below: list[RBM] = self.machines[:-1] if self.recognition is None else list(self.recognition)  # type: ignore[arg-type]
        return [*below, self.top]

    @property
    def visible(self) -> Units:
        """The visible layer."""
        return self.machines[0].visible

    def initialise(self, stream: Stream) -> None:
        for k, rbm in enumerate(self.machines):
            rbm.initialise(stream.child("layer", k))

    @property
    def energy_part(self) -> RBM:
        return self.top

    @property
    def likelihood_is_estimated(self) -> bool:
        return True

    def untie(self) -> None:
        """Give the recognition model its own parameters, initially equal to the generative ones."""
        if self.recognition is None:
            self.recognition = nn.ModuleList(copy.deepcopy(rbm) for rbm in self.machines[:-1])

    def config(self) -> dict[str, Any]:
        return Registered.config(self) | {
            "rbms": [rbm.config() for rbm in self.machines],
            "recognition": None if self.recognition is None else [rbm.config() for rbm in self.encoders[:-1]],
        }

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        own = arguments["recognition"]
        return cls.from_rbms([build(rbm) for rbm in arguments["rbms"]], own and [build(rbm) for rbm in own])

    # Upward and downward passes ----------------------------------------------------------------------------------

    @torch.no_grad()
    def hidden_means(self, v: Array) -> list[Tensor]:
        """Mean field from the bottom up: m_k = E_q[h_k | h_{k-1} = m_{k-1}], each (batch, n_k).

        Args:
            v: cases, (batch, n_visible).

        Raises:
            ValueError: for another shape.
        """
        mean, means = as_batch(v, self.machines[0], "v"), []
        for rbm in self.encoders:
            mean = rbm.hidden_mean(mean)
            means.append(mean)
        return means

    @torch.no_grad()
    def sample_up(self, v: Array, stream: Stream) -> list[Tensor]:
        """Draw (h_1, ..., h_{L-1}) from q given v: all layers below the top one.  Takes L - 1 steps of the stream."""
        state, states = as_batch(v, self.machines[0], "v"), []
        for rbm in self.encoders[:-1]:
            state = rbm.sample_hidden(state, stream)
            states.append(state)
        return states

    @torch.no_grad()
    def sample_down(self, h: Array, stream: Stream) -> list[Tensor]:
        """Draw (h_{L-2}, ..., h_1, v) given h_{L-1}: one ancestral pass.  Takes L - 1 steps of the stream.

        The list is empty for a DBN of a single machine: h is then v.
        """
        state, states = as_batch(h, self.top, "h"), []
        for rbm in reversed(self.machines[:-1]):
            state = rbm.sample_visible(state, stream)
            states.append(state)
        return states

    @torch.no_grad()
    def log_weights(self, v: Array, stream: Stream, samples: int = 1) -> Tensor:
        """log of p*(v, h_1, ..., h_{L-1}) / q(h_1, ..., h_{L-1} | v) for draws of q, (samples, batch), float64.

        p* is p times Z of the top machine, whose hidden layer is summed out.  The expectation of exp(log-weight) is
        Z p(v) (Salakhutdinov & Murray 2008, section 5); that of the log-weight is the variational bound
        E_q[log p*] + H(q) <= log p(v) + log Z.
        """
        v = as_batch(v, self.machines[0], "v")
        at_once = max(1, ROWS // len(v))
        rows = [min(at_once, samples - done) for done in range(0, samples, at_once)]
        return torch.cat([self._log_weight(v.repeat(count, 1), stream).view(count, -1) for count in rows])

    def _log_weight(self, v: Tensor, stream: Stream) -> Tensor:
        states = [v, *self.sample_up(v, stream)]
        total = self.top.log_weight((states[-1], None))
        for rbm, encoder, below, above in zip(self.machines, self.encoders, states, states[1:], strict=False):
            total = total + _log_conditional(rbm, 0, (None, above), below)
            total = total - _log_conditional(encoder, 1, (below, None), above)
        return total

    # Networks ----------------------------------------------------------------------------------------------------

    def to_classifier(self, n_classes: int, seed: int | Stream = 0) -> nn.Sequential:
        """Build a feed-forward classifier Linear, Sigmoid, ..., Linear whose hidden activations are `hidden_means`.

        Args:
            n_classes: number of classes.
            seed: of the weights of the last layer, which have standard deviation 0.01; its biases are 0.

        Returns:
            a network from v (batch, n_visible) to logits (batch, n_classes), with copies of the parameters.

        Raises:
            ValueError: for fewer than two classes, or hidden units that are not Bernoulli.

        >>> import torch, harmonium as hm
        >>> hm.DBN([6, 4, 3]).to_classifier(10)(torch.zeros(1, 6)).shape
        torch.Size([1, 10])
        """
        need_bernoulli("to_classifier", self.top.hidden)
        return nn.Sequential(*self._encoder(), to_classes(self.top.hidden_bias, n_classes, seed))

    def to_autoencoder(self) -> nn.Sequential:
        """Unroll into an autoencoder: up by q, down by the transposed generative weights (Hinton & Salakhutdinov 2006).

        Linear and Sigmoid layers; the code is the mean of the top hidden layer, the output the mean of v given the
        layer above.

        Returns:
            a network from v (batch, n_visible) to reconstructions, with copies of the parameters.

        Raises:
            ValueError: if a layer, including the visible one, is not Bernoulli.

        >>> import torch, harmonium as hm
        >>> hm.DBN([6, 4, 3]).to_autoencoder()(torch.zeros(1, 6)).shape
        torch.Size([1, 6])
        """
        need_bernoulli("to_autoencoder", self.visible, self.top.hidden)
        decoder: list[nn.Module] = []
        for rbm in reversed(self.machines):
            decoder += [linear(rbm.weights.mT, rbm.visible_bias), nn.Sigmoid()]
        return nn.Sequential(*self._encoder(), *decoder)

    def _encoder(self) -> list[nn.Module]:
        encoder: list[nn.Module] = []
        for rbm in self.encoders:
            encoder += [linear(rbm.weights, rbm.hidden_bias), nn.Sigmoid()]
        return encoder

    def __repr__(self) -> str:
        units = [self.visible, *(rbm.hidden for rbm in self.machines)]
        return f"DBN([{', '.join(map(repr, units))}])"


def _log_conditional(rbm: RBM, layer: int, given: tuple[Tensor | None, Tensor | None], s: Tensor) -> Tensor:
    """log p(s | the other layer), (batch,), float64."""
    return joint_log_density(rbm.units(layer).conditioned_on_total(s), rbm.inputs(layer, given), s)


def _check_stack(rbms: Sequence[RBM]) -> None:
    """Raise ValueError unless the visible layer of every machine is the hidden layer of the one below."""
    for k, (below, above) in enumerate(itertools.pairwise(rbms), start=1):
        for units in (below.hidden, above.visible):
            if type(units) is not Bernoulli:
                raise ValueError(
                    f"layer {k} is shared by two machines and must be Bernoulli, found {units!r}: only the first and "
                    "the last layer can have other units"
                )
        if below.hidden.size != above.visible.size:
            raise ValueError(
                f"machine {k} has {below.hidden.size} hidden units, but machine {k + 1} has {above.visible.size} "
                "visible ones: they are the same layer"
            )
        if below.dtype != above.dtype:
            raise ValueError(f"machine {k} is {below.dtype}, machine {k + 1} {above.dtype}: give all one dtype")
