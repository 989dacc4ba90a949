"""The decoder of a VAE as a graph."""

from __future__ import annotations

from typing import Any

from torch import nn

from harmonium.exchange.conditional import conditional_mean
from harmonium.exchange.graph import Graph

__all__ = ["vae_graph"]


def vae_graph(graph: Graph, vae: Any) -> None:
    """Input "latent", output "visible_mean": E[v | z], where latent layers between are set to their means."""
    z = graph.input("latent", vae.latents[-1].n)
    for k in range(len(vae.latents) - 1, 0, -1):
        below = vae.latents[k - 1]
        x = _network(graph, vae.decoders[k], z)
        # Numbers of normal units are means, then logarithms of standard deviations; of binary ones, fields.
        z = graph("Sigmoid", x) if below.width == below.n else graph("Slice", x, [0], [below.n], [1])
    x = _network(graph, vae.decoders[0], z)
    graph.output("visible_mean", conditional_mean(graph, vae.outputs, x), "latent", vae.visible.size)


def _network(graph: Graph, network: nn.Module, x: str) -> str:
    """The layers of which decoders are built, (batch, features) to (batch, features)."""
    match network:
        case nn.Sequential():
            for layer in network:
                x = _network(graph, layer, x)
            return x
        case nn.Linear():
            y = graph("MatMul", x, network.weight.mT)
            return y if network.bias is None else graph("Add", y, network.bias)
        case nn.Tanh():
            return graph("Tanh", x)
        case nn.ELU():
            return graph("Elu", x, alpha=network.alpha)
        case nn.Unflatten():
            return graph("Reshape", x, [0, *network.unflattened_size])
        case nn.ConvTranspose2d():
            parameters = [network.weight] if network.bias is None else [network.weight, network.bias]
            return graph(
                "ConvTranspose", x, *parameters,
                strides=network.stride, pads=[*network.padding, *network.padding],
                output_padding=network.output_padding, kernel_shape=network.kernel_size,
            )  # fmt: skip
    kind = type(network).__name__
    inner: Any = network
    if kind == "Batched":
        return _network(graph, inner.network, x)
    if kind == "FromImage":  # (batch, colours * channels, height, width): the numbers of a pixel come to stand together
        sides = inner.shape[-2:]
        colours = inner.shape[0] if len(inner.shape) == 3 else 1
        split = graph("Reshape", x, [0, colours, inner.channels, *sides])
        turned = graph("Transpose", split, perm=[0, 1, 3, 4, 2])
        return graph("Reshape", turned, [0, colours * inner.channels * sides[0] * sides[1]])
    raise TypeError(f"a decoder with {kind} cannot be exported to ONNX: use torch.onnx for networks of your own")
