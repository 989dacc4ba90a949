"""Greedy layer-wise training of a deep belief network (Hinton, Osindero & Teh 2006, section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from harmonium.data import Cases, as_cases
from harmonium.data.binarize import Sampler
from harmonium.models.batch import Array
from harmonium.models.dbn import DBN
from harmonium.models.rbm import RBM
from harmonium.random import Stream, as_stream
from harmonium.training.fit import fit
from harmonium.training.history import History
from harmonium.training.runs import CONFIG, resume
from harmonium.units import Bernoulli

__all__ = ["greedy", "hidden_cases", "transpose"]


def greedy(
    dbn: DBN,
    data: Array,
    *,
    validation: Array | None = None,
    layers: Sequence[Mapping[str, Any]] = (),
    transposed: bool = True,
    skip: int = 0,
    seed: int | Stream = 0,
    out: str | Path | None = None,
    **options: Any,
) -> list[History]:
    """Train the machines of a DBN from the bottom up, each by `harmonium.fit` on what the one below makes of the data.

    Machine k + 1 learns from samples of h_k given the case, drawn anew in every epoch; given cases that are themselves
    drawn anew ("dynamic"), those of epoch 0 stand for all.  Each machine that is added can raise the variational bound
    of the one below, provided that it starts no worse: with ``transposed``, it starts as the one below turned over,
    whose visible units have the very distribution of its hidden ones, wherever it has hidden units enough.

    Args:
        dbn: trained in place.  Recognition parameters of its own are given up: they are tied again.
        data: training cases, (n, n_visible).
        validation: cases for monitors, (m, n_visible); machines above the first see samples of h_k drawn once.
        layers: options of `harmonium.fit` for single machines, by number from the bottom up; they override ``options``.
        transposed: whether machines above the first start from the one below turned over (see `transpose`).
        skip: so many machines at the bottom are trained already, and are left as they are.
        seed: an int or a stream.
        out: a folder; machine k is a run in ``out/layer-k``.  Called again, it goes on where it stopped, with the
            options of the first call.
        **options: passed to `harmonium.fit` for every machine: objective, epochs, learning_rate, ...

    Returns:
        one `History` per trained machine.

    Raises:
        ValueError: as `harmonium.fit`; for more ``layers`` than machines; for an ``out`` of other machines or data.

    >>> import harmonium as hm
    >>> dbn, data = hm.DBN([16, 8, 16]), hm.data.load("bars-and-stripes")
    >>> [len(history.rows) for history in hm.greedy(dbn, data.train, epochs=2)]
    [2, 2]
    """
    machines = dbn.machines
    if len(layers) > len(machines):
        raise ValueError(f"layers has options for {len(layers)} machines, the DBN has {len(machines)}")
    if isinstance(skip, bool) or not isinstance(skip, int) or not 0 <= skip <= len(machines):
        raise ValueError(f"skip must be a number of machines from 0 to {len(machines)}, found {skip!r}")
    stream = as_stream(seed).child("greedy")
    cases, valid = as_cases(data), None if validation is None else as_cases(validation, "validation")
    dbn.recognition = None
    histories = []
    for k in range(len(machines)):
        rbm, here = dbn.machines[k], stream.child(k)
        if k >= skip:
            own = options | dict(layers[k] if k < len(layers) else {})
            if k and transposed and rbm.fresh:
                own["initialise"] = own.get("initialise", not transpose(dbn.machines[k - 1], rbm, here.child("turn")))
            folder = None if out is None else Path(out) / f"layer-{k + 1}"
            if folder is not None and (folder / CONFIG).exists():
                shown = {key: own[key] for key in ("progress", "device") if key in own}
                model, history = resume(folder, data=cases, validation=valid, **shown)
                assert isinstance(model, RBM)
                if model.config() != rbm.config():
                    raise ValueError(f"{folder} holds the run of {model!r}, expected {rbm!r}: choose another out")
                dbn.rbms[k] = rbm = model
            else:
                if folder is not None:
                    folder.parent.mkdir(parents=True, exist_ok=True)
                history = fit(rbm, cases, validation=valid, seed=here.child("fit"), out=folder, **own)
            histories.append(history)
        if k + 1 < len(machines):
            cases = hidden_cases(rbm, cases, here.child("train"), every_epoch=True)
            valid = None if valid is None else hidden_cases(rbm, valid, here.child("valid"), every_epoch=False)
    return histories


@torch.no_grad()
def hidden_cases(rbm: RBM, cases: Cases, stream: Stream, *, every_epoch: bool) -> Cases:
    """Cases of the hidden layer: draws from p(h | v) for every case v, anew in every epoch or once for all.

    The means are stored, (n, n_hidden) floats, and drawn from batch by batch.
    """
    chunks = cases.chunks(1024, dtype=rbm.dtype, device=rbm.device)
    means = torch.cat([rbm.hidden_mean(v).cpu() for _, v in chunks])
    kind = "dynamic" if every_epoch else "fixed"
    return Cases(means.numpy(), binarization=kind, sampler=Sampler(stream, every_epoch))  # type: ignore[arg-type]


@torch.no_grad()
def transpose(below: RBM, above: RBM, stream: Stream) -> bool:
    """Start ``above`` as ``below`` turned over; True where it could (Hinton, Osindero & Teh 2006, section 4).

    The first hidden units of ``above`` become the visible units of ``below``, and any more stay as they are, small and
    at rest: they scale the distribution of h by next to nothing, so that the DBN of both is the RBM below.  Persistent
    chains go along.  It cannot where ``above`` has fewer hidden units than ``below`` has visible ones, or other types.
    """
    n = below.visible.size
    if type(below.visible) is not Bernoulli or type(above.hidden) is not Bernoulli or above.hidden.size < n:
        return False
    above.weights[:, :n] = below.weights.mT
    above.hidden_bias[:n] = below.visible_bias
    above.visible_bias.copy_(below.hidden_bias)
    above.chains = None if below.chains is None else below.sample_hidden(below.chains, stream)
    return True
