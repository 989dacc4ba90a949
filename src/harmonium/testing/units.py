"""Checks of a unit type: every formula against a definition that does not use it."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from harmonium.core.random import RandomAddress, Stream
from harmonium.core.registry import build
from harmonium.testing.compare import assert_close, assert_mean, assert_that
from harmonium.testing.numeric import (
    bounded,
    conditional,
    derivative,
    discrete,
    moved,
    normals,
    pick,
    scatter,
)
from harmonium.units import Natural, Units

__all__ = ["check_units"]

_ROWS = 6
_DRAWS = 20_000
_FORMULAS = ("mean", "variance", "mode", "log_normalizer")


@torch.no_grad()
def check_units(units: Units, seed: int = 0) -> None:
    """Check a layer of units against the contract of `harmonium.units.Units`.

    The parameters are moved at random on copies in float64 and float32; the layer itself is left alone.  Checked are

    - `log_normalizer`, `mean`, `variance` and `mode` against enumeration of a unit's states, or quadrature of
      continuous ones, also at and near field 0, and at fields of up to 700 if the states are bounded;
    - the mean as the derivative of the log_normalizer, the variance as the derivative of the mean;
    - `statistics`, `natural` and `parameter_gradient` against finite differences of log p(s | x) in every parameter,
      and autograd;
    - `states`, `count`, `encode` and `decode` against each other, log sum of exp(-energy) over all states;
    - `set_natural`, `base_rate`, `neutral_natural` and `line`, the last also at several points per row;
    - draws: their mean and variance (5 standard errors), their domain, independence of chunks and of stacking;
    - the fused loops against the formulas on tensors, float32 against float64, dtypes of results;
    - `config`, from which files build the layer again.

    Args:
        units: the layer; a few units are enough.
        seed: of the random parameters and inputs.

    Raises:
        AssertionError: naming the first identity that fails, with numbers.

    >>> import harmonium as hm
    >>> check_units(hm.Gaussian(3))
    """
    stream = Stream(seed, "check_units")
    layer = _copy(units, torch.float64, stream.child("parameters"))
    base = _copy(units, torch.float64, stream.child("base")).natural()
    single = copy.deepcopy(layer).float()
    x = 2 * normals(stream.child("x"), _ROWS, units.size)
    _check_config(units)
    _check_definition(layer, x)
    _check_extremes(layer)
    _check_derivatives(layer, x)
    _check_parameters(layer, x)
    _check_natural(layer)
    _check_states(layer, x)
    for member in (layer, single):
        what = str(member.natural()[0].dtype).removeprefix("torch.")
        y = x.to(member.natural()[0])
        _check_dtypes(member, y, what)
        _check_draws(member, y, what)
        _check_domain(member, y, what)
        _check_portable(member, y, what)
        _check_line(member, y, tuple(eta.to(y) for eta in base), what)
        _check_stack(member, y, stream.child("stack"), what)
    _check_single(single, layer, x)


def _copy(units: Units, dtype: torch.dtype, stream: Stream) -> Units:
    layer = copy.deepcopy(units).to(dtype)
    scatter(layer, stream, 0.5)
    layer.constrain()
    return layer


def _tolerance(x: Tensor) -> float:
    """Rounding of a formula of a dozen operations, relative."""
    return 1e-12 if x.dtype == torch.float64 else 1e-5


def _draw(step: int, first: int = 0) -> RandomAddress:
    return RandomAddress(key=0x9E3779B97F4A7C15, step=step, site=3, first=first)


# Formulae --------------------------------------------------------------------------------------------------------


def _check_definition(layer: Units, x: Tensor) -> None:
    truth = conditional(layer, x)
    for kind, copied in (("", torch.clone), (" on tensors", _on_tensors)):
        found = layer.log_normalizer(copied(x))
        assert_close(f"log_normalizer{kind} = log sum_s exp(x s - energy(s))", found, truth.log_normalizer, 1e-9, 1e-9)
    assert_close("mean = E[s | x]", layer.mean(x.clone()), truth.mean, 1e-8, 1e-9)
    assert_close("mean on tensors = E[s | x]", layer.mean_(_on_tensors(x)), truth.mean, 1e-8, 1e-9)
    assert_close("variance = Var[s | x]", layer.variance(x.clone()), truth.variance, 1e-8, 1e-9)
    at_mode = truth.log_density(layer.mode(x.clone()))
    assert_that(
        bool((at_mode >= truth.highest - 1e-9).all()),
        f"mode maximises p(s | x): its log density {float(at_mode.min()):.6g} is exceeded by another state's",
    )
    expected = layer.expected_statistics(x.clone())
    for k, (found, wanted) in enumerate(zip(expected, truth.statistics, strict=True), 1):
        assert_close(f"expected_statistics: E[T_{k}(s) | x]", found, wanted, 1e-8, 1e-9)


def _on_tensors(x: Tensor) -> Tensor:
    """A copy of inputs that the fused loops leave to the formulas on tensors, because it needs a gradient."""
    return x.clone().requires_grad_()


def _check_extremes(layer: Units) -> None:
    """Formulas that divide by the field, or take its exponential, have to be written with care."""
    neutral = copy.deepcopy(layer)
    neutral.set_natural(layer.neutral_natural())
    near = [0.0, 1e-12, 1e-9, 1e-7, 1e-5, 1e-4, 1e-3, 1e-2, 0.1]
    fields = torch.tensor([*near, *((20.0, 100.0, 700.0) if bounded(layer) else ())], dtype=torch.float64)
    fields = torch.cat((-fields[1:].flip(0), fields))
    x = fields.unsqueeze(-1).repeat(1, layer.size)
    truth = conditional(neutral, x)
    where = f"at fields of 0 to {float(fields[-1]):g}"
    for kind, copied in (("", torch.clone), (" on tensors", _on_tensors)):
        found = neutral.log_normalizer(copied(x))
        assert_close(f"log_normalizer{kind} {where}", found, truth.log_normalizer, 1e-6, 1e-6)
        assert_close(f"mean{kind} {where}", neutral.mean_(copied(x)), truth.mean, 1e-6, 1e-7)
        layer.check(neutral.sample_(copied(x), _draw(2)), f"draws{kind} {where}")
    assert_close(f"variance {where}", neutral.variance(x.clone()), truth.variance, 1e-5, 1e-9)
    single = copy.deepcopy(neutral).float()
    for kind, copied in ((" in float32", torch.clone), (" on tensors in float32", _on_tensors)):
        found = single.log_normalizer(copied(x.float()))
        assert_close(f"log_normalizer{kind} {where}", found, truth.log_normalizer, 1e-5, 1e-5)
        assert_close(f"mean{kind} {where}", single.mean_(copied(x.float())), truth.mean, 1e-5, 1e-5)
        single.check(single.sample_(copied(x.float()), _draw(2)), f"draws{kind} {where}")


def _check_config(units: Units) -> None:
    config = units.config()
    try:
        other = build(json.loads(json.dumps(config)))
    except (TypeError, ValueError) as error:
        raise AssertionError(
            f"a file can build the layer again from its config() {config}: {error}. Extend config() by each argument "
            "of the constructor"
        ) from error
    assert_that(other.config() == config, f"the layer built from config() {config} has another: {other.config()}")
    assert_that(other.constant == units.constant, f"config() {config} tells the constant {units.constant}")


def _check_derivatives(layer: Units, x: Tensor) -> None:
    for j in pick(layer.size):
        step = torch.zeros_like(x)
        step[:, j] = 1.0
        slope = derivative(partial(_along, layer.log_normalizer, x, step))
        assert_close(f"mean = d log_normalizer / dx (unit {j})", layer.mean(x.clone())[:, j], slope, 1e-7, 1e-7)
        slope = derivative(partial(_along, layer.mean, x, step))[:, j]
        assert_close(f"variance = d mean / dx (unit {j})", layer.variance(x.clone())[:, j], slope, 1e-7, 1e-7)


def _along(function: Callable[[Tensor], Tensor], x: Tensor, step: Tensor, h: float) -> Tensor:
    return function(x + h * step)


def _check_parameters(layer: Units, x: Tensor) -> None:
    s = layer.sample(x.clone(), _draw(0))
    expected = -_elementwise(layer, s).sum(-1)
    assert_close("energy = - log m(s) - sum_k eta_k T_k(s)", layer.energy(s), expected, 1e-12, 1e-12)

    def log_density() -> Tensor:
        return (layer.neg_energy(s) - layer.log_normalizer(x.clone())).sum()

    differences = zip(layer.statistics(s), layer.expected_statistics(x.clone()), strict=True)
    pulled = layer.parameter_gradient(tuple((T - mean).sum(-2) for T, mean in differences))
    named = dict(layer.named_parameters())
    assert_that(
        pulled.keys() == named.keys(), f"parameter_gradient names {sorted(pulled)}, the parameters are {sorted(named)}"
    )
    with torch.enable_grad():
        gradients = torch.autograd.grad(log_density(), list(named.values()))
    for (name, parameter), gradient in zip(named.items(), gradients, strict=True):
        assert_close(
            f"parameter_gradient(T(s) - E[T]) = autograd of log p(s | x) in {name}", pulled[name], gradient, 1e-9, 1e-9
        )
        for j in pick(parameter.numel()):
            slope = derivative(moved(log_density, parameter, j))
            identity = f"parameter_gradient(T(s) - E[T]) = finite difference of log p(s | x) in {name}[{j}]"
            assert_close(identity, pulled[name].reshape(-1)[j], slope, 1e-6, 1e-6)


def _elementwise(layer: Units, s: Tensor) -> Tensor:
    terms = [eta * T for eta, T in zip(layer.natural(), layer.statistics(s), strict=True)]
    measure = layer.log_measure(s)
    return torch.stack([*terms, torch.zeros_like(s) if measure is None else measure]).sum(0)


def _check_natural(layer: Units) -> None:
    other = copy.deepcopy(layer)
    other.set_natural(layer.natural())
    for (name, found), expected in zip(other.named_parameters(), layer.parameters(), strict=True):
        assert_close(f"set_natural(natural()) leaves {name} as it is", found, expected, 1e-12, 1e-12)
    nothing = layer.natural()[0].new_zeros(1, layer.size)
    mean, variance = layer.mean(nothing.clone())[0], layer.variance(nothing.clone())[0]
    other.set_natural(layer.base_rate(mean, variance, 1e7))
    # Smoothing by one case in 1e7 moves a moment by about its own size times 1e-7.
    assert_close("base_rate has the mean asked for", other.mean(nothing.clone())[0], mean, 1e-5, 1e-5)
    assert_close("base_rate has the variance asked for", other.variance(nothing.clone())[0], variance, 1e-5, 1e-5)
    constant = layer.sample(nothing.clone(), _draw(1))[0]
    for eta in layer.base_rate(constant, torch.zeros_like(constant), 100.0):
        assert_that(bool(torch.isfinite(eta).all()), f"base_rate of a constant unit is finite, found {eta}")
    other.set_natural(layer.neutral_natural())
    at_rest = other.log_normalizer(nothing.clone())
    assert_that(bool(torch.isfinite(at_rest)), f"neutral_natural() is normalisable: its log_normalizer is {at_rest}")
    assert_close("log_normalizer at rest", at_rest, conditional(other, nothing).log_normalizer, 1e-9, 1e-9)


# Draws -----------------------------------------------------------------------------------------------------------


def _check_dtypes(layer: Units, x: Tensor, what: str) -> None:
    results = {
        "mean": layer.mean(x.clone()), "variance": layer.variance(x.clone()), "mode": layer.mode(x.clone()),
        "sample": layer.sample(x.clone(), _draw(0)),
        "mean on tensors": layer.mean_(_on_tensors(x)), "sample on tensors": layer.sample_(_on_tensors(x), _draw(0)),
    }  # fmt: skip
    for name, result in results.items():
        assert_that(
            result.dtype == x.dtype and result.shape == x.shape,
            f"{name} of {what} inputs {tuple(x.shape)} is {result.dtype} {tuple(result.shape)}",
        )
    for name, result in {
        "log_normalizer": layer.log_normalizer(x.clone()),
        "energy": layer.energy(results["sample"]),
    }.items():
        assert_that(
            result.dtype == torch.float64 and result.shape == x.shape[:-1],
            f"{name} of {what} inputs is float64, one value per row: found {result.dtype} {tuple(result.shape)}",
        )


def _check_draws(layer: Units, x: Tensor, what: str) -> None:
    # Inputs within 2, so that no unit is so sure that the draws do not show its variance.
    for row in x[:2].clamp(-2, 2):
        inputs = row.expand(_DRAWS, -1).contiguous()
        s = layer.sample(inputs.clone(), _draw(5)).double()
        mean, variance = layer.mean(row[None].clone())[0], layer.variance(row[None].clone())[0]
        assert_mean(f"draws have the conditional mean ({what})", s, mean)
        assert_mean(f"draws have the conditional variance ({what})", (s - mean) ** 2, variance)
        head = layer.sample(inputs[:700].clone(), _draw(5)).double()
        tail = layer.sample(inputs[700:].clone(), _draw(5, first=700)).double()
        assert_that(bool((torch.cat((head, tail)) == s).all()), f"draws do not depend on row chunks ({what})")
        again = layer.sample(inputs.clone(), _draw(6)).double()
        # Where a state is so rare that it hardly ever meets itself, the products do not show their own spread.
        common = (((s - mean) ** 2 / variance) ** 2).mean(0) ** 2 < 0.05 * _DRAWS
        product = ((again - mean) * (s - mean) / variance)[:, common]
        if product.numel():
            assert_mean(f"draws of different steps are uncorrelated ({what})", product, torch.zeros_like(mean[common]))


def _check_domain(layer: Units, x: Tensor, what: str) -> None:
    for name, s in (("sample", layer.sample(x.clone(), _draw(7))), ("mode", layer.mode(x.clone()))):
        try:
            layer.check(s, name)
        except ValueError as error:
            raise AssertionError(f"check() refuses what {name} returned ({what}): {error}") from error
    s[-1, -1] = float("nan")
    try:
        layer.check(s, "s")
    except ValueError as error:
        assert_that("s" in str(error).split(), f"the message of check() names its argument: {error}")
    else:
        raise AssertionError(f"check() refuses NaN ({what})")


def _check_portable(layer: Units, x: Tensor, what: str) -> None:
    tolerance = _tolerance(x)
    portable = _on_tensors(x)
    found, expected = layer.mean_(x.clone()), layer.mean_(portable)
    assert_close(f"fused mean = portable mean ({what})", found, expected, tolerance, tolerance)
    found, expected = layer.log_normalizer(x.clone()), layer.log_normalizer(portable)
    assert_close(
        f"fused log_normalizer = portable log_normalizer ({what})", found, expected, tolerance, layer.size * tolerance
    )
    many = x.repeat(200, 1)
    draw = _draw(8, first=3)
    found, expected = layer.sample_(many.clone(), draw), layer.sample_(many.clone().requires_grad_(), draw)
    _assert_draws(f"fused draws = portable draws ({what})", layer, found, expected)


def _assert_draws(identity: str, layer: Units, found: Tensor, expected: Tensor) -> None:
    if len(layer.by_type()) > 1:
        for part, units in layer.by_type():
            _assert_draws(identity, part, found[..., units], expected[..., units])
        return
    if not discrete(layer):
        tolerance = 10 * _tolerance(found)
        assert_close(identity, found, expected, tolerance, tolerance)
        return
    # A draw changes only where its uniform lies within a few ulp of a threshold: at most one in 10^5 in float32.
    different = int((found != expected).sum())
    allowed = 1 + found.numel() // 100_000
    assert_that(different <= allowed, f"{identity}: {different} of {found.numel()} differ, {allowed} may by rounding")


def _between(base: Natural, layer: Units, t: Tensor) -> Units:
    """The layer at t on the line from ``base``."""
    middle = copy.deepcopy(layer)
    middle.set_natural(tuple((1 - t) * low + t * high for low, high in zip(base, layer.natural(), strict=True)))
    return middle


def _check_line(layer: Units, x: Tensor, base: Natural, what: str) -> None:
    tolerance = 10 * _tolerance(x)
    points = torch.tensor([0.0, 0.3, 1.0]).to(x)
    columns = []
    for t in points:
        middle, line = _between(base, layer, t), layer.line(t.expand(len(x)), base)
        identity = f"at t = {float(t):.1f} of line() ({what})"
        for name in _FORMULAS:
            found, expected = getattr(layer, name)(x.clone(), line), getattr(middle, name)(t * x)
            assert_close(f"{name} {identity}", found, expected, tolerance, layer.size * tolerance)
        columns.append(expected)  # of the log-normaliser
        found, expected = layer.sample(x.clone(), _draw(9), line), middle.sample(t * x, _draw(9))
        _assert_draws(f"draws {identity}", layer, found, expected)
        portable = layer.sample_(x.clone().requires_grad_(), _draw(9), line)
        _assert_draws(f"portable draws {identity}", layer, portable, expected)
    # Rows at different t, and several t for each row.
    mixed = points.repeat(len(x))[: len(x)]
    found = layer.log_normalizer(x.clone(), layer.line(mixed, base))
    expected = torch.stack([columns[r % len(points)][r] for r in range(len(x))])
    assert_close(f"log_normalizer of rows at different t ({what})", found, expected, tolerance, tolerance)
    for name, y in (("fused", x.clone()), ("portable", x.clone().requires_grad_())):
        found = layer.log_normalizer(y, layer.line(points.expand(len(x), -1), base))
        expected = torch.stack(columns, -1)
        assert_close(f"{name} log_normalizer at several t per row ({what})", found, expected, tolerance, tolerance)
    _check_exponents(layer, layer.sample(x.clone(), _draw(12)), base, points, what)
    # Without a base, t multiplies the whole energy.
    half = torch.full((len(x),), 0.5).to(x)
    middle = _between(tuple(map(torch.zeros_like, base)), layer, half[0])
    found, expected = layer.mean(x.clone(), layer.line(half)), middle.mean(0.5 * x)
    assert_close(f"line(t) without base is an inverse temperature ({what})", found, expected, tolerance, tolerance)


def _check_exponents(layer: Units, s: Tensor, base: Natural, points: Tensor, what: str) -> None:
    expected = [-_between(base, layer, t).energy(s) for t in points]
    tolerance = 10 * _tolerance(s)
    found = layer.neg_energy_along(s, layer.line(points.expand(len(s), -1), base))
    identity = f"neg_energy_along a line = that of the layer at its points ({what})"
    assert_close(identity, found, torch.stack(expected, -1), tolerance, layer.size * tolerance)
    found = layer.neg_energy_along(s, layer.line(points[1].expand(len(s)), base))
    assert_close(identity, found, expected[1], tolerance, layer.size * tolerance)


def _check_states(layer: Units, x: Tensor) -> None:
    s = layer.sample(x.clone(), _draw(13))
    outside = layer.decode(s)
    assert_that(
        outside.shape == (len(s), layer.columns), f"decode gives one column per variable, found {outside.shape}"
    )
    assert_that(torch.equal(layer.encode(outside, "s"), s), "encode(decode(s)) = s")
    last = torch.zeros(layer.columns).bool()
    last[-1] = True
    changed = outside.clone()
    changed[:, -1] = layer.decode(layer.sample(-x, _draw(14)))[:, -1]
    moved = (layer.encode(changed, "s") != s).any(0)
    assert_that(
        not bool((moved & ~layer.repeat_per_column(last)).any()), "repeat_per_column names the units of a variable"
    )
    assert_that(not layer.bounded or bounded(layer), "bounded units refuse the states 1e30 and -1e30")
    if not layer.finite:
        assert_that(layer.log2_count == float("inf"), f"log2_count of infinitely many states is {layer.log2_count}")
        return
    assert_that(abs(layer.log2_count - math.log2(layer.count)) < 1e-9, "log2_count = log2(count)")
    if layer.count > 1 << 12:
        return
    states = layer.states(torch.arange(layer.count))
    layer.check(states, "states")
    assert_that(len(torch.unique(states, dim=0)) == layer.count, "states lists each joint state once")
    total = torch.logsumexp(layer.neg_energy(states), 0)
    nothing = x.new_zeros(1, layer.size)
    assert_close("log_normalizer at 0 = log sum over states", layer.log_normalizer(nothing)[0], total, 1e-10, 1e-10)


def _check_stack(layer: Units, x: Tensor, stream: Stream, what: str) -> None:
    members = [_copy(layer, x.dtype, stream.child(r)) for r in range(3)]
    stack = copy.deepcopy(layer)
    for name, _ in list(stack.named_parameters()):
        owner, _, leaf = name.rpartition(".")
        stacked = torch.stack([dict(member.named_parameters())[name] for member in members])
        setattr(stack.get_submodule(owner), leaf, nn.Parameter(stacked))
    y = torch.stack([x, 0.5 * x, -x])
    rows = len(x)
    tolerance = _tolerance(x)
    for r, member in enumerate(members):
        for name in _FORMULAS:
            found, expected = getattr(stack, name)(y.clone())[r], getattr(member, name)(y[r].clone())
            assert_close(f"{name} of a stack = that of its members ({what})", found, expected, tolerance, tolerance)
        found, expected = stack.sample(y.clone(), _draw(11))[r], member.sample(y[r].clone(), _draw(11, first=r * rows))
        _assert_draws(f"draws of a stack = those of its members ({what})", layer, found, expected)
    t = torch.linspace(0.2, 0.9, rows).to(x)
    found = stack.log_normalizer(y.clone(), stack.line(t))
    expected = torch.stack([member.log_normalizer(y[r].clone(), member.line(t)) for r, member in enumerate(members)])
    assert_close(
        f"log_normalizer of a stack on a line = that of its members ({what})", found, expected, tolerance, tolerance
    )
    s = stack.sample(y.clone(), _draw(11))
    expected = torch.stack([member.energy(s[r]) for r, member in enumerate(members)])
    assert_close(f"energy of a stack = that of its members ({what})", stack.energy(s), expected, tolerance, tolerance)


def _check_single(single: Units, layer: Units, x: Tensor) -> None:
    y = x.float()
    exact = copy.deepcopy(single).double()  # the same parameters, rounded
    for name in ("mean", "variance", "log_normalizer"):
        found, expected = getattr(single, name)(y.clone()), getattr(exact, name)(y.double())
        assert_close(f"float32 {name} = float64 {name}", found, expected, 1e-5, layer.size * 1e-6)
