"""Greedy layer-wise training of a deep belief network (Hinton, Osindero & Teh 2006, section 4) or of a deep Boltzmann
machine (Salakhutdinov & Hinton 2009, section 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from harmonium.core.checks import check_int
from harmonium.core.random import Stream, as_stream
from harmonium.data import Cases, as_cases
from harmonium.data.binarize import Sampler
from harmonium.models.arrays import Array
from harmonium.models.deep.dbm_pretraining import compose, layer_machines
from harmonium.models.deep.dbn import DBN
from harmonium.models.machine.dbm import DBM
from harmonium.models.machine.machine import Machine
from harmonium.models.machine.rbm import RBM
from harmonium.runs.fit import fit
from harmonium.runs.names import CONFIG
from harmonium.runs.resume import resume
from harmonium.training.history import History
from harmonium.units import Bernoulli, Binomial

__all__ = ["fit_or_resume", "greedy", "hidden_cases", "transpose"]

M = TypeVar("M", bound=Machine)


def greedy(
    model: DBN | DBM,
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
    """Train the layers of a DBN or DBM from the bottom up, each by `harmonium.fit` on what is below it.

    Machine k + 1 learns from samples of h_k given the case, drawn anew in every epoch; given cases that are themselves
    drawn anew ("dynamic"), those of epoch 0 stand for all.  Each machine that is added can raise the variational bound
    of the one below, provided that it starts no worse: with ``transposed``, it starts as the one below turned over,
    whose visible units have the very distribution of its hidden ones, wherever it has hidden units enough.

    The machines of a DBM take doubled inputs where a layer will have only one neighbour, and become its weights and
    biases in the end (see `harmonium.models.deep.dbm_pretraining`); then train its layers together with
    `harmonium.fit`.  With two hidden layers and ``transposed``, it starts as an exact model of what the first machine
    has learned.

    Args:
        model: trained in place.  Recognition parameters of a DBN's own are given up: they are tied again.
        data: training cases, (n, n_visible); of a DBM binary.
        validation: cases for monitors, (m, n_visible); machines above the first see samples of h_k drawn once.
        layers: options of `harmonium.fit` for single machines, by number from the bottom up; they override ``options``.
        transposed: whether machines above the first start from the one below turned over (see `transpose`).
        skip: so many machines at the bottom of a DBN are trained already, and are left as they are.
        seed: an int or a stream.
        out: a folder; machine k is a run in ``out/layer-k``.  Called again, it goes on where it stopped, with the
            options of the first call.
        **options: passed to `harmonium.fit` for every machine: objective, epochs, learning_rate, ...

    Returns:
        one `History` per trained machine.

    Raises:
        ValueError: as `harmonium.fit`; for more ``layers`` than machines; for an ``out`` of other machines or data; for
            a DBM with a layer that is not Bernoulli.

    >>> import harmonium as hm
    >>> dbn, data = hm.DBN([16, 8, 16]), hm.data.load("bars-and-stripes")
    >>> [len(history.rows) for history in hm.greedy(dbn, data.train, epochs=2)]
    [2, 2]
    """
    stream = as_stream(seed).child("greedy")
    cases, valid = as_cases(data), None if validation is None else as_cases(validation, "validation")
    if isinstance(model, DBM):
        model.refuse_batched("greedy")
        machines = layer_machines(model, stream)
        cases = _doubled(model, cases, "data")
        valid = None if valid is None else _doubled(model, valid, "validation")
    else:
        machines = model.machines
    if len(layers) > len(machines):
        raise ValueError(f"layers has options for {len(layers)} machines, the model has {len(machines)}")
    if any(chosen.get("missing") for chosen in (options, *layers)):
        raise ValueError(
            "greedy takes complete cases: what is missing would have to be drawn anew for every layer; fill the gaps "
            "with harmonium.impute of a trained machine first"
        )
    skip = check_int("skip", skip, least=0, most=len(machines))
    if isinstance(model, DBM) and skip:
        raise ValueError("skip is for the machines of a DBN; a DBM keeps none: go on where it stopped with out=...")
    if isinstance(model, DBN):
        model.recognition = None
    histories = []
    for k in range(len(machines)):
        rbm, here = machines[k], stream.child(k)
        if k >= skip:
            own = options | dict(layers[k] if k < len(layers) else {})
            if k and transposed and rbm.is_untrained:
                own["initialise"] = own.get("initialise", not transpose(machines[k - 1], rbm, here.child("turn")))
            folder = None if out is None else Path(out) / f"layer-{k + 1}"
            rbm, history = fit_or_resume(rbm, cases, folder, validation=valid, seed=here.child("fit"), **own)
            machines[k] = rbm
            if isinstance(model, DBN):
                model.rbms[k] = rbm
            histories.append(history)
        if k + 1 < len(machines):
            cases = hidden_cases(rbm, cases, here.child("train"), every_epoch=True)
            valid = None if valid is None else hidden_cases(rbm, valid, here.child("valid"), every_epoch=False)
    if isinstance(model, DBM):
        compose(model, machines)
    return histories


def fit_or_resume(
    machine: M, cases: Cases, folder: Path | None, *, validation: Cases | None, **options: Any
) -> tuple[M, History]:
    """`harmonium.fit`, or `harmonium.resume` where the folder holds its run already: the machine that was trained.

    Raises:
        ValueError: where the run is that of another machine.
    """
    if folder is None or not (folder / CONFIG).exists():
        if folder is not None:
            folder.parent.mkdir(parents=True, exist_ok=True)
        return machine, fit(machine, cases, validation=validation, out=folder, **options)
    shown = {key: options[key] for key in ("progress", "device") if key in options}
    found, history = resume(folder, data=cases, validation=validation, **shown)
    if not isinstance(found, type(machine)) or found.config() != machine.config():
        raise ValueError(f"{folder} holds the run of {found!r}, expected {machine!r}: choose another out")
    return found, history


def _doubled(dbm: DBM, cases: Cases, name: str) -> Cases:
    """Two copies of each case, for the machine with two tied copies of the visible layer; refused unless binary."""
    for start, v in cases.chunks(1024, dtype=dbm.dtype):
        dbm.visible.check(v, f"{name} (rows from {start})" if start else name)
    return cases.copies(2)


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
    n, kinds = below.visible.size, (Bernoulli, Binomial)  # layers whose only parameter is one bias per unit
    alike = type(below.visible) is type(above.hidden) in kinds and below.visible.constant == above.hidden.constant
    if not alike or type(below.hidden) is not type(above.visible) or above.hidden.size < n:
        return False
    above.weights[:, :n] = below.weights.mT
    above.hidden_bias[:n] = below.visible_bias
    above.visible_bias.copy_(below.hidden_bias)
    above.chains = None if below.chains is None else below.sample_hidden(below.chains, stream)
    return True
