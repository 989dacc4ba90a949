"""Trees of pairwise dependencies."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from harmonium import kernels
from harmonium.core.random import Stream
from harmonium.models.arrays import Array
from harmonium.models.baselines.baseline import Baseline, pick
from harmonium.models.state import Clamp
from harmonium.units import Bernoulli, Units, as_units

__all__ = ["ChowLiuTree"]

MOST_STATES = 64  # of one variable: tables have an entry for each pair of states


class ChowLiuTree(Baseline):
    """Tree p(v) = prod_i p(v_i | v_parent(i)): every variable has one parent, the root none (Chow & Liu 1968).

    Among all trees, the likelihood is highest for the one whose edges have the largest sum of mutual informations in
    the data.  Before `estimate` there are no edges.

    Args:
        visible: an int or a shape (that many `Bernoulli`), or a unit type of finitely many states.
        dtype: float32 or float64.

    Attributes:
        parents: the parent of every variable, int64 (n_visible,); -1 for a root.
        logits: (n_visible, q, q), whose softmax over the last axis gives p(v_i = b | v_parent(i) = a) at (i, a, b);
            for a root, only a = 0 is used.

    Raises:
        ValueError: for units with infinitely many states, or more than 64 each.

    >>> import harmonium as hm
    >>> tree = hm.baselines.ChowLiuTree(3)
    >>> tree.estimate([[0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0]] * 100)
    >>> tree.parents.tolist()
    [-1, 0, 0]
    """

    parents: Tensor
    _impossible: Tensor

    def __init__(self, visible: Units | int | tuple[int, ...], *, dtype: torch.dtype = torch.float32) -> None:
        units = as_units(visible, Bernoulli, "visible")
        if not units.finite:
            raise ValueError(f"ChowLiuTree takes units with finitely many states, found {units!r}")
        super().__init__(units, dtype)
        radices = torch.tensor(units.radices())
        states = int(radices.max())
        if states > MOST_STATES:
            raise ValueError(f"ChowLiuTree takes variables of at most {MOST_STATES} states, found one of {states}")
        self.register_buffer("parents", torch.full((units.columns,), -1))
        self.logits = nn.Parameter(torch.zeros(units.columns, states, states, dtype=dtype))
        # Variables with fewer states than the largest one: the other states are impossible.
        impossible = torch.arange(states) >= radices.unsqueeze(-1)
        self.register_buffer("_impossible", impossible.unsqueeze(1), persistent=False)
        self.initialise(Stream(0))
        self.mark_untrained()

    @torch.no_grad()
    def initialise(self, stream: Stream) -> None:
        self.parents.fill_(-1)
        self.logits.zero_()

    @torch.no_grad()
    def initialise_from_data(self, stream: Stream) -> None:
        self.initialise(stream)
        self._set_base_rate()
        alone = torch.zeros(1, self.units.size, dtype=self.dtype, device=self.device)
        for i, (columns, states) in enumerate(map(self.units.variable, range(self.units.columns))):
            rows = self.units.mode(alone).repeat(len(states), 1)
            rows[:, columns] = states
            self.logits[i, :, : len(states)] = self.units.log_density(alone.expand_as(rows), rows)[:, i].to(self.dtype)

    # Estimation --------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def estimate(self, data: Array, *, smoothing: float = 1.0) -> None:
        """Find the best tree and its tables in closed form.

        Args:
            data: cases, (n, n_visible); of cases that are drawn in every epoch, those of epoch 0.
            smoothing: number of cases, with all states equally likely, that are added to every pair of variables.

        Raises:
            ValueError: for another width, values outside the domain, or no smoothing.
        """
        from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

        cases = self._begin(data, smoothing)
        columns, states = self.logits.shape[:2]
        counts = torch.zeros(columns * states, columns * states, dtype=torch.float64)
        for v in self._batches(cases):
            seen = nn.functional.one_hot(self.codes(v), states).flatten(1).to(torch.float32)
            counts += seen.T @ seen  # exact: counts within a batch are small integers
        pairs = counts.view(columns, states, columns, states).permute(0, 2, 1, 3)  # (i, j, state of i, state of j)
        possible = (~self._impossible[:, 0]).double()
        uniform = torch.einsum("ia,jb->ijab", possible, possible)
        pairs = pairs + smoothing * uniform / uniform.sum((-2, -1), keepdim=True)
        joint = pairs / pairs.sum((-2, -1), keepdim=True)
        information = _mutual_information(joint).numpy()
        # All trees have the same number of edges, so a constant may be added; a weight of 0 would mean no edge.
        cost = information.max() + 1.0 - information
        np.fill_diagonal(cost, 0.0)
        tree = minimum_spanning_tree(cost)
        _, parents = breadth_first_order(tree, 0, directed=False)
        self.parents.copy_(torch.from_numpy(np.where(parents < 0, -1, parents).astype(np.int64)))
        own = torch.arange(columns)
        tables = joint[self.parents.clamp(min=0), own]
        root = self.parents < 0
        tables[root] = joint[own, own].sum(-2)[root].unsqueeze(-2).expand(-1, states, -1)
        self.logits.copy_(torch.log(tables / tables.sum(-1, keepdim=True)).nan_to_num(0.0, neginf=0.0))

    # The likelihood ----------------------------------------------------------------------------------------------

    def tables(self) -> Tensor:
        """log p(v_i = b | v_parent(i) = a) at (i, a, b), float64; minus infinity for states that do not exist."""
        return torch.log_softmax(self.logits.double().masked_fill(self._impossible, -torch.inf), -1)

    def codes(self, v: Tensor) -> Tensor:
        """The state number of every variable, (batch, columns), int64, for encoded v (batch, size)."""
        if self.units.size == self.units.columns and self.logits.shape[1] == 2:
            return (v == self.units.variable(0)[1][1]).long()
        each = [(v[:, None, s] == states).all(-1).int().argmax(-1) for s, states in self._variables()]
        return torch.stack(each, -1)

    def _variables(self) -> list[tuple[slice, Tensor]]:
        return [self.units.variable(i) for i in range(self.units.columns)]

    def log_likelihood(self, v: Tensor) -> Tensor:
        codes = self.codes(v)
        above = torch.where(self.parents < 0, 0, codes[:, self.parents.clamp(min=0)])
        return self.tables()[torch.arange(len(self.parents)), above, codes].sum(-1)

    # Drawing -----------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def draw(self, n: int, stream: Stream, clamp: Clamp | None = None) -> Tensor:
        """Draw encoded states, (n, size), from the root down, after the evidence has been passed up to it."""
        tables, order = self.tables(), self._order()
        columns, states = tables.shape[:2]
        evidence = torch.zeros(n, columns, states, dtype=torch.float64, device=self.device)
        if clamp is not None:
            evidence = self._collect(clamp[1], self.units.one_per_column(clamp[0]))
        u = kernels.uniforms(stream.advance(), n, columns, torch.float64, self.device)
        codes = torch.zeros(n, columns, dtype=torch.int64, device=self.device)
        for i in order:
            parent = int(self.parents[i])
            above = codes[:, parent] if parent >= 0 else torch.zeros_like(codes[:, 0])
            codes[:, i] = pick(tables[i][above] + evidence[:, i], u[:, i])
        parts = [values[codes[:, i]] for i, (_, values) in enumerate(self._variables())]
        return torch.cat(parts, -1)

    def _collect(self, v: Tensor, observed: Tensor) -> Tensor:
        """log p of the observed variables at and below a variable, given its states: (batch, columns, states)."""
        tables = self.tables()
        held = nn.functional.one_hot(self.codes(v), tables.shape[-1]).double().log()  # 0 and minus infinity
        evidence = torch.where(observed.unsqueeze(-1), held, 0.0)
        for i in reversed(self._order()):
            parent = int(self.parents[i])
            if parent >= 0:
                evidence[:, parent] += torch.logsumexp(evidence[:, None, i] + tables[i], -1)
        return evidence

    @torch.no_grad()
    def log_marginal(self, v: Tensor, observed: Tensor) -> Tensor:
        roots = self.parents < 0
        return torch.logsumexp(self._collect(v, observed)[:, roots] + self.tables()[roots, 0], -1).sum(-1)

    def _order(self) -> list[int]:
        """Variables, parents before children."""
        children: dict[int, list[int]] = {}
        for i, parent in enumerate(self.parents.tolist()):
            children.setdefault(parent, []).append(i)
        order = list(children.get(-1, []))
        for i in order:  # the list grows during the loop
            order.extend(children.get(i, []))
        return order


def _mutual_information(joint: Tensor) -> Tensor:
    """Mutual information I(v_i; v_j) in nats, (n, n), from joint probabilities (n, n, q, q)."""
    independent = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return torch.where(joint > 0, joint * (torch.log(joint) - torch.log(independent)), 0.0).sum((-2, -1))
