"""Callbacks: their interface, the progress bar, early stopping and a time limit."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from inspect import isfunction, signature
from typing import TYPE_CHECKING, Any, ClassVar

from harmonium.core.checks import check_int, check_positive
from harmonium.core.numbers import fixed
from harmonium.core.registry import Registered, is_builtin
from harmonium.training.schedules import ends_cycle

if TYPE_CHECKING:
    from harmonium.training.history import Row
    from harmonium.training.loop import Training
    from harmonium.training.plan import Plan

__all__ = ["Callback", "EarlyStopping", "ProgressBar", "TimeLimit", "check_callbacks", "is_due"]

_OF_OTHERS = {
    "on_train_begin": "on_begin", "on_train_start": "on_begin", "on_fit_start": "on_begin", "on_start": "on_begin",
    "on_train_end": "on_end", "on_fit_end": "on_end", "on_finish": "on_end", "on_epoch_end": "on_epoch",
    "on_train_epoch_end": "on_epoch", "on_validation_epoch_end": "on_measure", "on_validation_end": "on_measure",
    "on_batch_end": "on_update", "on_train_batch_end": "on_update", "on_step_end": "on_update", "on_step": "on_update",
    "on_iteration": "on_update", "on_exception": "on_close", "teardown": "on_close",
}  # fmt: skip
"""Methods of the callbacks of other libraries, and what they are called here."""


def is_due(every: int | None, epoch: int, plan: Plan) -> bool:
    """Whether something is measured after an epoch, counted from 1; the last one always is.

    Args:
        every: epochs between measurements; None: where cycles of `harmonium.training.schedules.Cycles` end.
        epoch: the epoch.
        plan: of the training.
    """
    if every is None:
        return ends_cycle(epoch, plan.epochs, plan.learning_rate)
    return epoch == plan.epochs or epoch % every == 0


def check_callbacks(callbacks: Sequence[Any]) -> None:
    """Raise TypeError unless all are callbacks."""
    for callback in callbacks:
        if isinstance(callback, type) and issubclass(callback, Callback):
            raise TypeError(f"callbacks holds the class {callback.__name__}: make one of it, {callback.__name__}(...)")
        if not isinstance(callback, Callback):
            raise TypeError(
                f"callbacks holds {callback!r}, which is no callback: make it a subclass of harmonium.training.Callback"
            )


def _check_methods(kind: type[Callback]) -> None:
    """Raise TypeError for a method on_... that is never called, or that takes other arguments."""
    known = [name for name in dir(Callback) if name.startswith("on_")]
    for name in dir(kind):
        method = getattr(kind, name)
        if not callable(method) or not (name.startswith("on_") or name in _OF_OTHERS):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
            right = _OF_OTHERS.get(name) or (near[0] if near else None)
            advice = f"it is called {right} here" if right else f"there are {', '.join(known)}"
            raise TypeError(f"{kind.__name__}.{name} is never called: {advice} (a method of your own: _{name})")
        expected = list(signature(getattr(Callback, name)).parameters)
        if isfunction(method):
            try:
                signature(method).bind(*expected)
            except TypeError as error:
                raise TypeError(f"{kind.__name__}.{name} must take ({', '.join(expected)}): {error}") from None


class Callback(Registered):
    """Something that is called during training.  Override what you need; all methods are optional.

    Of a training on several processes, the first one calls the callbacks; what they decide (``stop``, `keep_best`,
    `go_back`) holds on all.

    A callback that draws random numbers draws them from ``training.root.child(...)``, so that adding it changes no
    parameter.  Whatever it carries from epoch to epoch belongs into `state`, JSON-able, so that runs can be resumed.

    Small models are trained in a compiled loop that stops wherever a callback is due.  A callback that overrides
    `on_update` should therefore set ``every_updates``: None or some tens of updates cost nothing.
    """

    transient: ClassVar[bool] = False
    """Whether a resumed run may do without it, because it carries no state."""
    everywhere: ClassVar[bool] = False
    """Whether it changes the data or their weights, so that every process calls it, not the first alone."""
    every_updates: int | None = 1
    """Number of updates between calls of `on_update`.  None: whenever it costs nothing, at least every 50 updates."""

    @property
    def described(self) -> bool:
        """Whether `harmonium.resume` builds it again from its `config`; your own classes are passed again."""
        return is_builtin(type(self))

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _check_methods(cls)

    def on_begin(self, training: Training) -> None:
        """Before the first update (again after a resume)."""

    def on_update(self, training: Training) -> None:
        """After an update: each, or those that ``every_updates`` asks for."""

    def next_update(self, training: Training) -> int | None:
        """The next update after which `on_update` is due, by ``every_updates``; None: whenever it costs nothing."""
        if self.every_updates is None:
            return None
        return (training.position.update // self.every_updates + 1) * self.every_updates

    def wants_state(self, training: Training) -> bool:
        """Whether `on_update` reads the objective's state: of a training on several processes, it is gathered first."""
        return self.every_updates is not None

    def on_measure(self, training: Training, row: Row) -> None:
        """At the end of an epoch: add measurements to the row."""

    def on_epoch(self, training: Training, row: Row) -> None:
        """After the row of an epoch is complete.  Set ``training.stop`` to a reason to end training."""

    def on_end(self, training: Training) -> None:
        """After the last update."""

    def on_close(self, training: Training) -> None:
        """However training ends, by an error or a signal too: release what you hold."""

    def columns(self, training: Training) -> set[str] | None:
        """Names of what `on_measure` adds to rows; None: unknown before training."""
        return set() if type(self).on_measure is Callback.on_measure else None

    def state(self) -> dict[str, Any]:
        """JSON-able state for checkpoints."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""


@dataclass
class EarlyStopping(Callback):
    """Keep the best model by a validation measure, and stop when it has not improved for ``patience`` epochs.

    Args:
        metric: a column of the history, higher is better: "pseudo_log_likelihood", or "log_likelihood" where a
            `LikelihoodMonitor` monitor measures it.  Epochs without it are passed over.
        patience: epochs without improvement before training stops; None: never stop, only keep the best.
    """

    metric: str = "pseudo_log_likelihood"
    patience: int | None = 10
    best: float = field(default=-math.inf, init=False, repr=False)
    best_epoch: int = field(default=0, init=False, repr=False)
    tried: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.patience is not None:
            self.patience = check_int("EarlyStopping(patience=...)", self.patience)

    def on_begin(self, training: Training) -> None:
        if training.position.update == 0:  # forget an earlier training
            self.best, self.best_epoch, self.tried = -math.inf, 0, False
        known = {"epoch", "update", "seconds", "learning_rate"}
        for callback in training.callbacks:
            columns = callback.columns(training)
            if columns is None:
                return  # somebody's own measurements: the last epoch will show
            known |= columns
        if self.metric not in known:
            raise ValueError(
                f"EarlyStopping(metric={self.metric!r}): nothing measures it here, only {', '.join(sorted(known))}. "
                "Measures need validation=...; of units without finitely many states there is no pseudo-likelihood: "
                "add a LikelihoodMonitor and name log_likelihood"
            )

    def on_epoch(self, training: Training, row: Row) -> None:
        if self.metric not in row:
            if training.position.epoch == training.plan.epochs and math.isinf(self.best) and not self.tried:
                raise ValueError(
                    f"EarlyStopping(metric={self.metric!r}): no epoch measured it; the last row has {', '.join(row)}"
                )
            return
        self.tried = True
        value = row[self.metric]  # None: measured, and found to have no value, such as a bound of chains that drift
        if value is not None and value > self.best:
            self.best, self.best_epoch = value, row["epoch"]
            training.keep_best(row)
        elif self.patience is not None and row["epoch"] - self.best_epoch >= self.patience:
            training.stop = f"no better {self.metric} since epoch {self.best_epoch}"

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "tried": self.tried}

    def restore(self, state: dict[str, Any]) -> None:
        self.best, self.best_epoch, self.tried = state["best"], state["best_epoch"], state["tried"]


@dataclass
class TimeLimit(Callback):
    """Stop training after a number of seconds, counting those before a resume.

    Where it stops depends on the machine, unlike everything else that a seed decides.

    Args:
        seconds: time of training, including measurements.
        processor: whether to count processor time, of all threads together, which other programs do not prolong.

    Raises:
        ValueError: for a time that is not positive.
    """

    seconds: float
    processor: bool = False
    every_updates = None

    def __post_init__(self) -> None:
        self.seconds = check_positive("TimeLimit(seconds=...)", self.seconds)

    def on_update(self, training: Training) -> None:
        position = training.position
        if (position.processor_seconds if self.processor else position.seconds) >= self.seconds:
            training.stop = f"the time limit of {self.seconds:.3g} s was reached"


class ProgressBar(Callback):
    """A progress bar on standard error (tqdm), one tick per update.

    Args:
        delay: seconds before it appears.
    """

    transient = True
    every_updates = None

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self._bar: Any = None
        self._notes: dict[str, str] = {}

    def on_begin(self, training: Training) -> None:
        from tqdm.auto import tqdm

        self._bar = tqdm(
            total=training.updates, initial=training.position.update, unit="update", mininterval=0.2,
            dynamic_ncols=True, delay=self.delay,
        )  # fmt: skip

    def on_update(self, training: Training) -> None:
        self._bar.update(training.position.update - self._bar.n)

    def on_epoch(self, training: Training, row: Row) -> None:
        shown = {"pseudo_log_likelihood": "pseudo-LL", "free_energy_gap": "gap", "log_likelihood": "log-LL"}
        shown |= {"log_likelihood_gained": "gained", "drift": "drift"}
        self._notes |= {label: fixed(row[key]) for key, label in shown.items() if row.get(key) is not None}
        self._bar.set_description(f"epoch {row['epoch']}/{training.plan.epochs}", refresh=False)
        self._bar.set_postfix(self._notes, refresh=False)

    def on_close(self, training: Training) -> None:
        if self._bar is not None:
            self._bar.close()
