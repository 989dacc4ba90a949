"""NADE: inputs of all visible variables, each given the previous ones (Larochelle & Murray 2011, equations 3 to 5).

Along an ordering of the variables, a running sum a of rows of W gives the inputs of each variable:

    a_1 = c,   h_t = sigmoid(a_t),   x_k = V_k . h_t for the rows k of variable t,   a_{t+1} = a_t + sum_i s_i W_i,

with the last sum over the inputs i of variable t.  If they are all zero, h does not change: for images in which an
eighth of the pixels are on, seven eighths of the sigmoids are saved, and the gradient in h is summed over the stretch
before it is propagated to a.

The backward pass goes along the same path from its end: a is restored by subtracting what was added, so that memory is
O(batch x hidden).  It is kept in float64, where sums and differences of float32 rows are exact: the backward pass sees
the same h as the forward pass, and the gradient is that of the returned values.

Cases are processed in groups of eight, so that a row of V, and of its gradient, is loaded once for eight of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numba.extending import register_jitable
from torch import Tensor
from torch.autograd.function import once_differentiable

from harmonium.kernels.compiled import OPTIONS, compiled, named_after
from harmonium.kernels.fused import at, eta_of_unit
from harmonium.kernels.philox import fill_words, number_of_row
from harmonium.kernels.rows import add_four_rows, add_row, add_rows
from harmonium.kernels.scalar import exp, like

__all__ = ["Steps", "ancestral", "nade_inputs", "portable_inputs"]

_GROUP = 8  # cases


class Steps(NamedTuple):
    """Which rows of W (inputs) and of V (outputs) belong to each variable, the variables in their ordering.

    Variable t of the ordering has the inputs ``inputs[entries[t] : entries[t + 1]]`` and the outputs
    ``outputs[exits[t] : exits[t + 1]]``; all int64.
    """

    inputs: Any
    entries: Any
    outputs: Any
    exits: Any

    @classmethod
    def of(cls, ordering: Tensor, input_owners: Tensor, output_owners: Tensor) -> Steps:
        """The steps along ``ordering`` (variables,): input i belongs to variable ``input_owners[i]``, ascending."""
        return cls(*_rows_along(ordering, input_owners), *_rows_along(ordering, output_owners))

    def inputs_of(self, t: int) -> slice:
        """The rows of W of variable t of the ordering: neighbours, since owners ascend."""
        return _span(self.inputs, self.entries, t)

    def outputs_of(self, t: int) -> slice:
        """The rows of V of variable t of the ordering."""
        return _span(self.outputs, self.exits, t)


def _span(rows: Any, starts: Any, t: int) -> slice:
    first = int(rows[starts[t]])
    return slice(first, first + int(starts[t + 1] - starts[t]))


def _rows_along(ordering: Tensor, variable_of_column: Tensor) -> tuple[Any, Any]:
    place = torch.empty_like(ordering)
    place[ordering] = torch.arange(len(ordering))
    counts = torch.bincount(place[variable_of_column], minlength=len(ordering))
    starts = torch.cat((counts.new_zeros(1), counts.cumsum(0)))
    return torch.argsort(place[variable_of_column], stable=True).numpy(), starts.numpy()


def nade_inputs(s: Tensor, weights: Tensor, bias: Tensor, outputs: Tensor, steps: Steps) -> Tensor:
    """x (batch, width) of all variables given states s (batch, n): see the head of this file.

    Args:
        s: states, of which no gradient is taken.
        weights: W (n, hidden).
        bias: c (hidden,).
        outputs: V (width, hidden).
        steps: the ordering.
    """
    x: Tensor = _Inputs.apply(s, weights, bias, outputs, steps)
    return x


def portable_inputs(
    s: Tensor,
    weights: Tensor,
    bias: Tensor,
    outputs: Tensor,
    steps: Steps,
    activation: Callable[[Tensor, int], Tensor] = lambda a, t: torch.sigmoid(a),
) -> Tensor:
    """`nade_inputs` by a loop in torch: on any device, differentiable in s, with h_t = ``activation(a_t, t)``.

    Autograd keeps h of every step: memory is O(batch x variables x hidden) where a gradient is wanted.
    """
    a = bias.expand(len(s), -1)
    parts = []
    for t in range(len(steps.exits) - 1):
        parts.append(activation(a, t) @ outputs[steps.outputs_of(t)].mT)
        own = steps.inputs_of(t)
        a = torch.addmm(a, s[:, own], weights[own])
    return torch.cat(parts, -1)[:, torch.from_numpy(np.argsort(steps.outputs)).to(s.device)]


class _Inputs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, s: Tensor, weights: Tensor, bias: Tensor, outputs: Tensor, steps: Steps) -> Tensor:
        s, weights, outputs = s.contiguous(), weights.contiguous(), outputs.contiguous()
        x = s.new_empty(len(s), len(outputs))
        sums = bias.detach().double().repeat(len(s), 1)
        parts = (part.detach().numpy() for part in (s, weights, outputs, sums, x))
        _forward(*parts, *steps)
        ctx.save_for_backward(s, weights, outputs, sums)
        ctx.steps = steps
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        s, weights, outputs, sums = ctx.saved_tensors
        d_weights, d_outputs = torch.zeros_like(weights), torch.zeros_like(outputs)
        d_bias = weights.new_zeros(weights.shape[1])
        parts = (s, weights, outputs, sums.clone(), gradients[0].contiguous(), d_weights, d_bias, d_outputs)
        _backward(*(part.detach().numpy() for part in parts), *ctx.steps)
        return None, d_weights, d_bias, d_outputs, None


@register_jitable(**OPTIONS)
def _sigmoid(a, h):
    for j in range(a.shape[0]):
        x = like(h[j], a[j])
        t = exp(-abs(x))
        one = like(x, 1.0)
        h[j] = (t if x < 0 else one) / (one + t)


@register_jitable(**OPTIONS)
def _add_to_sum(a, row, change):
    for j in range(a.shape[0]):
        a[j] += np.float64(change) * np.float64(row[j])


@register_jitable(**(OPTIONS | {"fastmath": {"contract", "reassoc"}}))
def _dot(row, h):
    total = row[0] * h[0]
    for j in range(1, row.shape[0]):
        total += row[j] * h[j]
    return total


@register_jitable(**(OPTIONS | {"fastmath": {"contract", "reassoc"}}))
def _dot_eight(row, h0, h1, h2, h3, h4, h5, h6, h7):
    zero = like(row[0], 0.0)
    x0, x1, x2, x3, x4, x5, x6, x7 = zero, zero, zero, zero, zero, zero, zero, zero
    for j in range(row.shape[0]):
        x0 += row[j] * h0[j]
        x1 += row[j] * h1[j]
        x2 += row[j] * h2[j]
        x3 += row[j] * h3[j]
        x4 += row[j] * h4[j]
        x5 += row[j] * h5[j]
        x6 += row[j] * h6[j]
        x7 += row[j] * h7[j]
    return x0, x1, x2, x3, x4, x5, x6, x7


@register_jitable(**OPTIONS)
def _read_off(row, h, x, k):
    """x[:, k] = row . h of every case of a group."""
    if h.shape[0] == _GROUP:
        x[0, k], x[1, k], x[2, k], x[3, k], x[4, k], x[5, k], x[6, k], x[7, k] = _dot_eight(
            row, h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]
        )
    else:
        for r in range(h.shape[0]):
            x[r, k] = _dot(row, h[r])


@register_jitable(**OPTIONS)
def _sends(s, r, inputs, begin, end):
    """Whether any of a variable's inputs is on."""
    on = False
    for e in range(begin, end):
        on |= s[r, inputs[e]] != 0
    return on


@register_jitable(**OPTIONS)
def _move_on(s, weights, inputs, begin, end, a, h, sign):
    """Add what a variable sends to a, times the sign, and bring h up to date."""
    for e in range(begin, end):
        i = inputs[e]
        if s[i] != 0:
            _add_to_sum(a, weights[i], sign * s[i])
    _sigmoid(a, h)


@compiled
def _forward(s, weights, outputs, sums, x, inputs, entries, exit_rows, exits):
    hidden = np.empty((_GROUP, weights.shape[1]), weights.dtype)
    for first in range(0, s.shape[0], _GROUP):
        cases = min(_GROUP, s.shape[0] - first)
        h, xg = hidden[:cases], x[first : first + cases]
        for r in range(cases):
            _sigmoid(sums[first + r], h[r])
        for t in range(exits.shape[0] - 1):
            for e in range(exits[t], exits[t + 1]):
                _read_off(outputs[exit_rows[e]], h, xg, exit_rows[e])
            begin, end = entries[t], entries[t + 1]
            for r in range(cases):  # checked before any view is made: most inputs are zero
                if _sends(s, first + r, inputs, begin, end):
                    _move_on(s[first + r], weights, inputs, begin, end, sums[first + r], h[r], 1.0)


@register_jitable(**OPTIONS)
def _through_sigmoid(dh, h, da):
    """Propagate the gradient in h to a, and reset it."""
    for j in range(da.shape[0]):
        da[j] += dh[j] * h[j] * (like(h[j], 1.0) - h[j])
        dh[j] = like(h[j], 0.0)


@register_jitable(**OPTIONS)
def _gather(dx, rows, changes):
    for k in range(rows.shape[0]):
        changes[k] = dx[rows[k]]


@register_jitable(**OPTIONS)
def _add_group(row, h, dx, k):
    """row += sum over a group of dx[:, k] h."""
    for r in range(0, h.shape[0] // 4 * 4, 4):
        add_four_rows(row, h[r], h[r + 1], h[r + 2], h[r + 3], dx[r, k], dx[r + 1, k], dx[r + 2, k], dx[r + 3, k])
    for r in range(h.shape[0] // 4 * 4, h.shape[0]):
        add_row(row, h[r], dx[r, k])


@register_jitable(**OPTIONS)
def _end_stretch(dh, h, da, dx, outputs, rows, changes):
    """The gradient in a, from that in the outputs of a stretch with one h."""
    _gather(dx, rows, changes)
    add_rows(dh, outputs, rows, changes)
    _through_sigmoid(dh, h, da)


@compiled
def _backward(s, weights, outputs, sums, dx, d_weights, d_bias, d_outputs, inputs, entries, exit_rows, exits):
    hidden = np.empty((_GROUP, weights.shape[1]), weights.dtype)
    dh, da = np.zeros_like(hidden), np.empty_like(hidden)
    ends = np.empty(_GROUP, np.int64)
    changes = np.empty(exit_rows.shape[0], weights.dtype)
    one = like(d_bias[0], 1.0)
    for first in range(0, s.shape[0], _GROUP):
        cases = min(_GROUP, s.shape[0] - first)
        h, dxg = hidden[:cases], dx[first : first + cases]
        da[:] = 0
        ends[:] = exit_rows.shape[0]
        for r in range(cases):
            _sigmoid(sums[first + r], h[r])
        for t in range(exits.shape[0] - 2, -1, -1):
            begin, end = entries[t], entries[t + 1]
            for r in range(cases):
                if _sends(s, first + r, inputs, begin, end):
                    _end_stretch(dh[r], h[r], da[r], dxg[r], outputs, exit_rows[exits[t + 1] : ends[r]], changes)
                    ends[r] = exits[t + 1]
                    for e in range(begin, end):
                        if s[first + r, inputs[e]] != 0:
                            add_row(d_weights[inputs[e]], da[r], s[first + r, inputs[e]])
                    _move_on(s[first + r], weights, inputs, begin, end, sums[first + r], h[r], -1.0)
            for e in range(exits[t], exits[t + 1]):
                _add_group(d_outputs[exit_rows[e]], h, dxg, exit_rows[e])
        for r in range(cases):
            _end_stretch(dh[r], h[r], da[r], dxg[r], outputs, exit_rows[: ends[r]], changes)
            add_row(d_bias, da[r], one)


def ancestral(draw: Callable[..., Any]) -> Any:
    """Build a loop that draws variables along an ordering, each given the previous ones.

    ``draw(eta, constant, word)`` draws a variable of one unit.  s (cases, n) has the values that are ``held`` (cases,
    n) and takes those that are drawn; ``sums`` (cases, hidden), float64, starts at c; the natural parameters of the
    units are as in `fused`.
    """
    named = named_after(draw)

    @register_jitable(**OPTIONS)
    @named
    def one(x, slope, start, constant, i, word):
        return draw(eta_of_unit(x, like(x, 1.0), at(at(slope, 0), i), at(at(start, 0), i)), constant, word)

    @compiled
    @named
    def run(s, held, weights, outputs, sums, order, slope, start, constant, first_row, k0, k1, c2, c3):
        units = s.shape[1]
        hidden = np.empty((_GROUP, weights.shape[1]), weights.dtype)
        x = np.empty((_GROUP, units), weights.dtype)
        words = np.empty((_GROUP, 4 * ((units + 3) // 4)), np.uint32)
        for first in range(0, s.shape[0], _GROUP):
            cases = min(_GROUP, s.shape[0] - first)
            h = hidden[:cases]
            for r in range(cases):
                _sigmoid(sums[first + r], h[r])
                fill_words(words[r], number_of_row(first_row, first + r), c2, c3, k0, k1)
            for t in range(units):
                i = order[t]
                _read_off(outputs[i], h, x, i)
                for r in range(cases):
                    if not held[first + r, i]:
                        s[first + r, i] = one(x[r, i], slope, start, constant, i, words[r, i])
                    if s[first + r, i] != 0:
                        _move_on(s[first + r], weights, order, t, t + 1, sums[first + r], h[r], 1.0)

    return run
