"""The classification RBM and its objectives: exact p(y | x), gradients by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.registry import build
from harmonium.testing.numeric import derivative, moved


def model(dtype: torch.dtype = torch.float64) -> hm.ClassificationRBM:
    m = hm.ClassificationRBM(4, 3, classes=3, dtype=dtype)
    with torch.no_grad():
        for parameter in m.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return m


X = torch.tensor([[0, 1, 1, 0], [1, 1, 0, 1], [0, 0, 0, 1], [1, 0, 1, 1]], dtype=torch.float64)
Y = torch.tensor([0, 2, 1, 1])


def test_class_probabilities_by_enumeration() -> None:
    m = model()
    log_joint = torch.stack(
        [
            m.log_weight((m.visible.encode(torch.cat((X, torch.full((4, 1), float(y)).double()), 1)), None))
            for y in range(3)
        ],
        1,
    )
    torch.testing.assert_close(m.class_log_prob(X), torch.log_softmax(log_joint, 1))
    assert m.predict(X).tolist() == log_joint.argmax(1).tolist()


@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 2.0, 0.5, 3.0], dtype=torch.float64)])
def test_discriminative_gradient_by_finite_differences(weight: torch.Tensor | None) -> None:
    m = model()
    w = torch.ones(4).double() if weight is None else weight

    def value() -> torch.Tensor:
        return (w * m.class_log_prob(X).detach()[torch.arange(4), Y]).sum() / w.sum()

    found = hm.gradient(
        m, hm.models.with_labels(X, Y), objective=hm.objectives.Discriminative(), sample_weight=weight
    ).difference
    for name, parameter in m.parameters_by_name().items():
        for j in range(0, parameter.numel(), 2):
            slope = derivative(moved(value, parameter, j))
            assert float(found[name].reshape(-1)[j]) == pytest.approx(float(slope), abs=1e-8), f"{name}[{j}]"


def test_a_hybrid_is_a_mixture_of_gradients() -> None:
    m, v = model(), hm.models.with_labels(X, Y)
    label = hm.gradient(m, v, objective=hm.objectives.Discriminative()).difference
    joint = hm.gradient(m, v, objective=hm.Exact()).difference
    both = hm.gradient(m, v, objective=hm.objectives.Hybrid(share=0.3, generative=hm.Exact())).difference
    for name in label:
        torch.testing.assert_close(both[name], 0.7 * label[name] + 0.3 * joint[name])
    objective = hm.objectives.Hybrid(share=0.3, generative=hm.CD(k=2))
    assert build(objective.config()) == objective


@pytest.mark.slow
@pytest.mark.parametrize(
    ("objective", "rate"),
    [(hm.objectives.Discriminative(), 0.5), (hm.objectives.Hybrid(0.05), 0.3), (hm.PCD(k=1, chains=100), 0.1)],
    ids=str,
)
def test_learning_digits(objective: hm.objectives.Objective, rate: float) -> None:
    """Thresholded 8x8 digits: 100 hidden units classify 87 to 92 % of the test cases after 40 epochs, chance 10 %;
    three standard errors of 300 cases are 5 %."""
    data = hm.data.load("digits")
    assert data.test is not None
    m = hm.ClassificationRBM(64, 100, classes=10)
    train = hm.models.with_labels(data.train[:], data.labels.train)
    hm.fit(m, train, objective=objective, epochs=40, batch_size=20, learning_rate=hm.schedules.Linear(rate))
    right = (m.predict(data.test[:]).numpy() == data.labels.test).mean()
    assert right > 0.82


def test_files_and_refusals(tmp_path: object) -> None:
    m = model(torch.float32)
    hm.save(m, f"{tmp_path}/m.safetensors")
    other = hm.load(f"{tmp_path}/m.safetensors")
    assert isinstance(other, hm.ClassificationRBM)
    assert torch.equal(other.class_log_prob(X), m.class_log_prob(X))
    with pytest.raises(ValueError, match=r"expected \(batch, 4\), without the label"):
        m.class_log_prob(torch.zeros(2, 5))
    with pytest.raises(ValueError, match=r"take the codes 0 \.\.\. 2"):
        hm.fit(
            m, hm.models.with_labels(X, torch.tensor([0, 1, 2, 3])), objective=hm.objectives.Discriminative(), epochs=1
        )
    with pytest.raises(ValueError, match="expected"):
        hm.models.with_labels(X, Y[:3])
    with pytest.raises(ValueError, match="between 0 and 1"):
        hm.objectives.Hybrid(share=2)
    with pytest.raises(ValueError, match="there are 5 visible variables"):
        hm.fit(m, hm.models.with_labels(X, Y), objective=hm.objectives.Discriminative(column=7), epochs=1)


def test_arrays_there_and_back() -> None:
    """Energies by hand, E = -x.W.h - b.x - c.h - U_y.h - d_y, and p(y | x) of Larochelle & Bengio 2008, equation 5."""
    rng = np.random.default_rng(0)
    W, b, c, U, d = (rng.standard_normal(shape) for shape in ((4, 3), 4, 3, (2, 3), 2))
    m = hm.ClassificationRBM.from_arrays(W, b, c, U, d)
    assert m.dtype == torch.float64 and not m.is_untrained
    x, y, h = X.numpy(), np.array([0, 1, 1, 0]), rng.integers(0, 2, (4, 3))
    energy = -((x @ W) * h).sum(1) - x @ b - h @ c - (U[y] * h).sum(1) - d[y]
    np.testing.assert_allclose(m.energy(hm.models.with_labels(x, y), h).detach(), energy, rtol=1e-12)
    log_p = d + np.logaddexp(0, c + (x @ W)[:, None] + U).sum(2)
    found = m.class_log_prob(x).detach().numpy()
    np.testing.assert_allclose(found, log_p - np.logaddexp.reduce(log_p, 1, keepdims=True), rtol=1e-10)
    for back, array in zip(m.to_arrays(), (W, b, c, U, d), strict=True):
        np.testing.assert_array_equal(back, array)
    with pytest.raises(ValueError, match="do not fit"):
        hm.ClassificationRBM.from_arrays(W, b, c, U[:, :2], d)
    with pytest.raises(ValueError, match="batched"):
        hm.ClassificationRBM.from_arrays(*(np.stack([array] * 2) for array in (W, b, c, U, d)))
    with pytest.raises(ValueError, match="Bernoulli units only"):
        hm.ClassificationRBM(hm.Gaussian(2), 2, 2).to_arrays()


def test_a_class_without_a_case_starts_at_a_share_of_one_case_and_falls() -> None:
    """p(y) = (n_y + 1/3) / (n + 1) at first, weights being small; maximum likelihood leaves nothing for it."""
    m = hm.ClassificationRBM(4, 3, classes=3, dtype=torch.float64)
    with pytest.warns(UserWarning, match=r"no training case has the class 2: .* add cases"):
        hm.fit(m, hm.models.with_labels(X, [0, 1, 1, 0]), objective=hm.Exact(), epochs=1, learning_rate=1e-12)
    assert m.class_log_prob(X).exp()[:, 2].tolist() == pytest.approx([1 / 15] * 4, abs=0.005)
    with pytest.warns(UserWarning, match="the class 2"):
        hm.fit(m, hm.models.with_labels(X, [0, 1, 1, 0]), objective=hm.Exact(), epochs=200, learning_rate=0.5)
    assert float(m.class_log_prob(X).detach().exp()[:, 2].max()) < 0.01
