"""A network on top of a Gaussian copula, for tables: what is linear among ordered columns need not be learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from harmonium.core.random import Stream
from harmonium.core.registry import Registered
from harmonium.models.autoregressive.observed_mask import (
    IncrementalPass,
    MaskedNetwork,
    check_hidden,
    draw_layers,
    layers,
    linears,
)  # fmt: skip
from harmonium.models.conditionals import Conditional

__all__ = ["CopulaNetwork"]

SHRINKAGES = (0.0, 1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0)
LEAST_VARIANCE = 1e-3
RIDGE = 1e-6
STEEPEST = 60.0  # logits of a state, relative to the base rate


class CopulaNetwork(MaskedNetwork):
    """Layers of rectified linear units whose outputs are added to those of a Gaussian copula.

    Every state k of an ordered variable i has a normal score z_k.  Under a joint normal distribution of the scores, the
    score of an unobserved variable given the observed ones is normal with a mean m and a variance s^2, which are linear
    algebra for any set of observed variables.  Relative to the base rate N(0, 1), state k then has the log-odds

        z_k m / s^2 - z_k^2 (1 / s^2 - 1) / 2.

    To these the network adds its own outputs.  It sees values, mask, and all m and log s.  An untrained network is a
    Gaussian copula with the margins of the base rate.

    Args:
        size: number of visible units.
        columns: number of visible variables.
        width: number of outputs, equal to ``size``.
        hidden: units of each hidden layer.
        scores: for each variable, the scores of its states, or None if it is not ordered.
        dtype: float32 or float64.

    Raises:
        ValueError: for scores of other variables.
    """

    covariance: Tensor
    of_unit: Tensor
    within: Tensor

    def __init__(
        self, size: int, columns: int, width: int, hidden: Sequence[int], scores: Sequence[Sequence[float] | None],
        *, dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        super().__init__()
        if len(scores) != columns:
            raise ValueError(f"scores has {len(scores)} entries; expected one for each of the {columns} variables")
        self.size, self.hidden = size, check_hidden(hidden)
        self.scores = [None if each is None else [float(z) for z in each] for each in scores]
        self.ordered = [i for i, each in enumerate(self.scores) if each is not None]
        n = len(self.ordered)
        self.layers = layers((size + columns + 3 * n, *self.hidden, width), dtype)
        self.register_buffer("covariance", torch.eye(n, dtype=torch.float64))
        self.register_buffer("of_unit", torch.zeros(size, n, dtype=dtype), persistent=False)  # scores of the states
        self.register_buffer("within", torch.zeros(n, dtype=torch.float64), persistent=False)

    def place(self, states: Sequence[int]) -> None:
        """Say how many states each variable has, and so which units belong to it."""
        start, column = 0, 0
        for i, count in enumerate(states):
            own = self.scores[i]
            if own is not None:
                z = torch.tensor(own, dtype=torch.float64)
                self.of_unit[start : start + count, column] = z.to(self.of_unit)
                gaps = z.diff()
                self.within[column] = float((gaps * gaps).mean() / 12) if len(gaps) else 0.0
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
        z, there = self._observed_scores(v)
        full = _covariance(z, there)
        held, held_there = self._observed_scores(validation)
        whole = held_there.all(1)
        best, chosen = -float("inf"), full
        for share in SHRINKAGES:
            shrunk = (1 - share) * full + share * torch.diag(full.diagonal())
            shrunk = _positive(shrunk)
            if int(whole.sum()) < 2:
                chosen = _positive(0.9 * full + 0.1 * torch.diag(full.diagonal()))
                break
            value = _log_normal(held[whole], shrunk)
            if value > best:
                best, chosen = value, shrunk
        self.covariance.copy_(chosen)

    def _observed_scores(self, v: Tensor) -> tuple[Tensor, Tensor]:
        there = ~torch.isnan(v)
        z = v.nan_to_num(0.0).double() @ self.of_unit.double()
        own = (self.of_unit != 0).to(torch.float64)
        return z, (there.to(torch.float64) @ own) > 0

    def given(self, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores of observed variables, and mean and variance of the others given them, (batch, ordered) each.

        Args:
            v: encoded values (batch, size), zero for variables that are not observed.
            mask: which variables are observed, (batch, columns).
        """
        seen = mask[:, self.ordered].double()
        z = (v @ self.of_unit).double() * seen
        sets, which = torch.unique(seen, dim=0, return_inverse=True)  # one along an ordering, many in training
        c = self.covariance
        of = c * sets.unsqueeze(-1)  # rows of observed variables, (sets, ordered, ordered)
        a = of * sets.unsqueeze(1) + torch.diag_embed(1 - sets + RIDGE)
        weights = torch.cholesky_solve(of, torch.linalg.cholesky(a))
        variance = (c.diagonal() - (of * weights).sum(1)).clamp(min=LEAST_VARIANCE) + self.within
        mean = (weights[which] * z.unsqueeze(-1)).sum(1)
        return z, torch.where(seen > 0, 0.0, mean), torch.where(seen > 0, 1.0, variance[which])

    @torch.no_grad()
    def copula(self, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What the network sees of the copula, (batch, 3 ordered), and the log-odds of all states, (batch, size)."""
        if not self.ordered:
            return v.new_zeros(len(v), 0), v.new_zeros(len(v), self.size)
        z, mean, variance = self.given(v, mask)
        slope, square = (mean / variance).to(v.dtype), (0.5 * (1 - 1 / variance)).to(v.dtype)
        odds = slope @ self.of_unit.mT + square @ (self.of_unit * self.of_unit).mT
        seen = torch.cat((z, mean, 0.5 * variance.log()), -1).to(v.dtype)
        return seen, odds.clamp(min=-STEEPEST, max=STEEPEST)

    def forward(self, v: Tensor, mask: Tensor) -> Tensor:
        seen, odds = self.copula(v, mask)
        h = torch.cat((v, mask, seen), -1)
        for layer in self.layers[:-1]:
            h = torch.relu(layer(h))
        x: Tensor = self.layers[-1](h)
        return x + odds

    def initialise(self, stream: Stream) -> None:
        draw_layers(self.layers, stream)

    def incremental(self, v: Tensor, mask: Tensor) -> IncrementalPass:
        return _Pass(self, v, mask)

    def config(self) -> dict[str, Any]:
        return Registered.config(self) | {"hidden": list(self.hidden), "scores": self.scores}

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
        first, *self.middle, self.last = linears(network.layers)
        own = network.size + mask.shape[1]
        self.of_state, self.of_copula = first.weight[:, :own].mT, first.weight[:, own:].mT
        self.inputs = torch.addmm(first.bias, torch.cat((v, mask), -1), self.of_state)

    def logits(self, outputs: slice) -> Tensor:
        seen, odds = self.network.copula(self.v, self.mask)
        h = torch.relu(torch.addmm(self.inputs, seen, self.of_copula))
        for layer in self.middle:
            h = torch.relu(layer(h))
        return functional.linear(h, self.last.weight[outputs]) + odds[:, outputs]

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


def _covariance(z: Tensor, there: Tensor) -> Tensor:
    """Second moments of scores over the cases in which both are there."""
    seen = there.double()
    z = torch.where(there, z, 0.0)
    return (z.mT @ z) / (seen.mT @ seen).clamp(min=1.0)


def _positive(matrix: Tensor) -> Tensor:
    """The nearest covariance without directions of no variance."""
    values, vectors = torch.linalg.eigh(matrix)
    positive: Tensor = (vectors * values.clamp(min=LEAST_VARIANCE * 0.1)) @ vectors.mT
    return positive


def _log_normal(z: Tensor, covariance: Tensor) -> float:
    """Mean log-density of cases under a normal distribution around 0, up to a constant."""
    root = torch.linalg.cholesky(covariance)
    whitened = torch.linalg.solve_triangular(root, z.mT, upper=False)
    return float(-0.5 * (whitened**2).sum(0).mean() - root.diagonal().log().sum())
