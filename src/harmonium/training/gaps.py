"""What training makes of missing values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from harmonium.core.checks import check_int, check_int_fields
from harmonium.core.registry import Registered
from harmonium.objectives import Batch, Objective
from harmonium.sampling.path import Path

if TYPE_CHECKING:
    from harmonium.training.loop import Training

__all__ = ["DrawGaps", "Gaps", "OmitGaps", "as_gaps"]

_NAMED: dict[str, type[Gaps]] = {}


class Gaps(Registered, ABC):
    """A treatment of missing values (NaN)."""

    def __init_subclass__(cls, word: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if word:
            _NAMED[word] = cls

    def check(self, objective: Objective) -> None:
        """Refuse an objective that cannot be combined with it.

        Raises:
            ValueError: if it cannot.
        """

    @abstractmethod
    def fill(self, training: Training, v: Tensor, index: Tensor, state: dict[str, Tensor]) -> Batch:
        """Make a batch without NaN.

        Args:
            training: the training.
            v: encoded cases (rows, size), NaN where a value is missing.
            index: their numbers.
            state: what lasts from batch to batch, changed in place.
        """


@dataclass(frozen=True)
class DrawGaps(Gaps, word="draw"):
    """Missing values are drawn given the observed ones, by chains of their own that persist from epoch to epoch.

    The gradient is that of the likelihood of the observed values, once the chains have followed the model.

    Args:
        sweeps: Gibbs sweeps whenever a case is used.
    """

    sweeps: int = 1

    def __post_init__(self) -> None:
        check_int_fields(self, sweeps=1)

    def fill(self, training: Training, v: Tensor, index: Tensor, state: dict[str, Tensor]) -> Batch:
        missing = torch.isnan(v)
        if not bool(missing.any()):
            return Batch(v)
        model: Any = training.model
        stream = training.root.child("missing", training.position.update)
        if "filled" not in state:
            start = Path(model).start(len(training.cases), training.root.child("missing").advance())[0]
            assert start is not None
            state["filled"] = start
        x = torch.where(missing, state["filled"][index], v)
        out = model.sweep(model.state_from_visible(x, stream), stream, self.sweeps, clamp=(~missing, x))[0]
        state["filled"][index] = out
        return Batch(out)


@dataclass(frozen=True)
class OmitGaps(Gaps, word="omit"):
    """Missing units are left out of the machine of a case, in both phases (Salakhutdinov, Mnih & Hinton 2007).

    Hidden units see the observed units alone.  Cases with other gaps have other machines, which share parameters; their
    negative phases start at the cases: `CD`.  Choose it where what is missing is most of a table, such as ratings, and
    `Categorical` units: a binary unit that is 0 adds to no input, and to a hidden unit is the same as one left out.
    """

    def check(self, objective: Objective) -> None:
        if not objective.can_omit:
            raise ValueError(
                f"missing='omit' leaves units out of the negative phase too, which {type(objective).__name__} cannot: "
                "use objective=harmonium.CD(), or missing='draw'"
            )

    def fill(self, training: Training, v: Tensor, index: Tensor, state: dict[str, Tensor]) -> Batch:
        missing = torch.isnan(v)
        return Batch(torch.where(missing, 0.0, v), observed=~missing)


def as_gaps(missing: Gaps | str | int | None) -> Gaps | None:
    """Return a treatment of gaps by its name ("draw", "omit") or number of sweeps; None or 0 stays None.

    Raises:
        ValueError: for anything else.
    """
    if missing is None or isinstance(missing, Gaps):
        return missing
    if isinstance(missing, str) and missing in _NAMED:
        return _NAMED[missing]()
    if isinstance(missing, str):
        raise ValueError(f"missing must be one of {', '.join(_NAMED)}, a number of sweeps or None, found {missing!r}")
    sweeps = check_int("missing", missing, least=0)
    return DrawGaps(sweeps) if sweeps else None
