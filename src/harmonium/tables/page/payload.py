"""What the script of the page reads: columns, rows of both kinds, and the model where the page can run it."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
import torch

from harmonium.core.rows import some_rows
from harmonium.data.codecs.categories import Categories
from harmonium.data.codecs.codec import Array, Codec
from harmonium.data.codecs.dates import Dates
from harmonium.data.codecs.numbers import Cells, Numbers
from harmonium.models.autoregressive.copula import CopulaNetwork
from harmonium.models.autoregressive.observed_mask import linears
from harmonium.models.autoregressive.orderless import OrderlessNADE
from harmonium.models.baselines.mixture import BernoulliMixture
from harmonium.models.conditionals import UnitConditional
from harmonium.models.machine.machine import Machine
from harmonium.report.live import NotPlayableError, machine_spec
from harmonium.report.payload import Floats, element
from harmonium.tables.page.columns import MOST_SEARCHED
from harmonium.tables.page.gathered import PageInput
from harmonium.tables.page.views import View, label_text

__all__ = ["NotPlayableError", "answering", "payload"]

ROWS = 1000  # of either kind, for pairs of columns
MOST_CELLS = 120_000  # of either kind: fewer rows where tables are wide
MOST_FLOATS = 4_000_000  # 11 MB of page
MANY = 150_000  # numbers, which are then float16
STARTS = 48  # states in which chains begin
MOST_PAIRED = 60  # columns among which the first pair is chosen
MOST_COARSE = 8
SAME = 0.75  # of the entropy of a column that another one knows, from which on they are the same


def payload(page: PageInput) -> tuple[str, str]:
    """Write the elements that the script reads.

    Returns:
        the elements, and why the page does not run the model, "" if it does.
    """
    model, why = page.table.model, ""
    count = sum(parameter.numel() for parameter in model.parameters())
    floats = Floats(half=count > MANY)
    spec: dict[str, Any] | None = None
    try:
        if count > MOST_FLOATS:
            raise NotPlayableError(f"the model has {count:,} parameters, and a page holds at most {MOST_FLOATS:,}")
        spec = answering(model, floats, page)
    except NotPlayableError as error:
        floats, why = Floats(), str(error)
    content = {
        "columns": [_column(page, place, view) for place, view in enumerate(page.views)],
        "states": page.table.codec.states,
        "model": spec,
        "pair": _first_pair(page),
        "rows": {"real": _rows(page, page.shown), "sampled": _rows(page, page.drawn)},
    }
    return f"{element('table', content)}\n{floats.element()}", why


@singledispatch
def answering(model: Any, floats: Floats, page: PageInput) -> dict[str, Any]:
    """Describe a model so that the page can say what follows from some columns; its numbers go to ``floats``.

    Raises:
        NotPlayableError: for a model that the page does not run.
    """
    raise NotPlayableError(
        f"a {type(model).__name__} says what follows from some columns only by drawing many rows; "
        "TableModel.conditional does so"
    )


@answering.register
def _(model: OrderlessNADE, floats: Floats, page: PageInput) -> dict[str, Any]:
    network = model.network
    if not isinstance(network, CopulaNetwork) or not isinstance(model.outputs, UnitConditional):
        raise NotPlayableError("the page runs networks on top of a Gaussian copula alone")
    (field,) = model.visible.natural()
    linear = linears(network.layers)
    first, last = network.weights_by_state()
    weights = [first, *(layer.weight for layer in linear[1:-1]), last]
    return {
        "kind": "CopulaNetwork",
        "layers": [
            {
                "rows": weight.shape[0], "columns": weight.shape[1], "weights": floats.add(weight.contiguous()),
                "bias": None if layer.bias is None else floats.add(layer.bias),
            }
            for layer, weight in zip(linear, weights, strict=True)
        ],
        "field": _numbers(field),
        "ordered": network.ordered,
        "scores": _numbers(network.of_unit.sum(1)),
        "covariance": network.covariance.flatten().tolist(),  # whole: differences of its entries matter
        "within": network.within.tolist(),
    }  # fmt: skip


@answering.register
def _(model: BernoulliMixture, floats: Floats, page: PageInput) -> dict[str, Any]:
    return {
        "kind": "Mixture",
        "weights": torch.log_softmax(model.logits.double(), 0).tolist(),
        "inputs": floats.add(model.inputs),
        "field": _numbers(model.units.natural()[0]),
    }


@answering.register
def _(model: Machine, floats: Floats, page: PageInput) -> dict[str, Any]:
    codec = page.table.codec
    some = some_rows(len(page.drawn), STARTS).numpy()
    states = np.nan_to_num(codec.encode(page.drawn.iloc[some])).astype(int)
    return {"kind": "Chains", "machine": machine_spec(model, floats), "starts": states.tolist()}


def _numbers(tensor: torch.Tensor) -> list[float]:
    return [float(f"{value:.7g}") for value in tensor.detach().double().flatten().tolist()]


# Columns ---------------------------------------------------------------------------------------------------------


def _column(page: PageInput, place: int, view: View) -> dict[str, Any]:
    own = page.table.codec.variables[place]
    codec = view.codec
    decimals = getattr(_cells(codec), "decimals", None)  # below 0 for whole tens
    entry: dict[str, Any] = {
        "name": label_text(view.name), "bars": list(view.bars), "edges": _rounded(view.edges), "log": view.log,
        "ordered": view.ordered, "dates": isinstance(codec, Dates), "missing": bool(codec.missing),
        "variables": [own.start, own.stop], "points": list(view.points), "ends": list(view.ends),
        "decimals": None if decimals is None else max(0, decimals), "labels": None, "cells": None,
    }  # fmt: skip
    entry["weights"] = [_sparse(row) for row in view.weights]
    if isinstance(codec, Categories):
        entry["options"] = [label_text(name) for name in codec.names()[: codec.own]] + (
            ["a rare label"] if codec.pooled else []
        )
        if len(codec.labels) > len(view.bars):
            entry["labels"] = _labels(page, place, codec)
    elif (cells := _cells(codec)) is not None:
        entry["cells"] = {
            "low": _rounded(cells.low), "high": _rounded(cells.high), "rate": _rounded(cells.rate), "log": cells.log,
        }  # fmt: skip
    return entry


def _cells(codec: Codec) -> Cells | None:
    return codec.cells if isinstance(codec, Numbers) else codec.days if isinstance(codec, Dates) else None


def _rounded(numbers: Array | None) -> list[float] | None:
    return None if numbers is None else [float(f"{value:.9g}") for value in numbers]


def _sparse(row: Array) -> list[float]:
    """Places and values of what is not 0, in turn."""
    return [number for place in np.flatnonzero(row) for number in (int(place), float(f"{row[place]:.6g}"))]


def _labels(page: PageInput, place: int, codec: Categories) -> list[list[Any]]:
    """All labels with their counts among real and sampled rows, most frequent first."""
    counts = [frame.iloc[:, place].astype(str).value_counts() for frame in (page.shown, page.drawn)]
    order = np.argsort(-codec.counts, kind="stable")[:MOST_SEARCHED]
    return [
        [label_text(codec.labels[k]), *(int(count.get(str(codec.labels[k]), 0)) for count in counts)] for k in order
    ]


# Rows ------------------------------------------------------------------------------------------------------------


def _rows(page: PageInput, frame: Any) -> list[list[float | None]]:
    """For each column the bars of some rows, or their numbers; None for empty cells."""
    some = some_rows(len(frame), min(ROWS, max(50, MOST_CELLS // len(page.views)))).numpy()
    return [_values(view, frame.iloc[some, place]) for place, view in enumerate(page.views)]


def _values(view: View, values: Any) -> list[float | None]:
    if not view.size:
        return []
    if view.edges is None:
        return [None if place < 0 else int(place) for place in view.place(values)]
    return [None if np.isnan(number) else float(f"{number:.6g}") for number in view.numbers(values)]


def _first_pair(page: PageInput) -> list[int]:
    """The two columns that depend most on each other in the real rows, by their mutual information."""
    shown = [place for place, view in enumerate(page.views) if view.size][:MOST_PAIRED]
    if len(shown) < 2:
        return []
    some = some_rows(len(page.shown), ROWS).numpy()
    codes = [_coarse(page.views[place], page.shown.iloc[some, place]) for place in shown]
    found = [(_dependence(codes[i], codes[j]), shown[j], shown[i]) for i in range(len(shown)) for j in range(i)]
    return list(max(found)[1:])


def _coarse(view: View, values: Any) -> Array:
    """A column as at most eight or so codes, so that counts of pairs are not all chance."""
    place = view.place(values)
    if view.size <= MOST_COARSE:
        return place + 1
    edges = np.unique(np.quantile(place, np.linspace(0, 1, MOST_COARSE)))
    return np.searchsorted(edges, place, side="right")


def _dependence(a: Array, b: Array) -> float:
    """The mutual information of two codes, in nats; 0 where they say the same thing twice."""
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1 / len(a))
    outer = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    there = joint > 0
    freedom = (there.any(1).sum() - 1) * (there.any(0).sum() - 1) / (2 * len(a))  # what chance alone would give
    found = float((joint[there] * np.log(joint[there] / outer[there])).sum())
    entropy = min(float(-(p[p > 0] * np.log(p[p > 0])).sum()) for p in (joint.sum(0), joint.sum(1)))
    return 0.0 if found > SAME * entropy else found - float(freedom)
