"""The contract of a layer of units.

A layer is an exponential family.  With sufficient statistics T_k(s), natural parameters eta_k and base measure m(s),
a layer that receives the input x from its couplings has the conditional distribution

    p(s | x) = m(s) exp( x . s + sum_k eta_k . T_k(s) - A(x) ),

T_1(s) = s, so that x adds to eta_1 (the *field*); A is the cumulant.  eta_2, where a family has it, multiplies s^2 and
is called the *curvature*.  Nothing above this floor knows the formulae of a unit type.

A state has two forms.  *Inside* it has one column per unit, the columns that couplings multiply; *outside*, as users
see it, one column per variable.  They differ for categorical variables only: one code outside, a group of units of
which one is on inside.

Shapes: n units (`Units.size`); states s are (..., batch, n); parameters (..., n) with the same leading dimensions, so
that a stack of models is a batched product.  Energies and cumulants are summed over the units: (..., batch).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from harmonium import kernels
from harmonium.core.random import RandomAddress
from harmonium.core.registry import Registered
from harmonium.kernels.philox import split

__all__ = ["Interpolation", "FusedKernels", "Natural", "UpdateOrder", "Units", "as_units"]

Natural = tuple[Tensor, ...]
"""Natural parameters of a layer: (eta_1,), (eta_1, eta_2), ..., each (..., n)."""


class Interpolation(NamedTuple):
    """Where each row of a batch stands on a line of natural parameters: ``start + t * slope`` (see `Units.line`).

    ``t`` has shape (..., batch), or (..., batch, points) where a method says so.  The input from the couplings is
    scaled by t as well.  ``t`` None is t = 1 for all.
    """

    t: Tensor | None
    slope: Natural
    start: Natural
    arrays: dict[Any, Any] | None = None
    """What the fused loops take for slope and start, kept from call to call; shared by lines that differ in t only."""


class FusedKernels(NamedTuple):
    """The fused loops of a family (see `harmonium.kernels.fused`)."""

    sample: Any
    mean: Any
    log_normalizer: Any
    walk: Any = None
    ancestral: Any = None
    """Draws each unit given those before it (see `harmonium.kernels.nade`)."""


class UpdateOrder(NamedTuple):
    """Who is drawn when in a layer that is coupled to itself."""

    classes: list[Tensor]
    """Columns without couplings among them, one class after the other."""
    order: Any
    """The same columns, one after the other, int64 array (n,)."""

    @classmethod
    def of(cls, classes: list[Tensor]) -> UpdateOrder:
        return cls(classes, torch.cat(classes).numpy())


class Units(Registered, nn.Module, ABC):
    """A layer of units of one family.

    Args:
        shape: number of units, or a shape such as ``(28, 28)`` which is remembered for pictures.

    Subclasses are short files: parameters, five formulae (twice: as scalar functions for the fused loops and on
    tensors), the domain.  `harmonium.testing.check_units` verifies all of them.
    """

    loops: ClassVar[FusedKernels]
    uniforms_in: ClassVar[torch.dtype | None] = None
    """Precision of the uniforms that `_draw` inverts, where it is not that of the states."""
    finite: bool = False
    """Whether the states of one unit can be listed (see `unit_states`).

    A coupling between two layers has a normalisable distribution whatever its weights only where one of them is."""
    fields: tuple[str, ...] = ("bias",)
    """Names of the parameters that add up, side by side, to the field eta_1: one entry per unit."""
    known: int = 0
    """What the fused loops are told besides the natural parameters."""
    conditions_on_total: ClassVar[bool] = False
    """Whether the columns of a row have a sum that no draw changes: they are then one variable (see `keeping`)."""

    def __init__(self, shape: int | tuple[int, ...], width: int = 1) -> None:
        super().__init__()
        self.shape = (shape,) if isinstance(shape, int) else tuple(int(side) for side in shape)
        if not self.shape or min(self.shape) < 1:
            raise ValueError(f"{type(self).__name__} needs at least one unit, found shape {self.shape}")
        self.columns = math.prod(self.shape)
        """Columns of a state outside."""
        self.size = self.columns * width
        """Columns of a state inside."""

    # What a family defines ---------------------------------------------------------------------------------------

    @abstractmethod
    def natural(self) -> Natural:
        """The natural parameters, a differentiable function of the module's parameters."""

    @abstractmethod
    def statistics(self, s: Tensor) -> Natural:
        """The sufficient statistics T_k(s) of states, each (..., batch, n)."""

    @abstractmethod
    def parameter_gradient(self, moments: Natural) -> dict[str, Tensor]:
        """Turn (differences of) moments of T_k into the gradient of the log-likelihood in the module's parameters."""

    @abstractmethod
    def neutral_natural(self) -> Natural:
        """Natural parameters of a layer at rest: the start of every path for latent layers."""

    @abstractmethod
    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        """Natural parameters of the independent model with these moments, smoothed as if by one case in ``cases``."""

    @abstractmethod
    def set_natural(self, natural: Natural) -> None:
        """Set the module's parameters to natural parameters, in place."""

    @abstractmethod
    def invalid(self, s: Tensor) -> Tensor:
        """Where states (..., n) lie outside the domain; NaN and infinities do."""

    @abstractmethod
    def invalid_hint(self, value: float) -> str:
        """What units take, and what to do about a finite value that they do not: the end of an error message."""

    def unit_states(self) -> Tensor:
        """The states of a single unit, shape (states,), for finite families.

        Raises:
            ValueError: where a unit has infinitely many.
        """
        raise ValueError(f"{type(self).__name__} units have no finite list of states")

    def conditioned_on_total(self, s: Tensor) -> Units:
        """The layer as it stands for rows of states s (..., batch, n): with their sums, where draws keep them."""
        return self

    def require_independent_columns(self, function: str) -> None:
        """Raise ValueError where no column is a variable by itself, as ``function`` wants it."""
        if self.conditions_on_total:
            raise ValueError(
                f"{function} looks at visible columns one by one, and those of {self!r} are drawn together, since "
                "their sum is fixed: take whole rows"
            )

    # The five formulae.  eta comes with the input and the line already in it, each part broadcast to (..., batch, n);
    # the draw inverts a distribution function at uniforms u (..., batch, columns).

    def _mean(self, eta: Natural) -> Tensor:
        raise NotImplementedError

    def _variance(self, eta: Natural) -> Tensor:
        raise NotImplementedError

    def _mode(self, eta: Natural) -> Tensor:
        raise NotImplementedError

    def _log_normalizer(self, eta: Natural) -> Tensor:
        raise NotImplementedError

    def _draw(self, eta: Natural, u: Tensor) -> Tensor:
        raise NotImplementedError

    def log_measure(self, s: Tensor) -> Tensor | None:
        """log m(s) of each unit, (..., batch, n); None where it is 0 for all states."""
        return None

    def not_encodable(self, outside: Tensor) -> Tensor | None:
        """Where states outside, (..., columns), have no form inside; None where all have."""
        return None

    def _encode(self, outside: Tensor) -> Tensor:
        return outside

    def decode(self, inside: Tensor) -> Tensor:
        """States outside, (..., batch, columns), from states inside, (..., batch, size)."""
        return inside

    def repeat_per_column(self, outside: Tensor) -> Tensor:
        """What is said of each variable, (..., columns), said of each of its units, (..., size)."""
        return outside

    def variable(self, i: int) -> tuple[slice, Tensor]:
        """(units of the variable in column i outside, its states as they stand in these units), for finite families.

        The states are (states, units).
        """
        return slice(i, i + 1), self.unit_states().unsqueeze(-1)

    def advice(self, mean: Tensor, variance: Tensor) -> str | None:
        """What to do first about training data with these moments (size,), where they promise ill; None where not."""
        return None

    def normalisable(self, natural: Natural) -> bool:
        """Whether the layer alone is a distribution with these natural parameters."""
        return all(bool(torch.isfinite(eta).all()) for eta in natural)

    def constrain(self) -> None:
        """Bring parameters back into their bounds after an update."""

    def config(self) -> dict[str, Any]:
        """Describe the layer: a JSON-able dict of its type and the arguments that build it again."""
        return super().config() | {"shape": list(self.shape)}

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        """Build a layer from what `config` returned, without its type."""
        return super().from_config({key: tuple(v) if isinstance(v, list) else v for key, v in arguments.items()})

    # What follows from it ----------------------------------------------------------------------------------------

    def check(self, s: Tensor, name: str) -> None:
        """Refuse states inside, (..., n), that lie outside the domain.

        Raises:
            ValueError: naming ``name``, where, the value and the remedy.
        """
        self._refuse(self.invalid(s), s, name)

    def encode(self, outside: Tensor, name: str = "states") -> Tensor:
        """States inside, (..., batch, size), from states outside, (..., batch, columns).  NaN, a missing value, stays.

        Raises:
            ValueError: where a value has no form inside, such as a code out of range.
        """
        self._refuse(self.not_encodable(outside), outside, name)
        return self._encode(outside)

    def _refuse(self, wrong: Tensor | None, values: Tensor, name: str) -> None:
        if wrong is None or not bool(wrong.any()):
            return
        place = wrong.nonzero()[0]
        where = ", ".join(
            f"{what} {int(i)}" for what, i in zip(("row", "column")[-len(place) :], place[-2:], strict=True)
        )
        value = float(values[tuple(place)])
        if not math.isfinite(value):
            found = "NaN" if math.isnan(value) else "infinite"
            raise ValueError(f"{name} is not finite ({found}) in {where}: remove or impute such values first")
        remedy = self.units_of_column(int(place[-1]), values.shape[-1] == self.size).invalid_hint(value)
        raise ValueError(f"{name} has the value {value:g} in {where}, but {remedy}")

    def units_of_column(self, column: int, inside: bool = True) -> Units:
        """The layer of one type that a column belongs to."""
        return self

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """The parameters by the names that `pull` uses."""
        return self._parameters  # type: ignore[return-value]  # asked for in every update: the generators are slow

    @property
    def variables(self) -> int:
        """How many variables are drawn by themselves: as many as columns, or one (`conditions_on_total`)."""
        return 1 if self.conditions_on_total else self.columns

    @property
    def count(self) -> int:
        """Number of joint states of the layer.

        Raises:
            ValueError: where it is infinite.
        """
        return math.prod(self.radices())

    @property
    def log2_count(self) -> float:
        """log2 of `count`; infinite where the layer is not finite."""
        return sum(math.log2(radix) for radix in self.radices()) if self.finite else math.inf

    def radices(self) -> list[int]:
        """How many states each variable has, for finite families: the radices in which `states` counts."""
        return [len(self.variable(i)[1]) for i in range(self.variables)]

    def mean(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        """Conditional mean of the states given inputs x."""
        return self.mean_(x.clone(), line)

    def mean_(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        """`mean` that may write into the memory of x."""
        if kernels.is_fused(x) and not self._wants_graph():
            return self._fused(self.loops.mean, x, line)
        return self._mean(self._eta(x, line))

    def sample(self, x: Tensor, draw: RandomAddress, line: Interpolation | None = None) -> Tensor:
        """A draw from the conditional distribution given inputs x."""
        return self.sample_(x.clone(), draw, line)

    def sample_(self, x: Tensor, draw: RandomAddress, line: Interpolation | None = None) -> Tensor:
        """`sample` that may write into the memory of x."""
        if kernels.is_fused(x):
            return self._fused(self.loops.sample, x, line, draw.first, *split(draw.key, draw.step, draw.site))
        u = kernels.uniforms(draw, x.numel() // self.size, self.columns, self.uniforms_in or x.dtype, x.device)
        return self._draw(self._eta(x, line), u.view(*x.shape[:-1], self.columns))

    def sequential_gibbs_(
        self,
        x: Tensor,
        s: Tensor,
        weights: Tensor,
        turns: UpdateOrder,
        draw: RandomAddress,
        line: Interpolation | None = None,
        held: Tensor | None = None,
        sent: Tensor | None = None,
    ) -> Tensor:
        """Draw units that are coupled among themselves, one after the other, into the memory of s.

        Args:
            x: inputs from other layers, (..., batch, n).
            s: states (..., batch, n), contiguous.
            weights: the lateral coupling (n, n), symmetric, without a diagonal.
            turns: who is drawn when.
            draw: one word per unit.
            line: where the rows stand.
            held: units that stay as they are, bool, broadcast to s.
            sent: s @ weights, (..., batch, n), contiguous, where it is known; brought up to date, in place.
        """
        sent = s @ weights if sent is None else sent
        if self.loops.walk is not None and kernels.is_fused(x) and weights.dim() == 2:
            mask = np.zeros((1, self.size), np.bool_) if held is None else held.reshape(-1, self.size).numpy()
            arrays, words = self._line_arrays(x, line), kernels.words(draw, x.numel() // self.size, self.size)
            self.loops.walk(
                _rows(x), _rows(sent), _rows(s), weights.detach().numpy(), turns.order, mask, words, *arrays
            )
            return s
        for columns in turns.classes:
            turn = torch.zeros(self.size, dtype=torch.bool, device=s.device)
            turn[columns.to(s.device)] = True
            if held is not None:
                turn = turn & ~held
            new = torch.where(turn, self.sample(x + sent, draw, line), s)  # always the same words: a draw is an address
            sent += (new - s) @ weights
            s.copy_(new)
        return s

    def variance(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        """Conditional variance given inputs x."""
        return self._variance(self._eta(x, line))

    def mode(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        """The most probable state given inputs x."""
        return self._mode(self._eta(x, line))

    def log_normalizer(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        """log of the sum (or integral) over states of exp(x . s - energy(s)), shape (..., batch), float64.

        With a line whose t has shape (..., batch, points), the cumulants at all these points: (..., batch, points).
        Differentiable where x or the parameters need gradients.
        """
        t = None if line is None else line.t
        pointwise = t is not None and t.dim() == x.dim()
        if kernels.is_fused(x) and not self._wants_graph():
            out = x.new_empty((*x.shape[:-1], t.shape[-1] if t is not None and pointwise else 1), dtype=torch.float64)
            arrays = self._line_arrays(x, line, points=out.shape[-1])
            self.loops.log_normalizer(_rows(x), *arrays, out.view(-1, out.shape[-1]).numpy())
            return out if pointwise else out[..., 0]
        if pointwise:
            assert line is not None and t is not None
            columns = [self.log_normalizer(x, line._replace(t=t[..., k])) for k in range(t.shape[-1])]
            return torch.stack(columns, -1)
        return self._log_normalizer(self._eta(x, line)).sum(-1, dtype=torch.float64)

    def log_density(self, x: Tensor, s: Tensor) -> Tensor:
        """log p(s | x) of every variable, (..., batch, columns), float64, for states inside.  Differentiable."""
        self.require_independent_columns("log_density")
        eta = self._eta(x, None)
        measure = self.log_measure(s)
        terms = torch.zeros_like(s) if measure is None else measure
        for natural, statistic in zip(eta, self.statistics(s), strict=True):
            terms = terms + natural * statistic
        of_variables = terms.view(*terms.shape[:-1], self.columns, -1).sum(-1)
        return (of_variables - self._log_normalizer(eta)).double()

    def expected_statistics(self, x: Tensor, line: Interpolation | None = None) -> Natural:
        """Conditional expectations of T_k given inputs x.  The first is the mean.  May write into the memory of x."""
        if len(self.natural()) == 1:
            return (self.mean_(x, line),)
        variance = self.variance(x, line)
        mean = self.mean_(x, line)
        return mean, variance + mean * mean

    def neg_energy(self, s: Tensor, natural: Natural | None = None) -> Tensor:
        """log m(s) + sum_k eta_k . T_k(s), shape (..., batch), in float64: minus the energy."""
        linear = self.linear_terms(s, (self.natural() if natural is None else natural,))[..., 0]
        return self._with_measure(linear, s)

    def neg_energy_along(self, s: Tensor, line: Interpolation) -> Tensor:
        """`exponent` at the points of a line: (..., batch), or (..., batch, points) where its t has that shape."""
        slope, start = self.linear_terms(s, (line.slope, line.start)).unbind(-1)
        start = self._with_measure(start, s)
        if line.t is None:
            return start + slope
        if line.t.dim() == s.dim():
            slope, start = slope.unsqueeze(-1), start.unsqueeze(-1)
        return start + line.t.double() * slope

    def linear_terms(self, s: Tensor, naturals: Sequence[Natural]) -> Tensor:
        """sum_k eta_k . T_k(s) for several sets of natural parameters, or differences of them: (..., batch, sets).

        The base measure is left out: it is the same for all of them.
        """
        total: Tensor | None = None
        for k, statistic in enumerate(self.statistics(s)):
            term = statistic.double() @ torch.stack([natural[k].double() for natural in naturals], -1)
            total = term if total is None else total + term
        assert total is not None
        return total

    def _with_measure(self, exponent: Tensor, s: Tensor) -> Tensor:
        measure = self.log_measure(s)
        return exponent if measure is None else exponent + measure.sum(-1, dtype=torch.float64)

    def energy(self, s: Tensor) -> Tensor:
        """Energy of states from this layer alone, -log m(s) - sum_k eta_k . T_k(s): (..., batch), float64."""
        return -self.neg_energy(s)

    def states(self, index: Tensor) -> Tensor:
        """Joint states by number in mixed radix, variable 0 fastest: (len(index), n) inside, for finite families."""
        digits, columns = index.to(self.natural()[0].device), []
        for i in range(self.variables):
            values = self.variable(i)[1]
            columns.append(values[digits % len(values)])
            digits = digits // len(values)
        return torch.cat(columns, -1)

    def line(self, t: Tensor | None = None, base: Natural | None = None) -> Interpolation:
        """The line from ``base`` at t = 0 to this layer at t = 1.

        ``base`` None means zero: then t multiplies the natural parameters, as an inverse temperature.  The base measure
        counts states and knows no temperature.
        """
        natural = self.natural()
        if base is None:
            return Interpolation(t, natural, tuple(torch.zeros_like(eta) for eta in natural), {})
        return Interpolation(t, tuple(eta - at_rest for eta, at_rest in zip(natural, base, strict=True)), base, {})

    def _wants_graph(self) -> bool:
        return torch.is_grad_enabled() and any(parameter.requires_grad for parameter in self.parameters())

    def _eta(self, x: Tensor, line: Interpolation | None) -> Natural:
        """Natural parameters with the input x added to the field."""
        if line is None:
            field, *rest = (eta.unsqueeze(-2) for eta in self.natural())
            return x + field, *rest
        t = x.new_ones(()) if line.t is None else line.t.unsqueeze(-1)
        slope, *slopes = (eta.unsqueeze(-2) for eta in line.slope)
        start, *starts = (eta.unsqueeze(-2) for eta in line.start)
        return t * (x + slope) + start, *(t * up + at for up, at in zip(slopes, starts, strict=True))

    def _line_arrays(self, x: Tensor, line: Interpolation | None, points: int = 0) -> tuple[Any, ...]:
        """t, slope, start and `known` as the fused loops want them."""
        line = self.line() if line is None else line
        known = {} if line.arrays is None else line.arrays
        if x.dtype not in known:
            known[x.dtype] = [tuple(self._array(eta, x) for eta in part) for part in (line.slope, line.start)]
        slope, start = known[x.dtype]
        rows = x.numel() // self.size
        if line.t is None:
            t = np.ones((rows, points) if points else rows, slope[0].dtype)
        else:
            at = line.t if line.t.dtype == x.dtype else line.t.to(x.dtype)
            at = at.expand((*x.shape[:-1], points) if points and at.dim() == x.dim() else x.shape[:-1])
            t = at.reshape((rows, points) if points else (rows,)).numpy()
        return t, slope, start, self.known

    def _array(self, eta: Tensor, like: Tensor) -> Any:
        eta = eta.detach()
        return (eta if eta.dtype == like.dtype else eta.to(like.dtype)).reshape(-1, self.size).numpy()

    def _fused(self, loop: Any, x: Tensor, line: Interpolation | None, *more: Any) -> Tensor:
        x = x.contiguous()
        loop(_rows(x), *self._line_arrays(x, line), *more)
        return x

    def extra_repr(self) -> str:
        return f"{self.columns}" if len(self.shape) == 1 else f"{self.shape}"


def _rows(x: Tensor) -> Any:
    return (x.detach() if x.dim() == 2 else x.detach().reshape(-1, x.shape[-1])).numpy()


def as_units(units: Units | int | tuple[int, ...], default: type[Units]) -> Units:
    """Where an int or a shape stands, that many units of the default family."""
    if isinstance(units, Units):
        return units
    if isinstance(units, bool) or not isinstance(units, (int, tuple)):
        raise TypeError(f"units must be an int, a shape or a harmonium unit type, found {type(units).__name__}")
    return default(units)
