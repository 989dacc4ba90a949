"""The natural gradient against Fisher matrices that are written down."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.random import Stream
from harmonium.likelihood.exact import exact_log_partition
from harmonium.models import RBM
from harmonium.models.state import LayerExpectations
from harmonium.objectives import PCD, Batch, Phases
from harmonium.training.metrics import Centered, Metric
from harmonium.training.natural import NaturalGradient

Make = Callable[..., RBM]
Tensors = dict[str, torch.Tensor]


def cases(rows: int, n: int, seed: int = 0) -> torch.Tensor:
    p = np.linspace(0.2, 0.8, n)
    return torch.as_tensor((np.random.default_rng(seed).random((rows, n)) < p).astype(np.float64))


def every(n: int) -> torch.Tensor:
    return torch.tensor([[i >> j & 1 for j in range(n)] for i in range(2**n)], dtype=torch.float64)


def direction(
    model: hm.models.Machine, v: torch.Tensor, negative: LayerExpectations, metric: Metric
) -> tuple[Tensors, Tensors]:
    """(step of ascent after the metric, offsets), for data v and the states of a negative phase."""
    state = metric.init_state(model, v.mean(-2), v.var(-2, correction=0))
    phases = Phases(model.infer(v), negative)
    parameters = model.parameters_by_name()
    start = {name: p.detach().clone() for name, p in parameters.items()}
    with torch.no_grad():
        model.fill_gradients(*phases)
        with metric.coordinates(model, phases, state):
            torch.optim.SGD(parameters.values(), lr=1.0).step()
        moved = {name: p - start[name] for name, p in parameters.items()}
        for name, p in parameters.items():
            p.copy_(start[name])
    return moved, {name.removeprefix("offset."): value for name, value in state.items()}


def flat(named: Tensors) -> np.ndarray:
    return np.concatenate([value.detach().double().numpy().ravel() for value in named.values()])


def scores(model: hm.models.Machine, v: torch.Tensor) -> np.ndarray:
    """Gradients of log p*(v) in all parameters by autograd, (rows, parameters)."""
    rows = []
    for case in v:
        model.zero_grad()
        model.log_weight(model.visible_only_state(case.unsqueeze(0))).sum().backward()
        rows.append(flat({name: p.grad for name, p in model.parameters_by_name().items()}))  # type: ignore[misc]
    model.zero_grad()
    return np.stack(rows)


def dense(
    model: hm.models.Machine, v: torch.Tensor, chains: torch.Tensor, weight: np.ndarray, damping: float, at: Tensors
) -> Tensors:
    """J (J' F J + damping)^-1 J' g, J being the step from centered to plain coordinates: all matrices written out."""
    parameters = {name: p.detach() for name, p in model.parameters_by_name().items()}
    sizes = {name: p.numel() for name, p in parameters.items()}
    starts = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
    J = np.eye(sum(sizes.values()))
    n, m = parameters["weights"].shape
    for i in range(n):
        for j in range(m):
            column = starts["weights"] + i * m + j
            J[starts["visible_bias"] + i, column] = -at["hidden"][j]
            J[starts["hidden_bias"] + j, column] = -at["visible"][i]
    phi, data = scores(model, chains), scores(model, v).mean(0)
    mean = weight @ phi
    F = J.T @ ((phi - mean).T * weight) @ (phi - mean) @ J
    step = J @ np.linalg.solve(F + damping * np.eye(len(F)), J.T @ (data - mean))
    return {name: torch.as_tensor(step[starts[name] : starts[name] + size]) for name, size in sizes.items()}


MODELS: dict[str, Callable[[], hm.models.Machine]] = {
    "bernoulli": lambda: hm.RBM(4, 3, dtype=torch.float64),
    "spin": lambda: hm.RBM(hm.Spin(4), 3, dtype=torch.float64),
    "gaussian": lambda: hm.RBM(hm.Gaussian(4), 3, dtype=torch.float64),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("damping", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize("kind", MODELS)
def test_the_direction_is_that_of_the_dense_fisher_matrix(kind: str, damping: float, weighted: bool) -> None:
    """Nine chains, fewer than parameters: the solution in the space of chains is that in the space of parameters."""
    model, rng = MODELS[kind](), np.random.default_rng(1)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.as_tensor(0.7 * rng.standard_normal(p.shape)))
    draw = {"bernoulli": cases, "spin": lambda *a: 2 * cases(*a) - 1}.get(
        kind, lambda rows, n, seed: torch.as_tensor(np.random.default_rng(seed).standard_normal((rows, n)))
    )
    v, chains = draw(6, 4, 1), draw(9, 4, 2)
    weight = torch.as_tensor(rng.random(9)) if weighted else None
    negative = model.infer(chains).weighted(weight)
    found, offsets = direction(model, v, negative, NaturalGradient(damping=damping, rate=0.0))
    share = np.full(9, 1 / 9) if weight is None else (weight / weight.sum()).numpy()
    expected = dense(model, v, chains, share, damping, offsets)
    for name, value in expected.items():
        assert found[name].numpy().ravel() == pytest.approx(value.numpy(), rel=1e-8, abs=1e-10), name


def test_with_all_states_it_is_the_exact_natural_gradient(make_rbm: Make) -> None:
    """Chains that are all states with their probabilities, hardly any damping: F^-1 g in any coordinates.

    F is the Hessian of the Kullback-Leibler divergence of moved models, by second differences.
    """
    rbm, v = make_rbm(4, 1, scale=0.8), cases(20, 4)
    states = every(4)
    p = torch.exp(rbm.log_weight((states, None)) - exact_log_partition(rbm)).detach()
    found, _ = direction(rbm, v, rbm.infer(states).weighted(p), NaturalGradient(damping=1e-9))
    theta = np.concatenate([a.ravel() for a in rbm.to_arrays()])

    def log_p(x: np.ndarray) -> np.ndarray:
        moved = RBM.from_arrays(x[:4].reshape(4, 1), x[4:8], x[8:])
        return (moved.log_weight((states, None)) - exact_log_partition(moved)).detach().numpy()

    def divergence(x: np.ndarray) -> float:
        return float(p.numpy() @ (log_p(theta) - log_p(x)))

    step, eye = 2e-4, np.eye(9)  # truncation 4e-8, rounding 1e-9
    F = np.array(
        [
            [
                sum(a * b * divergence(theta + step * (a * eye[i] + b * eye[j])) for a in (1, -1) for b in (1, -1))
                / (4 * step**2)
                for j in range(9)
            ]
            for i in range(9)
        ]
    )
    gradient = flat(hm.gradient(rbm, v, objective=hm.Exact()).difference)
    assert F @ flat(found) == pytest.approx(gradient, abs=5e-8 * np.abs(flat(found)).sum())
    # it is another direction than that of centering
    centered, _ = direction(rbm, v, rbm.infer(states).weighted(p), Centered())
    a, b = flat(found), flat(centered)
    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) < 0.95


def test_many_exact_samples_come_near_it(make_rbm: Make) -> None:
    """1,500 independent exact draws: the estimate of F errs by about sqrt(parameters / draws) = 8 %."""
    rbm, v, states = make_rbm(4, 1, scale=0.8), cases(20, 4), every(4)
    p = torch.exp(rbm.log_weight((states, None)) - exact_log_partition(rbm)).detach()
    draws = states[np.random.default_rng(0).choice(16, 1500, p=p.numpy() / p.numpy().sum())]
    metric = NaturalGradient(damping=0.01)
    exact, _ = direction(rbm, v, rbm.infer(states).weighted(p), metric)
    phase = rbm.infer(draws)
    data, model, noisy = (rbm.moments(each) for each in (rbm.infer(v), rbm.infer(states).weighted(p), phase))
    rbm_gradient = {name: data[name] - model[name] for name in data}
    shift = {name: noisy[name] - model[name] for name in model}
    assert max(float(x.abs().max()) for x in shift.values()) < 0.06
    found, _ = direction(rbm, v, phase, metric)
    # g differs too, by F's own root: compare what both make of one gradient through their product with it
    assert flat(found) @ flat(rbm_gradient) == pytest.approx(flat(exact) @ flat(rbm_gradient), rel=0.25)


def flip(W: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The model of 1 - v."""
    return -W, -b, c + W.sum(0)


@pytest.mark.parametrize("damping", [1e-4, 1.0])
def test_a_data_set_and_its_negative_are_learned_alike(make_rbm: Make, damping: float) -> None:
    rbm, v, chains = make_rbm(4, 3), cases(8, 4), cases(7, 4, seed=5)
    arrays = [torch.as_tensor(a) for a in rbm.to_arrays()]
    there = RBM.from_arrays(*flip(*arrays))
    ends = []
    for model, x, s in ((rbm, v, chains), (there, 1 - v, 1 - chains)):
        moved, _ = direction(model, x, model.infer(s), NaturalGradient(damping=damping))
        names = ("weights", "visible_bias", "hidden_bias")
        ends.append([a + moved[name] for a, name in zip(map(torch.as_tensor, model.to_arrays()), names, strict=True)])
    for a, b in zip(flip(*ends[0]), ends[1], strict=True):
        assert a.numpy() == pytest.approx(b.numpy(), rel=1e-7, abs=1e-9)


def test_much_damping_is_centering(make_rbm: Make) -> None:
    rbm, v, chains = make_rbm(4, 3), cases(8, 4), cases(7, 4, seed=5)
    negative = rbm.infer(chains)
    natural, _ = direction(rbm, v, negative, NaturalGradient(damping=1e6))
    centered, _ = direction(rbm, v, negative, Centered())
    assert 1e6 * flat(natural) == pytest.approx(flat(centered), rel=1e-4, abs=1e-6)
    # and in what no chain shows it always is: identical chains span nothing
    alike = rbm.infer(chains[:1].expand(7, 4))
    natural, _ = direction(rbm, v, alike, NaturalGradient(damping=0.5))
    centered, _ = direction(rbm, v, alike, Centered())
    assert 0.5 * flat(natural) == pytest.approx(flat(centered), rel=1e-9, abs=1e-12)


def test_a_stack_is_its_members(make_rbm: Make) -> None:
    members = [make_rbm(4, 3, seed=seed) for seed in range(2)]
    stack = RBM.from_arrays(*[np.stack(pair) for pair in zip(*[m.to_arrays() for m in members], strict=True)])
    v = torch.stack((cases(8, 4), cases(8, 4, seed=3)))
    chains = torch.stack((cases(7, 4, seed=5), cases(7, 4, seed=6)))
    found, _ = direction(stack, v, stack.infer(chains), NaturalGradient())
    for r, member in enumerate(members):
        own, _ = direction(member, v[r], member.infer(chains[r]), NaturalGradient())
        for name, value in own.items():
            assert found[name][r].numpy() == pytest.approx(value.numpy(), rel=1e-9, abs=1e-12)


def test_float32_follows_float64(make_rbm: Make) -> None:
    """Sums over chains are double: what is left is the rounding of products, some 1e-7 of a Gram matrix of order 10."""
    ends = []
    for dtype in (np.float32, np.float64):
        rbm = make_rbm(30, 20, scale=0.3, dtype=dtype)
        v, chains = (cases(rows, 30, seed=rows).to(rbm.dtype) for rows in (20, 50))
        ends.append(flat(direction(rbm, v, rbm.infer(chains), NaturalGradient(damping=0.1))[0]))
    assert np.linalg.norm(ends[0] - ends[1]) < 1e-4 * np.linalg.norm(ends[1])


@pytest.mark.parametrize("damping", [1e-30, 0.1])
def test_a_system_that_rounding_makes_singular_is_damped(damping: float) -> None:
    """Large equal columns in float32: (F + damping)^-1 must stay positive definite, so that each step climbs."""
    draw = np.random.default_rng(0)
    for scale in (0.0, 1.0, 1e4):
        rbm = hm.RBM(hm.Gaussian(6), 4)
        column = draw.normal(size=(30, 1))
        chains = torch.as_tensor(scale * np.repeat(column, 6, axis=1) * [1, 1, 1, 1e-3, 1, 0], dtype=torch.float32)
        v = torch.as_tensor(draw.normal(size=(20, 6)), dtype=torch.float32)
        step, _ = direction(rbm, v, rbm.infer(chains), NaturalGradient(damping=damping))
        plain, _ = direction(rbm, v, rbm.infer(chains), Centered())
        assert np.isfinite(flat(step)).all()
        assert flat(step) @ flat(plain) > 0


def test_fit_by_one_word() -> None:
    bars = hm.data.load("bars-and-stripes").train
    rbm, start = hm.RBM(16, 8), []
    hm.fit(rbm, bars, objective=PCD(chains=50), metric="natural", epochs=300, batch_size=32, learning_rate=0.1, seed=1)
    start.append(hm.evaluate(rbm, bars, method="exact").mean)
    assert start[0] > -7  # from -11.09


def test_what_is_refused(make_rbm: Make) -> None:
    with pytest.raises(ValueError, match=r"NaturalGradient\(damping=...\) must be a positive number"):
        NaturalGradient(damping=0.0)
    with pytest.raises(ValueError, match="the states of the negative phase, and this objective has none"):
        hm.fit(hm.RBM(4, 2), cases(5, 4), objective=hm.Exact(), metric="natural", epochs=1)
    with pytest.raises(ValueError, match=r"whose couplings are full; .* is lateral"):
        hm.fit(hm.BoltzmannMachine(4), cases(5, 4), objective=PCD(chains=4), metric="natural", epochs=1)
    assert NaturalGradient(0.2, damping=0.3).config() == {"type": "NaturalGradient", "rate": 0.2, "damping": 0.3}


def test_dbm_and_its_kept_hidden_layers() -> None:
    """Any machine of full couplings: three layers, by the same code; the step raises the likelihood."""
    dbm = hm.DBM([4, 3, 2], dtype=torch.float64, seed=2)
    objective, v = PCD(k=3, chains=60), cases(20, 4)
    phases = objective.phases(dbm, Batch(v), objective.init_state(dbm, Stream(0)), Stream(1))
    assert isinstance(phases.negative, LayerExpectations)
    step, _ = direction(dbm, v, phases.negative, NaturalGradient(damping=0.5))
    before = float(hm.evaluate(dbm, v, method="exact").mean)
    with torch.no_grad():
        for name, p in dbm.parameters_by_name().items():
            p += 0.02 * step[name]
    assert float(hm.evaluate(dbm, v, method="exact").mean) > before
