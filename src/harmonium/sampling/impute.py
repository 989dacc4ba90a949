"""Imputation: draws of missing values given the observed ones."""

from __future__ import annotations

import copy
import hashlib
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.core.checks import check_flag, check_int
from harmonium.core.errors import DivergedError
from harmonium.core.progress import Progress, showing, steps
from harmonium.core.random import Stream, stream_of
from harmonium.models.arrays import Array, as_matrix, as_raw
from harmonium.models.directed import Directed
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.models.machine.rbm import RBM
from harmonium.models.model import Model
from harmonium.sampling.path import Path

__all__ = ["conditional_means", "fill_missing", "impute", "pass_up_and_down", "predict_gaps"]


_TOO_FAR = 1000.0  # standard deviations
_LEAST_VARIANCE = 1e-3  # of constant columns, about the least of `Gaussian` units


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

    What a case gets depends on its own values, the model and the seed, not on the cases beside it or on their order:
    its random numbers are found by its content.  Equal cases are numbered, so that their draws are independent; their
    conditional means are equal.  On the CPU chains run in double precision, because rounding depends on the batch.

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
        DivergedError: for fills that are not finite, or thousands of standard deviations from the data of training.

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
    sweeps, samples, mean = check_int("sweeps", sweeps), check_int("samples", samples), check_flag("mean", mean)
    encoded = units.encode(x, "v")
    check_observed(model, encoded, "v")
    if not bool(torch.isnan(encoded).any()):
        return x if samples == 1 or mean else x.expand(samples, *x.shape).clone()
    cursor = stream_of(seed, "impute").child("sweeps")
    stream = Stream(cursor.seed, *cursor.path, first=_numbers_by_content(x, samples, distinct=not mean))
    exact = _in_double(model)
    encoded = encoded.to(exact.dtype)
    with showing(progress):
        if mean:
            filled = conditional_means(exact, encoded, stream, sweeps, samples)
        else:
            rows = encoded.repeat(samples, 1)
            if isinstance(exact, Machine):
                filled = fill_missing(exact, rows, stream, sweeps)
            else:
                assert isinstance(exact, Directed)
                observed = ~torch.isnan(rows)
                filled = exact.draw(len(rows), stream, (observed, torch.where(observed, rows, 0.0)))
    _check_filled(model, filled, encoded)
    out = units.decode(filled.to(model.dtype))
    return out if samples == 1 or mean else out.view(samples, *x.shape)


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
        raise TypeError(
            f"predict_gaps takes a model that is an RBM, found {type(model).__name__}: use harmonium.impute for others"
        )
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


def _numbers_by_content(x: Tensor, samples: int, distinct: bool) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A number of 32 bits for each sample of each case, (samples * batch,), by its values and where they are missing.

    Args:
        x: raw cases (batch, n_visible); NaN is missing.
        samples: number of samples.
        distinct: whether equal cases get different numbers, in their order.
    """
    values = x.detach().cpu().double().numpy() + 0.0  # 0 and -0 are equal
    values[np.isnan(values)] = np.nan  # of one writing
    seen: Counter[bytes] = Counter()
    numbers = np.empty((samples, len(values)), np.int64)
    for i, row in enumerate(values):
        content = row.tobytes()
        again = seen[content] if distinct else 0
        seen[content] += 1
        for k in range(samples):
            digest = hashlib.blake2b(content, digest_size=4, salt=struct.pack("<QQ", again, k)).digest()
            numbers[k, i] = int.from_bytes(digest, "little")
    return numbers.reshape(-1)


def _in_double(model: Model) -> Model:
    """A copy in double precision on the CPU, in which sums do not depend on the number of cases beside one."""
    if model.device.type != "cpu" or model.dtype == torch.float64:
        return model
    return copy.deepcopy(model).double()


def _check_filled(model: Model, filled: Tensor, encoded: Tensor) -> None:
    """Raise `DivergedError` for fills that are not finite, or absurdly far from the data of training."""
    bad = ~torch.isfinite(filled)
    if model.data_mean is not None and model.data_variance is not None:
        mean, variance = model.data_mean.to(filled), model.data_variance.to(filled)
        far = ((filled - mean) / variance.clamp(min=_LEAST_VARIANCE).sqrt()).abs()
        seen = (~torch.isnan(encoded)).repeat(len(filled) // len(encoded), 1)
        outlying = torch.where(seen, far, 0.0).amax(-1, keepdim=True)  # what is far given far values is no accident
        bad |= ~seen & (far > _TOO_FAR * outlying.clamp(min=1.0))
    if bool(bad.any()):
        row, unit = (int(index) for index in bad.nonzero()[0])
        column = int(model.visible.variable_of_column()[unit])
        raise DivergedError(
            f"row {row % len(encoded)}, column {column} would be filled with {float(filled[row, unit]):g}, far from "
            "the data of training: the model has diverged. Train it again on real columns of mean 0 and variance 1, or "
            "with a lower learning rate"
        )


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
