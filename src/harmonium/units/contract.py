"""What a family of units defines: its parameters, five formulas and its domain.

A layer of units is an exponential family.  With sufficient statistics T_k(s), natural parameters eta_k and base measure
m(s), a layer that receives the input x from its couplings has the conditional distribution

    p(s | x) = m(s) exp( x . s + sum_k eta_k . T_k(s) - A(x) ),

with T_1(s) = s, so that x adds to eta_1 (the *field*); A is the *log-normaliser*.  eta_2, in families that have it,
multiplies s^2 and is called the *curvature*.  Nothing outside this package knows the formulas of a unit type.

A state has two forms.  *Raw*, as users see it, it has one column per variable; *encoded*, one column per unit: the
columns that couplings multiply.  They differ for categorical variables only: one raw code, and a group of units of
which exactly one is on.

Shapes: n units (`Units.size`); states s are (..., batch, n); parameters (..., n) with the same leading dimensions, so
that several models at once are a batched product.  Energies and log-normalisers are summed over the units:
(..., batch).
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from harmonium.core.registry import Registered, is_builtin
from harmonium.kernels import TwoStates

__all__ = ["Family", "FusedKernels", "Natural"]

Natural = tuple[Tensor, ...]
"""Natural parameters of a layer: (eta_1,), (eta_1, eta_2), ..., each (..., n)."""


class FusedKernels(NamedTuple):
    """The fused loops of a family (see `harmonium.kernels.fused`); what is None runs as formulas on tensors."""

    sample: Any = None
    mean: Any = None
    log_normalizer: Any = None
    walk: Any = None
    """Sequential Gibbs sampling of units that are coupled among themselves."""
    ancestral: Any = None
    """Draws each unit given those before it (see `harmonium.kernels.nade`)."""
    columns: Any = None
    """Draws some columns of a layer in place (see `harmonium.kernels.columns`)."""
    updates: Any = None
    """Builds a loop of updates of RBMs with hidden units of this family (see `harmonium.kernels.fused_updates`)."""
    graph: Any = None
    """Sequential Gibbs sampling of units on a graph, chains side by side (see `harmonium.kernels.graph_walk`)."""
    two_states: TwoStates | None = None
    """The two states of a family that has no more: other devices draw them in one kernel (see `kernels.devices`)."""


class Family(Registered, nn.Module, ABC):
    """The part of `Units` that a unit type writes.

    Args:
        shape: number of variables, or a shape such as ``(28, 28)``, which is remembered for pictures.
        width: units per variable.

    A unit type is a short file with a subclass of `Units`: parameters, five formulas on tensors and the domain, and for
    speed three of the formulas once more as scalar functions.  `harmonium.testing.check_units` verifies all of them.
    """

    loops: ClassVar[FusedKernels] = FusedKernels()
    """Three of the formulas as compiled loops, which save a CPU most of the time that the formulas on tensors take."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        formulas = {"_mean", "_variance", "_mode", "_log_normalizer", "_draw"}
        if not is_builtin(cls) and formulas & vars(cls).keys() and "loops" not in vars(cls):
            cls.loops = FusedKernels()  # those of the class below have other formulas

    uniforms_in: ClassVar[torch.dtype | None] = None
    """Precision of the uniforms that `_draw` inverts, if it is not that of the states."""
    finite: bool = False
    """Whether the states of one unit can be listed (see `unit_states`)."""
    fields: tuple[str, ...] = ("bias",)
    """Names of the parameters that, side by side, make up the field eta_1: one entry per unit."""
    real_valued: bool = False
    """Whether states are real numbers, whose scale matters to learning: such data should be standardised."""
    constant: int = 0
    """An integer that the formulas need besides natural parameters: trials of a binomial, states of a category."""
    conditions_on_total: ClassVar[bool] = False
    """Whether the columns of a row have a total that no draw changes: the whole row is then one variable."""

    def __init__(self, shape: int | tuple[int, ...], width: int = 1) -> None:
        super().__init__()
        try:
            self.shape = tuple(map(operator.index, shape if isinstance(shape, (tuple, list)) else (shape,)))
        except TypeError:
            raise TypeError(
                f"the shape of {type(self).__name__} must be an integer or a tuple of integers, found {shape!r}"
            ) from None
        if not self.shape or min(self.shape) < 1:
            raise ValueError(f"{type(self).__name__} needs at least one unit, found shape {self.shape}")
        self.columns = math.prod(self.shape)
        """Columns of a raw state: the number of variables."""
        self.size = self.columns * width
        """Columns of an encoded state: the number of units."""

    # Parameters --------------------------------------------------------------------------------------------------

    @abstractmethod
    def natural(self) -> Natural:
        """The natural parameters, a differentiable function of the module's parameters."""

    @abstractmethod
    def statistics(self, s: Tensor) -> Natural:
        """The sufficient statistics T_k(s) of states, each (..., batch, n)."""

    @abstractmethod
    def parameter_gradient(self, moments: Natural) -> dict[str, Tensor]:
        """Turn (differences of) moments of T_k into the gradient of the log-likelihood in the module's parameters."""

    def neutral_natural(self) -> Natural:
        """Natural parameters without any preference, by default with field 0: latent layers start there on a path."""
        field, *rest = self.natural()
        return torch.zeros_like(field), *rest

    @abstractmethod
    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        """Natural parameters of the independent model with these moments, smoothed as if by one case in ``cases``."""

    @abstractmethod
    def set_natural(self, natural: Natural) -> None:
        """Set the module's parameters to natural parameters, in place."""

    @property
    def bounded(self) -> bool:
        """Whether all states lie in a bounded interval; finite ones do, other families set ``bounded = True``.

        A coupling between two layers has a normalisable distribution whatever its weights only if one of them is
        bounded: the inputs of the other are then bounded, too.
        """
        return self.finite

    def normalisable(self, natural: Natural) -> bool:
        """Whether these natural parameters define a normalisable distribution of the layer."""
        return all(bool(torch.isfinite(eta).all()) for eta in natural)

    def constrain(self) -> None:
        """Bring parameters back into their bounds after an update."""

    # The five formulas.  eta already contains the input and the position between two models, each part broadcast to
    # (..., batch, n); the draw inverts a distribution function at uniforms u (..., batch, columns).

    def _mean(self, eta: Natural) -> Tensor:
        raise self._missing("_mean")

    def _variance(self, eta: Natural) -> Tensor:
        raise self._missing("_variance")

    def _mode(self, eta: Natural) -> Tensor:
        raise self._missing("_mode")

    def _log_normalizer(self, eta: Natural) -> Tensor:
        raise self._missing("_log_normalizer")

    def _draw(self, eta: Natural, u: Tensor) -> Tensor:
        raise self._missing("_draw")

    def _missing(self, formula: str) -> NotImplementedError:
        return NotImplementedError(f"the unit type {type(self).__name__} has no formula {formula}: define this method")

    def log_measure(self, s: Tensor) -> Tensor | None:
        """log m(s) of each unit, (..., batch, n); None if it is 0 for all states."""
        return None

    # The domain --------------------------------------------------------------------------------------------------

    @abstractmethod
    def invalid(self, s: Tensor) -> Tensor:
        """Which encoded states (..., n) lie outside the domain; NaN and infinities always do."""

    @abstractmethod
    def invalid_hint(self, value: float) -> str:
        """The end of an error message: which values the units take, and what to do about this finite one."""

    def unit_states(self) -> Tensor:
        """The states of a single unit, shape (states,), for finite families.

        Raises:
            ValueError: if a unit has infinitely many.
        """
        raise ValueError(f"{type(self).__name__} units have no finite list of states")

    def variable(self, i: int) -> tuple[slice, Tensor]:
        """(units of the variable in raw column i, its encoded states (states, units)), for finite families."""
        return slice(i, i + 1), self.unit_states().unsqueeze(-1)

    def not_encodable(self, raw: Tensor) -> Tensor | None:
        """Which raw states, (..., columns), cannot be encoded; None if all can."""
        return None

    def _encode(self, raw: Tensor) -> Tensor:
        return raw

    def decode(self, encoded: Tensor) -> Tensor:
        """Raw states, (..., batch, columns), from encoded states, (..., batch, size)."""
        return encoded

    def repeat_per_column(self, values: Tensor) -> Tensor:
        """Repeat one entry per variable, (..., columns), for each unit of the variable: (..., size)."""
        return values

    def advice(self, mean: Tensor, variance: Tensor) -> str | None:
        """Advice for training data with this mean and variance (size,), e.g. to standardise; None if they look fine."""
        return None

    # Units whose rows have a fixed total -------------------------------------------------------------------------

    @property
    def fixed_total(self) -> int | None:
        """The total that all rows share, for units that condition on it; None for others or for several totals."""
        return None

    def set_totals(self, totals: Tensor, weight: Tensor | None = None) -> None:
        """Remember the totals of training cases, (cases,), with weights (cases,): units that condition on them do."""

    def conditioned_on_total(self, s: Tensor) -> Self:
        """The layer conditioned on the totals of states s (..., batch, n); itself if draws do not keep totals."""
        return self

    # Description -------------------------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        """Describe the layer: a JSON-able dict of its type and the arguments that build it again."""
        return super().config() | {"shape": list(self.shape)}

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        """Build a layer from what `config` returned, without its type."""
        return super().from_config({key: tuple(v) if isinstance(v, list) else v for key, v in arguments.items()})

    def extra_repr(self) -> str:
        return f"{self.columns}" if len(self.shape) == 1 else f"{self.shape}"
