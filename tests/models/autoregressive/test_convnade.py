"""Convolutional networks for order-agnostic NADE.  That they are distributions is seen in test_orderless.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import harmonium as hm


def test_the_network_of_the_paper() -> None:
    """64@8x8 - 64@4x4 - 64@6x6 - 64@7x7 down to 7 x 7 and up again, beside 500 and 500 units."""
    model = hm.models.ConvNADE((28, 28))
    shapes = [tuple(layer.weight.shape) for layer in [*model.network.down, *model.network.up]]
    down = [(64, 2, 8, 8), (64, 64, 4, 4), (64, 64, 6, 6), (64, 64, 7, 7)]
    up = [(64, 64, 7, 7), (64, 64, 6, 6), (64, 64, 4, 4), (64, 1, 8, 8)]  # in torch's order, from below to above
    assert shapes == down + up
    image, sides = torch.zeros(1, 2, 28, 28), []
    for layer in [*model.network.down, *model.network.up]:
        image = layer(image)
        sides.append(image.shape[-1])
    assert sides == [21, 18, 13, 7, 13, 18, 21, 28]
    assert model.network.dense.hidden == (500, 500)


def test_neighbours_are_seen_where_they_are() -> None:
    """A change of one pixel moves the answers within reach of the kernels and no others; height is not width."""
    model = hm.models.ConvNADE((9, 7), channels=4, kernels=(2,), hidden=(), dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():  # positive: no unit is ever off
            parameter.copy_(torch.rand(parameter.shape, generator=generator, dtype=torch.float64))
    v = torch.ones(1, 9, 7, dtype=torch.float64)
    other = v.clone()
    other[0, 4, 2] = 0
    mask = torch.ones(1, 63, dtype=torch.float64)
    moved = (model.network(v.flatten(1), mask) != model.network(other.flatten(1), mask)).view(9, 7)
    expected = torch.zeros(9, 7, dtype=torch.bool)
    expected[3:6, 1:4] = True
    assert torch.equal(moved, expected)


def test_training_and_store(tmp_path: Path) -> None:
    data = hm.data.load("bars-and-stripes").train
    model = hm.models.ConvNADE((4, 4), channels=8, hidden=(16,), seed=1)
    assert model.network.kernels == (2, 2, 2)  # smaller in proportion, as many as fit
    before = hm.evaluate(model, data).mean
    hm.fit(model, data, epochs=300, batch_size=16, learning_rate=3e-3)
    assert hm.evaluate(model, data).mean > before + 2
    hm.save(model, tmp_path / "m")
    other = hm.load(tmp_path / "m")
    assert torch.equal(other.log_prob(data), model.log_prob(data)) and other.config() == model.config()


def test_bad_input() -> None:
    for arguments, message in (
        ({"visible": 16}, "needs an image"),
        ({"visible": (4, 4), "kernels": (3, 3)}, "do not fit"),
        ({"visible": (4, 4), "kernels": (0,)}, "do not fit"),
        ({"visible": (1, 5)}, "do not fit"),
        ({"visible": (4, 4), "channels": 0}, "channels must be "),
        ({"visible": (4, 4), "hidden": (0,)}, "hidden must be"),
    ):
        with pytest.raises(ValueError, match=message):
            hm.models.ConvNADE(**arguments)
