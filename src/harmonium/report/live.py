"""The model for the page's playground: its structure as JSON, its numbers as one array of float32."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor

from harmonium.core.registry import is_builtin
from harmonium.models.deep.dbn import DBN
from harmonium.models.machine.machine import Machine
from harmonium.report.inputs import ReportInput
from harmonium.report.payload import Floats, element
from harmonium.units import Bernoulli, Categorical, ReLU, Spin, Units

__all__ = ["NotPlayableError", "machine_spec", "payload", "played"]

MOST_FLOATS = 6_000_000  # 24 MB of numbers, 32 MB of page
SAMPLES, CASES = 24, 24  # chains begin there
MOST_START_FLOATS = 200_000  # of either
MOST_COLUMNS = 5_000  # of a table
MOST_BARS = 8  # of a column of labels


@cache
def played() -> tuple[str, ...]:
    """Names of the unit types that the page runs: those that ``assets/units.js`` exports."""
    text = (files("harmonium.report") / "assets" / "units.js").read_text(encoding="utf-8")
    found = re.search(r"export const KINDS = \{([^}]*)\}", text)
    assert found is not None
    return tuple(name.strip() for name in found.group(1).split(","))


class NotPlayableError(ValueError):
    """The page cannot run this model; the message says why."""


def payload(report: ReportInput, reference: Tensor | None = None) -> str:
    """Write the two script elements from which the page builds the model.

    Args:
        report: the input of the report.
        reference: free energies of the data, for a band beside those of the chain.

    Raises:
        NotPlayableError: for models without Gibbs sampling, unit types that the page does not know, and models that
            are too large for a page.
    """
    model, floats = report.model, Floats()
    if not isinstance(model, (Machine, DBN)):
        raise NotPlayableError(
            f"the playground is Gibbs sampling of machines; {type(model).__name__} is sampled from its roots; "
            "`harmonium sample` draws from it"
        )
    machines: list[Machine] = [*model.machines] if isinstance(model, DBN) else [model]
    untied = model.encoders if isinstance(model, DBN) and model.recognition is not None else []
    numbers = sum(parameter.numel() for parameter in model.parameters())
    if sum(math.prod(machine.form(name).shape) for machine in machines for name in machine.sparse) > MOST_FLOATS:
        raise NotPlayableError(
            f"the graph has {model.visible.columns:,} units; a page holds matrices, of {MOST_FLOATS:,} numbers at most"
        )
    if numbers > MOST_FLOATS:
        raise NotPlayableError(f"the model has {numbers:,} parameters, and a page holds at most {MOST_FLOATS:,}")
    if report.image_shape is None and model.visible.columns > MOST_COLUMNS:
        raise NotPlayableError(
            f"a page shows at most {MOST_COLUMNS:,} columns, the model has {model.visible.columns:,}"
        )
    spec = {
        "machines": [machine_spec(machine, floats) for machine in machines],
        "encoders": [machine_spec(machine, floats) for machine in untied] or None,
        "samples": _starts(report, report.samples, SAMPLES, floats),
        "data": _starts(report, _cases(report), CASES, floats),
        "image": _image(report),
        "columns": None if report.image_shape else list(_columns(report)),
        "reference": None if reference is None else _band(reference),
    }
    return f"{element('model', spec)}\n{floats.element()}"


def machine_spec(machine: Machine, floats: Floats) -> dict[str, Any]:
    """Describe a machine for the page; its parameters go to the numbers.

    Raises:
        NotPlayableError: for unit types that the page does not know.
    """
    return {
        "layers": [_layer(machine, layer, floats) for layer in range(len(machine.names))],
        "couplings": [
            {"a": a, "b": b, "weights": floats.add(machine.form(name).dense(machine.couplings[name]))}
            for name, (a, b) in machine.edges.items()
        ],
        "colours": machine.colours,
    }


def _layer(machine: Machine, layer: int, floats: Floats) -> dict[str, Any]:
    units = machine.units(layer)
    field, *rest = units.natural()
    return {
        "name": machine.names[layer],
        "size": units.size,
        "shape": list(units.shape),
        "parts": list(_parts(units)),
        "field": floats.add(field),
        "curvature": floats.add(rest[0]) if rest else None,
        "order": _order(machine, layer),
    }


def _order(machine: Machine, layer: int) -> list[int] | None:
    """Order the variables of a layer with lateral couplings as in a sweep."""
    if layer not in machine.lateral:
        return None
    drawn = machine.units(layer).variable_of_column()[torch.cat(machine.classes[layer])].tolist()
    return list(dict.fromkeys(drawn))


def _parts(units: Units) -> Iterator[dict[str, Any]]:
    for part, columns in units.by_type():
        kind = type(part).__name__
        if not is_builtin(type(part)) or kind not in played():
            raise NotPlayableError(
                f"the model has {kind} units, and the page runs {', '.join(played())} and mixtures of these"
            )
        yield {"kind": kind, "start": columns.start, "end": columns.stop, "states": part.size // part.columns}


def _cases(report: ReportInput) -> Tensor | None:
    return None if report.judged is None else report.rows_of(report.judged[1], CASES)[0]


def _starts(report: ReportInput, outside: Tensor | None, count: int, floats: Floats) -> dict[str, int]:
    units = report.model.visible
    count = max(1, min(count, MOST_START_FLOATS // units.size))
    inside = torch.zeros(0, units.size) if outside is None else units.encode(outside[:count].to(report.model.dtype))
    return {"start": floats.add(inside), "count": len(inside)}


def _image(report: ReportInput) -> dict[str, Any] | None:
    if report.image_shape is None:
        return None
    low, high = _range(report)
    return {"shape": list(report.image_shape), "low": low, "high": high}


def _range(report: ReportInput) -> tuple[float, float]:
    """Values drawn as white and as black."""
    units = report.model.visible
    if units.finite:
        states = units.unit_states()
        return float(states.min()), float(states.max())
    cases = _cases(report)
    values = (report.samples if cases is None else cases).double().flatten()
    low, high = torch.quantile(values[:100_000], torch.tensor([0.01, 0.99], dtype=torch.float64)).tolist()
    return (low, high) if high > low else (low - 1.0, low + 1.0)


def _columns(report: ReportInput) -> Iterator[dict[str, Any]]:
    """Describe how each visible variable is shown and set."""
    values = report.samples.double()
    cases = _cases(report)
    if cases is not None:
        values = torch.cat((values, cases.double()))
    names, standard, column = report.columns, report.standard, 0
    for part, _ in report.model.visible.by_type():
        states = part.unit_states().tolist() if isinstance(part, (Bernoulli, Spin)) else None
        codes = range(part.size // part.columns) if isinstance(part, Categorical) else states
        for j in range(column, column + part.columns):
            entry: dict[str, Any] = {"name": str(names[j]), "states": states}
            if codes is None:
                low, high = values[:, j].quantile(0.01).item(), values[:, j].quantile(0.99).item()
                room = 0.25 * (high - low) or 1.0
                mean, scale = (0.0, 1.0) if standard is None else (float(standard.mean[j]), float(standard.scale[j]))
                low, high = max(0.0, low - room) if isinstance(part, ReLU) else low - room, high + room
                least, most, decimals = report.observed[j]
                if least is not None and most is not None and least < most:
                    low, high = max(low, (least - mean) / scale), min(high, (most - mean) / scale)
                entry |= {"low": low, "high": high, "mean": mean, "scale": scale}
                entry |= {"least": least, "most": most, "decimals": decimals}
            else:
                entry["shown"] = _frequent(values[:, j]) if len(codes) > MOST_BARS else None
                entry["labels"] = report.labels(j) or [f"{code:g}".replace("-", "\N{MINUS SIGN}") for code in codes]
            yield entry
        column += part.columns


def _frequent(codes: Tensor) -> list[int]:
    """The most frequent states of a column, in their order."""
    states, counts = torch.unique(codes[~torch.isnan(codes)].long(), return_counts=True)
    return sorted(states[torch.argsort(-counts, stable=True)][: MOST_BARS - 1].tolist())


def _band(reference: Tensor) -> dict[str, Any]:
    low, high = torch.quantile(reference.double(), torch.tensor([0.05, 0.95], dtype=torch.float64)).tolist()
    return {"low": low, "high": high, "label": "nine in ten cases of the data"}
