"""Pretraining: fine-tuning by the rules, the comparison it reports, and its refusals."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import harmonium as hm
from harmonium.data import as_cases
from harmonium.recipes.finetune import errors, random_start, with_dropout
from harmonium.recipes.pretrain import _epochs, expected

DIGITS = hm.data.load("digits")
SMALL = {"epochs": 3}


def linear(weights: torch.Tensor) -> nn.Sequential:
    layer = nn.utils.skip_init(nn.Linear, weights.shape[1], weights.shape[0], bias=False)  # draws nothing
    with torch.no_grad():
        layer.weight.copy_(weights)
    return nn.Sequential(layer)


def test_one_update_is_adam_on_the_cross_entropy() -> None:
    v, y = np.eye(4)[[0, 1, 2, 3, 0, 1]], np.array([0, 1, 2, 0, 0, 1])
    network = hm.DBN([4, 3], dtype=torch.float64).to_classifier(3)
    twin = hm.DBN([4, 3], dtype=torch.float64).to_classifier(3)
    rows = hm.finetune(network, v, y, epochs=1, batch_size=6, learning_rate=0.01)
    optimizer = torch.optim.AdamW(twin.parameters(), lr=0.01, weight_decay=0.0)
    loss = nn.functional.cross_entropy(twin(torch.as_tensor(v)), torch.as_tensor(y))
    loss.backward()
    optimizer.step()
    assert rows[0]["cross_entropy"] == pytest.approx(float(loss.detach()))
    for a, b in zip(network.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_best_epoch_is_kept_and_patience_ends_training() -> None:
    network = hm.DBN([64, 20]).to_classifier(10)
    valid = (DIGITS.valid, DIGITS.labels.valid)
    rows = hm.finetune(network, DIGITS.train, DIGITS.labels.train, validation=valid, epochs=60, learning_rate=0.02,
                       patience=4)  # fmt: skip
    best = min((row["error"], row["valid_cross_entropy"]) for row in rows)
    assert errors(network, DIGITS.valid, torch.as_tensor(DIGITS.labels.valid).long()) == pytest.approx(best)
    position = [(row["error"], row["valid_cross_entropy"]) for row in rows].index(best)
    assert len(rows) == min(60, position + 5)


def test_errors_are_counted() -> None:
    network = linear(torch.eye(2))
    wrong, entropy = errors(network, as_cases(np.array([[1.0, 0.0]] * 4)), torch.tensor([0, 0, 0, 1]))
    assert wrong == 0.25
    assert entropy == pytest.approx(math.log(1 + math.e) - 0.75, rel=1e-6)


def test_dropout_leaves_the_mean_alone() -> None:
    network = linear(torch.linspace(-1, 2, 6)[None]).double()
    x = torch.rand(1, 6, generator=torch.Generator().manual_seed(0)).double()
    draw, index = hm.Stream(0).advance(), torch.arange(40_000)
    with torch.no_grad():
        out = with_dropout(network, x.repeat(40_000, 1), (0.3, 0.0), index, draw)
        spread = float(out.std()) / 200
        assert float(out.mean()) == pytest.approx(float(network(x)), abs=4 * spread) and spread > 0
        assert float((with_dropout(network, x, (0.0, 0.5), index[:1], draw) - network(x)).abs()) == 0  # inputs only


def test_what_a_case_leaves_out_depends_on_no_other_case() -> None:
    network = hm.DBN([50, 40]).to_classifier(3)
    x, draw = torch.ones(4, 50), hm.Stream(0).advance()
    with torch.no_grad():
        whole = with_dropout(network, x, (0.2, 0.5), torch.arange(4), draw)
        alone = with_dropout(network, x[:1], (0.2, 0.5), torch.tensor([2]), draw)
    torch.testing.assert_close(alone[0], whole[2])  # rounding differs, with the shape of the product
    assert not torch.allclose(whole[0], whole[2], atol=1e-4)


def test_dropout_is_the_same_under_autocast() -> None:
    network = hm.DBN([50, 40]).to_classifier(3)
    x, index, draw = torch.rand(4, 50, generator=torch.Generator().manual_seed(0)), torch.arange(4), hm.Stream(0)
    with torch.no_grad():
        network[2].weight.mul_(100)
        plain = with_dropout(network, x, (0.2, 0.5), index, draw.advance())
        with torch.autocast("cpu", torch.bfloat16):
            rounded = with_dropout(network, x, (0.2, 0.5), index, hm.Stream(0).advance())
            other = with_dropout(network, x, (0.2, 0.5), index, draw.advance())
    # Another unit left out moves a logit by about 1; bfloat16 rounds terms of that size at 0.4 %.
    torch.testing.assert_close(rounded.float(), plain, atol=0.1, rtol=0.02)
    assert float((other.float() - plain).abs().max()) > 1


def test_a_random_start_has_the_variance_of_glorot_and_bengio() -> None:
    network = hm.DBN([300, 200, 100]).to_classifier(10)
    fresh = random_start(network, 3)
    # Sample variances of 60,000, 20,000 and 1,000 uniforms: relative errors 0.4 %, 0.6 % and 3 %.
    for place, (variance, tolerance) in {0: (16 * 2 / 500, 0.02), 2: (16 * 2 / 300, 0.03), 4: (2 / 110, 0.12)}.items():
        assert float(fresh[place].weight.detach().var()) == pytest.approx(variance, rel=tolerance)
        assert float(fresh[place].bias.detach().abs().max()) == 0
    assert torch.equal(fresh[0].weight, random_start(network, 3)[0].weight)
    assert not torch.equal(fresh[0].weight, network[0].weight)


def test_networks_see_the_greys_that_are_drawn_from() -> None:
    grey, drawn = (hm.data.load("digits", binarize=how).train for how in ("grey", "dynamic"))
    np.testing.assert_array_equal(expected(drawn)[:20], grey[:20])
    assert expected(grey) is grey


def test_pretraining_reports_both_starts() -> None:
    y = DIGITS.labels.train.copy()
    y[100:] = -1
    found = hm.pretrain(
        DIGITS.train, y, layers=[100], validation=(DIGITS.valid, DIGITS.labels.valid),
        test=(DIGITS.test, DIGITS.labels.test), greedy_options={"epochs": 20}, finetune_options={"epochs": 60},
        repetitions=2,
    )  # fmt: skip
    assert (found.judged, found.cases, found.labelled, found.classes) == ("test", 300, 100, list(range(10)))
    with torch.no_grad():
        wrong = found.network(torch.as_tensor(DIGITS.test[:])).argmax(1).numpy() != DIGITS.labels.test
    assert found.error[0] == pytest.approx(wrong.mean())
    assert max(found.error + found.baseline) < 0.5  # chance is 0.9
    assert found.gain == pytest.approx(np.mean(found.baseline) - np.mean(found.error))
    assert (
        "test error with 100 labels" in str(found) and "+-" in str(found) and f"{100 * found.gain:+.2f}" in str(found)
    )


@pytest.mark.parametrize("layers", [[30, 20], [30, 20, 10]], ids=str)
def test_a_deep_boltzmann_machine_is_pretrained_composed_and_trained_together(
    layers: list[int], tmp_path: Path
) -> None:
    options = {"model": hm.DBM, "layers": layers, "greedy_options": SMALL, "finetune_options": SMALL, "seed": 2}
    found = hm.pretrain(DIGITS.train, DIGITS.labels.train, joint_options=SMALL, out=tmp_path, **options)
    root = hm.Stream(2).child("pretrain")
    dbm = hm.DBM([64, *layers], seed=root.child("dbm"))
    hm.greedy(dbm, DIGITS.train, transposed=False, learning_rate=0.05, seed=root.child("greedy"), **SMALL)
    pcd = hm.PCD(k=5, chains=100)
    hm.fit(dbm, DIGITS.train, objective=pcd, learning_rate=hm.schedules.Linear(0.01), seed=root.child("joint"), **SMALL)
    for name, tensor in dbm.state_dict().items():
        assert torch.equal(tensor, found.model.state_dict()[name]), name
    network = dbm.to_classifier(10, root.child("repetition", 0), unroll=len(layers) > 2)
    assert [type(layer) for layer in network] == [type(layer) for layer in found.network]
    again = hm.pretrain(DIGITS.train, DIGITS.labels.train, joint_options=SMALL, out=tmp_path, **options)
    assert again.error == found.error and again.baseline == found.baseline
    with torch.no_grad():
        wrong = found.network(torch.as_tensor(DIGITS.train[:])).argmax(1).numpy() != DIGITS.labels.train
    assert found.error[0] == pytest.approx(wrong.mean())


@pytest.mark.slow
def test_defaults_do_no_harm_on_small_data() -> None:
    """1,197 digits make twelve updates per epoch, and ten epochs of each layer do harm.  Measured with the defaults,
    over three repetitions: 11.6 % error against 16.6 % from a random start, each +- 0.2 (standard error)."""
    found = hm.pretrain(DIGITS.train, DIGITS.labels.train, layers=[100, 100], test=(DIGITS.test, DIGITS.labels.test),
                        validation=(DIGITS.valid, DIGITS.labels.valid))  # fmt: skip
    assert found.gain > 0.02 and found.error[0] < 0.14


def test_small_data_get_more_epochs_than_large() -> None:
    assert [_epochs(cases, {}) for cases in (1197, 60_000, 10)] == [500, 10, 6000]
    assert _epochs(1197, {"batch_size": 10}) == 50


def test_labels_need_not_be_numbered_from_zero() -> None:
    names = np.array(["a", "b"])[DIGITS.labels.train % 2]
    found = hm.pretrain(DIGITS.train, names, layers=[10], greedy_options=SMALL, finetune_options=SMALL)
    assert found.classes == ["a", "b"] and found.judged == "training"
    with pytest.raises(ValueError, match="no training case has the label"):
        hm.pretrain(DIGITS.train, names, layers=[10], test=(DIGITS.test, ["c"] * 300))


def test_refusals() -> None:
    v, y = DIGITS.train, DIGITS.labels.train
    with pytest.raises(ValueError, match="one label per case"):
        hm.pretrain(v, y[:-1])
    with pytest.raises(ValueError, match="at least two"):
        hm.pretrain(v, np.full(len(y), -1))
    with pytest.raises(ValueError, match="layers must be a list"):
        hm.pretrain(v, y, layers=500)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"model must be harmonium\.DBN or harmonium\.DBM"):
        hm.pretrain(v, y, model=hm.RBM)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="joint_options are for a DBM"):
        hm.pretrain(v, y, joint_options={})
    with pytest.raises(ValueError, match=r"copies of Bernoulli layers, found Gaussian"):
        hm.pretrain(3 * np.asarray(v), y, model=hm.DBM)
    with pytest.raises(ValueError, match="repetitions"):
        hm.pretrain(v, y, repetitions=0)
    network = hm.DBN([64, 20]).to_classifier(9)
    with pytest.raises(ValueError, match="the class 9"):
        hm.finetune(network, v, y)
    with pytest.raises(ValueError, match="one class number per case"):
        hm.finetune(network, v, y[:5])
    with pytest.raises(ValueError, match="columns"):
        hm.finetune(network, np.zeros((3, 4)), [0, 1, 2])
    with pytest.raises(ValueError, match="integers"):
        hm.finetune(network, v, y * 0.5)
    for wrong in ("0.5", (0.1, 0.2, 0.3), 1.0, float("nan"), None):
        with pytest.raises(ValueError, match="dropout must be one or two probabilities"):
            hm.finetune(network, v, y, dropout=wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"batch_size of greedy_options must be .*, found 0"):
        hm.pretrain(v, y, layers=[3], greedy_options={"batch_size": 0})
    with pytest.raises(ValueError, match="dropout"):
        hm.finetune(network, v, y, dropout=(0.5, 1.0))
    with pytest.raises(hm.errors.DivergedError, match="learning rate"):
        hm.finetune(network, v, y % 9, learning_rate=1e39, epochs=2)
    with pytest.raises(ValueError, match="patience"):
        hm.finetune(network, v, y, patience=3)


def test_one_probability_of_dropout_is_for_all_layers() -> None:
    v, y = np.eye(4, dtype=np.float32), [0, 1, 0, 1]
    rows = []
    for dropout in (0.5, (0.5, 0.5), (0.5, 0.0)):
        network = hm.DBN([4, 3], seed=1).to_classifier(2)
        rows.append(hm.finetune(network, v, y, epochs=3, dropout=dropout, seed=2))
    assert rows[0] == rows[1] != rows[2]


def test_gaps_are_named() -> None:
    v, network = np.eye(4), hm.DBN([4, 3]).to_classifier(2)
    v[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"^data has a missing value \(NaN\) in row 2, column 1"):
        hm.finetune(network, v, [0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"^validation data has a missing value \(NaN\) in row 2, column 1"):
        hm.finetune(network, np.eye(4), [0, 1, 0, 1], validation=(v, [0, 1, 0, 1]))
