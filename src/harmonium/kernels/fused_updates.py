"""Many updates of a small RBM in one call.

At the sizes of small machines most of the time of an update goes into calls, not into arithmetic.  This loop makes the
updates that `Training.update` makes one by one, with the same random words.  Given W (n_visible, n_hidden), biases b
and c, cases v and chains u, each update is

    h ~ p(h | u),  u ~ p(u | h)                                        k times
    G = <u E[h | u]'> - <v E[h | v]'>,  g = <u> - <v>,  q = <E[h | u]> - <E[h | v]>
    G <- G + l2 W + l1 sign(W)                                         weight decay
    G <- G - m q' - g l'                                               centered, with offsets m and l
    V_W <- momentum V_W + G,  V_b <- momentum V_b + g,  V_c <- momentum V_c + q
    W <- W - rate V_W,  b <- b - rate (V_b - V_W l),  c <- c - rate (V_c - V_W' m)

where < > are means over the cases or the chains.  The last line is descent in centered coordinates, in which the biases
are b + W l and c + W' m (Melchior, Fischer & Wiskott 2016): what W takes from them they get back.  Before,
the offsets follow the data: m <- m + offset_rate (<v> - m), l <- l + offset_rate (<E[h | v]> - l).

Visible units may be of several families side by side.  Real ones (Gaussian) have log-variances z, whose gradient joins
no coupling and so no offset:

    a = exp(-z) / 2 (<u^2> - <v^2>),  V_z <- momentum V_z + a,  z <- z - rate V_z, then back into its bounds.

With weights w of the cases, means over the data are weighted, and G, g, q and a are multiplied by the mean weight of
the batch.

One row of W is updated at a time, from G to the end, while it is in the cache.  Rows of states are added up where a
unit is on and left out where it is off, so that the time follows the number of ones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import register_jitable

from harmonium.kernels.columns import scalar_columns
from harmonium.kernels.compiled import OPTIONS, Scalar, compiled, named_after
from harmonium.kernels.scalar import exp, like
from harmonium.kernels.subset_sums import FEWEST_ROWS, SMALLEST, multiply_rows, pack_rows

__all__ = ["updater"]

_SUMS: dict[str, Any] = OPTIONS | {"fastmath": {"contract", "reassoc"}}

# Rows are passed as a matrix and a number: making the view x[r] would take longer than adding up a row of some tens.


@register_jitable(**OPTIONS)
def _add_rows(x, r, weights, index, change, count):
    """Row r of x += the sum of ``count`` rows of weights, each times its change."""
    four = count // 4 * 4
    for k in range(0, four, 4):
        # Four rows at once: x is loaded and stored once.  Unsigned numbers are not checked for counting from the end.
        i, m, n, p = np.uint64(index[k]), np.uint64(index[k + 1]), np.uint64(index[k + 2]), np.uint64(index[k + 3])
        a, b, c, d = change[k], change[k + 1], change[k + 2], change[k + 3]
        for j in range(x.shape[1]):
            x[r, j] += a * weights[i, j] + b * weights[m, j] + c * weights[n, j] + d * weights[p, j]
    for k in range(four, count):
        i, a = np.uint64(index[k]), change[k]
        for j in range(x.shape[1]):
            x[r, j] += a * weights[i, j]


@register_jitable(**OPTIONS)
def _send_up(x, states, weights, bias, index, change):
    """x = states @ weights + bias, by the rows of weights whose units are on."""
    for r in range(x.shape[0]):
        count = 0
        for i in range(states.shape[1]):  # without a branch: always written, kept only if it counts
            index[count] = i
            change[count] = states[r, i]
            count += states[r, i] != 0
        for j in range(x.shape[1]):
            x[r, j] = bias[j]
        _add_rows(x, r, weights, index, change, count)


@register_jitable(**_SUMS)
def _send_down(x, states, weights, bias):
    """x = states @ weights.T + bias."""
    # Half of the hidden units are on, so all are summed: two rows of states by four of W, so that six are loaded for
    # eight products.
    rows, units = x.shape
    zero = like(weights[0, 0], 0.0)
    for i in range(0, units, 4):
        k, m, n = min(i + 1, units - 1), min(i + 2, units - 1), min(i + 3, units - 1)  # the last again: the same sums
        for r in range(0, rows, 2):
            q = min(r + 1, rows - 1)
            ri = rk = rm = rn = qi = qk = qm = qn = zero
            for j in range(weights.shape[1]):
                h, g = states[r, j], states[q, j]
                ri += h * weights[i, j]
                qi += g * weights[i, j]
                rk += h * weights[k, j]
                qk += g * weights[k, j]
                rm += h * weights[m, j]
                qm += g * weights[m, j]
                rn += h * weights[n, j]
                qn += g * weights[n, j]
            x[r, i], x[r, k], x[r, m], x[r, n] = ri + bias[i], rk + bias[k], rm + bias[m], rn + bias[n]
            x[q, i], x[q, k], x[q, m], x[q, n] = qi + bias[i], qk + bias[k], qm + bias[m], qn + bias[n]


@register_jitable(**OPTIONS)
def _send_down_by_tables(x, states, weights, bias, words):
    """x = states @ weights.T + bias, by tables of sums if the states are binary."""
    if pack_rows(states, words) < 0:
        _send_down(x, states, weights, bias)
        return
    multiply_rows(words, weights.T, x)
    for r in range(x.shape[0]):
        for i in range(x.shape[1]):
            x[r, i] += bias[i]


@register_jitable(**OPTIONS)
def _list_column(states, i, index, change, count, first):
    """Append the rows in which column i of states is not zero, counted from ``first``; return the new count."""
    for r in range(states.shape[0]):
        index[count] = first + r
        change[count] = states[r, i]
        count += states[r, i] != 0
    return count


@register_jitable(**OPTIONS)
def _decay(row, weights, i, l2, l1):
    # Two loops without a branch, which the compiler turns into vector instructions.
    if l2 != 0:
        for j in range(row.shape[1]):
            row[0, j] += l2 * weights[i, j]
    if l1 != 0:
        for j in range(row.shape[1]):
            row[0, j] += l1 * like(l1, (weights[i, j] > 0) - (weights[i, j] < 0))


@register_jitable(**OPTIONS)
def _centre(row, own_offset, slope, own_slope, offset):
    for j in range(row.shape[1]):
        row[0, j] -= own_offset * slope[0, j] + own_slope * offset[j]


@register_jitable(**OPTIONS)
def _accelerate(row, velocity, i, momentum):
    for j in range(row.shape[1]):
        velocity[i, j] = momentum * velocity[i, j] + row[0, j]
        row[0, j] = velocity[i, j]


@register_jitable(**_SUMS)
def _send_offsets(row, own_offset, offset, taken):
    """Return row . offset, and add own_offset * row to ``taken``: what the two offsets send through this row of V_W."""
    sent = like(own_offset, 0.0)
    for j in range(row.shape[1]):
        sent += row[0, j] * offset[j]
        taken[j] += own_offset * row[0, j]
    return sent


@register_jitable(**OPTIONS)
def _step(weights, i, row, rate):
    for j in range(row.shape[1]):
        weights[i, j] -= rate * row[0, j]


@register_jitable(**OPTIONS)
def _sum_rows(total, rows, share, first):
    """total = the sum of rows, each times its share, the shares counted from ``first``."""
    for j in range(total.shape[0]):
        total[j] = like(share[0], 0.0)
    for r in range(rows.shape[0]):
        factor = share[first + r]
        for j in range(total.shape[0]):
            total[j] += factor * rows[r, j]


@register_jitable(**OPTIONS)
def _scale_rows(rows, share, first, sign):
    for r in range(rows.shape[0]):
        factor = sign * share[first + r]
        for j in range(rows.shape[1]):
            rows[r, j] *= factor


@register_jitable(**OPTIONS)
def _add(x, change, factor):
    for j in range(x.shape[0]):
        x[j] += factor * change[j]


@register_jitable(**OPTIONS)
def _follow(offset, mean, rate, mass):
    """offset += rate (mean / mass - offset)."""
    for j in range(offset.shape[0]):
        offset[j] += rate * (mean[j] / mass - offset[j])


@register_jitable(**OPTIONS)
def _curve(curvature, log_variance):
    """curvature = -exp(-log_variance) / 2, the second natural parameter of real units."""
    for j in range(curvature.shape[0]):
        curvature[j] = like(curvature[j], -0.5) * exp(-log_variance[j])


@register_jitable(**OPTIONS)
def _add_squares(total, rows, share, first, sign):
    """total += sign times the sum of squared rows, each times its share, the shares counted from ``first``."""
    for r in range(rows.shape[0]):
        factor = sign * share[first + r]
        for j in range(total.shape[0]):
            total[j] += factor * rows[r, j] * rows[r, j]


@register_jitable(**OPTIONS)
def _variance_slope(slope, ends, v, share, curvature):
    """slope = exp(-z) / 2 (<u^2> - <v^2>)."""
    for j in range(slope.shape[0]):
        slope[j] = like(slope[j], 0.0)
    _add_squares(slope, ends, share, v.shape[0], like(share[0], 1.0))
    _add_squares(slope, v, share, 0, like(share[0], -1.0))
    for j in range(slope.shape[0]):
        slope[j] *= -curvature[j]


@register_jitable(**OPTIONS)
def _bound(x, bounds):
    for j in range(x.shape[0]):
        x[j] = bounds[0, j] if x[j] < bounds[0, j] else bounds[1, j] if x[j] > bounds[1, j] else x[j]  # NaN stays NaN


def updater(draw: Scalar, mean: Scalar) -> Callable[[Scalar], Scalar]:
    """Make a function that builds the loop for hidden units with these formulas (see `harmonium.kernels.fused`).

    It takes the draws of visible columns, a `harmonium.kernels.columns.choice`, and builds one loop for each.
    """

    @functools.cache
    def loop_for(draw_visible: Scalar) -> Scalar:
        return _updates(draw, mean, draw_visible)

    return loop_for


def _updates(draw: Scalar, mean: Scalar, draw_visible: Scalar) -> Scalar:
    named = named_after(draw, mean, draw_visible)
    draw_hidden = scalar_columns(draw)

    @register_jitable(**OPTIONS)
    @named
    def expect(x, states, weights, bias, index, change):
        _send_up(x, states, weights, bias, index, change)
        for r in range(x.shape[0]):
            for j in range(x.shape[1]):
                x[r, j] = mean((x[r, j],), 0)

    @compiled
    @named
    def updates(
        parts, parameters, bounds, velocities, offsets, numbers, cases, weight, starts, rates, chains, sweeps, address,
    ):  # fmt: skip
        """Change parameters, velocities, offsets and chains in place.

        Args:
            parts: number of the draw, first column, last column + 1, constant and two words of the key of each part of
                the visible layer, (parts, 6).
            parameters: W (n_visible, n_hidden); b, and z where some units are real, (1 or 2, n_visible); c
                (1, n_hidden).
            bounds: lowest and highest z, (2, n_visible), where some units are real; equal ones hold that of the others.
            velocities: of the parameters, in the same shapes; empty for no momentum.
            offsets: m and l; empty for the plain metric.
            numbers: offset_rate, l2, l1, momentum: (4,), in the precision of W.
            cases: encoded cases of all updates, (rows, n_visible).
            weight: weights of the cases, (rows,); empty if all are 1.
            starts: update u learns from ``cases[starts[u] : starts[u + 1]]``, (updates + 1,).
            rates: learning rate of every update, (updates,).
            chains: persistent chains, (chains, n_visible); with 0 rows, chains start at the cases of every update.
            sweeps: k; update u takes k steps of the stream.
            address: first row, two words of the key of the hidden layer, step, and word 3 of the visible and of the
                hidden layer.
        """
        weights, visible_own, hidden_bias = parameters
        m, l = offsets  # noqa: E741
        offset_rate, l2, l1, momentum = numbers
        first, k0, k1, c2, c3v, c3h = address
        visible, hidden = weights.shape
        persistent, centered, heavy_ball = chains.shape[0] > 0, m.shape[0] > 0, velocities[0].shape[0] > 0
        real, decays = visible_own.shape[0] > 1, l2 != 0 or l1 != 0
        zero, one = like(momentum, 0.0), like(momentum, 1.0)
        batch = 0
        for u in range(rates.shape[0]):
            batch = max(batch, starts[u + 1] - starts[u])
        most = batch + (chains.shape[0] if persistent else batch)
        index = np.empty(max(most, visible) + 1, np.int64)
        change = np.empty(index.shape[0], weights.dtype)
        started = np.empty((0 if persistent else batch, visible), weights.dtype)
        means = np.empty((most, hidden), weights.dtype)
        share = np.empty(most, weights.dtype)
        data_b, sent_b = np.empty(visible, weights.dtype), np.empty(visible, weights.dtype)
        data_c, sent_c = np.empty(hidden, weights.dtype), np.empty(hidden, weights.dtype)
        slope_b, slope_c = np.empty((1, visible), weights.dtype), np.empty((1, hidden), weights.dtype)
        slope_z, curvature = np.empty((1, visible), weights.dtype), np.empty(visible, weights.dtype)
        row = np.empty((1, hidden), weights.dtype)
        tables = most - batch >= FEWEST_ROWS and min(visible, hidden) >= SMALLEST
        words = np.empty((1, (hidden + 15) // 16 if tables else 0, most - batch), np.uint16)
        for u in range(rates.shape[0]):
            rate = rates[u]
            v = cases[starts[u] : starts[u + 1]]
            n = v.shape[0]
            if persistent:
                ends = chains
            else:
                ends = started[:n]
                ends[:] = v
            rows = n + ends.shape[0]
            h, x = means[:n], means[n:rows]
            if real:
                _curve(curvature, visible_own[1])
            expect(h, v, weights, hidden_bias[0], index, change)
            for s in range(sweeps):
                step = c2 + np.uint64(u * sweeps + s)
                _send_up(x, ends, weights, hidden_bias[0], index, change)
                draw_hidden(x, 0, hidden, 0, (), (first, k0, k1, step, c3h))
                if tables:
                    _send_down_by_tables(ends, x, weights, visible_own[0], words)
                else:
                    _send_down(ends, x, weights, visible_own[0])
                for p in range(parts.shape[0]):
                    kind, start, stop, constant = parts[p, 0], parts[p, 1], parts[p, 2], parts[p, 3]
                    own = (first, np.uint64(parts[p, 4]), np.uint64(parts[p, 5]), step, c3v)
                    draw_visible(kind, ends, start, stop, constant, (curvature,), own)
            expect(x, ends, weights, hidden_bias[0], index, change)
            # The share of every row in the gradient; the mean weight of the batch multiplies both phases.
            mass = zero
            for r in range(n):
                share[r] = (weight[starts[u] + r] if weight.shape[0] else one) / like(one, n)
                mass += share[r]
            for r in range(n, rows):
                share[r] = mass / like(one, rows - n) if persistent else share[r - n]
            _sum_rows(data_b, v, share, 0)
            _sum_rows(data_c, h, share, 0)
            _sum_rows(slope_b[0], ends, share, n)
            _sum_rows(slope_c[0], x, share, n)
            _add(slope_b[0], data_b, -one)
            _add(slope_c[0], data_c, -one)
            _scale_rows(h, share, 0, -one)
            _scale_rows(x, share, n, one)
            if real:
                _variance_slope(slope_z[0], ends, v, share, curvature)
            if centered:
                _follow(m, data_b, offset_rate, mass)
                _follow(l, data_c, offset_rate, mass)
                sent_c[:] = zero
            for i in range(visible):
                row[:] = zero
                count = _list_column(v, i, index, change, 0, 0)
                count = _list_column(ends, i, index, change, count, n)
                _add_rows(row, 0, means, index, change, count)
                if decays:
                    _decay(row, weights, i, l2, l1)
                if centered:
                    _centre(row, m[i], slope_c, slope_b[0, i], l)
                if heavy_ball:
                    _accelerate(row, velocities[0], i, momentum)
                if centered:
                    sent_b[i] = _send_offsets(row, m[i], l, sent_c)
                _step(weights, i, row, rate)
            if heavy_ball:
                _accelerate(slope_b, velocities[1], 0, momentum)
                _accelerate(slope_c, velocities[2], 0, momentum)
            _step(visible_own, 0, slope_b, rate)
            _step(hidden_bias, 0, slope_c, rate)
            if centered:
                _add(visible_own[0], sent_b, rate)
                _add(hidden_bias[0], sent_c, rate)
            if real:
                if heavy_ball:
                    _accelerate(slope_z, velocities[1], 1, momentum)
                _step(visible_own, 1, slope_z, rate)
                _bound(visible_own[1], bounds)

    return updates
