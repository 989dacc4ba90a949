"""What a model of states says of unknown variables: probabilities, and draws."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from harmonium.core.progress import Progress
from harmonium.core.random import Stream
from harmonium.data.codecs.codec import Array
from harmonium.data.codecs.table import TableCodec
from harmonium.data.raw import Frame
from harmonium.likelihood.marginals import marginals
from harmonium.models.directed import Tractable
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model
from harmonium.sampling.impute import impute
from harmonium.sampling.resampling import draw_given

__all__ = ["SWEEPS", "draw_unknown", "open_cells", "probabilities"]

SWEEPS = 500  # of the chains of an RBM


def open_cells(codec: TableCodec, matched: Frame, states: Array) -> Array:
    """States in which empty cells are to be found out, also those whose emptiness is a value."""
    states = states.copy()
    gone = matched.isna().to_numpy()
    for place, each in enumerate(codec.codecs):
        if each.missing:
            states[gone[:, place], codec.variables[place]] = np.nan
    return states


def probabilities(model: Model, codec: TableCodec, states: Array, stream: Stream) -> list[Array]:
    """Probabilities of the states of each variable given those that are not NaN, (rows, states) each."""
    encoded, observed = _observed(model, states)
    means = marginals(model, encoded, observed, stream)
    return [part.double().numpy() for part in torch.split(means, codec.states, 1)]


def draw_unknown(model: Model, states: Array, stream: Stream, progress: Progress = False) -> Array:
    """Draw the states that are NaN given the others, (rows, variables)."""
    if isinstance(model, Machine):
        v = torch.from_numpy(states).to(model.dtype)
        return np.asarray(impute(model, v, sweeps=SWEEPS, seed=stream, progress=progress).double().numpy())
    assert isinstance(model, Tractable)
    return np.asarray(model.visible.decode(draw_given(model, *_observed(model, states), stream)).double().numpy())


def _observed(model: Model, states: Array) -> tuple[Tensor, Tensor]:
    """Encoded states, 0 where they are unknown, and which variables are known, bool (rows, variables)."""
    units = model.visible
    encoded = units.encode(torch.from_numpy(states).to(model.dtype))
    known = units.one_per_column((~torch.isnan(encoded)).to(encoded.dtype)) > 0
    return encoded.nan_to_num(0.0), known
