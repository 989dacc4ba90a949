"""What training makes of missing values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from harmonium.core.checks import check_int, check_int_fields
from harmonium.core.registry import Registered
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model
from harmonium.objectives import Batch, Objective
from harmonium.sampling.path import Path

if TYPE_CHECKING:
    from harmonium.training.loop import Training

__all__ = ["DrawGaps", "Gaps", "OmitGaps", "as_gaps"]

CHUNK = 4096  # cases whose gaps are drawn together

_NAMED: dict[str, type[Gaps]] = {}


class Gaps(Registered, ABC):
    """A treatment of missing values (NaN)."""

    def __init_subclass__(cls, word: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if word:
            _NAMED[word] = cls

    @abstractmethod
    def check(self, model: Model, objective: Objective) -> None:
        """Refuse a model or an objective that cannot be combined with it.

        Raises:
            TypeError: for such a model.
            ValueError: for such an objective, several models as one, or units of one total.
        """

    def check_parts(self, objective: Objective) -> None:
        """Refuse an objective whose updates cannot be computed in shards with it.

        Raises:
            ValueError: for such an objective.
        """

    can_run_updates: ClassVar[bool] = False
    """Whether batches are whole cases, which compiled updates take."""

    def begin_epoch(self, training: Training, state: dict[str, Tensor]) -> None:
        """Prepare the batches of an epoch; ``state`` is changed in place."""

    @abstractmethod
    def fill(self, training: Training, v: Tensor, index: Tensor, state: dict[str, Tensor]) -> Batch:
        """Make a batch without NaN.

        Args:
            training: the training.
            v: encoded cases (rows, size), NaN where a value is missing.
            index: their numbers.
            state: what `begin_epoch` left.
        """


@dataclass(frozen=True)
class DrawGaps(Gaps, word="draw"):
    """Missing values are drawn given the observed ones, by chains of their own that persist from epoch to epoch.

    The gradient is that of the likelihood of the observed values, once the chains have followed the model.

    Args:
        sweeps: Gibbs sweeps of each case at the beginning of every epoch.
    """

    can_run_updates = True

    sweeps: int = 1

    def check(self, model: Model, objective: Objective) -> None:
        _check_model(model)
        if not isinstance(model, Machine):
            raise TypeError(
                f"missing='draw' takes a machine such as an RBM, found {type(model).__name__}: use missing='omit'"
            )

    def __post_init__(self) -> None:
        check_int_fields(self, sweeps=1)

    def begin_epoch(self, training: Training, state: dict[str, Tensor]) -> None:
        model: Any = training.model
        stream = training.root.child("missing", training.position.epoch)
        if "filled" not in state:
            start = Path(model).start(len(training.cases), training.root.child("missing").advance())[0]
            assert start is not None
            state["filled"] = start
        for first in range(0, len(training.cases), CHUNK):
            index = torch.arange(first, min(first + CHUNK, len(training.cases)))
            v = training.rows(index)
            missing = torch.isnan(v)
            if not bool(missing.any()):
                continue
            own = stream.child(first)
            x = torch.where(missing, state["filled"][index], v)
            out = model.sweep(model.state_from_visible(x, own), own, self.sweeps, clamp=(~missing, x))[0]
            state["filled"][index] = out

    def fill(self, training: Training, v: Tensor, index: Tensor, state: dict[str, Tensor]) -> Batch:
        return Batch(torch.where(torch.isnan(v), state["filled"][index], v))


@dataclass(frozen=True)
class OmitGaps(Gaps, word="omit"):
    """Missing units are left out of the machine of a case, in both phases (Salakhutdinov, Mnih & Hinton 2007).

    Hidden units see the observed units alone.  Cases with other gaps have other machines, which share parameters; their
    negative phases start at the cases: `CD`.  Choose it where what is missing is most of a table, such as ratings, and
    `Categorical` units: a binary unit that is 0 adds to no input, and to a hidden unit is the same as one left out.
    """

    def check(self, model: Model, objective: Objective) -> None:
        _check_model(model)
        if not objective.can_omit:
            raise ValueError(
                f"missing='omit' leaves units out of the negative phase too, which {type(objective).__name__} cannot: "
                "use objective=harmonium.CD(), or missing='draw'"
            )

    def fill(self, training: Training, v: Tensor, index: Tensor, state: dict[str, Tensor]) -> Batch:
        missing = torch.isnan(v)
        return Batch(torch.where(missing, 0.0, v), observed=~missing)


def _check_model(model: Model) -> None:
    if not model.takes_gaps:
        raise TypeError(
            f"fit(missing=...): a {type(model).__name__} learns from whole cases only: fill the gaps first "
            "(harmonium.impute), or train an RBM or an OrderlessNADE"
        )
    model.refuse_batched("fit(missing=...)")
    model.visible.require_independent_columns("fit(missing=...)")


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
