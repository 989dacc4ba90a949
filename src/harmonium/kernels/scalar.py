"""Scalar functions that fused loops inline: uniforms from words, exp, quantiles of normal numbers and of counts."""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

__all__ = ["beyond", "binomial", "exp", "like", "ndtri", "poisson", "positive", "positive_quantile", "uniform", "walk"]

_F = np.float32


def uniform(x: float, word: int) -> float:
    """(word + 0.5) / 2^32 in the precision of x, rounded below 1."""
    raise NotImplementedError


@overload(uniform, inline="never")
def _uniform(x, word):
    if x == types.float32:
        top, half, scale = _F(1 - 2.0**-24), _F(0.5), _F(2.0**-32)
        return lambda x, word: min((np.float32(word) + half) * scale, top)
    return lambda x, word: (np.float64(word) + 0.5) * 2.0**-32


def like(x: float, value: float) -> float:
    """``value`` in the precision of x: a bare literal would turn float32 arithmetic into float64."""
    raise NotImplementedError


@overload(like, inline="never")
def _like(x, value):
    if x == types.float32:
        return lambda x, value: np.float32(value)
    return lambda x, value: np.float64(value)


def exp(x: float) -> float:
    """e^x for x <= 88 (float32) or 709 (float64), never below e^-87 or e^-708; straight-line, so loops vectorise."""
    raise NotImplementedError


@register_jitable
def _exp32(x):
    # x = n ln 2 + r; the polynomial for e^r is Cephes' expf: relative error below 9e-8.
    x = max(x, _F(-87.0))
    n = np.floor(x * _F(1.4426950408889634) + _F(0.5))
    r = (x - n * _F(0.693359375)) - n * _F(-2.12194440e-4)
    p = _F(1.9875691500e-4)
    p = p * r + _F(1.3981999507e-3)
    p = p * r + _F(8.3334519073e-3)
    p = p * r + _F(4.1665795894e-2)
    p = p * r + _F(1.6666665459e-1)
    p = p * r + _F(5.0000001201e-1)
    p = p * r * r + r + _F(1.0)
    return p * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@register_jitable
def _exp64(x):
    # Taylor to r^13: |r| <= ln(2) / 2, so the remainder is below 5e-18.
    x = max(x, -708.0)
    n = np.floor(x * 1.4426950408889634 + 0.5)
    r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r * r + r + 1.0
    return p * np.int64((np.int64(n) + np.int64(1023)) << np.int64(52)).view(np.float64)


@overload(exp, inline="never")
def _exp(x):
    if x == types.float32:
        return lambda x: _exp32(x)
    return lambda x: _exp64(x)


# fmt: off
_A = (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
      4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3)
_B = (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
      2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3)
_C = (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
      1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4)
_D = (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
      1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9)
_E = (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
      2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7)
_G = (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
      7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15)
# fmt: on


@register_jitable
def _ratio(x, above, below):
    p, q = above[7], below[7]
    for k in range(6, -1, -1):
        p = p * x + above[k]
        q = q * x + below[k]
    return p / q


@register_jitable
def ndtri(u):
    """The standard normal quantile of u in (0, 1), float64 (Wichura 1988, algorithm AS 241, PPND16)."""
    q = u - 0.5
    if abs(q) <= 0.425:
        return q * _ratio(0.180625 - q * q, _A, _B)
    r = math.sqrt(-math.log(min(u, 1.0 - u)))
    z = _ratio(r - 1.6, _C, _D) if r <= 5.0 else _ratio(r - 5.0, _E, _G)
    return z if q > 0 else -z


@register_jitable
def walk(u, k, p, scale, a, b):
    """Draw a count by inversion, trying the values in the order k, k + 1, k - 1, k + 2, ...

    p is the probability of k, and scale (a - b j) / (j + 1) the ratio of the probabilities of j + 1 and j, float64.
    From the mode, the number of steps is about the distance of the drawn count from the mode.
    """
    above, below = k, k
    up, down = p, p
    u -= p
    while u >= 0.0 and up + down > 1e-18:  # probability lost to rounding goes to k
        up *= scale * (a - b * above) / (above + 1.0)
        above += 1.0
        u -= up
        if u < 0.0:
            return above
        down *= below / (scale * (a - b * (below - 1.0)))
        below -= 1.0
        u -= down
        if u < 0.0:
            return below
    return k


@register_jitable
def binomial(field, trials, u):
    """Draw a number of successes in ``trials`` with log-odds ``field``, float64 (see `walk`)."""
    n = float(trials)
    t = exp(-abs(field))
    q = 1.0 / (1.0 + t)  # probability of the likelier outcome
    mode = math.floor((n + 1.0) * t * q)
    log_p = mode * math.log(t) + n * math.log(q)
    log_p += math.lgamma(n + 1.0) - math.lgamma(mode + 1.0) - math.lgamma(n - mode + 1.0)
    k = walk(u, mode, math.exp(log_p), t, n, 1.0)
    return n - k if field > 0.0 else k


@register_jitable
def poisson(field, u):
    """Draw a Poisson count of rate e^field, float64 (see `walk`)."""
    rate = math.exp(field)
    mode = math.floor(rate)
    return walk(u, mode, math.exp(mode * field - rate - math.lgamma(mode + 1.0)), rate, 1.0, 0.0)


@register_jitable
def beyond(alpha):
    """log(P(Z > alpha) / density(alpha)) of a standard normal Z; mean and variance of Z - alpha given Z > alpha.

    Above 4 it uses the continued fraction of Laplace, whose terms do not cancel: alpha + 1 / (alpha + 2 / (alpha +
    ...)) is the inverse of the ratio, and the part after the first alpha is the mean.
    """
    if alpha > 4.0:
        fraction = 0.0
        for k in range(30, 1, -1):
            fraction = k / (alpha + fraction)
        mean = 1.0 / (alpha + fraction)
        return -math.log(alpha + mean), mean, (fraction - mean) * mean
    log_ratio = 0.5 * alpha * alpha + math.log(math.sqrt(0.5 * math.pi) * math.erfc(alpha * math.sqrt(0.5)))
    hazard = math.exp(-log_ratio)
    mean = hazard - alpha
    return log_ratio, mean, 1.0 - hazard * mean


@register_jitable
def positive(field, precision):
    """(log integral, mean, variance) of the density exp(field s - precision s^2 / 2) on s >= 0, float64."""
    scale = 1.0 / math.sqrt(precision)
    log_ratio, mean, variance = beyond(-field * scale)
    return log_ratio + math.log(scale), mean * scale, variance * scale * scale


@register_jitable
def positive_quantile(field, precision, u):
    """The s that the density of `positive` exceeds with probability u, float64."""
    scale = 1.0 / math.sqrt(precision)
    alpha = -field * scale
    if alpha <= 4.0:
        q = u * 0.5 * math.erfc(alpha * math.sqrt(0.5))
        return max(-ndtri(q) - alpha, 0.0) * scale
    # Far out P(Z > alpha) underflows: Newton's method for log P(Z > alpha + d) - log P(Z > alpha) = log u.
    log_u = math.log(u)
    start = beyond(alpha)[0]
    d = -2.0 * log_u / (alpha + math.sqrt(alpha * alpha - 2.0 * log_u))
    for _ in range(4):
        log_ratio, mean, _variance = beyond(alpha + d)
        d += (log_ratio - start - (alpha + 0.5 * d) * d - log_u) / (alpha + d + mean)
    return max(d, 0.0) * scale
