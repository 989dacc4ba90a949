"""Imputation: draws of missing values given the observed ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from harmonium.core.checks import check_int
from harmonium.core.progress import Progress, showing, steps
from harmonium.core.random import Stream, stream_of
from harmonium.models.arrays import Array, as_matrix, as_raw
from harmonium.models.directed import Directed
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.models.machine.rbm import RBM
from harmonium.models.model import Model
from harmonium.sampling.path import Path

__all__ = ["conditional_means", "fill_missing", "impute", "pass_up_and_down", "predict_gaps"]


@torch.no_grad()
def fill_missing(model: Machine, v: Tensor, stream: Stream, sweeps: int) -> Tensor:
    """Replace NaN in encoded states (batch, size) by draws given the rest: ``sweeps`` Gibbs sweeps from the base rate.

    A row without any observed value becomes a sample of the model.
    """
    missing = torch.isnan(v)
    if not bool(missing.any()):
        return v
    start = Path(model).start(len(v), stream.advance())[0]
    assert start is not None
    filled = torch.where(missing, start, v)
    out = model.sweep(model.state_from_visible(filled, stream), stream, sweeps, clamp=(~missing, filled))[0]
    assert out is not None
    return out


@torch.no_grad()
def _machine_means(model: Machine, v: Tensor, stream: Stream, sweeps: int, chains: int = 1) -> Tensor:
    """Expectations of encoded states (batch, size) given those that are not NaN, which stay as they are.

    The mean over the second half of the sweeps, and over the chains of each case, of the expectation given all other
    units of each state: less noisy than a mean of draws (Rao-Blackwell).
    """
    missing = torch.isnan(v).repeat(chains, 1)
    start = Path(model).start(len(missing), stream.advance())[0]
    assert start is not None
    x = torch.where(missing, start, v.repeat(chains, 1))
    clamp = (~missing, x)
    state = model.sweep(model.state_from_visible(x, stream), stream, sweeps - sweeps // 2, clamp=clamp)
    total = torch.zeros_like(x)
    for _ in steps(range(max(1, sweeps // 2)), "sweep"):
        state = model.sweep(state, stream, 1, clamp=clamp)
        total += model.visible.mean(model.inputs(0, state))
    mean = total.view(chains, *v.shape).mean(0) / max(1, sweeps // 2)
    return torch.where(torch.isnan(v), mean, v)


@torch.no_grad()
def impute(
    model: Model,
    v: Array,
    missing: Array | None = None,
    *,
    sweeps: int = 200,
    samples: int = 1,
    mean: bool = False,
    seed: int | Stream = 0,
    progress: Progress = "auto",
) -> Tensor:
    """Draw missing values from the model given the observed ones, or compute their conditional means.

    Args:
        model: a machine, or a directed model that draws given any units, such as an `OrderlessNADE`.
        v: cases (batch, n_visible); NaN is missing.
        missing: further values that are missing, bool, the shape of v.
        sweeps: Gibbs sweeps with the observed values clamped; directed models need none.
        samples: number of independent imputations: their mean estimates the conditional expectation, their spread the
            uncertainty.
        mean: return conditional means in the place of draws, over ``samples`` chains of a machine: of real and binary
            units their expectation, of `Categorical` units the most probable state.
        seed: an int or a stream.
        progress: whether to show a progress bar.  "auto": in terminals and notebooks, after two seconds.

    Returns:
        the cases with their gaps filled, (batch, n_visible); (samples, batch, n_visible) with more than one draw.

    Raises:
        TypeError: for a model that cannot impute.
        ValueError: for another width, observed values outside the domain, or numbers out of range.

    >>> import harmonium as hm
    >>> impute(hm.RBM(3, 2), [[0, float("nan"), 1]]).shape
    torch.Size([1, 3])
    """
    if not isinstance(model, Directed):
        as_machine(model, "impute")
    units, x = model.visible, _cases(model, v, "impute")
    if missing is not None:
        mask = as_matrix(missing, "missing", model.dtype, model.device) != 0
        mask = mask.flatten(1) if mask.dim() > 2 else mask
        if mask.shape != x.shape:
            raise ValueError(f"missing has shape {tuple(mask.shape)}; expected that of v, {tuple(x.shape)}")
        x = torch.where(mask, torch.nan, x)
    sweeps, samples = check_int("sweeps", sweeps), check_int("samples", samples)
    encoded = units.encode(x, "v")
    check_observed(model, encoded, "v")
    rows = encoded.repeat(samples, 1)
    stream = stream_of(seed, "impute").child("sweeps")
    with showing(progress):
        if mean:
            return units.decode(conditional_means(model, encoded, stream, sweeps, samples))
        if isinstance(model, Machine):
            out = units.decode(fill_missing(model, rows, stream, sweeps))
        else:
            assert isinstance(model, Directed)
            observed = ~torch.isnan(rows)
            out = units.decode(model.draw(len(rows), stream, (observed, torch.where(observed, rows, 0.0))))
    return out if samples == 1 else out.view(samples, *x.shape)


@torch.no_grad()
def predict_gaps(model: RBM, v: Array) -> Tensor:
    """Predict missing values in one pass from the observed ones to the hidden units and back.

    The hidden units see the observed values alone, and their means predict the missing ones (Salakhutdinov, Mnih &
    Hinton 2007).  It is for a machine trained with ``fit(missing="omit")``, from which missing units are left out;
    `impute` predicts from one in which all units take part.

    Args:
        model: an RBM.
        v: cases (batch, n_visible); NaN is missing.

    Returns:
        the encoded cases, (batch, size), with the mean of every unit that is missing.  Of a `Categorical` variable
        these are the probabilities of its states: with ratings 1 ... 5 of n items, ``found.view(-1, n, 5) @ stars``.

    Raises:
        TypeError: for another model.
        ValueError: for another width, or observed values outside the domain.

    >>> import harmonium as hm
    >>> predict_gaps(hm.RBM(hm.Categorical(2, 5), 3), [[4, float("nan")]]).shape
    torch.Size([1, 10])
    """
    if not isinstance(model, RBM):
        raise TypeError(f"predict_gaps takes an RBM, found {type(model).__name__}: use harmonium.impute")
    encoded = model.visible.encode(_cases(model, v, "predict_gaps"), "v")
    check_observed(model, encoded, "v")
    return torch.where(torch.isnan(encoded), pass_up_and_down(model, encoded), encoded)


@torch.no_grad()
def pass_up_and_down(model: RBM, v: Tensor) -> Tensor:
    """Means of all visible units (batch, size) given the means of the hidden ones, from which NaN of v are left out."""
    return model.visible_mean(model.hidden.mean(model.inputs(1, (v.nan_to_num(0.0), None))))


@torch.no_grad()
def conditional_means(model: Model, v: Tensor, stream: Stream, sweeps: int, samples: int) -> Tensor:
    """Replace NaN in encoded states (batch, size) by estimates of their expectations given the rest.

    Args:
        model: a machine, or a directed model that draws given any units.
        v: encoded states.
        stream: of chains or draws.
        sweeps: of every chain of a machine.
        samples: chains or draws of every case.
    """
    if isinstance(model, Machine):
        return _machine_means(model, v, stream, sweeps, samples)
    assert isinstance(model, Directed)
    rows = v.repeat(samples, 1)
    observed = ~torch.isnan(rows)
    drawn: Tensor = model.draw(len(rows), stream, (observed, torch.where(observed, rows, 0.0)))
    return torch.where(torch.isnan(v), drawn.view(samples, *v.shape).mean(0), v)


def _cases(model: Model, v: Array, what: str) -> Tensor:
    """Raw cases (batch, n_visible), of a model whose values can be missing one by one."""
    model.refuse_batched(what)
    model.visible.require_independent_columns(what)
    return as_raw(v, model, "v")


def check_observed(model: Model, v: Tensor, name: str, row: Callable[[int], str] = "row {}".format) -> None:
    """Check the domain of all encoded values that are not missing; ``name`` and ``row`` as in `Units.check`."""
    units = model.visible
    neutral = units.mode(torch.zeros(1, units.size, dtype=model.dtype, device=v.device)).to(v.dtype)
    units.check(torch.where(torch.isnan(v), neutral, v), name, row)
