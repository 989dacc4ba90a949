from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from harmonium.core.random import Stream
from harmonium.data import Dataset, as_cases, load
from harmonium.data.binarize import Sampler

LEVELS = np.arange(256, dtype=np.uint8)
GREY = np.tile(LEVELS, (600, 1))  # every case has every grey level


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    np.savez(tmp_path / "grey.npz", train=GREY, valid=GREY[:300], test=GREY[:300])
    return tmp_path / "grey.npz"


def frequencies(data: Dataset, epoch: int = 0) -> np.ndarray:
    rows = data.train.rows(np.arange(600), epoch=epoch)
    assert set(rows.unique().tolist()) == {0.0, 1.0}
    return rows.numpy().mean(0)


def test_threshold_is_one_above_a_half(grey: Path, tmp_path: Path) -> None:
    data = load(grey, binarize="threshold")
    assert data.binarization == "threshold"
    assert np.array_equal(np.asarray(data.test), GREY[:300] > 127.5)
    np.save(tmp_path / "floats.npy", np.array([[0.0, 0.5, np.nextafter(0.5, 1), 1.0]]))
    assert np.asarray(load(tmp_path / "floats.npy", binarize="threshold").train).tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("binarize", ["fixed", "dynamic"])
def test_draws_have_the_probability_of_their_grey_level(grey: Path, binarize: str) -> None:
    data = load(grey, binarize=binarize, seed=3)
    found, p = frequencies(data), LEVELS / 255
    assert found[0] == 0 and found[255] == 1
    z = (found - p)[1:-1] / np.sqrt(p * (1 - p) / 600)[1:-1]
    assert abs(z).max() < 4.5
    assert 0.8 < z.std() < 1.2
    assert abs(z.mean()) * np.sqrt(254) < 4


def test_only_training_cases_change_with_the_epoch(grey: Path) -> None:
    data = load(grey, binarize="dynamic")
    index = np.arange(100)
    epochs = [data.train.rows(index, epoch=epoch) for epoch in (0, 1, 2)]
    p = LEVELS / 255
    expected = float((2 * p * (1 - p)).mean())  # how often two draws for one grey level differ
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert abs(float((epochs[one] != epochs[other]).float().mean()) - expected) < 0.02
    assert data.valid is not None
    assert torch.equal(data.valid.rows(index, epoch=0), data.valid.rows(index, epoch=1))
    assert (data.train.binarization, data.valid.binarization) == ("dynamic", "fixed")


def test_a_draw_does_not_depend_on_the_batch(grey: Path) -> None:
    train = load(grey, binarize="dynamic").train
    whole = train.rows(np.arange(600), epoch=7)
    shuffled = np.random.default_rng(0).permutation(600)
    assert torch.equal(train.rows(shuffled, epoch=7), whole[shuffled])
    assert torch.equal(train.rows(np.array([41]), epoch=7)[0], whole[41])
    assert torch.equal(torch.cat([chunk for _, chunk in train.chunks(77, epoch=7)]), whole)


def test_splits_cases_and_seeds_are_drawn_independently(grey: Path) -> None:
    data = load(grey, binarize="fixed", seed=1)
    p = LEVELS / 255
    expected = float((2 * p * (1 - p)).mean())
    pairs = [
        (data.train[:300], data.test[:300]),
        (data.valid[:300], data.test[:300]),
        (data.train[:300], data.train[300:]),
        (data.train[:300], load(grey, binarize="fixed", seed=2).train[:300]),
        (data.train[:300], load(grey, binarize="dynamic", seed=1).train[:300]),
    ]
    for one, other in pairs:
        assert abs(float((one != other).mean()) - expected) < 0.02


def test_test_cases_are_the_same_for_fixed_and_dynamic(grey: Path) -> None:
    fixed, dynamic = load(grey, binarize="fixed"), load(grey, binarize="dynamic")
    assert np.array_equal(np.asarray(fixed.test), np.asarray(dynamic.test))


def test_a_mapped_file_and_an_array_have_the_same_draws(tmp_path: Path) -> None:
    np.save(tmp_path / "grey.npy", GREY)
    np.savez(tmp_path / "grey.npz", train=GREY)
    mapped, memory = (load(tmp_path / f"grey.{kind}", binarize="fixed", seed=4).train for kind in ("npy", "npz"))
    assert mapped.mapped and not memory.mapped
    assert np.array_equal(np.asarray(mapped), np.asarray(memory))


def test_statistics_of_drawn_cases_are_those_of_their_distribution(grey: Path) -> None:
    summary = load(grey, binarize="dynamic").train.statistics()
    p = LEVELS / 255
    assert np.allclose(summary.mean.numpy(), p, rtol=1e-12)
    assert np.allclose(summary.variance.numpy(), p * (1 - p), rtol=1e-10, atol=1e-14)
    assert summary.binary and (summary.low, summary.high) == (0.0, 1.0)
    threshold = load(grey, binarize="threshold").train.statistics()
    assert threshold.binary and np.array_equal(threshold.mean.numpy(), LEVELS > 127)


def test_binary_data_stay_as_they_are(tmp_path: Path) -> None:
    table = (np.random.default_rng(0).random((50, 9)) < 0.5).astype(np.uint8)
    np.savez(tmp_path / "bits.npz", train=table)
    for binarize in ("threshold", "fixed", "dynamic"):
        data = load(tmp_path / "bits.npz", binarize=binarize)
        assert data.binarization == "binary"
        assert np.array_equal(np.asarray(data.train), table)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1.5, r"1\.5.*\[0, 1\].*scale"),
        (-0.25, "-0.25.*scale"),
        (np.nan, "row 1, column 2 .* nan.*remove"),
    ],
)
def test_values_that_are_not_grey_levels_are_refused(tmp_path: Path, value: float, message: str) -> None:
    table = np.zeros((3, 4))
    table[1, 2] = value
    np.save(tmp_path / "x.npy", table)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "x.npy", binarize="threshold")


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"binarize='dynamik'.*'threshold'.*'dynamic'\?"):
        load("digits", binarize="dynamik")


def test_copies_multiply_the_drawn_values() -> None:
    grey = as_cases(np.random.default_rng(0).random((6, 5)))
    drawn = grey.derive(binarization="dynamic", sampler=Sampler(Stream(0), every_epoch=True))
    for epoch in (0, 1):
        once = drawn.rows(np.arange(6), epoch=epoch)
        assert torch.equal(drawn.copies(2).rows(np.arange(6), epoch=epoch), 2 * once)
    one, two = drawn.statistics(), drawn.copies(2).statistics()
    torch.testing.assert_close(two.mean, 2 * one.mean)
    torch.testing.assert_close(two.variance, 4 * one.variance)
    assert (two.low, two.high, two.binary) == (0, 2, False)
    assert drawn.copies(2).fingerprint() != drawn.fingerprint()
    with pytest.raises(ValueError, match="copies already"):
        drawn.copies(2).copies(2)
