"""The RBM against explicit formulas, over all its 2^(n+m) states where that is possible."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch

import harmonium as hm
from harmonium.core.random import Stream
from harmonium.likelihood.exact import exact_log_partition, exact_moments
from harmonium.models import RBM
from harmonium.testing import check_model
from harmonium.testing.joint import Joint, start_at

Make = Callable[..., RBM]


def all_states(n: int) -> np.ndarray:
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def explicit_energy(rbm: RBM, v: np.ndarray, h: np.ndarray) -> np.ndarray:
    W, b, c = rbm.to_arrays()
    return np.array([-x @ W @ y - b @ x - c @ y for x, y in zip(v, h, strict=True)])


MODELS = [
    hm.RBM(3, 2), hm.RBM(2, 4, dtype=torch.float64), hm.RBM(hm.Gaussian(2), 3), hm.RBM(3, hm.Gaussian(1)),
    hm.RBM(hm.Gaussian(1, dtype=torch.float64), 2), hm.RBM((2, 2), 3), hm.RBM(1, 1),
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_contract(model: RBM) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    check_model(model)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_contract_at_more_parameters(model: RBM, seed: int) -> None:
    check_model(model, seed, spread=0.3 + 0.15 * seed)


def test_energies(make_rbm: Make) -> None:
    rbm = make_rbm(3, 2)
    pairs = list(itertools.product(all_states(3), all_states(2)))
    v, h = (np.array(side) for side in zip(*pairs, strict=True))
    assert rbm.energy(v, h).detach().numpy() == pytest.approx(explicit_energy(rbm, v, h), rel=1e-13, abs=1e-13)
    # one number by hand
    small = RBM.from_arrays([[2.0]], [0.5], [-1.0])
    assert small.energy([[1]], [[1]]).tolist() == [-1.5]
    assert small.energy([[1], [0]], [[0], [1]]).tolist() == [-0.5, 1.0]


def test_free_energy_and_log_prob(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3)
    v, hidden = all_states(4), all_states(3)
    joint = np.array([[-explicit_energy(rbm, x[None], y[None])[0] for y in hidden] for x in v])
    log_z = np.logaddexp.reduce(joint.ravel())
    assert rbm.free_energy(v).detach().numpy() == pytest.approx(-np.logaddexp.reduce(joint, 1), rel=1e-13)
    log_p = rbm.log_prob(v, log_z)
    assert log_p.dtype == torch.float64
    assert log_p.detach().numpy() == pytest.approx(np.logaddexp.reduce(joint, 1) - log_z, rel=1e-12)
    assert float(torch.logsumexp(log_p.detach(), 0)) == pytest.approx(0, abs=1e-13)
    found = hm.log_partition(rbm)
    assert (found.method, found.reliable, found.lower, found.upper) == ("exact", True, found.value, found.value)
    assert found.value == pytest.approx(log_z, rel=1e-14)
    assert torch.equal(rbm.log_prob(v, found), rbm.log_prob(v, found.value))


def test_conditional_means(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3)
    W, b, c = rbm.to_arrays()
    v, h = all_states(4), all_states(3)
    assert rbm.hidden_mean(v).detach().numpy() == pytest.approx(1 / (1 + np.exp(-(v @ W + c))), rel=1e-13)
    assert rbm.visible_mean(h).detach().numpy() == pytest.approx(1 / (1 + np.exp(-(h @ W.T + b))), rel=1e-13)
    rows = 20_000
    once = torch.as_tensor(v[5]).expand(rows, -1)
    mean = rbm.hidden_mean(v[5:6])[0].detach()
    drawn = rbm.sample_hidden(once, Stream(3))
    error = (mean * (1 - mean) / rows).sqrt()
    assert bool(((drawn.mean(0) - mean).abs() < 5 * error).all())
    mean = rbm.visible_mean(h[2:3])[0].detach()
    drawn = rbm.sample_visible(torch.as_tensor(h[2]).expand(rows, -1), Stream(3))
    assert bool(((drawn.mean(0) - mean).abs() < 5 * (mean * (1 - mean) / rows).sqrt()).all())


def test_a_gaussian_visible_layer_is_a_mixture_of_normals() -> None:
    rbm = hm.RBM(hm.Gaussian(2), 2, dtype=torch.float64)
    rng = np.random.default_rng(1)
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.copy_(torch.as_tensor(0.7 * rng.standard_normal(parameter.shape)))
    W, b, c, s2 = (
        t.detach().numpy() for t in (rbm.weights, rbm.visible_bias, rbm.hidden_bias, rbm.visible.log_variance.exp())
    )
    v = rng.standard_normal((5, 2)) * 2
    density = np.zeros(5)
    masses = []
    for h in all_states(2):
        mu = s2 * (b + W @ h)
        masses.append(np.exp(c @ h + (mu**2 / (2 * s2)).sum()) * np.sqrt(2 * np.pi * s2).prod())
        density += masses[-1] * np.exp(-((v - mu) ** 2 / (2 * s2)).sum(1)) / np.sqrt(2 * np.pi * s2).prod()
    log_z = np.log(sum(masses))
    assert float(exact_log_partition(rbm)) == pytest.approx(log_z, rel=1e-13)
    assert rbm.log_prob(v, log_z).detach().numpy() == pytest.approx(np.log(density) - log_z, rel=1e-12)


@pytest.mark.parametrize(("visible", "hidden"), [(3, 7), (7, 3), (5, 5)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_enumeration_of_either_side(make_rbm: Make, visible: int, hidden: int, dtype: type) -> None:
    rbm = make_rbm(visible, hidden, dtype=dtype)
    W, b, c = (a.astype(np.float64) for a in rbm.to_arrays())
    v, h = all_states(visible), all_states(hidden)
    log_joint = v @ W @ h.T + (v @ b)[:, None] + (h @ c)[None]
    log_z = np.logaddexp.reduce(log_joint.ravel())
    p = np.exp(log_joint - log_z)
    tolerance = {"rel": 1e-12, "abs": 1e-12} if dtype is np.float64 else {"rel": 2e-6, "abs": 1e-6}
    assert float(exact_log_partition(rbm)) == pytest.approx(log_z, **tolerance)
    moments = exact_moments(rbm)
    assert moments["weights"].numpy() == pytest.approx(v.T @ p @ h, **tolerance)
    assert moments["visible_bias"].numpy() == pytest.approx(v.T @ p.sum(1), **tolerance)
    assert moments["hidden_bias"].numpy() == pytest.approx(h.T @ p.sum(0), **tolerance)
    assert moments["weights"].dtype == rbm.dtype


def test_enumeration_over_many_blocks(make_rbm: Make) -> None:
    """Log Z and moments do not change when the enumeration is split; the other side of equal size agrees."""
    rbm = make_rbm(13, 13, scale=0.5)
    W, b, c = rbm.to_arrays()
    flipped = RBM.from_arrays(W.T, c, b)
    assert float(exact_log_partition(rbm)) == pytest.approx(float(exact_log_partition(flipped)), rel=1e-13)
    first, second = exact_moments(rbm), exact_moments(flipped)
    assert first["weights"].numpy() == pytest.approx(second["weights"].numpy().T, rel=1e-10)
    assert first["visible_bias"].numpy() == pytest.approx(second["hidden_bias"].numpy(), rel=1e-10)


def test_blocks_of_hardly_any_weight_do_no_harm(make_rbm: Make) -> None:
    """A block of states of relative weight e^-110, which float32 cannot hold, adds nothing rather than NaN."""
    rng = np.random.default_rng(0)
    W, b, c = 0.1 * rng.standard_normal((14, 14)), np.zeros(14), np.zeros(14)
    b[-1] = c[-1] = -110
    for dtype in (np.float32, np.float64):
        rbm = RBM.from_arrays(*[a.astype(dtype) for a in (W, b, c)])
        small = RBM.from_arrays(*[a.astype(dtype) for a in (W[:-1, :-1], b[:-1], c[:-1])])
        moments, expected = exact_moments(rbm), exact_moments(small)
        assert moments["weights"][:-1, :-1].numpy() == pytest.approx(expected["weights"].numpy(), rel=1e-4)
        assert moments["hidden_bias"].numpy() == pytest.approx(
            [*expected["hidden_bias"].tolist(), 0], rel=1e-4, abs=1e-30
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_go_round_bit_for_bit(make_rbm: Make, dtype: type) -> None:
    rbm = make_rbm(5, 4, dtype=dtype)
    other = RBM.from_arrays(*rbm.to_arrays())
    for a, b in zip(rbm.to_arrays(), other.to_arrays(), strict=True):
        assert a.dtype == dtype and np.array_equal(a, b)
    v = all_states(5)
    assert torch.equal(rbm.free_energy(v), other.free_energy(v))
    assert torch.equal(exact_log_partition(rbm), exact_log_partition(other))
    arrays = rbm.to_arrays()
    arrays[0][:] = 7  # copies both ways
    assert np.array_equal(rbm.to_arrays()[0], other.to_arrays()[0])
    with pytest.raises(ValueError, match="to_arrays is for Bernoulli units only"):
        hm.RBM(hm.Gaussian(2), 2).to_arrays()


def test_arrays_of_every_kind() -> None:
    W = np.arange(6.0).reshape(2, 3)
    frozen = W.copy()
    frozen.setflags(write=False)
    for given in (
        W,
        W.tolist(),
        torch.as_tensor(W),
        frozen,
        np.ascontiguousarray(W[::-1])[::-1],
        W.astype(int),
        W.astype(">f8"),
        W.astype("f4"),
    ):
        rbm = RBM.from_arrays(given, np.zeros(2), np.zeros(3))
        assert np.array_equal(rbm.to_arrays()[0], W)


def test_arrays_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"weights \(2, 3\), visible_bias \(3,\) and hidden_bias \(2,\) do not fit"):
        RBM.from_arrays(np.zeros((2, 3)), np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match="do not fit"):
        RBM.from_arrays(np.zeros(3), np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="visible_bias has values that are not finite"):
        RBM.from_arrays(np.zeros((2, 3)), [0, np.nan], np.zeros(3))


BAD: list[tuple[Any, type[Exception], str]] = [
    (np.zeros((2, 5)), ValueError, r"v has shape \(2, 5\); expected \(batch, 4\), one column per unit"),
    (np.zeros(4), ValueError, r"v has shape \(4,\); expected \(batch, 4\): pass v\[None\] for one case"),
    (np.zeros(3), ValueError, r"v has shape \(3,\); expected \(batch, 4\)"),
    (np.array([[0, 1, np.nan, 0]]), ValueError, "v is not finite in row 0, column 2: remove or impute"),
    (np.array([[0, 1, 0, 0], [0, 0, 0, np.inf]]), ValueError, "v is not finite in row 1, column 3"),
    (np.array([["a", "b", "c", "d"]]), TypeError, "v holds text; expected bool, integer or real numbers"),
    (np.array([[None, 1, 2, 3]], dtype=object), TypeError, "v holds Python objects"),
]


@pytest.mark.parametrize(("v", "error", "message"), BAD)
def test_bad_inputs(make_rbm: Make, v: Any, error: type[Exception], message: str) -> None:
    rbm = make_rbm(4, 3)
    for call in (
        rbm.free_energy,
        rbm.hidden_mean,
        lambda v: rbm.log_prob(v, 0.0),
        lambda v: rbm.gibbs(v, 1, Stream(0)),
    ):
        with pytest.raises(error, match=message):
            call(v)


def test_a_layer_is_named_in_messages(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3)
    with pytest.raises(ValueError, match=r"h has shape \(1, 4\); expected \(batch, 3\)"):
        rbm.visible_mean(np.zeros((1, 4)))
    with pytest.raises(
        ValueError, match=r"v has the value 0.5 in row 1, column 0, but Bernoulli .* name a binarisation"
    ):
        rbm.log_prob([[0, 1, 0, 1], [0.5, 0, 0, 0]], 0.0)


def test_values_of_great_size_are_finite() -> None:
    rbm = hm.RBM(hm.Gaussian(2), 2)
    assert rbm.hidden_mean(np.full((3, 2), 3e38, dtype=np.float32)).shape == (3, 2)


def test_inputs_of_every_kind_give_equal_results(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3, dtype=np.float32)
    v = all_states(4)
    expected = rbm.free_energy(v)
    reversed_rows = np.ascontiguousarray(v[::-1])[::-1]
    kinds = [
        v.astype(bool), v.astype(np.uint8), v.astype(np.int64), v.astype(np.float16), v.astype(np.float32),
        v.astype(">f4"), v.tolist(), reversed_rows, np.asfortranarray(v), scipy.sparse.csr_matrix(v),
        scipy.sparse.coo_array(v), torch.as_tensor(v), torch.as_tensor(v).bool(), torch.as_tensor(v).to(torch.bfloat16),
    ]  # fmt: skip
    for kind in kinds:
        assert torch.equal(rbm.free_energy(kind), expected)
        assert torch.equal(rbm.gibbs(kind, 2, Stream(5)), rbm.gibbs(v, 2, Stream(5)))


def test_inputs_are_left_alone(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3, dtype=np.float32)
    v = torch.as_tensor(all_states(4), dtype=torch.float32)
    before = v.clone()
    with torch.no_grad():
        (
            rbm.hidden_mean(v),
            rbm.free_energy(v),
            rbm.gibbs(v, 3, Stream(0)),
            rbm.sample_hidden(v, Stream(0)),
            rbm.log_prob(v, 0.0),
        )
        hm.gradient(rbm, v), hm.sample(rbm, 16, sweeps=2, init=v), hm.evaluate(rbm, v)
    assert torch.equal(v, before)


def test_the_gradient_of_the_free_energy_is_a_difference_of_moments(make_rbm: Make) -> None:
    """Autograd on F against <dE/dtheta>: the mean of -F over data has the positive phase as its gradient."""
    for rbm in (make_rbm(4, 3), hm.RBM(hm.Gaussian(4), 3, dtype=torch.float64, seed=2)):
        v = torch.as_tensor(all_states(4)[[1, 5, 5, 14]])
        loss = -rbm.log_weight((v, None)).mean()
        loss.backward()
        positive = hm.gradient(rbm, v.numpy(), objective=hm.Exact()).positive
        for name, parameter in rbm.parameters_by_name().items():
            assert parameter.grad is not None
            assert -parameter.grad.numpy() == pytest.approx(positive[name].numpy(), rel=1e-12, abs=1e-14)
        x = v.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(-rbm.log_weight((x, None)).sum(), x)
        if isinstance(rbm.visible, hm.Bernoulli):
            expected = -(rbm.visible_bias + rbm.hidden_mean(v) @ rbm.weights.T).detach()
            assert gradient.numpy() == pytest.approx(expected.numpy(), rel=1e-12)


def test_a_stack_is_its_members(make_rbm: Make) -> None:
    members = [make_rbm(4, 3, seed=seed, dtype=np.float32) for seed in range(3)]
    stack = RBM.from_arrays(
        *[np.stack(arrays) for arrays in zip(*[member.to_arrays() for member in members], strict=True)]
    )
    v = all_states(4)
    log_z = exact_log_partition(stack)
    assert log_z.shape == (3,)
    moments = exact_moments(stack)
    free_energy, hidden = stack.free_energy(v), stack.hidden_mean(v)
    positive = stack.moments(stack.infer(torch.as_tensor(v, dtype=torch.float32)))
    for r, member in enumerate(members):
        assert float(log_z[r]) == pytest.approx(float(exact_log_partition(member)), rel=1e-6)
        assert free_energy[r].detach().numpy() == pytest.approx(
            member.free_energy(v).detach().numpy(), rel=1e-5, abs=1e-6
        )
        assert hidden[r].detach().numpy() == pytest.approx(member.hidden_mean(v).detach().numpy(), rel=1e-5)
        for name, expected in exact_moments(member).items():
            assert moments[name][r].numpy() == pytest.approx(expected.numpy(), rel=1e-5, abs=1e-6)
        for name, expected in member.moments(member.infer(torch.as_tensor(v, dtype=torch.float32))).items():
            assert positive[name].expand(3, *expected.shape)[r].numpy() == pytest.approx(
                expected.numpy(), rel=1e-5, abs=1e-6
            )
        # rows of member r are the global rows 16 r ... 16 r + 15
        drawn = stack.gibbs(np.stack([v] * 3), 3, Stream(4))[r]
        assert torch.equal(drawn, member.gibbs(v, 3, Stream(4, first=16 * r)))


def test_gibbs_at_inverse_temperatures(make_rbm: Make) -> None:
    rbm = make_rbm(3, 2)
    W, b, c = rbm.to_arrays()
    v = np.repeat(all_states(3), 50, axis=0)
    beta = torch.linspace(0.1, 2.0, len(v), dtype=torch.float64)
    half = RBM.from_arrays(0.5 * W, 0.5 * b, 0.5 * c)
    assert torch.equal(rbm.gibbs(v, 4, Stream(1), beta=0.5), half.gibbs(v, 4, Stream(1)))  # halves are exact
    assert torch.equal(rbm.gibbs(v, 4, Stream(1)), rbm.gibbs(v, 4, Stream(1), beta=torch.ones(len(v))))
    mixed = rbm.gibbs(v, 4, Stream(1), beta=beta)
    for row in (0, 123, 399):
        single = RBM.from_arrays(*[float(beta[row]) * a for a in (W, b, c)])
        assert torch.equal(mixed[row], single.gibbs(v[row : row + 1], 4, Stream(1, first=row))[0])
    coins = rbm.gibbs(np.repeat(v, 20, axis=0), 1, Stream(1), beta=0.0)
    assert bool(((coins.mean(0) - 0.5).abs() < 5 * 0.5 / len(coins) ** 0.5).all())


def test_gibbs_takes_one_step_of_its_stream_each(make_rbm: Make) -> None:
    rbm = make_rbm(5, 4)
    v = np.zeros((10, 5))
    stream = Stream(9)
    first = rbm.gibbs(v, 3, stream)
    assert stream.step == 3
    assert torch.equal(rbm.gibbs(first, 4, stream), rbm.gibbs(v, 7, Stream(9)))
    assert torch.equal(rbm.gibbs(v[4:], 7, Stream(9, first=4)), rbm.gibbs(v, 7, Stream(9))[4:])
    assert torch.equal(rbm.gibbs(v, 0, Stream(0)), torch.zeros(10, 5, dtype=torch.float64))
    h = rbm.sample_hidden(v, Stream(9))
    assert torch.equal(rbm.gibbs(v, 1, Stream(9)), rbm.sample_visible(h, Stream(9)))  # one step, two sites


def test_gibbs_with_clamped_units_keeps_the_conditional(make_rbm: Make) -> None:
    rbm = make_rbm(3, 3)
    joint = Joint(rbm)
    rows = 20_000
    mask = torch.tensor([True, False, False])
    values = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    v = start_at(joint, rows, Stream(2))[0]
    assert v is not None
    out = rbm.gibbs(torch.where(mask, values, v), 30, Stream(3), clamp=(mask, values))
    assert bool((out[:, 0] == 1).all())
    log_p = rbm.log_weight((torch.as_tensor(all_states(3)), None)).detach().view(2, 2, 2)[1]
    p = torch.softmax(log_p.reshape(-1), 0)
    counts = torch.bincount((2 * out[:, 1] + out[:, 2]).long(), minlength=4)
    chi = float(((counts - rows * p) ** 2 / (rows * p)).sum())
    assert chi < 30.7  # 3 degrees of freedom, p = 1e-6


def test_what_an_rbm_refuses_to_be() -> None:
    with pytest.raises(ValueError, match="neither has finitely many states"):
        hm.RBM(hm.Gaussian(2), hm.Gaussian(2))
    with pytest.raises(TypeError, match="visible must be an int"):
        hm.RBM(2.5, 2)  # type: ignore[arg-type]


def test_initial_weights() -> None:
    rbm = hm.RBM(200, 100, seed=1)
    W, b, c = rbm.to_arrays()
    assert W.std() == pytest.approx(0.01, rel=5 / (2 * 20_000) ** 0.5)
    assert abs(W.mean()) < 5 * 0.01 / 20_000**0.5
    assert not b.any() and not c.any()
    assert torch.equal(rbm.weights, hm.RBM(200, 100, seed=1).weights)
    assert not torch.equal(rbm.weights, hm.RBM(200, 100, seed=2).weights)
    assert rbm.is_untrained and not RBM.from_arrays([[0.0]], [0.0], [0.0]).is_untrained


def test_device(make_rbm: Make, device: torch.device) -> None:
    rbm, there = make_rbm(6, 5, dtype=np.float32), make_rbm(6, 5, dtype=np.float32).to(device)
    v = all_states(6)
    assert there.free_energy(v).detach().cpu().numpy() == pytest.approx(
        rbm.free_energy(v).detach().numpy(), rel=1e-5, abs=1e-5
    )
    different = (there.gibbs(v, 1, Stream(0)).cpu() != rbm.gibbs(v, 1, Stream(0))).sum()
    assert int(different) <= 1  # where a comparison falls within rounding


def test_visible_states_alone_are_no_state() -> None:
    with pytest.raises(TypeError, match=r"log_weight takes the states of all layers.*visible_only_state\(v\)"):
        hm.RBM(3, 2).log_weight(torch.zeros(4, 3))  # type: ignore[arg-type]
