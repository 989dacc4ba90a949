"""Draws of models with one ordering given variables anywhere in it."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.random import Stream
from harmonium.models.autoregressive.made import MADE
from harmonium.models.autoregressive.nade import NADE
from harmonium.models.directed import Tractable

__all__ = ["draw_given", "propose"]

ROUNDS, PROPOSALS = 8, 16


@torch.no_grad()
def draw_given(
    model: Tractable, v: Tensor, observed: Tensor, stream: Stream, rounds: int = ROUNDS, proposals: int = PROPOSALS
) -> Tensor:
    """Draw the variables of a NADE or a MADE that are not observed, by iterated sampling importance resampling.

    Along the ordering, variables that are not observed are drawn and observed ones are held; such a proposal has the
    weight prod p(v_i | those before i) over the observed i.  Each round draws some proposals beside the present state
    and takes one of them all with a probability proportional to its weight, which leaves the conditional distribution
    unchanged (Andrieu, Doucet & Holenstein 2010, section 4; Tjelmeland 2004).  A model that can condition on any
    variables draws directly.

    Args:
        model: the model.
        v: encoded states (batch, size).
        observed: bool (batch, columns).
        stream: of the draws.
        rounds: number of rounds.
        proposals: proposals in each.

    Returns:
        encoded states (batch, size).
    """
    held = model.visible.repeat_per_column(observed)
    clean = torch.where(held, v, 0.0)
    if not isinstance(model, (NADE, MADE)):
        return model.draw(len(v), stream, (held, clean))
    state, weight = clean, torch.full((len(v), 1), -torch.inf, dtype=torch.float64)
    for _ in range(rounds):
        rows = clean.repeat_interleave(proposals, 0)
        mask = observed.repeat_interleave(proposals, 0)
        proposed, log_w = propose(model, rows, mask, stream)
        every = torch.cat((weight, log_w.view(len(v), proposals)), 1)
        u = kernels.uniforms(stream.advance(), len(v), 1, torch.float64, v.device)
        p = torch.softmax(every, -1).cumsum(-1)
        chosen = (p <= u * p[:, -1:]).sum(-1).clamp(max=proposals)
        new = proposed.view(len(v), proposals, -1)[torch.arange(len(v)), (chosen - 1).clamp(min=0)]
        state = torch.where((chosen == 0).unsqueeze(-1), state, new)
        weight = every.gather(1, chosen.unsqueeze(-1))
    return state


def propose(model: NADE | MADE, v: Tensor, observed: Tensor, stream: Stream) -> tuple[Tensor, Tensor]:
    """Draw along the ordering with some variables held.

    Args:
        model: the model, with one ordering.
        v: encoded states (batch, size), 0 where they are not observed.
        observed: bool (batch, columns).
        stream: of the draws.

    Returns:
        encoded states (batch, size), and the log-probability of those that are held, (batch,) float64: the importance
        weight of the draw.

    Raises:
        ValueError: for a MADE with several orderings.
    """
    if isinstance(model, MADE) and model.masks > 1:
        raise ValueError("a MADE with several sets of masks cannot draw given any variables: use masks=1")
    ordering = (model.ordering if isinstance(model, NADE) else model.orderings[0]).tolist()
    units, draw = model.visible, stream.advance()
    columns = units.variable_of_column()
    s = v.clone()
    for i in ordering:
        if bool(observed[:, i].all()):
            continue
        x = model.inputs(s) if isinstance(model, NADE) else model.params(s, 0)
        own = (columns == i).nonzero()[:, 0]
        drawn = model.outputs.sample(x, draw)[:, own]
        s[:, own] = torch.where(observed[:, i : i + 1], s[:, own], drawn)
    x = model.inputs(s) if isinstance(model, NADE) else model.params(s, 0)
    log_p = torch.where(observed, model.outputs.log_prob(x, s), 0.0).sum(-1)
    return s, log_p
