"""The neural autoregressive distribution estimator (NADE)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Self

import torch
from torch import Tensor, nn

from harmonium import kernels
from harmonium.core.checks import check_int
from harmonium.core.progress import steps
from harmonium.core.random import RandomAddress, Stream, as_stream
from harmonium.kernels.nade import Steps, nade_inputs, portable_inputs
from harmonium.kernels.philox import split
from harmonium.models.arrays import Array
from harmonium.models.autoregressive.orderings import as_ordering
from harmonium.models.conditionals import Conditional, UnitConditional
from harmonium.models.directed import DirectedNetwork, Tractable, as_outputs
from harmonium.models.initial import normal_
from harmonium.models.machine.rbm import RBM
from harmonium.models.model import as_dtype
from harmonium.models.state import Clamp
from harmonium.units import Bernoulli, Units

__all__ = ["NADE"]


class NADE(DirectedNetwork, Tractable):
    """Neural autoregressive distribution estimator with one ordering of the variables (Larochelle & Murray 2011).

    By the chain rule along an ordering o of the variables, p(v) = prod_t p(v_{o_t} | v_{o_1}, ..., v_{o_{t-1}}).  Each
    conditional is a network with one hidden layer, and all of them share its weights (Uria et al. 2016, equations 3
    and 4):

        a_t = c + sum_{s < t} v_{o_s} W_{o_s},   h_t = sigmoid(a_t),   p(v_{o_t} | ...) with the input V_{o_t} . h_t.

    Rows of W and V belong to variables.  The output layer defines the meaning of the input: log-odds of binary
    variables, or parameters of a mixture for real ones (RNADE: Uria, Murray & Larochelle 2013).

    Args:
        visible: visible units: an int or a shape (that many `Bernoulli`), or a unit type.
        hidden: width of the hidden layer.
        ordering: the order in which the variables are drawn, a permutation of 0 ... n - 1.  Default: column order.
        outputs: the output layer, for example ``hm.models.MixtureConditional(n, 10)`` for real variables.  Default: the
            conditional distribution of the visible units.
        rectified: use hidden units max(0, rho_t a_t) with learned factors rho (Uria, Murray & Larochelle 2013, section
            3), since sums of real values would saturate sigmoids.  Default: if the visible units are not finite.
        dtype: float32 or float64.
        seed: of the initial weights.

    Raises:
        ValueError: if the ordering is not a permutation, the hidden layer is empty, or ``outputs`` has other units.

    Log-likelihoods are exact and take O(n hidden) operations per case; binary and categorical units use a fused loop.

    >>> import torch, harmonium as hm
    >>> nade = hm.NADE(4, hidden=3)
    >>> every = nade.visible.states(torch.arange(16))
    >>> round(nade.log_prob(every).exp().sum().item(), 5)
    1.0
    """

    title = "Neural autoregressive estimator (NADE)"

    rescaling: nn.Parameter | None

    def __init__(
        self,
        visible: Units | int | tuple[int, ...],
        hidden: int = 500,
        *,
        ordering: Array | None = None,
        outputs: Conditional | None = None,
        rectified: bool | None = None,
        dtype: torch.dtype = torch.float32,
        seed: int | Stream = 0,
    ) -> None:
        super().__init__()
        self.hidden = check_int("hidden", hidden)
        self.outputs = as_outputs(visible, outputs)
        self.ordering = as_ordering(ordering, self.visible.columns)
        self.steps = Steps.of(self.ordering, self.visible.variable_of_column(), self.outputs.variable_of_column())
        self.weights = nn.Parameter(torch.empty(self.visible.size, self.hidden))
        self.hidden_bias = nn.Parameter(torch.zeros(self.hidden))
        self.output_weights = nn.Parameter(torch.empty(self.outputs.width, self.hidden))
        rectified = not self.visible.finite if rectified is None else rectified
        self.rescaling = nn.Parameter(torch.ones(self.visible.columns)) if rectified else None
        self.to(as_dtype(dtype))
        self.initialise(as_stream(seed))
        self.mark_untrained()

    @classmethod
    def from_rbm(cls, rbm: RBM, ordering: Array | None = None) -> Self:
        """Build a NADE with the weights and biases of an RBM: the mean field from which NADE was derived.

        One step of the mean field for p(v_{o_t} | v_{o_1}, ...), with all unknown means starting at zero, sets the
        hidden units to sigmoid(c + sum of the known v_i W_i) and gives variable o_t the input W_{o_t} . h: NADE with
        V = W (Larochelle & Murray 2011, section 3; Uria et al. 2016, section 2).  All parameters are copied; training
        continues with W and V untied.

        Args:
            rbm: a machine with Bernoulli hidden units.
            ordering: see `NADE`.

        Returns:
            a new NADE on the device of the machine.

        Raises:
            TypeError: for another model.
            ValueError: for hidden units that are not Bernoulli.

        >>> import harmonium as hm
        >>> hm.NADE.from_rbm(hm.RBM(4, 3))
        NADE(Bernoulli(4), hidden=3)
        """
        if not isinstance(rbm, RBM):
            raise TypeError(f"from_rbm takes an RBM, found {type(rbm).__name__}")
        if type(rbm.hidden) is not Bernoulli:
            raise ValueError(f"from_rbm needs Bernoulli hidden units, whose mean is a sigmoid, found {rbm.hidden!r}")
        rbm.refuse_batched("from_rbm")
        nade = cls(copy.deepcopy(rbm.visible), rbm.hidden.size, ordering=ordering, rectified=False, dtype=rbm.dtype)
        nade.to(rbm.device)
        with torch.no_grad():
            nade.weights.copy_(rbm.weights)
            nade.output_weights.copy_(rbm.weights)
            nade.hidden_bias.copy_(rbm.hidden_bias)
        return nade

    @torch.no_grad()
    def initialise(self, stream: Stream) -> None:
        # a_t is of order 1 at the end of the ordering; outputs start close to their biases.
        normal_(self.weights, self.visible.size**-0.5, stream.child("weights"))
        normal_(self.output_weights, 0.1 * self.hidden**-0.5, stream.child("outputs"))
        self.hidden_bias.zero_()
        if self.rescaling is not None:
            self.rescaling.fill_(1.0)

    def weights_to_decay(self) -> Iterator[nn.Parameter]:
        yield from (self.weights, self.output_weights)

    # The distribution --------------------------------------------------------------------------------------------

    def inputs(self, v: Tensor) -> Tensor:
        """Inputs of the output layer for each variable given those before it, (batch, outputs.width)."""
        parts = (v, self.weights, self.hidden_bias, self.output_weights, self.steps)
        if kernels.is_fused(v) and self.rescaling is None:
            return nade_inputs(*parts)
        return portable_inputs(*parts, self._activation)

    def log_likelihood(self, v: Tensor) -> Tensor:
        return self.outputs.log_prob(self.inputs(v), v).sum(-1)

    def log_conditional(self, v: Tensor, asked: Tensor, given: Tensor) -> Tensor:
        for first in (given, asked | given):
            self._check_prefix(self.visible.repeat_per_column(first))
        return torch.where(asked, self.outputs.log_prob(self.inputs(v), v), 0.0).sum(-1)

    @torch.no_grad()
    def draw(self, n: int, stream: Stream, clamp: Clamp | None = None) -> Tensor:
        s, known = self._start(n, clamp)
        held = self.visible.repeat_per_column(known)
        self._check_prefix(held)
        draw = stream.advance()
        loop = self.visible.loops.ancestral
        if isinstance(self.outputs, UnitConditional) and loop and kernels.is_fused(s) and self.rescaling is None:
            return self._draw_fused(s, held, draw)
        a = self.hidden_bias.expand(n, -1)
        x = torch.zeros(n, self.outputs.width, dtype=self.dtype, device=self.device)
        for t in steps(range(self.visible.columns), "variable"):
            outputs, own = self.steps.outputs_of(t), self.steps.inputs_of(t)
            x[:, outputs] = self._activation(a, t) @ self.output_weights[outputs].mT
            s[:, own] = torch.where(held[:, own], s[:, own], self.outputs.sample(x, draw)[:, own])
            a = torch.addmm(a, s[:, own], self.weights[own])
        return s

    def _draw_fused(self, s: Tensor, held: Tensor, draw: RandomAddress) -> Tensor:
        units = self.visible
        slope, start = (tuple(eta.detach().unsqueeze(0).numpy() for eta in part) for part in units.line()[1:3])
        units.loops.ancestral(
            s.numpy(), held.numpy(), self.weights.detach().numpy(), self.output_weights.detach().numpy(),
            self.hidden_bias.detach().double().repeat(len(s), 1).numpy(), self.steps.inputs,
            slope, start, units.constant, draw.first, *split(draw.key, draw.step, draw.site),
        )  # fmt: skip
        return s

    def _activation(self, a: Tensor, t: int) -> Tensor:
        return torch.sigmoid(a) if self.rescaling is None else torch.relu(self.rescaling[int(self.ordering[t])] * a)

    def _check_prefix(self, held: Tensor) -> None:
        along = held[:, torch.from_numpy(self.steps.inputs).to(held.device)]
        late = along[:, 1:] & ~along[:, :-1]
        if bool(late.any()):
            row, place = (int(i) for i in late.nonzero()[0])
            raise ValueError(
                f"a NADE with one ordering can only condition on its first variables, and in row {row} the variable at "
                f"place {place + 1} of the ordering is held or asked for while the one before it is not: choose an "
                "ordering that starts with the known variables, or use an OrderlessNADE"
            )

    def config(self) -> dict[str, Any]:
        plain = torch.equal(self.ordering, torch.arange(self.visible.columns))
        return super().config() | {
            "hidden": self.hidden,
            "ordering": None if plain else self.ordering.tolist(),
            "rectified": self.rescaling is not None,
        }

    def __repr__(self) -> str:
        return f"NADE({self.visible!r}, hidden={self.hidden}{self._repr_of_outputs()})"
