"""Greedy layer-wise training of deep belief networks and deep Boltzmann machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from harmonium.core.checks import check_int, check_options, check_path
from harmonium.core.random import Stream, as_stream
from harmonium.data import Cases, as_cases
from harmonium.data.binarize import Sampler
from harmonium.models.arrays import Array, checked_chunks
from harmonium.models.deep.dbm_pretraining import compose, layer_machines
from harmonium.models.deep.dbn import DBN
from harmonium.models.machine.dbm import DBM
from harmonium.models.machine.machine import Machine
from harmonium.models.machine.rbm import RBM
from harmonium.models.model import as_model
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
    """Train the layers of a DBN or DBM from the bottom up, each with `harmonium.fit` on samples of the layer below.

    For DBNs see Hinton, Osindero & Teh (2006, section 4), for DBMs Salakhutdinov & Hinton (2009, section 3).

    Machine k + 1 learns from samples of h_k given the cases, drawn again in every epoch (if the cases themselves are
    drawn, "dynamic", given those of epoch 0). Each added machine can raise the variational bound if it starts no worse
    than the model below. With ``transposed`` it starts with the transposed weights of the machine below if it has
    enough hidden units; its visible units then have the same distribution as the hidden units below.

    The machines of a DBM take doubled inputs if their layer will have only one neighbour, and finally become the
    weights and biases of the DBM (see `harmonium.models.deep.dbm_pretraining`). Then train its layers together with
    `harmonium.fit`. With two hidden layers and ``transposed``, the DBM starts as an exact copy of the first machine's
    distribution.

    Args:
        model: the model, trained in place. Separate recognition weights of a DBN are dropped (tied again).
        data: training cases, (n, n_visible); binary for a DBM.
        validation: cases for monitors, (m, n_visible); for machines above the first, samples of h_k are drawn once.
        layers: options of `harmonium.fit` for single machines, from the bottom up; they override ``options``.
        transposed: start each machine above the first with the transposed weights of the one below (see `transpose`).
        skip: number of machines at the bottom of a DBN that are trained already and stay as they are.
        seed: an int or a stream.
        out: a folder; machine k is a run in ``out/layer-k``. A second call resumes where the first stopped, with the
            options of the first.
        **options: options of `harmonium.fit` for every machine: objective, epochs, learning_rate, ...

    Returns:
        One `History` per trained machine.

    Raises:
        ValueError: as `harmonium.fit`; if ``layers`` has more entries than the model has machines; if ``out`` belongs
            to other machines or data; if a layer of a DBM is not Bernoulli.

    >>> import harmonium as hm
    >>> dbn, data = hm.DBN([16, 8, 16]), hm.data.load("bars-and-stripes")
    >>> [len(history.rows) for history in hm.greedy(dbn, data.train, epochs=2)]
    [2, 2]
    """
    if not isinstance(as_model(model, "greedy"), (DBN, DBM)):
        raise TypeError(
            f"greedy trains a model that is a DBN or a DBM, found {type(model).__name__}: harmonium.fit trains it"
        )
    if not isinstance(layers, (list, tuple)):
        raise TypeError(f"layers must be a list with options for every layer, found {layers!r}")
    for chosen in layers:
        check_options("an entry of layers", chosen)
    check_path("out", out)
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
            "greedy does not take missing values: fill them first, for instance with harmonium.impute and a trained "
            "machine, and leave out the option missing"
        )
    skip = check_int("skip", skip, least=0, most=len(machines))
    if isinstance(model, DBM) and skip:
        raise ValueError("skip is for DBNs: a DBM does not store its machines; pass out=... to resume")
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
    """Run `harmonium.fit`, or `harmonium.resume` if the folder contains the run already.

    Args:
        machine: the machine to train.
        cases: training cases.
        folder: folder of the run; None for a run without files.
        validation: cases for monitors.
        **options: options of `harmonium.fit`; a resumed run takes only ``progress`` and ``device`` of them.

    Returns:
        The trained machine and its history.

    Raises:
        ValueError: if the folder contains the run of another machine.
    """
    if folder is None or not (folder / CONFIG).exists():
        if folder is not None:
            folder.parent.mkdir(parents=True, exist_ok=True)
        return machine, fit(machine, cases, validation=validation, out=folder, **options)
    shown = {key: options[key] for key in ("progress", "device") if key in options}
    found, history = resume(folder, data=cases, validation=validation, **shown)
    if not isinstance(found, type(machine)) or found.config() != machine.config():
        raise ValueError(f"out: {folder} contains the run of {found!r}, expected {machine!r}; choose another folder")
    return found, history


def _doubled(dbm: DBM, cases: Cases, name: str) -> Cases:
    """Two copies of each binary case, for the machine with two tied copies of the visible layer."""
    for _ in checked_chunks(cases, dbm.visible, name, dbm.dtype):
        pass
    return cases.copies(2)


@torch.no_grad()
def hidden_cases(rbm: RBM, cases: Cases, stream: Stream, *, every_epoch: bool) -> Cases:
    """Cases of the hidden layer: samples of p(h | v) for every case v.

    Only the means are stored, (n, n_hidden) floats; batches are sampled when they are read.

    Args:
        rbm: the trained machine.
        cases: its cases v.
        stream: random numbers of the samples.
        every_epoch: draw new samples in every epoch instead of once.

    Returns:
        The cases, binarised "dynamic" or "fixed".
    """
    chunks = cases.chunks(1024, dtype=rbm.dtype, device=rbm.device)
    means = torch.cat([rbm.hidden_mean(v).cpu() for _, v in chunks])
    kind = "dynamic" if every_epoch else "fixed"
    return Cases(means.numpy(), binarization=kind, sampler=Sampler(stream, every_epoch))  # type: ignore[arg-type]


@torch.no_grad()
def transpose(below: RBM, above: RBM, stream: Stream) -> bool:
    """Initialise ``above`` with the transposed weights of ``below`` (Hinton, Osindero & Teh 2006, section 4).

    The first hidden units of ``above`` become the visible units of ``below``. Any further hidden units keep their small
    weights, which hardly change the distribution of h, so the DBN of both is the RBM below. The persistent chains are
    transferred as well.

    Args:
        below: the trained machine.
        above: the machine to initialise, in place.
        stream: random numbers for the chains.

    Returns:
        Whether it was possible: False if ``above`` has fewer hidden units than ``below`` has visible ones, or if the
        types of the layers do not match.
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
