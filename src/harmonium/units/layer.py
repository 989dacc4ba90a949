"""What every unit type gets: means, draws, energies and enumeration, from what its family defines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from harmonium import kernels
from harmonium.core.random import RandomAddress
from harmonium.kernels.edges import EdgeMatrix
from harmonium.kernels.philox import split
from harmonium.kernels.workers import WORTH, divided
from harmonium.units.contract import Family, Natural

__all__ = ["Interpolation", "Units", "UpdateOrder", "as_units"]


class Interpolation(NamedTuple):
    """Where each row of a batch lies on a line of natural parameters: ``start + t * slope`` (see `Units.line`).

    ``t`` has shape (..., batch), or (..., batch, points) where a method says so.  The input from the couplings is
    scaled by t as well.  ``t`` None is t = 1 for all rows.
    """

    t: Tensor | None
    slope: Natural
    start: Natural
    arrays: dict[Any, Any] | None = None
    """Cache of slope and start as NumPy arrays for the fused loops; shared by lines that differ in t only."""


class UpdateOrder(NamedTuple):
    """The order in which the units of a layer that is coupled to itself are drawn."""

    classes: list[Tensor]
    """Columns without couplings among them, one class after the other."""
    order: Any
    """The same columns in one int64 array (n,)."""

    @classmethod
    def of(cls, classes: list[Tensor]) -> UpdateOrder:
        """The order that goes through these classes."""
        return cls(classes, torch.cat(classes).numpy())


class Units(Family):
    """A layer of units of one exponential family (see `harmonium.units.contract`).

    Args:
        shape: number of variables, or a shape such as ``(28, 28)``, which is remembered for pictures.
        width: units per variable.
    """

    # States ------------------------------------------------------------------------------------------------------

    def check(self, s: Tensor, name: str, row: Callable[[int], str] = "row {}".format) -> None:
        """Refuse encoded states, (..., n), that lie outside the domain.

        Args:
            s: the states.
            name: what messages call them.
            row: what messages call a row, by its number in s.

        Raises:
            ValueError: naming ``name``, the place, the value and what to do.
        """
        self._refuse(self.invalid(s), s, name, row)

    def encode(self, raw: Tensor, name: str = "states", row: Callable[[int], str] = "row {}".format) -> Tensor:
        """Encoded states, (..., batch, size), from raw states, (..., batch, columns).  NaN (missing) stays NaN.

        Raises:
            ValueError: if a value cannot be encoded, such as a code out of range; ``name`` and ``row`` as in `check`.
        """
        self._refuse(self.not_encodable(raw), raw, name, row)
        return self._encode(raw)

    def _refuse(self, wrong: Tensor | None, values: Tensor, name: str, row: Callable[[int], str]) -> None:
        if wrong is None or not bool(wrong.any()):
            return
        place = [int(i) for i in wrong.nonzero()[0]]
        where = ", ".join([*map(row, place[-2:-1]), f"column {place[-1]}"])
        value = float(values[tuple(place)])
        if not math.isfinite(value):
            found = "NaN" if math.isnan(value) else "infinite"
            raise ValueError(f"{name} is not finite ({found}) in {where}: remove or impute such values first")
        hint = self.units_of_column(place[-1], values.shape[-1] == self.size).invalid_hint(value)
        raise ValueError(f"{name} has the value {value:g} in {where}, but {hint}")

    def units_of_column(self, column: int, encoded: bool = True) -> Units:
        """The layer of a single type to which a column of encoded (or raw) states belongs."""
        return self

    def variable_of_column(self) -> Tensor:
        """Which variable each column of an encoded state belongs to, int64 (size,), ascending."""
        return self.repeat_per_column(torch.arange(self.columns))

    def one_per_column(self, values: Tensor) -> Tensor:
        """Undo `repeat_per_column`: one entry per variable, (..., columns), from equal ones per unit, (..., size)."""
        first = torch.searchsorted(self.variable_of_column(), torch.arange(self.columns))
        return values[..., first.to(values.device)]

    def by_type(self) -> list[tuple[Units, slice]]:
        """The layers of a single type that make up this one, each with its columns of an encoded state."""
        return [(self, slice(0, self.size))]

    def require_independent_columns(self, function: str) -> None:
        """Raise ValueError if columns are not independent variables (their total is fixed), which `function` needs."""
        if self.conditions_on_total:
            raise ValueError(
                f"{function} looks at visible columns one by one, and those of {self!r} are drawn together, since "
                "their sum is fixed: take whole rows"
            )

    @property
    def variables(self) -> int:
        """Number of variables that are drawn independently: the columns, or one (`conditions_on_total`)."""
        return 1 if self.conditions_on_total else self.columns

    @property
    def count(self) -> int:
        """Number of joint states of the layer.

        Raises:
            ValueError: if it is infinite.
        """
        return math.prod(self.radices())

    @property
    def log2_count(self) -> float:
        """log2 of `count`; infinite if the layer is not finite."""
        return sum(math.log2(radix) for radix in self.radices()) if self.finite else math.inf

    def radices(self) -> list[int]:
        """Number of states of each variable, for finite families: the radices in which `states` counts.

        All variables of a layer of one type are alike.
        """
        return [len(self.variable(0)[1])] * self.variables

    def states(self, index: Tensor) -> Tensor:
        """Joint states by number in mixed radix, variable 0 fastest: (len(index), n) encoded, for finite families."""
        digits, columns = index.to(self.natural()[0].device), []
        for i in range(self.variables):
            values = self.variable(i)[1]
            columns.append(values[digits % len(values)])
            digits = digits // len(values)
        return torch.cat(columns, -1)

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """The parameters by the names that `parameter_gradient` uses."""
        return self._parameters  # type: ignore[return-value]  # asked for in every update: torch's generators are slow

    # Conditional distributions -----------------------------------------------------------------------------------

    def mean(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        """Conditional mean of the states given inputs x (..., batch, n)."""
        return self.mean_(x.clone(), line)

    def mean_(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        """`mean` that may overwrite x."""
        if self.loops.mean is not None and kernels.is_fused(x) and not self._wants_graph():
            x = x.contiguous()
            _run(self.loops.mean, _rows(x), self._line_arrays(x, line), lambda low, high: ())
            return x
        return self._mean(self._eta(x, line))

    def variance(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        """Conditional variance given inputs x."""
        return self._variance(self._eta(x, line))

    def mode(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        """The most probable state given inputs x."""
        return self._mode(self._eta(x, line))

    def expected_statistics(self, x: Tensor, line: Interpolation | None = None) -> Natural:
        """Conditional expectations of T_k given inputs x, the mean first.  May overwrite x."""
        if len(self.natural()) == 1:
            return (self.mean_(x, line),)
        variance = self.variance(x, line)
        mean = self.mean_(x, line)
        return mean, variance + mean * mean

    def sample(self, x: Tensor, draw: RandomAddress, line: Interpolation | None = None) -> Tensor:
        """A draw from the conditional distribution given inputs x."""
        return self.sample_(x.clone(), draw, line)

    def sample_(self, x: Tensor, draw: RandomAddress, line: Interpolation | None = None) -> Tensor:
        """`sample` that may overwrite x."""
        if self.loops.sample is not None and kernels.is_fused(x):
            x, first, words = x.contiguous(), draw.first, split(draw.key, draw.step, draw.site)

            def address(low: int, high: int) -> tuple[Any, ...]:
                return (first[low:high] if isinstance(first, np.ndarray) else first + low, *words)

            _run(self.loops.sample, _rows(x), self._line_arrays(x, line), address)
            return x
        if self.loops.two_states is not None:
            with torch.no_grad():  # as below
                return kernels.two_states_(self._field(x, line), self.loops.two_states, draw)
        u = kernels.uniforms(draw, x.numel() // self.size, self.columns, self.uniforms_in or x.dtype, x.device)
        with torch.no_grad():  # as in the fused loop: a draw is no function of the parameters
            return self._draw(self._eta(x, line), u.view(*x.shape[:-1], self.columns))

    def sequential_gibbs_(
        self,
        x: Tensor,
        s: Tensor,
        weights: Tensor | EdgeMatrix,
        order: UpdateOrder,
        draw: RandomAddress,
        line: Interpolation | None = None,
        held: Tensor | None = None,
        within: Tensor | None = None,
    ) -> Tensor:
        """Draw units that are coupled among themselves, one after the other, into the memory of s.

        Args:
            x: inputs from other layers, (..., batch, n).
            s: states (..., batch, n), contiguous.
            weights: the lateral coupling (n, n), symmetric, with zero diagonal.
            order: in which the units are drawn.
            draw: address of one random word per unit.
            line: where the rows lie between two models.
            held: units that keep their state, bool, broadcast to s.
            within: s @ weights, (..., batch, n), contiguous, if it is known already; updated in place.
        """
        within = kernels.product(s, weights) if within is None else within
        if isinstance(weights, Tensor) and weights.dim() == 2 and self.loops.walk is not None and kernels.is_fused(x):
            mask = np.zeros((1, self.size), np.bool_) if held is None else held.reshape(-1, self.size).numpy()
            arrays, words = self._line_arrays(x, line), kernels.words(draw, x.numel() // self.size, self.size)
            self.loops.walk(
                _rows(x), _rows(within), _rows(s), weights.detach().numpy(), order.order, mask, words, *arrays
            )
            return s
        for columns in order.classes:
            turn = torch.zeros(self.size, dtype=torch.bool, device=s.device)
            turn[columns.to(s.device)] = True
            if held is not None:
                turn = turn & ~held
            new = torch.where(turn, self.sample(x + within, draw, line), s)  # an address gives the same words each time
            within += kernels.product(new - s, weights)
            s.copy_(new)
        return s

    def log_normalizer(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        """log of the sum (or integral) over states of exp(x . s - energy(s)), shape (..., batch), float64.

        With a line whose t has shape (..., batch, points): the values at all these points, (..., batch, points).
        Differentiable if x or the parameters need gradients.
        """
        t = None if line is None else line.t
        pointwise = t is not None and t.dim() == x.dim()
        if self.loops.log_normalizer is not None and kernels.is_fused(x) and not self._wants_graph():
            out = x.new_empty((*x.shape[:-1], t.shape[-1] if t is not None and pointwise else 1), dtype=torch.float64)
            arrays = self._line_arrays(x, line, points=out.shape[-1])
            sums = out.view(-1, out.shape[-1]).numpy()
            _run(self.loops.log_normalizer, _rows(x), arrays, lambda low, high: (sums[low:high],))
            return out if pointwise else out[..., 0]
        if pointwise:
            assert line is not None and t is not None
            columns = [self.log_normalizer(x, line._replace(t=t[..., k])) for k in range(t.shape[-1])]
            return torch.stack(columns, -1)
        return self._log_normalizer(self._eta(x, line)).sum(-1, dtype=torch.float64)

    def log_density(self, x: Tensor, s: Tensor) -> Tensor:
        """log p(s | x) of every variable, (..., batch, columns), float64, for encoded states.  Differentiable."""
        self.require_independent_columns("log_density")
        eta = self._eta(x, None)
        measure = self.log_measure(s)
        terms = torch.zeros_like(s) if measure is None else measure
        for natural, statistic in zip(eta, self.statistics(s), strict=True):
            terms = terms + natural * statistic
        of_variables = terms.view(*terms.shape[:-1], self.columns, -1).sum(-1)
        return (of_variables - self._log_normalizer(eta)).double()

    # Energies ----------------------------------------------------------------------------------------------------

    def energy(self, s: Tensor) -> Tensor:
        """Energy of states from this layer alone, -log m(s) - sum_k eta_k . T_k(s): (..., batch), float64."""
        return -self.neg_energy(s)

    def neg_energy(self, s: Tensor, natural: Natural | None = None) -> Tensor:
        """Minus the energy: log m(s) + sum_k eta_k . T_k(s), (..., batch), float64."""
        linear = self.linear_terms(s, (self.natural() if natural is None else natural,))[..., 0]
        return self._with_measure(linear, s)

    def neg_energy_along(self, s: Tensor, line: Interpolation) -> Tensor:
        """`neg_energy` at the points of a line: (..., batch), or (..., batch, points) if its t has that shape."""
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

    def _with_measure(self, terms: Tensor, s: Tensor) -> Tensor:
        measure = self.log_measure(s)
        return terms if measure is None else terms + measure.sum(-1, dtype=torch.float64)

    # Lines of natural parameters ---------------------------------------------------------------------------------

    def line(self, t: Tensor | None = None, base: Natural | None = None) -> Interpolation:
        """The line from ``base`` at t = 0 to this layer at t = 1.

        ``base`` None means zero: t then multiplies the natural parameters, as an inverse temperature.  The base measure
        counts states and does not depend on temperature.
        """
        natural = self.natural()
        if base is None:
            return Interpolation(t, natural, tuple(torch.zeros_like(eta) for eta in natural), {})
        return Interpolation(t, tuple(eta - low for eta, low in zip(natural, base, strict=True)), base, {})

    def _wants_graph(self) -> bool:
        return torch.is_grad_enabled() and any(parameter.requires_grad for parameter in self.parameters())

    def _eta(self, x: Tensor, line: Interpolation | None) -> Natural:
        """Natural parameters with the input x added to the field."""
        field = self._field(x, line).values()
        if line is None:
            return field, *(eta.unsqueeze(-2) for eta in self.natural()[1:])
        t = x.new_ones(()) if line.t is None else line.t.unsqueeze(-1)
        pairs = zip(line.slope[1:], line.start[1:], strict=True)
        return field, *(t * up.unsqueeze(-2) + at.unsqueeze(-2) for up, at in pairs)

    def _field(self, x: Tensor, line: Interpolation | None) -> kernels.Field:
        """The field of each unit: a bias and the input."""
        return (
            kernels.Field(x, self.natural()[0])
            if line is None
            else kernels.Field(x, line.slope[0], line.t, line.start[0])
        )

    def _line_arrays(self, x: Tensor, line: Interpolation | None, points: int = 0) -> tuple[Any, ...]:
        """t, slope, start and the family's constant in the form that the fused loops take."""
        line = self.line() if line is None else line
        cache = {} if line.arrays is None else line.arrays
        if x.dtype not in cache:
            cache[x.dtype] = [tuple(self._array(eta, x) for eta in part) for part in (line.slope, line.start)]
        slope, start = cache[x.dtype]
        rows = x.numel() // self.size
        if line.t is None:
            t = np.ones((rows, points) if points else rows, slope[0].dtype)
        else:
            at = line.t if line.t.dtype == x.dtype else line.t.to(x.dtype)
            at = at.expand((*x.shape[:-1], points) if points and at.dim() == x.dim() else x.shape[:-1])
            # Contiguous: every other layout would have every loop compiled once more.
            t = at.reshape((rows, points) if points else (rows,)).contiguous().numpy()
        return t, slope, start, self.constant

    def _array(self, eta: Tensor, like: Tensor) -> Any:
        eta = eta.detach()
        return (eta if eta.dtype == like.dtype else eta.to(like.dtype)).reshape(-1, self.size).numpy()

    def _fused(self, loop: Any, x: Tensor, line: Interpolation | None, *more: Any) -> Tensor:
        x = x.contiguous()
        loop(_rows(x), *self._line_arrays(x, line), *more)
        return x


def _run(loop: Any, rows: Any, arrays: tuple[Any, ...], more: Callable[[int, int], tuple[Any, ...]]) -> None:
    """Run a loop over rows, divided among threads if they are many and of one model.

    ``more(low, high)`` gives the loop's further arguments for the rows from ``low`` to before ``high``.
    """
    t, slope, start, constant = arrays

    def some(low: int, high: int) -> None:
        loop(rows[low:high], t[low:high], slope, start, constant, *more(low, high))

    if rows.size < WORTH or len(slope[0]) > 1:  # a unit takes about a nanosecond
        loop(rows, t, slope, start, constant, *more(0, len(rows)))
    else:
        divided(some, len(rows), rows.size)


def _rows(x: Tensor) -> Any:
    return (x.detach() if x.dim() == 2 else x.detach().reshape(-1, x.shape[-1])).numpy()


def as_units(units: Units | int | tuple[int, ...], default: type[Units], name: str = "units") -> Units:
    """Return units as they are; an int or a shape becomes units of the default family.

    Args:
        units: a layer, its size or its shape.
        default: family of the layer if only a size or shape is given.
        name: what messages call them, such as "visible".

    Returns:
        The layer.

    Raises:
        TypeError: for anything else.
        ValueError: for a layer without units.
    """
    if isinstance(units, Units):
        return units
    if isinstance(units, bool) or not isinstance(units, (int, tuple)):
        raise TypeError(f"{name} must be an int, a shape or a harmonium unit type, found {type(units).__name__}")
    try:
        return default(units)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None
