"""Checks of a machine: energies, weights, log Z, gradients and kernels against brute force."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path as Folder

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.likelihood.exact import cheapest_enumeration, exact_log_marginal, exact_log_partition, exact_moments
from harmonium.models.io import load, save
from harmonium.models.machine.batched import stack
from harmonium.models.machine.machine import Machine
from harmonium.models.state import State
from harmonium.objectives import Batch, Exact
from harmonium.sampling.ais import anneal
from harmonium.sampling.ladder import Ladder, exchange_round
from harmonium.sampling.path import Path
from harmonium.sampling.temperatures import Temperatures
from harmonium.sampling.trajectory import Trajectory, model_at
from harmonium.testing.compare import assert_close, assert_mean, assert_that
from harmonium.testing.joint import Joint, start_at
from harmonium.testing.law import Law
from harmonium.testing.numeric import derivative, moved, pick, scatter
from harmonium.units import Natural

__all__ = ["check_model"]

_CHAINS = 20_000

Base = Sequence[Natural]


def check_model(model: Machine, seed: int = 0, spread: float = 0.5) -> None:
    """Check a machine small enough to enumerate: at most 12 bits of finite layers, at most two continuous units.

    All checks run on copies whose parameters are moved at random, so that a fresh model is not checked where everything
    is nearly zero.  In float64:

    - `log_weight` with each colour summed out, log Z and the base rate's log Z against the table of all joint states
      (a grid where units are continuous);
    - `exact_moments` against finite differences of log Z, the `Exact` gradient against finite differences of the mean
      log-likelihood, in parameters of every kind, with and without weights of the cases;
    - weights along a `Path` against the table at t.

    In the model's own precision:

    - stationarity: 20,000 chains that start exactly at the distribution, by enumeration, must still follow it after one
      and after five sweeps (chi-square over all joint states of the finite layers, alarm rate 1e-6; first and second
      moments of continuous units within 5 standard errors); the same at inverse temperatures, and on a path with rows
      at different t;
    - the same for every rung of a ladder of temperatures and of one of models, after rounds of exchanges and sweeps;
    - annealed weights of both directions have mean one (5 standard errors);
    - a file holds the model as it was.

    Args:
        model: the machine; it is left alone.
        seed: of the random parameters, chains and cases.
        spread: standard deviation of the steps that parameters are moved by; 0 checks the model as it is.

    Raises:
        AssertionError: naming the first identity that fails, with numbers.

    >>> import harmonium as hm
    >>> check_model(hm.RBM(hm.Gaussian(2), 2))
    """
    stream = Stream(seed, "check_model")
    single = copy.deepcopy(model)
    scatter(single, stream.child("parameters"), spread)
    single.constrain()
    exact = copy.deepcopy(single).double()
    joint, base = Joint(exact), exact.base_rate()
    _check_weights(joint, base)
    _check_gradients(joint, stream.child("gradients"))
    _check_path_weights(joint, base)
    _check_sweeps(single, joint, stream.child("sweeps"))
    _check_path_steps(single, joint, base, stream.child("steps"))
    _check_ladders(single, joint, base, stream.child("ladder"))
    _check_annealing(single, joint, base, stream.child("annealing"))
    _check_file(single)


# Exact -----------------------------------------------------------------------------------------------------------


@torch.no_grad()
def _check_weights(joint: Joint, base: Base) -> None:
    machine = joint.machine
    log_p = joint.log_weights()
    for colour, layers in enumerate(machine.colours[: 2 if machine.bipartite else 1]):
        names = "+".join(machine.names[layer] for layer in layers)
        state, expected = joint.marginal(log_p, layers)
        found = machine.log_weight(state, colour)
        assert_close(
            f"log_weight with {names or 'nothing'} summed out = log sum of exp(-E)", found, expected, 1e-9, 1e-9
        )
    log_z = exact_log_partition(machine)
    assert_close("exact_log_partition = log sum of exp(-E)", log_z, torch.logsumexp(log_p, 0), 1e-9, 1e-9)
    found = torch.as_tensor(Path(machine, base).log_partition_at_start(), dtype=torch.float64)
    expected = torch.logsumexp(joint.log_weights(0.0, base), 0)
    assert_close("log_partition_at_start = log Z of the base-rate model", found, expected, 1e-9, 1e-9)


@torch.no_grad()
def _check_gradients(joint: Joint, stream: Stream) -> None:
    machine = joint.machine
    moments = exact_moments(machine)
    named = machine.parameters_by_name()
    assert_that(moments.keys() == named.keys(), f"moments {sorted(moments)} belong to the parameters {sorted(named)}")
    slopes = _slopes(machine, joint.log_partition)
    for name, parameter in named.items():
        exists = _exists(machine, name)
        found, expected = moments[name].reshape(-1)[exists], slopes[name][exists]
        assert_close(f"exact_moments = d log Z / d {name}", found, expected, 1e-7, 1e-8)
        # Autograd against differences of what the library computes, in two entries.
        for j in pick(len(exists), 2):
            ends = _ends(machine, name, int(exists[j]))
            slope = derivative(moved(lambda: exact_log_partition(machine), parameter, ends))
            assert_close(f"autograd of log Z = its finite difference in {name}{ends}", expected[j], slope, 1e-7, 1e-8)
    v = start_at(joint, 7, stream.child("cases"))[0]
    assert v is not None
    marginal = exact_log_marginal(machine, v)
    assert_close("exact_log_marginal = log sum_h of exp(-E)", marginal, joint.log_marginal(v), 1e-9, 1e-9)
    weight = torch.arange(1.0, 8.0, dtype=torch.float64)
    for w, what in ((None, "mean log-likelihood"), (weight, "weighted mean log-likelihood")):
        share = torch.full_like(weight, 1 / 7) if w is None else w / w.sum()

        def mean(v: Tensor = v, share: Tensor = share) -> Tensor:
            return (share * joint.log_marginal(v)).sum() - joint.log_partition()

        slopes = _slopes(machine, mean)
        Exact().gradient(machine, Batch(v, w), {}, stream.child("exact"))
        for name, parameter in named.items():
            assert parameter.grad is not None
            exists = _exists(machine, name)
            found, expected = -parameter.grad.reshape(-1)[exists], slopes[name][exists]
            assert_close(f"-grad of Exact = d {what} / d {name}", found, expected, 1e-7, 1e-8)
            parameter.grad = None


def _slopes(machine: Machine, function: Callable[[], Tensor]) -> dict[str, Tensor]:
    """Derivatives by all entries of the parameters, (entries,): of lateral couplings by both entries of a pair."""
    named = machine.parameters_by_name()
    with torch.enable_grad():
        gradients = dict(zip(named, torch.autograd.grad(function(), list(named.values())), strict=True))
    for name in set(machine.lateral.values()) - set(machine.sparse):
        gradients[name] = gradients[name] + gradients[name].T
    return {name: gradient.reshape(-1) for name, gradient in gradients.items()}


def _exists(machine: Machine, name: str) -> Tensor:
    """The numbers of the entries of a parameter that exist."""
    parameter = machine.parameters_by_name()[name]
    exists = machine.mask(name) if name in machine.masked else torch.ones_like(parameter, dtype=torch.bool)
    return exists.reshape(-1).nonzero().squeeze(-1)


def _ends(machine: Machine, name: str, j: int) -> list[int]:
    """Entry j of a parameter with all that move with it: lateral couplings are symmetric."""
    if name not in machine.lateral.values() or name in machine.sparse:
        return [j]
    size = machine.parameters_by_name()[name].shape[-1]
    return [j, j % size * size + j // size]


@torch.no_grad()
def _check_path_weights(joint: Joint, base: Base) -> None:
    path = Path(joint.machine, base)
    points = torch.tensor([0.0, 0.35, 1.0], dtype=torch.float64)
    for k, t in enumerate(points):
        state, expected = joint.marginal(joint.log_weights(float(t), base), path.marginalised)
        rows = len(expected)
        several = path.log_weights(state, path.inputs(state), points.expand(rows, -1))[:, k]
        assert_close(f"log_weights of a path at t = {float(t):.2f}", several, expected, 1e-9, 1e-9)


# Sampled ---------------------------------------------------------------------------------------------------------


@torch.no_grad()
def _check_sweeps(machine: Machine, joint: Joint, stream: Stream) -> None:
    law = Law(joint, joint.log_weights())
    state = start_at(joint, _CHAINS, stream.child("start"))
    law.assert_followed("chains started by enumeration", state)
    for steps in (1, 5):
        moved_on = machine.sweep(_cast(state, machine), stream.child(steps), steps)
        law.assert_followed(f"stationarity of {steps} sweeps", moved_on)
    # Two inverse temperatures in one batch, in turn, so that a row that takes its neighbour's is noticed.
    betas = [0.5, 1.4]
    laws = [Law(joint, joint.log_weights(beta)) for beta in betas]
    states = [start_at(joint, _CHAINS // 2, stream.child("start", str(beta)), beta) for beta in betas]
    beta = torch.tensor(betas).repeat(_CHAINS // 2).to(machine.device, machine.dtype)
    mixed = _interleave(*states)
    for steps in (1, 5):
        lines = [machine.units(layer).line(beta) for layer in range(len(machine.names))]
        moved_on = machine.sweep(_cast(mixed, machine), stream.child("beta", steps), steps, lines)
        for k, value in enumerate(betas):
            rows = _part(moved_on, k)
            laws[k].assert_followed(f"stationarity of {steps} sweeps at inverse temperature {value}", rows)


@torch.no_grad()
def _check_path_steps(machine: Machine, joint: Joint, base: Base, stream: Stream) -> None:
    path = Path(machine, _in_precision(machine, base))
    kept = path.sampled_layers
    start = path.start(_CHAINS, stream.child("start").advance())
    Law(joint, joint.log_weights(0.0, base)).assert_followed("draws of the base-rate model", start, kept)
    points = [0.3, 0.7]
    laws = [Law(joint, joint.log_weights(t, base)) for t in points]
    rows = _CHAINS // 2
    states = [start_at(joint, rows, stream.child("rows", str(t)), t, base) for t in points]
    mixed = _interleave(*states)
    state = _cast(tuple(s if layer in kept else None for layer, s in enumerate(mixed)), machine)
    t = torch.tensor(points).repeat(rows).to(machine.device, machine.dtype)
    cursor = stream.child("steps")
    for step in range(1, 6):
        state = path.step(state, path.inputs(state), t, cursor.advance())
        if step in (1, 5):
            for k, value in enumerate(points):
                part = _part(state, k)
                laws[k].assert_followed(f"stationarity of {step} steps of a path at t = {value}", part)


@torch.no_grad()
def _check_ladders(machine: Machine, joint: Joint, base: Base, stream: Stream) -> None:
    base = _far_base(machine, joint, base, stream)
    t, replicas = [0.0, 0.5, 1.0], _CHAINS // 2
    laws = [Law(joint, joint.log_weights(value, base)) for value in t]
    path = Path(machine, base)
    states = [start_at(joint, replicas, stream.child("rung", r), value, base) for r, value in enumerate(t)]
    of_rungs = tuple(
        torch.stack([part for s in states if (part := s[layer]) is not None]).to(machine.device, machine.dtype)
        if layer in path.sampled_layers
        else None
        for layer in range(len(joint.counts))
    )
    temperatures = Temperatures(path, torch.tensor(t, dtype=torch.float64))
    trajectory = Trajectory(stack([model_at(machine, base, value) for value in t]))
    of_walkers = tuple(None if s is None else s.flatten(0, 1) for s in of_rungs)
    ladders: list[tuple[Ladder, State, str]] = [
        (temperatures, of_walkers, "temperatures"),
        (trajectory, of_rungs, "a trajectory"),
    ]
    for ladder, state, name in ladders:
        walkers = ladder.start(replicas, stream.child("start"))
        walkers.state = state
        cursor = stream.child("rounds")
        for count in range(1, 5):
            exchange_round(ladder, walkers, cursor)
            for moment in ("exchanges", "a sweep"):
                for r, value in enumerate(t):
                    identity = f"stationarity of {name} at t = {value}, after {moment} in round {count}"
                    laws[r].assert_followed(identity, ladder.on(walkers, r))
                if moment == "exchanges":
                    ladder.step(walkers, cursor.advance())
    found, expected = trajectory.log_partition_at_start(), path.log_partition_at_start()
    assert_that(abs(found - expected) < 1e-4, f"log Z at the bottom of a trajectory: {found}, of a path: {expected}")


def _far_base(machine: Machine, joint: Joint, base: Base, stream: Stream) -> Base:
    """A base far from the model, so that many exchanges are rejected: a wrong rule would hardly show otherwise.

    Real units may land where the table has no states: they are moved less far then.
    """
    spread = 1.5
    while True:
        far = copy.deepcopy(joint.machine.visible)
        scatter(far, stream.child("base"), spread)
        far.constrain()
        found = _in_precision(machine, (far.natural(), *base[1:]))
        missed = (
            float(torch.logsumexp(joint.log_weights(0.0, found), 0)) - Path(machine, found).log_partition_at_start()
        )
        if abs(missed) < 1e-3 or spread < 0.1:
            return found
        spread /= 2


@torch.no_grad()
def _check_annealing(machine: Machine, joint: Joint, base: Base, stream: Stream) -> None:
    path = Path(machine, _in_precision(machine, base))
    t = torch.linspace(0, 1, 12)
    ratio = float(exact_log_partition(joint.machine)) - path.log_partition_at_start()
    forward = anneal(path, t, path.start(_CHAINS, stream.child("start").advance()), stream.child("forward")).log_weights
    assert_mean("forward annealed weights have mean Z(1) / Z(0)", torch.exp(forward - ratio), torch.ones(()))
    start = _cast(start_at(joint, _CHAINS, stream.child("equilibrium")), machine)
    reverse = anneal(path, t.flip(0), start, stream.child("reverse")).log_weights
    assert_mean("reverse annealed weights have mean Z(0) / Z(1)", torch.exp(reverse + ratio), torch.ones(()))


def _interleave(first: State, second: State) -> State:
    pairs = zip(first, second, strict=True)
    return tuple(None if a is None or b is None else torch.stack((a, b), 1).flatten(0, 1) for a, b in pairs)


def _part(mixed: State, k: int) -> State:
    """One of the two states that `_interleave` has put together."""
    return tuple(None if s is None else s[k::2] for s in mixed)


def _in_precision(machine: Machine, base: Base) -> Base:
    return [tuple(eta.to(machine.dtype) for eta in natural) for natural in base]


def _cast(state: State, machine: Machine) -> State:
    return tuple(None if s is None else s.to(machine.device, machine.dtype) for s in state)


# Files -----------------------------------------------------------------------------------------------------------


def _check_file(machine: Machine) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Folder(folder) / "model.safetensors"
        save(machine, path)
        other = load(path)
    assert_that(other.config() == machine.config(), f"config after a file: {other.config()}, before {machine.config()}")
    before, after = machine.state_dict(), other.state_dict()
    assert_that(before.keys() == after.keys(), f"tensors after a file: {sorted(after)}, before {sorted(before)}")
    for name, tensor in before.items():
        assert_that(torch.equal(after[name], tensor) and after[name].dtype == tensor.dtype, f"{name} changed in a file")
    bits, _ = cheapest_enumeration(machine)
    if bits < float("inf"):
        assert_that(bool(exact_log_partition(other) == exact_log_partition(machine)), "log Z changed in a file")
