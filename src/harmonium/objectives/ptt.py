"""Parallel trajectory tempering as the negative phase."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from harmonium.core.checks import check_int_fields
from harmonium.core.random import Stream
from harmonium.likelihood.bridge import bennett, bennett_ladder, bennett_means, standard_error
from harmonium.likelihood.log_z import LogPartition
from harmonium.models.machine.batched import stack, with_parameters
from harmonium.models.machine.machine import Machine
from harmonium.models.state import LayerExpectations
from harmonium.objectives.base import Batch, ObjectiveState
from harmonium.objectives.negative import SampledNegative
from harmonium.sampling.ladder import Replicas, acceptance, tempering_round
from harmonium.sampling.path import Path
from harmonium.sampling.temperatures import place_rungs
from harmonium.sampling.tempering import default_base
from harmonium.sampling.trajectory import Trajectory, exchange_log_ratios, model_at

__all__ = ["PTT"]

_MEMORY = 0.5  # weight of the past in the acceptance between the model and the rung below it
_CLOSE = 0.5  # acceptance two rungs down from which on the rung between is not needed
_LOOK_EVERY = 20  # updates


@dataclass(frozen=True)
class PTT(SampledNegative):
    """Persistent chains that exchange states with those of models that the machine has been (Béreux et al. 2026,
    arXiv:2607.27077).

    The model in training stands on top; below it stand models frozen on the way, down to the base rate, where units
    are independent and drawn afresh in every round.  The model is frozen as a new rung where its states no longer pass
    for those of the rung below; a rung is dropped where the model has come back so far that it exchanges states with
    the next one down.  An update that takes the model too far at once is undone, and from then on the learning rate is
    halved.  A model that is trained already starts from a ladder of temperatures instead of its lost trajectory.

    All rungs hold ``chains`` states, and each round sweeps them all: with R rungs an update costs somewhat more than
    that of `PCD` with R times the chains.  In exchange the chains are at equilibrium where those of PCD get stuck, and
    the weights that decide about exchanges say what log Z is (`log_partition`).

    Args:
        k: rounds of exchanges and Gibbs sweeps per update.  Acceptance is judged by the chains: those that lag behind a
            model which moves fast show it too near to its past.  On images take 10, with a learning rate of 0.01.
        chains: states on every rung.
        freeze: acceptance of exchanges with the rung below, under which the model is frozen as a new rung.
        reject: acceptance under which an update is undone and the learning rate halved.
        inference: how the states of coupled hidden layers are found given the data.

    Raises:
        ValueError: for k or chains below 1, or unless 0 <= reject < freeze < 1.

    >>> import harmonium as hm
    >>> bars = hm.data.load("bars-and-stripes").train
    >>> history = hm.fit(hm.RBM(16, 4), bars, objective=hm.PTT(chains=20), epochs=2)
    """

    k: int = 1
    chains: int = 100
    freeze: float = 0.3
    reject: float = 0.1

    def __post_init__(self) -> None:
        check_int_fields(self, k=1, chains=1)
        if not 0 <= self.reject < self.freeze < 1:
            raise ValueError(
                f"PTT needs 0 <= reject < freeze < 1, found reject={self.reject!r} and freeze={self.freeze!r}"
            )

    # The state: "rungs.NAME" (rungs, ...) the parameters of all rungs, of which the last is room for those of the
    # model; "chains" (rungs, chains, columns); "rounds"; of the pairs of frozen rungs "guess", "to" and "fro", what
    # `bennett_means` takes, with "seen", how many rounds are in these means; "live", the acceptance between the model
    # and the rung below it; "rate".

    def init_state(self, model: Machine, stream: Stream) -> ObjectiveState:
        model.refuse_batched("PTT")
        base = default_base(model) or model.base_rate()
        bottom = model_at(model, base, 0.0)
        state = self._along([bottom, model], stream.child("start"))
        if not float(self._live(model, state)) >= self.freeze:
            t = place_rungs(Path(model, base), None, stream.child("temperatures"))[1:-1].tolist()
            state = self._along([bottom, *(model_at(model, base, each) for each in t), model], stream.child("between"))
        return state | {"live": self._live(model, state), "rate": torch.ones((), dtype=torch.float64)}

    def _along(self, models: list[Machine], stream: Stream) -> ObjectiveState:
        """A state with these rungs, its chains after enough rounds to have come from the bottom."""
        machine = stack(models)
        ladder = Trajectory(machine)
        walkers = ladder.start(self.chains, stream)
        for _ in range(10 * len(models)):
            tempering_round(ladder, walkers, stream)
        joins = [
            _join(*exchange_log_ratios(lower, upper, ladder.on(walkers, r), ladder.on(walkers, r + 1)))
            for r, (lower, upper) in enumerate(pairwise(models[:-1]))
        ]
        none = torch.zeros(0, self.chains, dtype=torch.float64, device=machine.device)
        guess, to, fro = (
            [torch.stack(part) for part in zip(*joins, strict=True)] if joins else [none.new_zeros(0), none, none]
        )
        rungs = {f"rungs.{name}": parameter.detach() for name, parameter in machine.named_parameters()}
        return rungs | {
            "chains": machine.pack(walkers.state),
            "rounds": torch.tensor(walkers.rounds),
            "guess": guess,
            "seen": torch.ones_like(guess),
            "to": to,
            "fro": fro,
        }

    def negative(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> LayerExpectations:
        ladder = _ladder(model, state)
        who = torch.arange(ladder.rungs, device=model.device).unsqueeze(-1).expand(-1, self.chains)
        walkers = Replicas(model.unpack(state["chains"]), who, int(state["rounds"]))
        guess, seen, to, fro = (state[name].clone() for name in ("guess", "seen", "to", "fro"))
        for _ in range(self.k):
            lower, up, down = tempering_round(ladder, walkers, stream)
            fixed = lower < len(guess)  # pairs whose models no longer change
            pair = lower[fixed]
            seen[pair] += 1
            newest, D = _newest(seen[pair]).unsqueeze(-1), guess[pair].unsqueeze(-1)
            to[pair] += newest * (torch.sigmoid(up[fixed] - D) - to[pair])
            fro[pair] += newest * (torch.sigmoid(down[fixed] + D) - fro[pair])
        rounds = torch.tensor(walkers.rounds)
        state |= {"chains": model.pack(walkers.state), "rounds": rounds, "seen": seen, "to": to, "fro": fro}
        if not float(state["live"]) >= self.freeze:
            _freeze(model, state)
        return model.conditional_expectation(ladder.on(walkers, -1))

    def after_update(self, model: Machine, state: ObjectiveState) -> bool:
        live = self._live(model, state)
        if not float(live) >= self.reject:
            return False
        state["live"] = _MEMORY * state["live"] + (1 - _MEMORY) * live
        if int(state["rounds"]) // self.k % _LOOK_EVERY == 0 and len(state["chains"]) > 2:
            passing = acceptance(*_weights(model, state, -3))
            if float(passing) > _CLOSE:
                _drop(state, passing)
        return True

    def snapshot(self, state: ObjectiveState) -> ObjectiveState:
        return dict(state)  # no tensor is written into, but the top rung, whose parameters are the model's own

    def on_reject(self, state: ObjectiveState) -> None:
        # The next update starts on a rung of its own, so that nothing but its own length can undo it again.
        state |= {"rate": state["rate"] / 2, "live": torch.zeros_like(state["live"])}

    def rate(self, state: ObjectiveState) -> float:
        return float(state["rate"])

    @torch.no_grad()
    def log_partition(self, model: Machine, state: ObjectiveState) -> LogPartition:
        """log Z of the model as it is, by Bennett's ratio along the rungs.

        Between frozen rungs the weights of all rounds count, late ones most; between the last of them and the model
        those of the present chains under its present parameters.  The error is that between chains: where all of them
        lag behind a model that moves too fast for them (raise k, lower the learning rate), they err together.
        """
        start = _ladder(model, state).log_partition_at_start()
        frozen, influence = bennett_means(state["guess"], state["to"], state["fro"])
        up, down = _weights(model, state, -2)
        live, own = bennett_ladder([up.unsqueeze(0)], [down.unsqueeze(0)])
        value, margin = start + frozen + live, 3 * standard_error(influence + own)
        why = "tracked while the model moved: chains that lag behind it err together, and nothing tests for that"
        return LogPartition(value, value - margin, value + margin, self.chains, "trajectory", False, why)

    def model_chains(self, state: ObjectiveState) -> Tensor | None:
        """Those at the top."""
        return state["chains"][-1]

    def _live(self, model: Machine, state: ObjectiveState) -> Tensor:
        return acceptance(*_weights(model, state, -2))


def _newest(seen: Tensor) -> Tensor:
    """The weight of the newest round in a mean where round t counts as about t^3 (Shamir & Zhang 2013).

    A model is frozen with chains that lag behind it: what they said at first must not count for ever.
    """
    return 4 / (seen + 3)


def _ladder(model: Machine, state: ObjectiveState) -> Trajectory:
    """The rungs with the model as it is on top."""
    rungs = {name: state[f"rungs.{name}"] for name, _ in model.named_parameters()}
    for name, parameter in model.named_parameters():
        rungs[name][-1] = parameter
    return Trajectory(with_parameters(model, rungs))


def _weights(model: Machine, state: ObjectiveState, rung: int) -> tuple[Tensor, Tensor]:
    """`exchange_log_ratios` between a rung and the model as it is."""
    below = with_parameters(model, {name: state[f"rungs.{name}"][rung] for name, _ in model.named_parameters()})
    chains = state["chains"]
    return exchange_log_ratios(below, model, model.unpack(chains[rung]), model.unpack(chains[-1]))


def _join(up: Tensor, down: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A pair's first "guess", "to" and "fro", from one round."""
    guess = bennett(up, down)
    return up.new_tensor(guess), torch.sigmoid(up - guess), torch.sigmoid(down + guess)


def _freeze(model: Machine, state: ObjectiveState) -> None:
    """Leave a copy of the model and its chains as the rung below it."""
    joined = _join(*_weights(model, state, -2))
    for name, part in zip(("guess", "to", "fro"), joined, strict=True):
        state[name] = torch.cat((state[name], part.unsqueeze(0)))
    state["seen"] = torch.cat((state["seen"], state["seen"].new_ones(1)))
    for name in (*(f"rungs.{name}" for name, _ in model.named_parameters()), "chains"):
        state[name] = torch.cat((state[name], state[name][-1:]))
    state["live"] = torch.ones_like(state["live"])


def _drop(state: ObjectiveState, passing: Tensor) -> None:
    """Take away the rung below the model."""
    for name in ("guess", "seen", "to", "fro"):
        state[name] = state[name][:-1]
    for name in [name for name in state if name.startswith("rungs.")] + ["chains"]:
        state[name] = torch.cat((state[name][:-2], state[name][-1:]))
    state["live"] = passing
