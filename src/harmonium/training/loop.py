"""The training loop: one transaction per update, for any model and any objective."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.errors import DivergedError
from harmonium.core.random import Stream
from harmonium.data import Cases
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model
from harmonium.objectives import Batch, Objective
from harmonium.sampling.impute import fill_missing
from harmonium.training import fused_pcd as persistent
from harmonium.training.callbacks import Callback
from harmonium.training.history import History, Row
from harmonium.training.metrics import Metric
from harmonium.training.penalties import Penalty
from harmonium.training.schedules import Schedule

__all__ = ["DivergedError", "OptimizerFactory", "Plan", "Training", "check_optimizer"]

Transaction = tuple[dict[str, Tensor], dict[int, dict[str, Any]], dict[str, Tensor]]
"""What an undone update restores: parameters, optimizer state, objective state."""

OptimizerFactory = Callable[[list[Tensor]], torch.optim.Optimizer]

GUARD_EVERY = 50  # updates between checks for parameters that are not finite


@dataclass(frozen=True)
class Plan:
    """How to train: everything but the model and the data."""

    objective: Objective
    metric: Metric
    learning_rate: Schedule
    optimizer: str | OptimizerFactory = "sgd"
    penalties: Sequence[Penalty] = ()
    epochs: int = 10
    batch_size: int = 100
    seed: Stream = field(default_factory=lambda: Stream(0))
    missing: int = 0

    def config(self) -> dict[str, Any]:
        """JSON-able description; an optimizer of your own is None."""
        return {
            "objective": self.objective.config(),
            "metric": self.metric.config(),
            "learning_rate": self.learning_rate.config(),
            "optimizer": self.optimizer if isinstance(self.optimizer, str) else None,
            "penalties": [penalty.config() for penalty in self.penalties],
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "missing": self.missing,
            "seed": [self.seed.seed, *self.seed.path],
        }


@dataclass
class Counters:
    """Where training stands."""

    epoch: int = 0
    batch: int = 0
    update: int = 0
    seconds: float = 0.0


@dataclass
class Training:
    """A training under way: model, data, plan, and all state that moves.

    Callbacks may read everything and may set ``stop`` to a reason.  ``dump`` and ``restore`` turn the whole state into
    tensors and JSON and back; a training restored from a dump goes on bit for bit as if it had never stopped.
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
    """That of the run, where there is one."""

    def __post_init__(self) -> None:
        plan, root = self.plan, self.plan.seed.child("fit")
        self.root = root
        self.stream = root.child("objective")
        self.objective_state = plan.objective.init_state(self.model, root.child("begin"))
        assert self.model.data_mean is not None and self.model.data_variance is not None
        self.metric_state = plan.metric.init_state(self.model, self.model.data_mean, self.model.data_variance)
        self.penalty_states = [penalty.init_state(self.model) for penalty in plan.penalties]
        self.optimizer = _optimizer(plan.optimizer, list(self.model.parameters()), plan.learning_rate(0.0))
        self.batches = -(-len(self.cases) // plan.batch_size)
        self.updates = self.batches * plan.epochs
        self._good = self._parameters()
        self._may_undo = plan.objective.can_reject
        self._fused = persistent.applies(self)

    # The loop ----------------------------------------------------------------------------------------------------

    def run(self) -> History:
        """Train to the end of the plan, or until a callback asks to stop."""
        try:
            return self._run()
        finally:
            self._call("on_close")

    def _run(self) -> History:
        started = time.perf_counter() - self.position.seconds
        self._call("on_begin")
        while self.position.epoch < self.plan.epochs and self.stop is None:
            order = kernels.permutation(self.root.child("shuffle", self.position.epoch).advance(), len(self.cases))
            while self.position.batch < self.batches and self.stop is None:
                if self._fused:
                    persistent.advance(self, order, self._unheard())
                else:
                    self.update(order)
                if self.position.update % GUARD_EVERY == 0:
                    self.guard()
                self.position.seconds = time.perf_counter() - started
                self._call("on_update")
            if self.position.batch == self.batches:
                self.finish_epoch()
                self.position.seconds = time.perf_counter() - started
        self.guard()
        if self.best is not None:
            self._load(self.best)
        else:
            # They represent the model when it is judged.
            part, chains = self.model.energy_part, self.plan.objective.model_chains(self.objective_state)
            if part is not None:
                part.chains = None if chains is None else chains.clone()
        self.history.stopped = self.stop
        self._call("on_end")
        return self.history

    @torch.no_grad()
    def update(self, order: Tensor) -> None:
        """One transaction: gradient, penalties, metric, optimizer, constraints, settle."""
        model, plan, position = self.model, self.plan, self.position
        index = order[position.batch * plan.batch_size : (position.batch + 1) * plan.batch_size]
        v = self.cases.rows(index, epoch=position.epoch, dtype=model.dtype, device=model.device)
        v = model.visible.encode(v, "data")
        if plan.missing:
            assert isinstance(model, Machine)
            v = fill_missing(model, v, self.root.child("missing", position.update), plan.missing)
        batch = Batch(v, None if self.weight is None else self.weight[index])
        before = self._transaction() if self._may_undo else None

        phases = plan.objective.gradient(model, batch, self.objective_state, self.stream)
        if batch.weight is not None:
            # Each phase is a mean over its batch; a batch that weighs more than another moves the model further.
            heavy = float(batch.weight.mean())
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter.grad.mul_(heavy)
        for penalty, state in zip(plan.penalties, self.penalty_states, strict=True):
            penalty.add_to_gradients(model, phases, state)
        rate = self.learning_rate
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with plan.metric.coordinates(model, phases, self.metric_state):
            self.optimizer.step()
        model.constrain()
        if not plan.objective.after_update(model, self.objective_state) and before is not None:
            self._roll_back(before)
            plan.objective.on_reject(self.objective_state)

        position.batch += 1
        position.update += 1

    def _unheard(self) -> int:
        """How many updates may pass until a callback listens, the parameters are checked, or the epoch ends."""
        if any(type(callback).on_update is not Callback.on_update for callback in self.callbacks):
            return 1
        return min(self.batches - self.position.batch, GUARD_EVERY - self.position.update % GUARD_EVERY)

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
        self._call("on_measure", row)
        for column, value in row.items():  # what a callback measured may be a NumPy or torch scalar
            row[column] = value.item() if hasattr(value, "item") else value
        self.history.rows.append(row)
        self._call("on_epoch", row)

    @property
    def learning_rate(self) -> float:
        """The rate of the next update."""
        return self._rate(self.position.update)

    def _rate(self, update: int) -> float:
        scheduled = self.plan.learning_rate(min(1.0, update / max(1, self.updates)))
        return scheduled * self.plan.objective.rate(self.objective_state)

    def guard(self) -> None:
        """Keep a copy of good parameters, or put the last good ones back and raise `DivergedError`."""
        total = sum(parameter.detach().double().sum() for parameter in self.model.parameters())
        if bool(torch.isfinite(torch.as_tensor(total))):
            self._good = self._parameters()
            return
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(self._good[name])
        kinds = sorted({type(units).__name__ for units in self.model.unit_layers()})
        advice = (
            "standardise the data (data.load(..., standardize=True)) or lower the learning rate"
            if {"Gaussian", "Mixed", "ReLU", "DReLU"} & set(kinds)
            else "lower the learning rate or the weight of the penalties"
        )
        raise DivergedError(
            f"parameters are no longer finite at update {self.position.update} (learning rate {self.learning_rate:g}, "
            f"{' and '.join(kinds)} units): {advice}. The model holds the parameters of the last good check"
        )

    # State -------------------------------------------------------------------------------------------------------

    def dump(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The whole state as (tensors, JSON-able meta)."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        groups = {"objective": self.objective_state, "metric": self.metric_state, "best": self.best or {}}
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
        """Take up the state of a `dump`."""
        groups: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            group, _, key = name.partition(".")
            groups.setdefault(group, {})[key] = tensor.to(self.model.device)
        self._load(groups["model"])
        self.objective_state = groups.get("objective", {})
        self.metric_state = groups.get("metric", {})
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
        self._good = self._parameters()

    def keep_best(self, row: Row) -> None:
        """Remember the present parameters as the best, for `run` to return to."""
        state = self.model.state_dict()
        part = self.model.energy_part
        if part is not None:
            name = next(name for name, module in self.model.named_modules() if module is part)
            key = f"{name}.chains".removeprefix(".")
            state.pop(key, None)  # of an earlier training; those of this one go with the best model
            chains = self.plan.objective.model_chains(self.objective_state)
            if chains is not None:
                state[key] = chains
        self.best = {name: tensor.clone() for name, tensor in state.items()}
        self.history.best = dict(row)

    def _load(self, state: dict[str, Tensor]) -> None:
        from harmonium.models.io import restore

        restore(self.model, state, "the checkpoint")

    def _parameters(self) -> dict[str, Tensor]:
        return {name: parameter.detach().clone() for name, parameter in self.model.named_parameters()}

    def _transaction(self) -> Transaction:
        objective = self.plan.objective.snapshot(self.objective_state)
        optimizer = {
            index: {key: value.clone() if isinstance(value, Tensor) else value for key, value in state.items()}
            for index, state in self.optimizer.state_dict()["state"].items()
        }
        return self._parameters(), optimizer, objective

    def _roll_back(self, before: Transaction) -> None:
        parameters, optimizer, objective = before
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(parameters[name])
        self._set_optimizer(optimizer)
        self.objective_state = objective

    def _set_optimizer(self, state: dict[int, dict[str, Any]]) -> None:
        # Not by load_state_dict, which casts what some optimizers keep in another precision.
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        self.optimizer.state.clear()
        for index, entries in state.items():
            self.optimizer.state[parameters[index]] = entries

    def _call(self, event: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self, *arguments)


def check_optimizer(optimizer: str | OptimizerFactory) -> None:
    """Raise ValueError for a name that torch.optim does not have."""
    if not callable(optimizer) and str(optimizer).lower() not in _optimizers():
        raise ValueError(
            f"optimizer must be one of {', '.join(sorted(_optimizers()))} or a factory, found {optimizer!r}"
        )


def _optimizers() -> dict[str, Any]:
    unfit = ("Optimizer", "LBFGS", "Muon", "SparseAdam")  # closures, matrices only, sparse gradients only
    return {
        name.lower(): kind
        for name, kind in vars(torch.optim).items()
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer) and name not in unfit
    }


def _optimizer(optimizer: str | OptimizerFactory, parameters: list[Tensor], rate: float) -> torch.optim.Optimizer:
    if callable(optimizer):
        return optimizer(parameters)
    kind = _optimizers()[optimizer.lower()]
    # Decay is the business of penalties, which spare the biases.
    no_decay = {"weight_decay": 0.0} if "weight_decay" in inspect.signature(kind).parameters else {}
    # One pass over the parameters rather than one for each operation: Adam takes a quarter of the time.
    on_cpu = all(parameter.device.type == "cpu" for parameter in parameters)
    fused = {"fused": True} if on_cpu and kind in (torch.optim.Adam, torch.optim.AdamW) else {}
    made: torch.optim.Optimizer = kind(parameters, lr=rate, **no_decay, **fused)
    return made
