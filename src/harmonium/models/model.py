"""The interface of all models: what training, files and the likelihood protocol use."""

from __future__ import annotations

import copy
import math
import textwrap
from abc import abstractmethod
from collections.abc import Iterator
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from harmonium.core import notebook
from harmonium.core.random import Stream
from harmonium.core.registry import Registered
from harmonium.models.other_names import ELSEWHERE, explained
from harmonium.units import Units

if TYPE_CHECKING:
    from harmonium.models.machine.machine import Machine

__all__ = ["BUFFERS", "Model", "TrainingDefaults", "as_dtype", "as_model"]

BUFFERS = ("data_mean", "data_variance", "data_cases", "chains")
"""What training stores in a model besides parameters; None before."""


class TrainingDefaults(NamedTuple):
    """Arguments of `harmonium.fit` for which a kind of model has its own defaults, beside the objective."""

    learning_rate: float
    optimizer: str
    metric: str


class Model(Registered, nn.Module):
    """A distribution p(v) of visible units: a machine, a deep belief network, or a directed model."""

    takes_gaps: ClassVar[bool] = False
    """Whether it can be trained on cases with missing values."""
    training_defaults: ClassVar[TrainingDefaults] = TrainingDefaults(1e-3, "adam", "plain")

    data_mean: Tensor | None
    data_variance: Tensor | None
    data_cases: Tensor | None
    chains: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        for buffer in BUFFERS:
            self.register_buffer(buffer, None)

    @property
    @abstractmethod
    def visible(self) -> Units:
        """The visible layer."""

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the parameters."""
        return self.visible.natural()[0].dtype

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return self.visible.natural()[0].device

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = explained(cls.__init__)  # type: ignore[method-assign]

    def __getattr__(self, name: str) -> Tensor | nn.Module:
        if name in ELSEWHERE:
            raise AttributeError(f"a model has no method {name}: {ELSEWHERE[name]}")
        return super().__getattr__(name)

    def _repr_html_(self) -> str:
        """Show the layers, the number of parameters, and what the model was trained on."""
        names = getattr(self, "names", None) or [f"layer {k}" for k, _ in enumerate(self.unit_layers())]
        layers = list(self.unit_layers())
        count = sum(parameter.numel() for parameter in self.parameters())
        cases = None if self.data_cases is None else f"{float(self.data_cases):,.0f} cases"
        return notebook.rows(
            f"{self.title or type(self).__name__}",
            [
                *((name, textwrap.shorten(repr(units), 200)) for name, units in zip(names, layers, strict=False)),
                ("parameters", f"{count:,}, {str(self.dtype).removeprefix('torch.')} on {self.device}"),
                ("trained on", cases if cases is not None else "nothing yet" if self.data_mean is None else None),
                ("persistent chains", None if self.chains is None else len(self.chains)),
            ],
        )

    # The likelihood ----------------------------------------------------------------------------------------------

    @property
    def energy_part(self) -> Machine | None:
        """The part whose log Z must be subtracted from the log-weights; None if they are normalised."""
        return None

    @property
    def likelihood_is_estimated(self) -> bool:
        """Whether `log_weights` draws hidden states, so that log p(v) is an estimate even if log Z is known."""
        return False

    @abstractmethod
    def log_weights(self, v: Tensor, stream: Stream, samples: int = 1) -> Tensor:
        """log of p*(v, h) / q(h | v) for draws of q, (samples, batch), float64, for encoded v (batch, size).

        The expectation of their exponentials is p*(v) = p(v) Z, with Z of the `energy_part`; their own expectation is a
        lower bound of log p*(v).  A single row if p*(v) is known in closed form.
        """

    def log_weight_bound(self, v: Tensor, stream: Stream, samples: int = 1) -> Tensor:
        """log p*(v) if it is known in closed form, otherwise a lower bound: (batch,), float64.

        Args:
            v: encoded cases, (batch, size).
            stream: of the hidden states drawn for an importance-weighted bound, if the model has no other.
            samples: number of draws for each case.
        """
        log_w = self.log_weights(v, stream, samples)
        return torch.logsumexp(log_w, 0) - math.log(len(log_w))

    # Training ----------------------------------------------------------------------------------------------------

    @property
    def is_untrained(self) -> bool:
        """Whether the parameters are still those of the constructor, so that training may initialise them."""
        before, now = self._untouched, self._state_of_parameters()
        return before[0] == now[0] and bool(torch.allclose(before[1], now[1], rtol=1e-9, atol=1e-9))

    def mark_untrained(self) -> None:
        """Declare the present parameters to be those of the constructor."""
        self._untouched = self._state_of_parameters()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # `is_untrained` compares identities of parameters, and those of a copy are new.
        other = self.__class__.__new__(self.__class__)
        memo[id(self)] = other
        other.__dict__.update(copy.deepcopy(self.__dict__, memo))
        if "_untouched" in self.__dict__ and self.is_untrained:
            other.mark_untrained()
        return other

    @torch.no_grad()
    def _state_of_parameters(self) -> tuple[list[tuple[int, int]], Tensor]:
        # A replaced parameter is a new object, and torch counts every change in place but those through .data, which
        # sums and norms show (not to the last bit: threads may add in another order).
        found = [p for p in self.parameters() if not p.is_meta]
        sums = [f(p, dtype=torch.float64) for p in found for f in (torch.sum, torch.linalg.vector_norm)]
        return [(id(p), p._version) for p in self.parameters()], torch.tensor(
            [float(each) for each in sums], dtype=torch.float64
        )

    @abstractmethod
    def initialise(self, stream: Stream) -> None:
        """Draw initial parameters."""

    def initialise_from_data(self, stream: Stream) -> None:
        """Draw initial parameters that suit the data whose mean and variance are stored in the model."""
        self.initialise(stream)

    def weights_to_decay(self) -> Iterator[nn.Parameter]:
        """The parameters to which penalties on weights apply: all matrices, no biases."""
        return (parameter for parameter in self.parameters() if parameter.dim() > 1)

    def constrain(self) -> None:
        """Bring all parameters back into their bounds after an update."""

    def advice(self, mean: Tensor, variance: Tensor) -> str | None:
        """Advice for training data with this mean and variance (size,), e.g. to standardise; None if they look fine."""
        return self.visible.advice(mean, variance)

    def unit_layers(self) -> Iterator[Units]:
        """All layers of units."""
        yield self.visible

    def refuse_batched(self, function: str) -> None:
        """Raise ValueError for several models as one, if ``function`` takes a single model."""

    def config(self) -> dict[str, Any]:
        """Describe the model: a JSON-able dict of its type and the arguments that build it again."""
        return super().config() | {"dtype": str(self.dtype).removeprefix("torch.")}

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        """Build a model with fresh parameters from what `config` returned, without its type."""
        return super().from_config(arguments | {"dtype": getattr(torch, arguments.get("dtype", "float32"))})

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # An untrained model has no tensors in these buffers: add some, so that load_state_dict works.
        for name in BUFFERS:
            if getattr(self, name) is None and prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name]))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def as_model(model: Any, function: str) -> Model:
    """Return the model as it is.

    Raises:
        TypeError: if it is none, such as cases that were given first.
    """
    if isinstance(model, Model):
        return model
    if isinstance(model, type) and issubclass(model, Model):
        raise TypeError(f"{function} takes a model, found the class {model.__name__}: make one first, such as "
                        f"{model.__name__}(784, 500)")  # fmt: skip
    if isinstance(model, (str, PathLike)):
        raise TypeError(f"{function} takes a model, found {str(model)!r}: load it first, harmonium.load(...)")
    estimator = getattr(model, "model_", None)
    if isinstance(estimator, Model):
        raise TypeError(f"{function} takes a model, found the estimator {type(model).__name__}: its model is the "
                        "attribute model_")  # fmt: skip
    advice = "the model comes first, then the cases"
    if function == "fit":
        advice = ("the model comes first, harmonium.fit(model, data); the estimators of harmonium.sklearn have "
                  "fit(X, y)")  # fmt: skip
    raise TypeError(f"{function} takes a model, found {type(model).__name__}: {advice}")


def as_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of parameters.

    Raises:
        TypeError: if it is no floating-point dtype of torch.
    """
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype must be a floating-point dtype of torch, such as torch.float64, found {dtype!r}")
    return dtype
