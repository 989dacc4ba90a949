"""What an exported model computes, as modules from float32 tensors to named ones."""

from __future__ import annotations

import math
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from harmonium.exchange.formulas import conditional_mean, encode, log_normalizer, log_prob, mean, neg_energy
from harmonium.models.autoregressive.made import MADE
from harmonium.models.autoregressive.nade import NADE
from harmonium.models.autoregressive.observed_mask import linears
from harmonium.models.autoregressive.orderless import OrderlessNADE
from harmonium.models.machine.rbm import RBM
from harmonium.models.model import Model
from harmonium.models.vae.vae import VAE

__all__ = ["Graph", "graph"]


class Graph(nn.Module):
    """A model as a function of named inputs, which returns a dictionary of named outputs.

    Args:
        model: float32, on the CPU.
        inputs: name and columns of each input, in the order of the arguments of ``forward``.
        same_batch: for an input with as many rows as another one, the name of that one.
    """

    def __init__(self, model: Any, inputs: dict[str, int], same_batch: dict[str, str] | None = None) -> None:
        super().__init__()
        self.model, self.inputs, self.same_batch = model, inputs, same_batch or {}


@singledispatch
def graph(model: Model) -> Graph:
    """The graph of a model.  A model of your own registers one: ``graph.register(MyModel, MyGraph)``.

    Raises:
        TypeError: for a model without a graph.
    """
    known = ", ".join(kind.__name__ for kind in graph.registry if kind is not object)
    raise TypeError(f"to_onnx exports {known}, found {type(model).__name__}")


@graph.register(RBM)
class _RBMGraph(Graph):
    def __init__(self, rbm: RBM) -> None:
        inputs = {"visible": rbm.visible.columns, "hidden": rbm.hidden.columns}
        if rbm.visible.conditions_on_total:
            inputs["length"] = 1
        super().__init__(rbm, inputs, {"length": "hidden"})

    def forward(self, visible: Tensor, hidden: Tensor, length: Tensor | None = None) -> dict[str, Tensor]:
        rbm = self.model
        v, h = encode(rbm.visible, visible), encode(rbm.hidden, hidden)
        x, y = v @ rbm.weights, mean(rbm.visible, h @ rbm.weights.mT)
        return {
            "hidden_mean": mean(rbm.hidden, x),
            "visible_mean": y if length is None else y * length,
            "free_energy": -neg_energy(rbm.visible, v) - log_normalizer(rbm.hidden, x),
        }


@graph.register(NADE)
class _NADEGraph(Graph):
    def __init__(self, nade: NADE) -> None:
        super().__init__(nade, {"visible": nade.visible.columns})
        units = nade.visible
        self.along = torch.as_tensor(nade.steps.inputs)  # all units, along the ordering
        owner = units.repeat_per_column(torch.arange(units.columns))[self.along]
        self.first = torch.stack([(owner == i).nonzero()[0, 0] for i in range(units.columns)])
        self.owner = nade.outputs.variable_of_column()

    def forward(self, visible: Tensor) -> dict[str, Tensor]:
        """All conditionals at once: a_t = c + sum_{s < t} v_{o_s} W_{o_s} is a cumulative sum along the ordering.

        All units of a variable see what came before the first of them.
        """
        nade = self.model
        v = encode(nade.visible, visible)
        terms = v[:, self.along].unsqueeze(-1) * nade.weights[self.along]
        before = functional.pad(terms, (0, 0, 1, 0)).cumsum(1)  # begins with an empty sum
        a = before[:, self.first] + nade.hidden_bias  # (batch, variables, hidden)
        h = torch.sigmoid(a) if nade.rescaling is None else torch.relu(nade.rescaling.unsqueeze(-1) * a)
        x = (h[:, self.owner] * nade.output_weights).sum(-1)
        return {"log_prob": log_prob(nade.outputs, x, v)}


@graph.register(MADE)
class _MADEGraph(Graph):
    def __init__(self, made: MADE) -> None:
        super().__init__(made, {"visible": made.visible.columns})
        self.weights = [made.masked_weights(k) for k in range(made.masks)]
        self.biases = [layer.bias for layer in linears(made.layers)]

    def forward(self, visible: Tensor) -> dict[str, Tensor]:
        """The mean of the probabilities under all sets of masks."""
        made = self.model
        v, each = encode(made.visible, visible), []
        for *rectified, last in self.weights:
            h = v
            for weight, bias in zip(rectified, self.biases, strict=False):
                h = torch.relu(functional.linear(h, weight, bias))
            each.append(log_prob(made.outputs, functional.linear(h, last), v))
        return {"log_prob": torch.logsumexp(torch.stack(each), 0) - math.log(made.masks)}


@graph.register(OrderlessNADE)
class _OrderlessGraph(Graph):
    def __init__(self, model: OrderlessNADE) -> None:
        super().__init__(model, {"visible": model.visible.columns, "observed": model.visible.columns},
                         {"observed": "visible"})  # fmt: skip

    def forward(self, visible: Tensor, observed: Tensor) -> dict[str, Tensor]:
        model, known = self.model, observed > 0.5
        # A variable that is not observed may hold anything, NaN too.
        v, mask = encode(model.visible, torch.where(known, visible, 0.0)), known.to(visible.dtype)
        x = model.network(v * model.visible.repeat_per_column(mask), mask)
        return {"visible_mean": conditional_mean(model.outputs, x)}


@graph.register(VAE)
class _DecoderGraph(Graph):
    def __init__(self, vae: VAE) -> None:
        super().__init__(vae, {"latent": vae.latents[-1].n})

    def forward(self, latent: Tensor) -> dict[str, Tensor]:
        """E[v | z], where latent layers between are set to their means."""
        vae, z = self.model, latent
        for k in range(len(vae.latents) - 1, 0, -1):
            z = vae.latents[k - 1].distribution(vae.decoders[k](z)).mean
        return {"visible_mean": conditional_mean(vae.outputs, vae.decoders[0](z))}
