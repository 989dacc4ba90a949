"""A network on top of a Gaussian copula, for tables: what is linear among ordered columns need not be learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from harmonium.core.random import Stream
from harmonium.core.registry import Registered
from harmonium.models.autoregressive.normal import log_normal, normal_covariance, regression
from harmonium.models.autoregressive.observed_mask import (
    IncrementalPass,
    MaskedNetwork,
    check_dropout,
    check_hidden,
    draw_layers,
    layers,
    linears,
    rectified,
)  # fmt: skip
from harmonium.models.conditionals import Conditional

__all__ = ["CopulaNetwork"]

SHRINKAGES = (0.0, 1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0)
LEAST_VARIANCE = 1e-3
WIDEST = 2.0  # scores at which the outermost of the bell-shaped functions are
LEAST_ODDS = 60.0  # of a state, against its base rate


class CopulaNetwork(MaskedNetwork):
    """Layers of rectified linear units whose outputs are added to those of a Gaussian copula.

    Every state k of an ordered variable i has a normal score z_k.  Under a joint normal distribution of the scores, the
    score of an unobserved variable given the observed ones is normal with a mean m and a variance s^2, which are linear
    algebra for any set of observed variables.  With the variance t^2 that the score has if nothing is observed, state k
    has the log-odds against its base rate

        z_k^2 / (2 t^2) - (z_k - m)^2 / (2 s^2),

    where t^2 < 1 for coarse states: the middle of a share is nearer to 0 than most of it.

    To these the network adds its own outputs.  It sees values, mask, and all m and log s.  An untrained network is a
    Gaussian copula with the margins of the base rate.

    An ordered variable with many states for the number of cases is smooth: the network sees its score through a few
    bell-shaped functions in the place of its states, and its outputs are mixtures of them.

    Args:
        size: number of visible units.
        columns: number of visible variables.
        width: number of outputs, equal to ``size``.
        hidden: units of each hidden layer.
        scores: for each variable, the scores of its states, or None if it is not ordered.
        bells: for each variable, the number of bell-shaped functions, or 0 if it is not smooth.  Default: none is.
        dropout: probability with which each hidden unit is left out of a case in training (Srivastava et al. 2014).
        dtype: float32 or float64.

    Raises:
        ValueError: for scores of other variables.
    """

    covariance: Tensor
    of_unit: Tensor
    owner: Tensor
    basis: Tensor
    within: Tensor

    def __init__(
        self, size: int, columns: int, width: int, hidden: Sequence[int], scores: Sequence[Sequence[float] | None],
        bells: Sequence[int] | None = None, dropout: float = 0.0, *, dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        super().__init__()
        if len(scores) != columns:
            raise ValueError(f"scores has {len(scores)} entries; expected one for each of the {columns} variables")
        self.size, self.hidden, self.dropout = size, check_hidden(hidden), check_dropout(dropout)
        self.scores = [None if each is None else [float(z) for z in each] for each in scores]
        self.ordered = [i for i, each in enumerate(self.scores) if each is not None]
        n = len(self.ordered)
        self.bells = [0] * columns if bells is None else list(bells)
        if len(self.bells) != columns or any(
            count and each is None for count, each in zip(self.bells, self.scores, strict=True)
        ):
            raise ValueError(f"bells must be a number for each of the {columns} variables, 0 for those without scores")
        smooth = [
            (count, len(each))
            for count, each in zip(self.bells, self.scores, strict=True)
            if count and each is not None
        ]
        self.features = size + sum(count - states for count, states in smooth)
        self.layers = layers((self.features + columns + 3 * n, *self.hidden, self.features), dtype)
        # What the network sees of each state; the same functions make up its outputs.
        self.register_buffer("basis", torch.zeros(size, self.features, dtype=dtype), persistent=False)
        self.register_buffer("covariance", torch.eye(n, dtype=torch.float64))
        # Of each unit: its score, and whether it is a state of the variable.
        self.register_buffer("of_unit", torch.zeros(size, n, dtype=torch.float64), persistent=False)
        self.register_buffer("owner", torch.zeros(size, n, dtype=torch.float64), persistent=False)
        self.register_buffer("within", torch.zeros(n, dtype=torch.float64), persistent=False)

    def place(self, states: Sequence[int]) -> None:
        """Say how many states each variable has, and so which units belong to it."""
        start, column, feature = 0, 0, 0
        for i, count in enumerate(states):
            own = self.scores[i]
            block = torch.eye(count) if not self.bells[i] or own is None else _bells(torch.tensor(own), self.bells[i])
            self.basis[start : start + count, feature : feature + block.shape[1]] = block.to(self.basis)
            feature += block.shape[1]
            if own is not None:
                z = torch.tensor(own, dtype=torch.float64)
                self.of_unit[start : start + count, column] = z
                self.owner[start : start + count, column] = 1.0
                self.within[column] = float(z.diff().median() ** 2 / 12) if len(z) > 1 else 0.0
                column += 1
            start += count

    @torch.no_grad()
    def estimate(self, v: Tensor, validation: Tensor) -> None:
        """Estimate the covariance of the scores; it is shrunk to its diagonal as far as validation asks for.

        Args:
            v: encoded cases (n, size), NaN where they are missing.
            validation: others, (m, size), by whose normal likelihood the shrinkage is chosen.
        """
        if not self.ordered:
            return
        full = normal_covariance(*self._observed_scores(v))
        z, there = self._observed_scores(validation)
        diagonal = torch.diag(full.diagonal())
        best = -float("inf")
        for share in SHRINKAGES:
            shrunk = (1 - share) * full + share * diagonal
            value = float(log_normal(z, there, shrunk).mean())
            if value > best:
                best = value
                self.covariance.copy_(shrunk)

    def _observed_scores(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the ordered variables, 0 where they are missing, and where they are there, (batch, ordered)."""
        there = ~torch.isnan(v)
        z = v.nan_to_num(0.0).double() @ self.of_unit.double()
        return z, (there.to(torch.float64) @ self.owner.double()) > 0

    def given(self, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores of observed variables, and mean and variance of the others given them, (batch, ordered) each.

        Args:
            v: encoded values (batch, size), zero for variables that are not observed.
            mask: which variables are observed, (batch, columns).
        """
        seen = mask[:, self.ordered].double()
        z = (v.double() @ self.of_unit.double()) * seen
        sets, which = torch.unique(seen, dim=0, return_inverse=True)  # one along an ordering, many in training
        weights, spread = regression(sets, self.covariance.double())
        variance = spread.diagonal(dim1=-2, dim2=-1).clamp(min=LEAST_VARIANCE) + self.within.double()
        mean = (weights[which] * z.unsqueeze(-1)).sum(1)
        return z, torch.where(seen > 0, 0.0, mean), torch.where(seen > 0, 1.0, variance[which])

    @torch.no_grad()
    def copula(self, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What the network sees of the copula, (batch, 3 ordered), and the log-odds of all states, (batch, size)."""
        if not self.ordered:
            return v.new_zeros(len(v), 0), v.new_zeros(len(v), self.size)
        z, mean, variance = self.given(v, mask)
        unseen = mask[:, self.ordered].double() == 0
        alone = self.covariance.double().diagonal().clamp(min=LEAST_VARIANCE) + self.within.double()
        before = torch.where(unseen, alone, 1.0)
        terms = torch.cat((mean / variance, 0.5 * (1 / before - 1 / variance), -0.5 * mean * mean / variance), -1)
        odds = terms @ self._powers()
        seen = torch.cat((z, mean, 0.5 * variance.log()), -1).to(v.dtype)
        return seen, odds.clamp(min=-LEAST_ODDS).to(v.dtype)

    def _powers(self) -> Tensor:
        """Score, square of the score and 1 of each state, (3 ordered, size), for its own variable."""
        score = self.of_unit.double()
        return torch.cat((score, score * score, self.owner.double()), 1).mT

    def forward(self, v: Tensor, mask: Tensor) -> Tensor:
        return self._outputs(v, mask, None)

    def training_forward(self, v: Tensor, mask: Tensor, noise: Stream) -> Tensor:
        return self._outputs(v, mask, noise)

    def _outputs(self, v: Tensor, mask: Tensor, noise: Stream | None) -> Tensor:
        seen, odds = self.copula(v, mask)
        smooth = any(self.bells)
        inputs = torch.cat((v @ self.basis if smooth else v, mask, seen), -1)
        x = rectified(self.layers, inputs, self.dropout, noise)
        return (x @ self.basis.mT if smooth else x) + odds

    def weights_by_state(self) -> tuple[Tensor, Tensor]:
        """Weights of the first layer, (hidden, size + columns + 3 ordered), and of the last one, (size, hidden).

        They are those of a network that sees the states themselves.
        """
        first, *_, last = linears(self.layers)
        own = first.weight[:, : self.features] @ self.basis.mT
        return torch.cat((own, first.weight[:, self.features :]), 1), self.basis @ last.weight

    def initialise(self, stream: Stream) -> None:
        draw_layers(self.layers, stream)

    def incremental(self, v: Tensor, mask: Tensor) -> IncrementalPass:
        return _Pass(self, v, mask)

    def config(self) -> dict[str, Any]:
        return Registered.config(self) | {
            "hidden": list(self.hidden), "scores": self.scores, "bells": self.bells, "dropout": self.dropout,
        }  # fmt: skip

    @classmethod
    def for_outputs(cls, outputs: Conditional, **arguments: Any) -> Self:
        units = outputs.units
        network = cls(units.size, units.columns, outputs.width, **arguments)
        network.place(torch.bincount(units.variable_of_column(), minlength=units.columns).tolist())
        return network

    def __repr__(self) -> str:
        return f"CopulaNetwork(hidden={self.hidden}, ordered={len(self.ordered)})"


class _Pass(IncrementalPass):
    """An incremental pass that keeps the inputs of the first layer, and computes the outputs that are asked for."""

    def __init__(self, network: CopulaNetwork, v: Tensor, mask: Tensor) -> None:
        self.network, self.v, self.mask = network, v.clone(), mask.clone()
        first, *self.middle, _ = linears(network.layers)
        weight, self.last = network.weights_by_state()
        own = network.size + mask.shape[1]
        self.of_state, self.of_copula = weight[:, :own].mT, weight[:, own:].mT
        self.inputs = torch.addmm(first.bias, torch.cat((v, mask), -1), self.of_state)

    def logits(self, outputs: slice) -> Tensor:
        seen, odds = self.network.copula(self.v, self.mask)
        h = torch.relu(torch.addmm(self.inputs, seen, self.of_copula))
        for layer in self.middle:
            h = torch.relu(layer(h))
        return functional.linear(h, self.last[outputs]) + odds[:, outputs]

    def set_units(self, column: int, units: slice, values: Tensor, rows: Tensor) -> None:
        seen = rows.to(values.dtype).unsqueeze(-1)
        self.v[:, units] = torch.where(rows.unsqueeze(-1), values, self.v[:, units])
        self.mask[:, column] = torch.where(rows, 1.0, self.mask[:, column])
        at = self.network.size + column
        self.inputs = torch.addmm(
            self.inputs,
            torch.cat((values * seen, seen), -1),
            torch.cat((self.of_state[units], self.of_state[at : at + 1])),
        )


def _bells(scores: Tensor, count: int) -> Tensor:
    """Bell-shaped functions at evenly spaced centres, which sum to one at each score, (states, count)."""
    centres = torch.linspace(-WIDEST, WIDEST, count, dtype=torch.float64)
    width = 2 * WIDEST / max(1, count - 1)
    bells = torch.exp(-0.5 * ((scores.double().unsqueeze(-1) - centres) / width) ** 2)
    return bells / bells.sum(-1, keepdim=True)
