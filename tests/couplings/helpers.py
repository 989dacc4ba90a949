"""Small machines with strong random parameters, and their log-weights of all states."""

from __future__ import annotations

import torch
from torch import Tensor

import harmonium as hm

F64 = torch.float64


def scattered(model: hm.models.Machine, seed: int = 0) -> hm.models.Machine:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.parameters_by_name().items():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
            if name in model.edges:
                model.form(name).settle_(parameter)
        model.constrain()
    return model


def all_log_weights(model: hm.models.Machine) -> Tensor:
    """log p* of all states of a machine whose hidden units are summed out, (q, q, ..., q): one axis per site."""
    units = model.visible
    codes = torch.cartesian_prod(*[torch.arange(len(units.variable(i)[1])) for i in range(units.columns)])
    v = torch.cat([units.variable(i)[1][codes[:, i]] for i in range(units.columns)], 1)
    log_w = model.log_weight(model.visible_only_state(v)).detach()
    return log_w.view(*[len(units.variable(i)[1]) for i in range(units.columns)])
