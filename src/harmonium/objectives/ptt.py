"""Parallel trajectory tempering as the negative phase."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.checks import check_int_fields
from harmonium.core.random import Stream
from harmonium.likelihood.bridge import bennett_ladder, standard_error
from harmonium.likelihood.log_z import LogPartition
from harmonium.models.machine.batched import with_parameters
from harmonium.models.machine.machine import Machine
from harmonium.models.state import LayerExpectations
from harmonium.objectives.base import Batch, ObjectiveState
from harmonium.objectives.jarzynski import effective_share
from harmonium.objectives.negative import SampledNegative
from harmonium.objectives.tempered import tempered_reservoir
from harmonium.sampling.ladder import acceptance, refuse_lengths
from harmonium.sampling.path import Path
from harmonium.sampling.reservoir import Refilled, exchange_states, refilled
from harmonium.sampling.tempering import default_base
from harmonium.sampling.trajectory import exchange_log_ratios, model_at

__all__ = ["PTT"]

_SWEEPS = 2  # at most, in a round that fills a reservoir: exchanges bring more that is new
_MEMORY = 0.7  # weight of the past in the acceptance of a link
_NEAR = 0.7  # acceptance from which on a model is reached from independent units without temperatures between
_MASS_EVERY = 20  # updates between looks at the mass of a batch
_WAIT = 100  # rounds that the chains may take to catch up before a model is frozen
_OLD = 0.05  # share of the chains that may be older than the renewal of all
_FASTER = 2 ** (1 / 50)  # growth of a halved learning rate with every update that is kept
_MADE: dict[int, tuple[weakref.ref[Tensor], list[Machine]]] = {}  # by model, with the tensor that they belong to
_COUNTS = (
    "rounds", "updates", "pauses", "frozen", "frozen_at", "renewals", "renewed_at", "lagging", "undone", "redrawn",
)  # fmt: skip


@dataclass(frozen=True)
class PTT(SampledNegative):
    """Persistent chains that exchange states with those of models that the machine has been (Béreux et al. 2026,
    arXiv:2607.27077).

    Below the model in training stand a few live rungs, models frozen on the way with chains of their own, and below
    them a *reservoir*: equilibrium samples of an earlier frozen model, ten times as many as there are chains.  Every
    update begins with a round of exchanges between neighbours (even and odd pairs in turn), in which the lowest chains
    draw from the reservoir, which stays as it is; then the chains of the live
    rungs and of the model take ``k`` Gibbs sweeps.  With k of ten or so an update costs about that of `PCD` times the
    number of live rungs and one, however long the training has been; with k of one, exchanges cost as much again.

    Where states of the model no longer pass for those of the rung below (acceptance below ``freeze``), the model is
    frozen as a new live rung.  Before that, training pauses until the chains have been renewed from the reservoir.  The
    lowest live rung, in equilibrium by then, gives the next reservoir, and log Z follows by Bennett's ratio
    (`log_partition`).  A model that is trained already gets its reservoir from parallel tempering.

    Guards.  An update that changes the distribution by more than ``trust`` is undone and the learning rate halved, from
    where it grows again.  Every chain keeps the logarithm of the weight that updates have given it since it was
    exchanged last; where the effective share of the chains under these weights falls below ``lag``, training pauses
    while they catch up.  And where the cases of a minibatch have a total probability above one under the log Z that is
    tracked, modes were lost, and the reservoir is drawn anew by parallel tempering.

    The history counts "renewals" of the chains (all but one in twenty have left the reservoir since the last one),
    "frozen_models", "pauses" (rounds without an update), "lagging" (models frozen before the chains had caught up),
    "undone_updates" and "redrawn" reservoirs, and has the "acceptance" of exchanges between the model and the rung
    below.  Where modes are near, `PCD` learns the same in half the time; tempering pays where they are far.

    Args:
        k: Gibbs sweeps per update, after one round of exchanges.
        chains: states of the model, and on every live rung.
        live: live rungs, at most.
        freeze: acceptance of exchanges with the rung below, under which the model is frozen as a new rung.
        trust: largest change of the distribution by one update, as the divergence KL(before || after) in nats that the
            chains estimate.
        lag: effective share of the chains, in [0, 1), under which training pauses.
        reservoir: states in the reservoir per chain.
        inference: how the states of coupled hidden layers are found given the data.

    Raises:
        ValueError: for k, chains, live or reservoir below 1, unless 0 < freeze < 1, 0 <= lag < 1 and trust is positive.

    >>> import harmonium as hm
    >>> bars = hm.data.load("bars-and-stripes").train
    >>> history = hm.fit(hm.RBM(16, 4), bars, objective=hm.PTT(chains=20), epochs=2)
    """

    k: int = 1
    chains: int = 256
    live: int = 1
    freeze: float = 0.3
    trust: float = 0.1
    lag: float = 0.5
    reservoir: int = 10

    def __post_init__(self) -> None:
        check_int_fields(self, k=1, chains=1, live=1, reservoir=1)
        if not 0 < self.freeze < 1:
            raise ValueError(f"PTT(freeze=...) must lie between 0 and 1, found {self.freeze!r}")
        if not 0 <= self.lag < 1:
            raise ValueError(f"PTT(lag=...) must be at least 0 and below 1, found {self.lag!r}")
        if not self.trust > 0:
            raise ValueError(f"PTT(trust=...) must be positive, found {self.trust!r}")

    # The state: "frozen.NAME" (rungs, ...) parameters of the reservoir's model and of the live rungs above it;
    # "reservoir" (states, columns); "rungs" (rungs, chains, columns), chains of the live rungs and of the model, which
    # is last; "born" (rungs, chains), the round in which each left the reservoir; "acceptance" (rungs,) of the links,
    # from the reservoir up; "log_z", value and variance for the reservoir's model; "density" of the model's chains
    # before the update; "work" (chains,), log weights that updates gave them; "rate"; "mass"; "count.NAME", of _COUNTS.

    def init_state(self, model: Machine, stream: Stream) -> ObjectiveState:
        model.refuse_batched("PTT")
        refuse_lengths(model)
        base = default_base(model) or model.base_rate()
        bottom, path = model_at(model, base, 0.0), Path(model, base)
        states = model.pack(path.start(self.reservoir * self.chains, stream.child("start").advance()))
        filled = refilled(bottom, model, states, states[: self.chains], stream.child("rounds"), min(self.k, _SWEEPS))
        if not float(acceptance(filled.up[-1, : self.chains], filled.down[-1, : self.chains])) >= _NEAR:
            return self._tempered(model, stream.child("tempered"))
        return self._beginning(model, filled.states, *_gained(path.log_partition_at_start(), 0.0, filled))

    def _tempered(self, model: Machine, stream: Stream) -> ObjectiveState:
        """The state of a model whose past is not known."""
        return self._beginning(model, *tempered_reservoir(model, self.reservoir * self.chains, self.chains, stream))

    def _beginning(self, model: Machine, states: Tensor, log_z: float, variance: float) -> ObjectiveState:
        """The state with a reservoir of the model as it is."""
        chains, device = states[: self.chains].clone(), states.device
        named = {f"frozen.{name}": p.detach().clone().unsqueeze(0) for name, p in model.named_parameters()}
        return (
            named
            | {
                "reservoir": states,
                "rungs": chains.unsqueeze(0),
                "born": torch.full((1, self.chains), -1, dtype=torch.int64, device=device),
                "acceptance": torch.ones(1, dtype=torch.float64),
                "log_z": torch.tensor([log_z, variance], dtype=torch.float64),
                "density": model.log_weight(model.unpack(chains)),
                "work": torch.zeros(self.chains, dtype=torch.float64, device=device),
                "rate": torch.ones((), dtype=torch.float64),
                "mass": torch.full((), -math.inf, dtype=torch.float64),
            }
            | {f"count.{name}": torch.zeros((), dtype=torch.int64) for name in _COUNTS}
        )

    def negative(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> LayerExpectations:
        models = [*_frozen(model, state), model]
        self._round(models, state, stream)
        self._pause(models, state, stream, lambda: effective_share(state["work"]) >= self.lag)
        if float(state["acceptance"][-1]) < self.freeze:
            self._freeze(models, state, stream)
        _add(state, updates=1)
        if _count(state, "updates") % _MASS_EVERY == 0 and not model.visible.real_valued:
            log_mass = _log_mass(model, batch, self.log_partition(model, state))
            state["mass"] = torch.tensor(log_mass, dtype=torch.float64)
            if float(state["mass"]) > 0:
                _add(state, redrawn=1)
                kept = {name: tensor for name, tensor in state.items() if name.startswith("count.") or name == "rate"}
                state |= self._tempered(model, stream.child("tempered", stream.step)) | kept
                state["born"] = torch.full_like(state["born"], _count(state, "renewed_at") - 1)
        top = model.unpack(state["rungs"][-1])
        state["density"] = model.log_weight(top)
        return model.conditional_expectation(top)

    def _round(self, models: list[Machine], state: ObjectiveState, stream: Stream) -> None:
        """Exchange states between every other pair of neighbours, and sweep all but the reservoir."""
        rounds, rungs = _count(state, "rounds"), state["rungs"].clone()
        born, links, reservoir = state["born"].clone(), state["acceptance"].clone(), state["reservoir"]
        draws = stream.child("reservoir", rounds)
        for link in range((rounds + len(models)) % 2, len(models) - 1, 2):
            lower, upper, high = models[link], models[link + 1], rungs[link]
            if link == 0:
                index = kernels.permutation(draws.advance(), len(reservoir))[: self.chains].to(reservoir.device)
                pair = exchange_states(lower, upper, reservoir[index], high, stream)  # but the reservoir keeps its own
                born[0] = torch.where(pair.accepted, rounds, born[0])
            else:
                pair = exchange_states(lower, upper, rungs[link - 1], high, stream)
                rungs[link - 1] = pair.low
                below, above = born[link - 1].clone(), born[link].clone()
                born[link - 1] = torch.where(pair.accepted, above, below)
                born[link] = torch.where(pair.accepted, below, above)
            rungs[link] = pair.high
            if link == len(models) - 2:
                state["work"] = torch.where(pair.accepted, 0.0, state["work"])
            links[link] += (1 - _MEMORY) * (float(acceptance(pair.up, pair.down)) - links[link])
        for rung, machine in enumerate(models[1:]):
            rungs[rung] = machine.pack(machine.sweep(machine.unpack(rungs[rung]), stream, self.sweeps(state)))
        state |= {"rungs": rungs, "born": born, "acceptance": links}
        _add(state, rounds=1)
        if float((born[-1] < _count(state, "renewed_at")).double().mean()) <= _OLD:
            _add(state, renewals=1)
            _set(state, renewed_at=_count(state, "rounds"))

    def _pause(
        self, models: list[Machine], state: ObjectiveState, stream: Stream, caught_up: Callable[[], bool]
    ) -> None:
        """Go on without updates until the chains have caught up, or for so long that they will not."""
        waited = 0
        while not caught_up() and waited < _WAIT:
            self._round(models, state, stream)
            waited += 1
        _add(state, pauses=waited)

    def _freeze(self, models: list[Machine], state: ObjectiveState, stream: Stream) -> None:
        """Leave a copy of the model as the live rung below it, and draw a new reservoir where there are too many."""
        model = models[-1]
        self._pause(models, state, stream, lambda: _old(state) <= _OLD)
        _add(state, lagging=int(_old(state) > _OLD))
        if len(models) > self.live + 1:
            filled = refilled(models[0], models[1], state["reservoir"], state["rungs"][0], stream, min(self.k, _SWEEPS))
            value, variance = state["log_z"].tolist()
            log_z = torch.tensor(_gained(value, variance, filled), dtype=torch.float64)
            state |= {name: tensor[1:] for name, tensor in state.items() if name.startswith("frozen.")}
            state |= {"reservoir": filled.states, "log_z": log_z}
            state |= {name: state[name][1:] for name in ("rungs", "born", "acceptance")}
        state |= {
            f"frozen.{name}": torch.cat((state[f"frozen.{name}"], p.detach().unsqueeze(0)))
            for name, p in model.named_parameters()
        }
        state |= {name: torch.cat((state[name], state[name][-1:])) for name in ("rungs", "born")}
        state["acceptance"] = torch.cat((state["acceptance"], state["acceptance"].new_ones(1)))
        _add(state, frozen=1)
        _set(state, frozen_at=_count(state, "rounds"))

    def after_update(self, model: Machine, state: ObjectiveState) -> bool:
        gain = model.log_weight(model.unpack(state["rungs"][-1])) - state["density"]
        divergence = float(torch.logsumexp(gain, -1)) - math.log(len(gain)) - float(gain.mean())
        if not divergence <= self.trust:
            return False
        state["rate"] = (state["rate"] * _FASTER).clamp(max=1.0)
        state["work"] = state["work"] + gain
        return True

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        """Earlier versions undid an update by an acceptance, ``reject``, in place of ``trust``."""
        return super().from_config({name: value for name, value in arguments.items() if name != "reject"})

    def restored(self, model: Machine, state: ObjectiveState, stream: Stream) -> ObjectiveState:
        if "reservoir" in state:
            return state
        # Of an earlier version, where every rung had chains of its own.
        return self._tempered(model, stream) | {"rate": state["rate"]}

    def report(self, state: ObjectiveState) -> dict[str, float]:
        shown = ("renewals", "pauses", "lagging", "redrawn")
        return {
            **{name: _count(state, name) for name in shown},
            "frozen_models": _count(state, "frozen"),
            "undone_updates": _count(state, "undone"),
            "acceptance": float(state["acceptance"][-1]),
        }

    def on_go_back(self, state: ObjectiveState) -> None:
        # The chains are others now: nothing is known of them but that they are to be renewed.
        state["work"] = torch.zeros_like(state["work"])
        state["born"] = torch.full_like(state["born"], _count(state, "renewed_at") - 1)

    def snapshot(self, state: ObjectiveState) -> ObjectiveState:
        return dict(state)  # no tensor is written into

    def on_reject(self, state: ObjectiveState) -> None:
        state["rate"] = state["rate"] / 2
        _add(state, undone=1)

    def rate(self, state: ObjectiveState) -> float:
        return float(state["rate"])

    @torch.no_grad()
    def log_partition(self, model: Machine, state: ObjectiveState) -> LogPartition:
        """log Z of the model as it is, by Bennett's ratio along the models that were frozen.

        From one reservoir to the next all states of both count, above the reservoir the present chains.  The error is
        that of independent chains: where all of them lag behind a model that moves too fast for them (raise k, lower
        the learning rate), they err together.
        """
        value, variance = state["log_z"].tolist()
        stderr, chains = math.sqrt(variance), state["rungs"].shape[1]
        states = [state["reservoir"][:chains], *state["rungs"]]
        for (lower, upper), (low, high) in zip(
            pairwise([*_frozen(model, state), model]), pairwise(states), strict=True
        ):
            up, down = exchange_log_ratios(lower, upper, model.unpack(low), model.unpack(high))
            ratio, influence = bennett_ladder([up.unsqueeze(0)], [down.unsqueeze(0)])
            value, stderr = value + ratio, stderr + standard_error(influence)  # the same chains are in both links
        why = "tracked while the model moved: chains that lag behind it err together, and nothing tests for that"
        return LogPartition(value, value - 3 * stderr, value + 3 * stderr, chains, "trajectory", False, why)

    def model_chains(self, state: ObjectiveState) -> Tensor | None:
        """Those at the top."""
        return state["rungs"][-1]


def _frozen(model: Machine, state: ObjectiveState) -> list[Machine]:
    """The reservoir's model and those of the live rungs; kept until they change, since a copy takes milliseconds."""
    named = {name: state[f"frozen.{name}"] for name, _ in model.named_parameters()}
    first, kept = next(iter(named.values())), _MADE.get(id(model))
    if kept is not None and kept[0]() is first:
        return list(kept[1])
    count = len(state["rungs"])
    made = [with_parameters(model, {name: each[rung] for name, each in named.items()}) for rung in range(count)]
    _MADE[id(model)] = weakref.ref(first), made
    weakref.finalize(first, _MADE.pop, id(model), None)
    return list(made)


def _gained(log_z: float, variance: float, filled: Refilled) -> tuple[float, float]:
    """log Z of the next reservoir's machine, and its variance."""
    value, influence = bennett_ladder([filled.up], [filled.down])
    return log_z + value, variance + standard_error(influence) ** 2


@torch.no_grad()
def _log_mass(model: Machine, batch: Batch, z: LogPartition) -> float:
    """log of the total probability of the different cases of a batch, less three standard errors of log Z."""
    v = torch.unique(batch.v, dim=0)
    return float(torch.logsumexp(model.log_weight_bound(v, Stream(0)), 0)) - z.upper


def _old(state: ObjectiveState) -> float:
    """The share of the model's chains that left the reservoir before the last model was frozen."""
    return float((state["born"][-1] < _count(state, "frozen_at")).double().mean())


def _count(state: ObjectiveState, name: str) -> int:
    return int(state[f"count.{name}"])


def _set(state: ObjectiveState, **values: int) -> None:
    state |= {f"count.{name}": torch.tensor(value) for name, value in values.items()}


def _add(state: ObjectiveState, **values: int) -> None:
    _set(state, **{name: _count(state, name) + value for name, value in values.items()})
