"""The training loop: one update after the other, for any model and any objective."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.errors import DivergedError
from harmonium.core.processes import ALONE, alone
from harmonium.data import Cases
from harmonium.models.io import restore as load_tensors
from harmonium.models.model import Model
from harmonium.objectives import Batch, Phases
from harmonium.objectives.many_updates import Batches, UpdateRule
from harmonium.training.callbacks import Callback
from harmonium.training.history import History, Row
from harmonium.training.optimizers import make_optimizer, optimizer_rule, set_learning_rate
from harmonium.training.plan import Plan
from harmonium.training.sharding import Sharding

__all__ = ["Training"]

Snapshot = tuple[dict[str, Tensor], dict[int, dict[str, Any]], dict[str, Tensor]]
"""What a rejected update restores: parameters, optimizer state, objective state."""

GUARD_EVERY = 50  # updates between checks for parameters that are not finite
SETTLE = 100  # sweeps of chains under averaged parameters, before they represent them


@dataclass
class Counters:
    """Where training stands, and the factor of the learning rate that `Training.go_back` left."""

    epoch: int = 0
    batch: int = 0
    update: int = 0
    seconds: float = 0.0
    processor_seconds: float = 0.0
    slower: float = 1.0


@dataclass
class Training:
    """A training under way: model, data, plan, and all state that changes.

    Callbacks may read everything and may set ``stop`` to a reason.  ``dump`` and ``restore`` turn the whole state into
    tensors and JSON and back; a training restored from a dump goes on bit for bit as if it had never stopped.

    Attributes:
        model: the model, trained in place.
        cases: the training cases.
        weight: their weights, (cases,), with mean 1, or None.
        plan: how to train.
        callbacks: what listens.
        validation: cases for monitors, or None.
        position: where training stands.
        history: the rows so far.
        best: tensors of the best model so far, if a callback keeps one.
        stop: why training is to end early, or None.
        folder: the run folder, or None.
        fresh: whether training began at parameters of its own.
        validation_weight: weights of the validation cases, (validation cases,), if they were held out of weighted ones.
    """

    model: Model
    cases: Cases
    weight: Tensor | None
    plan: Plan
    callbacks: Sequence[Any] = ()
    validation: Cases | None = None
    position: Counters = field(default_factory=Counters)
    history: History = field(default_factory=History)
    best: dict[str, Tensor] | None = None
    stop: str | None = None
    folder: Path | None = None
    fresh: bool = True
    validation_weight: Tensor | None = None

    def __post_init__(self) -> None:
        plan, model, self.root = self.plan, self.model, self.plan.seed.child("fit")
        self.stream = self.root.child("objective")
        self.objective_state = plan.objective.init_state(model, self.root.child("begin"))
        assert model.data_mean is not None and model.data_variance is not None
        self.metric_state = plan.metric.init_state(model, model.data_mean, model.data_variance)
        self.penalty_states = [penalty.init_state(model) for penalty in plan.penalties]
        self.gaps_state: dict[str, Tensor] = {}
        self.average_state: dict[str, Tensor] = {}
        self._raw: dict[str, Tensor] | None = None  # the parameters, while the model holds their average
        self.parameters = dict(model.named_parameters())  # listed once: small models take as long to list as to train
        self.optimizer = make_optimizer(plan.optimizer, model, plan.learning_rate(0.0))
        self.batches = -(-len(self.cases) // plan.batch_size)
        self.updates = self.batches * plan.epochs
        self._good = self._copies()
        rows = min(plan.batch_size, len(self.cases))
        self._decisions: list[tuple[str, Any]] = []
        self._sharding = None if plan.shards is None else Sharding(self, plan.shards)
        self.processes = ALONE if self._sharding is None else self._sharding.shards.processes
        self._compiled = (
            self._sharding is None and plan.objective.can_run_updates(model, rows) and self._rule() is not None
        )

    # One update --------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def update(self, index: Tensor) -> None:
        """Make one update from the cases of these numbers."""
        model, plan = self.model, self.plan
        before = self._snapshot() if plan.objective.can_reject else None
        phases = self._fill_gradients(index)
        self._weigh_gradients(None if self.weight is None else self.weight[index])
        for penalty, state in zip(plan.penalties, self.penalty_states, strict=True):
            penalty.add_to_gradients(model, phases, state)
        with plan.metric.coordinates(model, phases, self.metric_state):
            rate = self.learning_rate
            set_learning_rate(self.optimizer, rate)
            self.optimizer.step()
            for penalty in plan.penalties:  # of centered models, the centered biases stay where they are
                penalty.after_step(model, rate)
        model.constrain()
        if not plan.objective.after_update(model, self.objective_state) and before is not None:
            self._reject(before)

    def _fill_gradients(self, index: Tensor) -> Phases | None:
        if self._sharding is not None:
            return self._sharding.fill_gradients(self, index)
        return self.plan.objective.gradient(self.model, self.batch(index), self.objective_state, self.stream)

    def batch(self, index: Tensor) -> Batch:
        """The cases of these numbers as the objective takes them."""
        v, gaps = self.rows(index), self.plan.missing
        batch = Batch(v) if gaps is None else gaps.fill(self, v, index, self.gaps_state)
        return batch if self.weight is None or batch.weight is not None else batch._replace(weight=self.weight[index])

    def rows(self, index: Tensor) -> Tensor:
        """Encoded cases of these numbers, (rows, size)."""
        model: Any = self.model
        v: Tensor = self.cases.rows(index, epoch=self.position.epoch, dtype=model.dtype, device=model.device)
        encoded: Tensor = model.visible.encode(v, "data")
        return encoded

    def _weigh_gradients(self, weight: Tensor | None) -> None:
        # Each phase is a mean over its batch; a batch that weighs more than another moves the model further.
        if weight is not None:
            mass = float(weight.mean())
            for parameter in self.parameters.values():
                if parameter.grad is not None:
                    parameter.grad.mul_(mass)

    # Many updates in one call ------------------------------------------------------------------------------------

    def _rule(self) -> UpdateRule | None:
        """What metric, penalties and optimizer make of a gradient, in numbers; None if a compiled loop cannot do it."""
        if self.plan.missing is not None and not self.plan.missing.can_run_updates:
            return None
        rule = self.plan.metric.add_to_rule(UpdateRule(), self.metric_state)
        for penalty in self.plan.penalties:
            rule = None if rule is None else penalty.add_to_rule(rule)
        return None if rule is None else optimizer_rule(self.optimizer, list(self.parameters.values()), rule)

    @torch.no_grad()
    def _many_updates(self, index: Tensor, count: int) -> None:
        """Make updates from the cases of these numbers in a compiled loop: those of `update`, up to rounding."""
        rule, objective, first = self._rule(), self.plan.objective, self.position.update
        assert rule is not None
        factor, schedule = self._factor(), self.plan.learning_rate
        batch = self.batch(index)
        batches = Batches(
            batch.v,
            batch.weight,
            np.minimum(np.arange(count + 1) * self.plan.batch_size, len(index)),
            np.array([factor * schedule(min(1.0, u / self.updates)) for u in range(first, first + count)]),
        )
        objective.run_updates(self.model, batches, rule, self.objective_state, self.stream)
        set_learning_rate(self.optimizer, float(batches.rates[-1]))

    # The loop ----------------------------------------------------------------------------------------------------

    def run(self) -> History:
        """Train to the end of the plan, or until a callback asks to stop.

        Returns:
            The history, one row per epoch.

        Raises:
            DivergedError: if parameters stop being finite; the model then holds the last good ones.
        """
        try:
            return self._run()
        finally:
            for callback in self.callbacks:  # without a word to other processes, of which one may be lost
                if self.processes.first or callback.everywhere:
                    callback.on_close(self)

    def _run(self) -> History:
        self._started = time.perf_counter() - self.position.seconds
        self._busy_since = time.process_time() - self.position.processor_seconds
        self._call("on_begin")
        self._listeners = [each for each in self.callbacks if type(each).on_update is not Callback.on_update]
        self._heard = self.processes.told(bool(self._listeners))  # the first process may have more callbacks
        while self.position.epoch < self.plan.epochs and self.stop is None:
            if self.plan.missing is not None and self.position.batch == 0:
                self.plan.missing.begin_epoch(self, self.gaps_state)
            order = kernels.permutation(self.root.child("shuffle", self.position.epoch).advance(), len(self.cases))
            while self.position.batch < self.batches and self.stop is None:
                self._advance(order)
            if self.position.batch == self.batches:
                self.finish_epoch()
                self._look_at_clocks()
        self.guard()
        self._gather()
        if self.best is not None:
            self._load(self.best)
        else:
            self._show_average()
            # They represent the model when it is judged.
            part, chains = self.model.energy_part, self._kept_chains()
            if part is not None:
                part.chains = None if chains is None else chains.to(part.dtype, copy=True)
        self.history.stopped = self.stop
        self._call("on_end")
        return self.history

    def _advance(self, order: Tensor) -> None:
        """Make the next update of an epoch, or in a compiled loop all until a callback or the guard is due."""
        position, size = self.position, self.plan.batch_size
        due = [callback.next_update(self) for callback in self._listeners]
        first, count = position.batch * size, 1
        if self._compiled:
            stops = (update - position.update for update in due if update is not None)
            count = min(self.batches - position.batch, GUARD_EVERY - position.update % GUARD_EVERY, *stops)
            if self.plan.average is not None:
                count = min(count, self.plan.average.until_look(position.update))
            self._many_updates(order[first : first + count * size], count)
        else:
            self.update(order[first : first + size])
        position.batch += count
        position.update += count
        if self.plan.average is not None and position.update % self.plan.average.every == 0:
            self.plan.average.look(self.parameters, self.average_state)
        if position.update % GUARD_EVERY == 0:
            self.guard()
        self._look_at_clocks()
        if self._heard:
            pairs = zip(self._listeners, due, strict=True)
            self._notify([each for each, update in pairs if update is None or position.update >= update])

    def _look_at_clocks(self) -> None:
        self.position.seconds = time.perf_counter() - self._started
        self.position.processor_seconds = time.process_time() - self._busy_since

    def finish_epoch(self) -> None:
        """Record a row and move to the next epoch."""
        position = self.position
        row: Row = {
            "epoch": position.epoch + 1,
            "update": position.update,
            "seconds": round(position.seconds, 3),
            "learning_rate": self._rate(position.update - 1),
        }
        position.epoch, position.batch = position.epoch + 1, 0
        self.guard()
        self._gather()
        with self._averaged():
            row = self._call("on_measure", row) | self.plan.objective.report(self.objective_state)
            self.history.rows.append(row)
            self._call("on_epoch", row)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next update."""
        return self._rate(self.position.update)

    def _rate(self, update: int) -> float:
        scheduled = self.plan.learning_rate(min(1.0, update / max(1, self.updates)))
        return scheduled * self._factor()

    def _factor(self) -> float:
        return self.position.slower * self.plan.objective.rate(self.objective_state)

    def guard(self) -> None:
        """Keep a copy of the parameters if they are finite; otherwise restore the last good ones.

        Raises:
            DivergedError: if they are not finite.
        """
        with torch.no_grad():
            if math.isfinite(sum(float(parameter.sum()) for parameter in self.parameters.values())):
                for name, parameter in self.parameters.items():
                    self._good[name].copy_(parameter)
                return
            for name, parameter in self.parameters.items():
                parameter.copy_(self._good[name])
        layers = list(self.model.unit_layers())
        advice = (
            "standardise the data (data.load(..., standardize=True)) or lower the learning rate"
            if any(units.real_valued for units in layers)
            else "lower the learning rate or the weight of the penalties"
        )
        raise DivergedError(
            f"parameters are no longer finite at update {self.position.update} (learning rate {self.learning_rate:g}, "
            f"{' and '.join(sorted({type(units).__name__ for units in layers}))} units): {advice}. The model holds the "
            "parameters of the last good check"
        )

    # The averaged model ------------------------------------------------------------------------------------------

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """A context in which the model holds the averaged parameters, if the plan averages."""
        self._show_average()
        try:
            yield
        finally:
            self._show_raw()

    @torch.no_grad()
    def _show_average(self) -> None:
        mean = {} if self.plan.average is None else self.plan.average.mean(self.average_state)
        if mean:
            self._raw = self._copies()
            for name, parameter in self.parameters.items():
                parameter.copy_(mean[name])
            self.model.constrain()

    @torch.no_grad()
    def _show_raw(self) -> None:
        if self._raw is not None:
            for name, parameter in self.parameters.items():
                parameter.copy_(self._raw[name])
        self._raw = None

    @contextmanager
    def last_parameters(self) -> Iterator[None]:
        """A context in which the model holds the last parameters, which are those of the chains, and no average."""
        averaged = self._raw is not None
        self._show_raw()
        try:
            yield
        finally:
            if averaged:
                self._show_average()

    def model_chains(self) -> Tensor | None:
        """Packed states that represent the model as it is now, (chains, columns); None if the objective has none.

        Those of averaged parameters are chains of the last parameters after some sweeps.
        """
        part, chains = self.model.energy_part, self.plan.objective.model_chains(self.objective_state)
        if self._raw is None or part is None or chains is None:
            return chains
        stream = self.root.child("average", self.position.update)
        with torch.no_grad():
            return part.pack(part.sweep(part.unpack(chains), stream, SETTLE))

    # State -------------------------------------------------------------------------------------------------------

    def dump(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the whole state as tensors and JSON-able numbers."""
        tensors = {f"model.{name}": tensor for name, tensor in (self.model.state_dict() | (self._raw or {})).items()}
        groups = {
            "objective": self.objective_state,
            "metric": self.metric_state,
            "gaps": self.gaps_state,
            "average": self.average_state,
            "best": self.best or {},
        }
        groups |= {f"penalty{i}": state for i, state in enumerate(self.penalty_states)}
        scalars: dict[str, Any] = {}
        for index, state in self.optimizer.state_dict()["state"].items():
            for key, value in state.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{index}.{key}"] = value
                else:
                    scalars[f"{index}.{key}"] = value
        for group, entries in groups.items():
            tensors |= {f"{group}.{key}": tensor for key, tensor in entries.items()}
        meta = {
            "position": vars(self.position),
            "stream": self.stream.step,
            "optimizer": scalars,
            "history": vars(self.history),
            "callbacks": [callback.state() for callback in self.callbacks if not callback.transient],
        }
        return tensors, meta

    def restore(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Restore the state of a `dump`."""
        groups: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            group, _, key = name.partition(".")
            groups.setdefault(group, {})[key] = tensor.to(self.model.device)
        self._load(groups["model"])
        found, stream = groups.get("objective", {}), self.root.child("restored")
        self.objective_state = self.plan.objective.restored(self.model, found, stream)
        self.metric_state = groups.get("metric", {})
        self.gaps_state = groups.get("gaps", {})
        self.average_state = groups.get("average", {})
        self.penalty_states = [groups.get(f"penalty{i}", {}) for i in range(len(self.plan.penalties))]
        self.best = groups.get("best")
        state: dict[int, dict[str, Any]] = {}
        for entries in (groups.get("optimizer", {}), meta["optimizer"]):
            for key, value in entries.items():
                index, _, name = key.partition(".")
                state.setdefault(int(index), {})[name] = value
        self._set_optimizer(state)
        self.position = Counters(**meta["position"])
        self.stream.step = meta["stream"]
        self.history = History(**meta["history"])
        lasting = [callback for callback in self.callbacks if not callback.transient]
        for callback, entry in zip(lasting, meta["callbacks"], strict=True):
            callback.restore(entry)
        self._good = self._copies()
        if self._sharding is not None:
            self._sharding.scatter(self)

    def keep_best(self, row: Row) -> None:
        """Remember the present parameters as the best: `run` ends with them."""
        state = self.model.state_dict()
        part = self.model.energy_part
        if part is not None:
            name = next(name for name, module in self.model.named_modules() if module is part)
            key = f"{name}.chains".removeprefix(".")
            state.pop(key, None)  # of an earlier training; those of this one go with the best model
            chains = self._kept_chains()
            if chains is not None:
                state[key] = chains
        self.best = {name: tensor.clone() for name, tensor in state.items()}
        self.history.best = dict(row)
        self._decided("keep_best", row)

    def go_back(self, slower: float) -> None:
        """Return to the best model so far, with its chains, and go on at a lower learning rate.

        Args:
            slower: factor of the learning rate, for the rest of the training.
        """
        assert self.best is not None
        self._show_raw()
        self.average_state = {}  # it begins again
        self._load(self.best)
        part, chains = self.model.energy_part, self._kept_chains()
        if part is not None and part.chains is not None and chains is not None:
            chains.copy_(part.chains)
            part.chains = None
        self.plan.objective.on_go_back(self.objective_state)
        self._set_optimizer({})
        self._good = self._copies()
        self.position.slower *= slower
        if self._sharding is not None:
            self._sharding.scatter(self)
        self._decided("go_back", slower)

    def set_sweeps(self, sweeps: int) -> None:
        """Let the chains of every update from now on take this number of Gibbs sweeps."""
        self.objective_state["sweeps"] = torch.tensor(sweeps)
        if self._sharding is not None:
            self._sharding.scatter(self)
        self._decided("set_sweeps", sweeps)

    def go_slower(self, slower: float) -> None:
        """Multiply the learning rate by a factor, for the rest of the training."""
        self.position.slower *= slower
        self._decided("go_slower", slower)

    def _kept_chains(self) -> Tensor | None:
        """`model_chains` in the type in which the objective keeps them."""
        chains = self.objective_state.get("chains")
        if self._raw is None and chains is not None and not chains.is_floating_point():
            return chains
        return self.model_chains()

    def _decided(self, what: str, argument: Any) -> None:
        """Note what a callback of the first process did, so that the others do it too."""
        if self.processes.size > 1:
            self._decisions.append((what, argument))

    def _load(self, state: dict[str, Tensor]) -> None:
        load_tensors(self.model, state, "the checkpoint")
        part = self.model.energy_part
        if part is not None and part.chains is not None:
            part.chains = part.chains.to(part.dtype)  # those of the best model may have been kept as bytes

    def _copies(self) -> dict[str, Tensor]:
        return {name: parameter.detach().clone() for name, parameter in self.parameters.items()}

    def _snapshot(self) -> Snapshot:
        objective = self.plan.objective.snapshot(self.objective_state)
        optimizer = {
            index: {key: value.clone() if isinstance(value, Tensor) else value for key, value in state.items()}
            for index, state in self.optimizer.state_dict()["state"].items()
        }
        return self._copies(), optimizer, objective

    def _reject(self, before: Snapshot) -> None:
        """Undo an update."""
        parameters, optimizer, objective = before
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(parameters[name])
        self._set_optimizer(optimizer)
        self.objective_state = objective
        self.plan.objective.on_reject(objective)

    def _set_optimizer(self, state: dict[int, dict[str, Any]]) -> None:
        # Not by load_state_dict, which casts what some optimizers keep in another precision.
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        self.optimizer.state.clear()
        for index, entries in state.items():
            self.optimizer.state[parameters[index]] = entries

    # Callbacks ---------------------------------------------------------------------------------------------------

    def _call(self, event: str, *row: Row) -> Row:
        """Tell all callbacks of an event, and return its row with what they added."""
        return self._tell(event, self.callbacks, *row)

    def _notify(self, listeners: Sequence[Any]) -> None:
        """Tell those that listen of an update."""
        if self._sharding is not None and self.processes.told(any(each.wants_state(self) for each in listeners)):
            self._gather()
        self._tell("on_update", listeners)

    def _tell(self, event: str, callbacks: Sequence[Any], *row: Row) -> Row:
        def tell(chosen: Sequence[Any]) -> None:
            for callback in chosen:
                getattr(callback, event)(self, *row)

        if self.processes.size == 1:
            tell(callbacks)
            return _plain(*row)

        def of_first() -> dict[str, Any]:
            tell(callbacks)
            return {"row": _plain(*row), "stop": self.stop, "decisions": self._decisions}

        self._decisions = []
        found = self.processes.by_first(of_first)
        if not self.processes.first:
            self.stop = found["stop"]
            for name, argument in found["decisions"]:
                getattr(self, name)(argument)
            with alone():
                tell([each for each in callbacks if each.everywhere])
        said: Row = found["row"]
        return said

    def _gather(self) -> None:
        """Put the objective's state together, if it is divided into shards."""
        if self._sharding is not None:
            self._sharding.gather(self)


def _plain(*row: Row) -> Row:
    """A row of Python's numbers: what a callback measured may be a NumPy or torch scalar."""
    return {name: value.item() if hasattr(value, "item") else value for each in row for name, value in each.items()}
