"""Before the first update: the data are checked, the base rate stored, a fresh model initialised."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from harmonium.core.rows import some_rows
from harmonium.data import Cases
from harmonium.data.split import hold_out
from harmonium.models.arrays import Array, as_weights, check_columns, checked_chunks
from harmonium.models.model import Model
from harmonium.sampling.impute import check_observed
from harmonium.training.callbacks import Callback
from harmonium.training.loop import Training
from harmonium.training.plan import Plan

__all__ = ["prepare", "with_weight"]

_PASS_BYTES = 2**19  # of a chunk in the pass over the data: the arrays made of it stay next to the processor


def prepare(
    model: Model,
    cases: Cases,
    validation: Cases | None,
    sample_weight: Array | None,
    plan: Plan,
    callbacks: Sequence[Callback],
    initialise: bool | None,
) -> Training:
    """Check the data, store the base rate, initialise a fresh model, and set up the `Training`."""
    for name, split in (("data", cases), ("validation", validation)):
        if split is not None:
            check_columns(split, model.visible, name)
    cases, weight = with_weight(cases, sample_weight)
    if plan.missing is not None:
        plan.missing.check(model, plan.objective)
    mean, variance = _moments(model, cases, weight, "data", plan.missing is not None)
    if validation is not None and plan.missing is None:
        for _ in checked_chunks(validation, model.visible, "validation", model.dtype):
            pass
    elif validation is not None:
        for start, v in validation.chunks(1024, dtype=model.dtype):
            row = partial(validation.row_name, start=start)
            check_observed(model, model.visible.encode(v, "validation", row), "validation", row)
    advice = model.advice(mean, variance)
    if advice is not None:
        warnings.warn(f"data: {advice}", UserWarning, stacklevel=3)
    if model.visible.conditions_on_total:
        model.visible.set_totals(torch.cat([v.sum(-1) for _, v in cases.chunks(1024, dtype=torch.float64)]), weight)
    model.data_mean, model.data_variance = mean.to(model.device), variance.to(model.device)
    parts = hold_out(len(cases), plan.seed.child("hold out")) if plan.hold_out and validation is None else None
    aside_weight: Tensor | None = None
    if parts is not None:
        train, aside = parts
        cases, validation = cases.select(train), cases.select(aside)
        if weight is not None:
            weight, aside_weight = weight[train], weight[aside]
        # Means that know the cases held out score better on them, of rare values above all.
        found = _moments(model, cases, weight, "data", plan.missing is not None, (mean, variance))
        model.data_mean, model.data_variance = (each.to(model.device) for each in found)
    counted = len(cases) if weight is None else float(weight.sum() ** 2 / (weight**2).sum())
    model.data_cases = torch.tensor(float(counted), dtype=torch.float64)
    if plan.most is not None and plan.most < len(cases):
        part = some_rows(len(cases), plan.most)
        cases, weight = cases.select(part.numpy()), None if weight is None else weight[part]
    fresh = model.is_untrained if initialise is None else initialise
    if fresh:
        model.initialise_from_data(plan.seed.child("fit", "initialise"))
    if weight is not None:  # relative to their mean, before float32 could lose them
        weight = (weight / weight.mean()).clamp(min=1e-30).to(model.device, model.dtype)
    return Training(
        model, cases, weight, plan, list(callbacks), validation, fresh=fresh, validation_weight=aside_weight
    )


def with_weight(cases: Cases, sample_weight: Array | None) -> tuple[Cases, Tensor | None]:
    """The cases whose weight is not zero, and their weights (cases,), float64; None: all weigh the same.

    Raises:
        ValueError: for another number of weights, or weights that are no weights.
    """
    if sample_weight is None:
        return cases, None
    weight = as_weights(sample_weight, len(cases))
    keep = (weight > 0).nonzero().squeeze(-1)
    return (cases, weight) if len(keep) == len(weight) else (cases.select(keep.numpy()), weight[keep])


def _refuse_gaps(model: Model, v: Tensor, name: str, row: Callable[[int], str]) -> None:
    gaps = torch.isnan(v)
    if model.takes_gaps and bool(gaps.any()):
        first, unit = (int(i) for i in gaps.nonzero()[0])
        column = int(model.visible.variable_of_column()[unit])
        raise ValueError(
            f"{name} is not finite (NaN) in {row(first)}, column {column}: pass missing='draw' to have missing values "
            "drawn in training (or 'sum', if only classes are missing), or remove or impute them first"
        )


def _moments(
    model: Model,
    cases: Cases,
    weight: Tensor | None,
    name: str,
    missing: bool,
    otherwise: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean and variance of the observed values of every column, in one pass that also checks the domain, float64.

    Columns without any, or with a single one, have those of ``otherwise``; without it, the first are refused.
    """
    total = torch.zeros(model.visible.size, dtype=torch.float64)
    square, mass = torch.zeros_like(total), torch.zeros_like(total)
    shift: Tensor | None = None
    for start, v in cases.chunks(max(1, _PASS_BYTES // (8 * model.visible.size)), dtype=torch.float64):
        row = partial(cases.row_name, start=start)
        v = model.visible.encode(v, name, row).double()
        observed = ~torch.isnan(v) if missing else torch.ones((), dtype=torch.bool)
        if missing:
            check_observed(model, v, name, row)
            if not bool(observed.any(-1).all()):
                nothing = row(int((~observed.any(-1)).nonzero()[0]))
                raise ValueError(f"{name} has no observed value in {nothing}: drop such rows")
            v = torch.where(observed, v, 0.0)
        else:
            _refuse_gaps(model, v, name, row)
            model.visible.check(v, name, row)
        shift = v[0].clone() if shift is None else shift  # against cancellation where means are large
        centred = torch.where(observed, v - shift, 0.0) if missing else v - shift
        w = torch.ones(len(v), dtype=torch.float64) if weight is None else weight[start : start + len(v)].double()
        total += w @ centred
        square += w @ (centred * centred)
        mass += w @ observed.double() if missing else w.sum()
    empty = mass == 0
    if bool(empty.any()) and otherwise is None:
        column = int(model.visible.variable_of_column()[empty.nonzero()[0]])
        raise ValueError(f"{name} has no observed value in column {column}: drop it")
    assert shift is not None
    mean = total / mass
    found = mean + shift, (square / mass - mean * mean).clamp(min=0.0)
    if otherwise is None:
        return found
    constant = empty | (found[1] == 0)
    mean, variance = (torch.where(constant, theirs, own) for own, theirs in zip(found, otherwise, strict=True))
    return mean, variance
