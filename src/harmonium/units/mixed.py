"""A layer of several unit types side by side."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from harmonium.core.random import RandomAddress
from harmonium.core.registry import Registered, build
from harmonium.units.contract import FusedKernels, Natural
from harmonium.units.layer import Interpolation, Units

__all__ = ["Mixed", "part_key"]


def part_key(key: int, part: int) -> int:
    """The random key of a part of a layer, by its number; part 0 has the key of the layer."""
    return (key + part * 0x9E3779B97F4A7C15) % 2**64


class Mixed(Units):
    """Layers of several types as one, in order, e.g. a table with binary, categorical and real columns.

    Natural parameters and statistics are those of the parts side by side, padded with zeros if a part has fewer.

    Args:
        parts: the layers, at least one, none of them mixed.

    Raises:
        ValueError: if there is no part, or a part whose columns have a fixed total.
        TypeError: if a part is not a layer of a single type.

    >>> import harmonium as hm
    >>> hm.Mixed([hm.Bernoulli(2), hm.Categorical(1, 3), hm.Gaussian(4)]).size
    9
    """

    loops = FusedKernels(None, None, None)  # each part has its own

    def __init__(self, parts: Sequence[Units]) -> None:
        parts = copy.deepcopy(list(parts))
        if not parts:
            raise ValueError("Mixed needs at least one layer")
        for part in parts:
            if not isinstance(part, Units) or isinstance(part, Mixed):
                raise TypeError(f"Mixed takes layers of one type each, found {part!r}")
            if part.conditions_on_total:
                raise ValueError(f"Mixed takes columns that are drawn one by one; those of {part!r} have a fixed total")
        super().__init__(sum(part.columns for part in parts))
        self.parts = nn.ModuleList(parts)
        self.size = sum(part.size for part in parts)
        self.finite = all(part.finite for part in parts)
        self.real_valued = any(part.real_valued for part in parts)
        self.fields = tuple(f"parts.{i}.{name}" for i, part in enumerate(parts) for name in part.fields)
        self._encoded = _slices([part.size for part in parts])
        self._raw = _slices([part.columns for part in parts])

    @property
    def bounded(self) -> bool:
        return all(part.bounded for part, _ in self.by_type())

    def by_type(self) -> list[tuple[Units, slice]]:
        return list(zip(self.parts, self._encoded, strict=True))  # type: ignore[arg-type]

    def _each_raw(self) -> Iterator[tuple[Units, slice]]:
        """Every part with its columns of a raw state."""
        return zip(self.parts, self._raw, strict=True)  # type: ignore[arg-type]

    def _joined(self, of: Callable[[Units, slice], Tensor]) -> Tensor:
        return torch.cat([of(part, units) for part, units in self.by_type()], -1)

    def _padded(self, of: Callable[[Units, slice], Natural]) -> Natural:
        """Natural parameters or statistics of all parts side by side."""
        each = [of(part, units) for part, units in self.by_type()]
        most = max(len(natural) for natural in each)
        full = [(*natural, *[torch.zeros_like(natural[0])] * (most - len(natural))) for natural in each]
        return tuple(torch.cat(row, -1) for row in zip(*full, strict=True))

    def _of(self, natural: Natural, part: Units, units: slice) -> Natural:
        """The natural parameters of one part."""
        return tuple(eta[..., units].contiguous() for eta in natural[: len(part.natural())])

    def _line(self, line: Interpolation | None, part: Units, units: slice) -> Interpolation | None:
        if line is None:
            return None
        cache = None if line.arrays is None else line.arrays.setdefault(units.start, {})
        return Interpolation(line.t, self._of(line.slope, part, units), self._of(line.start, part, units), cache)

    # The contract ------------------------------------------------------------------------------------------------

    def natural(self) -> Natural:
        return self._padded(lambda part, units: part.natural())

    def statistics(self, s: Tensor) -> Natural:
        return self._padded(lambda part, units: part.statistics(s[..., units]))

    def parameter_gradient(self, moments: Natural) -> dict[str, Tensor]:
        gradients: dict[str, Tensor] = {}
        for i, (part, units) in enumerate(self.by_type()):
            own = part.parameter_gradient(self._of(moments, part, units))
            gradients |= {f"parts.{i}.{name}": gradient for name, gradient in own.items()}
        return gradients

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        return dict(self.named_parameters())

    def neutral_natural(self) -> Natural:
        return self._padded(lambda part, units: part.neutral_natural())

    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        return self._padded(lambda part, units: part.base_rate(mean[..., units], variance[..., units], cases))

    def set_natural(self, natural: Natural) -> None:
        for part, units in self.by_type():
            part.set_natural(self._of(natural, part, units))

    def normalisable(self, natural: Natural) -> bool:
        return all(part.normalisable(self._of(natural, part, units)) for part, units in self.by_type())

    def constrain(self) -> None:
        for part, _ in self.by_type():
            part.constrain()

    def invalid(self, s: Tensor) -> Tensor:
        return self._joined(lambda part, units: part.invalid(s[..., units]))

    def invalid_hint(self, value: float) -> str:
        raise NotImplementedError("each part has its own hint: see units_of_column")

    def units_of_column(self, column: int, encoded: bool = True) -> Units:
        each = self.by_type() if encoded else self._each_raw()
        return next(part for part, columns in each if column < columns.stop)

    def not_encodable(self, raw: Tensor) -> Tensor:
        wrong = torch.zeros_like(raw, dtype=torch.bool)
        for part, columns in self._each_raw():
            own = part.not_encodable(raw[..., columns])
            if own is not None:
                wrong[..., columns] = own
        return wrong

    def _encode(self, raw: Tensor) -> Tensor:
        return torch.cat([part._encode(raw[..., columns]) for part, columns in self._each_raw()], -1)

    def decode(self, encoded: Tensor) -> Tensor:
        return self._joined(lambda part, units: part.decode(encoded[..., units]))

    def repeat_per_column(self, values: Tensor) -> Tensor:
        return torch.cat([part.repeat_per_column(values[..., columns]) for part, columns in self._each_raw()], -1)

    def variable(self, i: int) -> tuple[slice, Tensor]:
        for (part, units), columns in zip(self.by_type(), self._raw, strict=True):
            if i < columns.stop:
                own, states = part.variable(i - columns.start)
                return slice(own.start + units.start, own.stop + units.start), states
        raise IndexError(f"variable {i} of {self.columns}")

    def radices(self) -> list[int]:
        return [radix for part, _ in self.by_type() for radix in part.radices()]

    def advice(self, mean: Tensor, variance: Tensor) -> str | None:
        found = (part.advice(mean[units], variance[units]) for part, units in self.by_type())
        named = [f"{part!r}: {words}" for (part, _), words in zip(self.by_type(), found, strict=True) if words]
        return "; ".join(named) or None

    def log_measure(self, s: Tensor) -> Tensor | None:
        if all(part.log_measure(s[..., units]) is None for part, units in self.by_type()):
            return None

        def of(part: Units, units: slice) -> Tensor:
            own = part.log_measure(s[..., units])
            return torch.zeros_like(s[..., units], dtype=torch.float64) if own is None else own

        return self._joined(of)

    # Conditional distributions, part by part ---------------------------------------------------------------------

    def mean_(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        return self._joined(lambda part, units: part.mean(x[..., units], self._line(line, part, units)))

    def sample_(self, x: Tensor, draw: RandomAddress, line: Interpolation | None = None) -> Tensor:
        return torch.cat(
            [
                part.sample(x[..., units], draw._replace(key=part_key(draw.key, i)), self._line(line, part, units))
                for i, (part, units) in enumerate(self.by_type())
            ],
            -1,
        )

    def variance(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        return self._joined(lambda part, units: part.variance(x[..., units], self._line(line, part, units)))

    def mode(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        return self._joined(lambda part, units: part.mode(x[..., units], self._line(line, part, units)))

    def log_normalizer(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        each = [
            part.log_normalizer(x[..., units].contiguous(), self._line(line, part, units))
            for part, units in self.by_type()
        ]
        return torch.stack(each).sum(0)

    def log_density(self, x: Tensor, s: Tensor) -> Tensor:
        return self._joined(lambda part, units: part.log_density(x[..., units], s[..., units]))

    def expected_statistics(self, x: Tensor, line: Interpolation | None = None) -> Natural:
        return self._padded(
            lambda part, units: part.expected_statistics(x[..., units].clone(), self._line(line, part, units))
        )

    def config(self) -> dict[str, Any]:
        return Registered.config(self) | {"parts": [part.config() for part, _ in self.by_type()]}

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        return cls([build(part) for part in arguments["parts"]])

    def __repr__(self) -> str:
        return f"Mixed([{', '.join(repr(part) for part, _ in self.by_type())}])"


def _slices(widths: list[int]) -> list[slice]:
    stops = [sum(widths[: i + 1]) for i in range(len(widths))]
    return [slice(stop - width, stop) for stop, width in zip(stops, widths, strict=True)]
