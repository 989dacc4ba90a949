"""Networks of a VAE: where the pixels of an image go, odd sides, and how weights begin."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import harmonium as hm
from harmonium.core.registry import build
from harmonium.models.vae.architecture import FromImage, ToImage, draw_glorot


@pytest.mark.parametrize(("shape", "channels"), [((3, 4), 1), ((3, 4), 5), ((2, 3, 4), 1), ((2, 3, 4), 3)])
def test_pixels_keep_their_places(shape: tuple[int, ...], channels: int) -> None:
    units = hm.Categorical(shape, channels) if channels > 1 else hm.Bernoulli(shape)
    x = torch.arange(2.0 * units.size).view(2, -1)
    image = ToImage(shape, channels)(x)
    colours = shape[0] if len(shape) == 3 else 1
    assert image.shape == (2, colours * channels, 3, 4)
    # Column c of the pixel (i, j) of a colour k.
    k, c, i, j = colours - 1, channels - 1, 2, 1
    column = (k * 12 + i * 4 + j) * channels + c
    assert float(image[1, k * channels + c, i, j]) == float(x[1, column])
    assert torch.equal(FromImage(shape, channels)(image), x)


@pytest.mark.parametrize("shape", [(7, 10), (8, 8), (5, 3), (2, 9, 4)])
def test_odd_sides_come_back(shape: tuple[int, ...]) -> None:
    networks = hm.models.Convolutional((2, 3, 4), 5)
    n = math.prod(shape)
    encoder = networks.encoder(shape, n, 6, torch.float64)
    decoder = networks.decoder(3, shape, 2 * n, False, torch.float64)
    draw_glorot(encoder, hm.Stream(0))
    draw_glorot(decoder, hm.Stream(1))
    x = torch.rand(4, 2, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    up = encoder(x)
    assert up.shape == (4, 2, 6) and torch.allclose(up[1, 1], encoder(x[1, 1:])[0])
    down = decoder(torch.ones(4, 2, 3, dtype=torch.float64))
    assert down.shape == (4, 2, 2 * n)
    assert bool((down.std(-1) > 0).all())


def test_a_decoder_for_units_has_no_bias_at_its_end() -> None:
    """Biases belong to the units: with the latent units' weights at zero all that is left is the base rate."""
    for networks in (hm.models.Dense((3,)), hm.models.Convolutional((2, 3), 4)):
        decoder = networks.decoder(2, (4, 4), 16, False, torch.float32)
        assert "bias" not in list(dict(decoder.named_parameters()))[-1]
        for parameter in decoder.parameters():
            nn.init.zeros_(parameter)
        assert torch.equal(decoder(torch.ones(1, 2)), torch.zeros(1, 16))


def test_glorot_weights_have_his_variance() -> None:
    network = nn.utils.skip_init(nn.Linear, 300, 500)
    draw_glorot(network, hm.Stream(0))
    # Variance of 150,000 uniform weights: relative standard error sqrt(0.8 / 150,000) = 0.0023.
    assert float(network.weight.detach().var()) == pytest.approx(2 / 800, rel=0.012)
    assert torch.equal(network.bias, torch.zeros(500))


def test_descriptions_build_them_again() -> None:
    for networks in (hm.models.Dense((3, 4)), hm.models.Convolutional((2, 3), 4)):
        config = networks.config()
        assert build(config) == networks
        assert build({key: list(v) if isinstance(v, tuple) else v for key, v in config.items()}) == networks


def test_a_convolutional_vae_learns_pictures() -> None:
    data = hm.data.load("digits")
    vae = hm.VAE((8, 8), latent=8, hidden=hm.models.Convolutional((8, 16), 32))
    history = hm.fit(vae, data.train, epochs=12, batch_size=50, learning_rate=3e-3, validation=data.valid)
    assert history["log_likelihood"][-1] > -22.5  # independent pixels: -24.7


@pytest.mark.parametrize(("channels", "width"), [((), 3), ((0,), 3), ((2,), 0), ((2.5,), 3)])
def test_sizes_out_of_range_are_refused(channels: tuple[int, ...], width: int) -> None:
    with pytest.raises(ValueError, match=r"channels|width"):
        hm.models.Convolutional(channels, width)
