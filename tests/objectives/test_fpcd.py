"""Persistent chains with fast weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.random import Stream
from harmonium.models import RBM
from harmonium.objectives import FPCD, PCD, Batch, Hybrid
from harmonium.training.loop import Training
from harmonium.training.metrics import Centered
from harmonium.training.plan import Plan
from harmonium.training.schedules import Constant

Make = Callable[..., RBM]
NAMES = ("weights", "visible_bias", "hidden_bias")


def cases(rows: int, n: int, seed: int = 0) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(seed).integers(0, 2, (rows, n)).astype(np.float64))


def test_two_updates_by_hand(make_rbm: Make) -> None:
    """Chains move on theta + theta_fast, the phase is taken at theta, and the fast parameters follow it and fade."""
    rbm, v = make_rbm(4, 3), cases(6, 4)
    objective, stream, again = FPCD(k=2, chains=9, fast_rate=0.7, decay=0.8), Stream(1), Stream(1)
    state = objective.init_state(rbm, Stream(0))
    theta = [torch.as_tensor(a) for a in rbm.to_arrays()]
    fast, chains = [torch.zeros_like(a) for a in theta], state["chains"].clone()
    for _ in range(3):
        data, model = map(rbm.moments, objective.gradient(rbm, Batch(v), state, stream))
        chains = RBM.from_arrays(*[a + f for a, f in zip(theta, fast, strict=True)]).gibbs(chains, 2, again)
        assert torch.equal(state["chains"], chains)
        ends = []
        for x in (v, chains):
            h = torch.sigmoid(theta[2] + x @ theta[0])
            ends.append((x.T @ h / len(x), x.mean(0), h.mean(0)))
        for i, name in enumerate(NAMES):
            g = ends[0][i] - ends[1][i]
            assert (data[name] - model[name]).numpy() == pytest.approx(g.numpy(), abs=1e-13)
            fast[i] = 0.8 * fast[i] + 0.7 * g
            assert state[f"fast.{name}"].numpy() == pytest.approx(fast[i].numpy(), abs=1e-13)
    assert float(fast[0].abs().max()) > 0.1


@pytest.mark.parametrize("fails", [False, True])
def test_regular_parameters_come_back_bit_for_bit(make_rbm: Make, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    """Adding and subtracting 1000 in float32 would leave residues of 3e-5; an interrupted sweep must leave none."""
    rbm = make_rbm(5, 4, dtype=np.float32)
    objective = FPCD(chains=7)
    state = objective.init_state(rbm, Stream(0))
    for name in NAMES:
        state[f"fast.{name}"] += 1000
    before = {name: p.detach().clone() for name, p in rbm.parameters_by_name().items()}
    seen = []

    def sweep(self: RBM, *args: object, **options: object) -> object:
        seen.append(float(self.weights.min()))
        if fails:
            raise KeyboardInterrupt
        return original(self, *args, **options)

    original = RBM.sweep
    monkeypatch.setattr(RBM, "sweep", sweep)
    if fails:
        with pytest.raises(KeyboardInterrupt):
            objective.gradient(rbm, Batch(cases(3, 5).float()), state, Stream(1))
    else:
        objective.gradient(rbm, Batch(cases(3, 5).float()), state, Stream(1))
    assert seen[0] > 900
    assert all(torch.equal(p, before[name]) for name, p in rbm.parameters_by_name().items())


def test_without_a_fast_rate_it_is_pcd() -> None:
    bars = hm.data.load("bars-and-stripes").train
    found = []
    for objective in (FPCD(k=2, chains=11, fast_rate=0.0), PCD(k=2, chains=11)):
        rbm = hm.RBM(16, 5, dtype=torch.float64)
        hm.fit(rbm, bars, objective=objective, epochs=5, batch_size=10, seed=3)
        found.append([*rbm.parameters(), rbm.chains])
    for a, b in zip(*found, strict=True):  # PCD runs in a compiled loop, with the same words
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_fast_weights_drive_a_chain_out_of_its_mode() -> None:
    """Two modes, both units on or both off, that plain Gibbs sampling leaves once in 750 sweeps (W = 16)."""
    data, crossings = torch.tensor([[0.0], [1.0]]), []
    for rate in (0.0, 1.0):
        rbm = RBM.from_arrays([[16.0]], [-8.0], [-8.0])
        objective, stream = FPCD(k=1, chains=1, fast_rate=rate), Stream(2)
        state, where = objective.init_state(rbm, Stream(0)), []
        for _ in range(400):
            objective.gradient(rbm, Batch(data), state, stream)
            where.append(float(state["chains"]))
        crossings.append(int((torch.tensor(where).diff() != 0).sum()))
    assert crossings[0] <= 5 and crossings[1] >= 20


def test_a_stack_is_its_members(make_rbm: Make) -> None:
    """25 trials as one batched product: chain c of member r draws as chain r * chains + c of one machine."""
    members = [make_rbm(4, 3, seed=seed) for seed in range(3)]
    stack = RBM.from_arrays(*[np.stack(arrays) for arrays in zip(*[m.to_arrays() for m in members], strict=True)])
    objective, v = FPCD(k=2, chains=5, fast_rate=0.5), cases(6, 4)
    state, stream = objective.init_state(stack, Stream(0)), Stream(1)
    start = state["chains"].clone()
    for _ in range(3):
        objective.gradient(stack, Batch(v), state, stream)
    for r, member in enumerate(members):
        own, stream = objective.init_state(member, Stream(0)) | {"chains": start[r]}, Stream(1, first=5 * r)
        for _ in range(3):
            objective.gradient(member, Batch(v), own, stream)
        for name, value in own.items():
            assert state[name][r].numpy() == pytest.approx(value.numpy(), rel=1e-12, abs=1e-14), name


def test_a_stack_is_trained_by_fit() -> None:
    """Each member learns: its exact likelihood rises, and members differ."""
    bars = hm.data.load("bars-and-stripes").train
    start = [hm.RBM(16, 6, seed=seed) for seed in range(3)]
    stack = RBM.from_arrays(*[np.stack(arrays) for arrays in zip(*[m.to_arrays() for m in start], strict=True)])
    hm.fit(stack, bars, objective=FPCD(chains=20), epochs=300, batch_size=32, learning_rate=0.5, initialise=False)
    found = []
    for r, member in enumerate(start):
        after = RBM.from_arrays(*[a[r] for a in stack.to_arrays()])
        found.append(hm.evaluate(after, bars, method="exact").mean)
        assert found[-1] > hm.evaluate(member, bars, method="exact").mean + 3
    assert len(set(found)) == 3


def test_a_checkpoint_holds_the_fast_weights() -> None:
    data = hm.data.Cases(cases(20, 6).numpy())

    def training() -> Training:
        rbm = hm.RBM(6, 4, seed=1)
        rbm.data_mean, rbm.data_variance, rbm.data_cases = (
            torch.full((6,), 0.5),
            torch.full((6,), 0.25),
            torch.tensor(20.0),
        )
        plan = Plan(FPCD(chains=6, fast_rate=0.5), Centered(), Constant(0.1), epochs=4, batch_size=5)
        return Training(rbm, data, None, plan)

    order, first, second = torch.arange(20), training(), training()
    for _ in range(2):
        first.update(order)
    tensors, meta = first.dump()
    second.restore({name: tensor.clone() for name, tensor in tensors.items()}, meta)
    assert float(tensors["objective.fast.weights"].abs().max()) > 0
    for one in (first, second):
        one.update(order)
        one.update(order)
    ends = [one.dump()[0] for one in (first, second)]
    assert ends[0].keys() == ends[1].keys() and all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, r"FPCD\(k=...\) must be "),
        ({"chains": 1.5}, r"FPCD\(chains=...\) must be "),
        ({"fast_rate": -0.1}, r"FPCD\(fast_rate=...\) must not be negative"),
        ({"fast_rate": float("nan")}, r"FPCD\(fast_rate=...\) must not be negative"),
        ({"decay": 1.0}, r"FPCD\(decay=...\) must be at least 0 and below 1"),
    ],
)
def test_settings_are_checked(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FPCD(**options)  # type: ignore[arg-type]


def test_a_hybrid_refuses_what_learns_from_its_own_gradient() -> None:
    with pytest.raises(ValueError, match=r"learns from its own gradient.*use PCD"):
        Hybrid(generative=FPCD())
    assert FPCD(2, 7).config() == {
        "type": "FPCD", "k": 2, "chains": 7, "fast_rate": 0.05, "decay": 0.95, "inference": FPCD().inference.config(),
    }  # fmt: skip
