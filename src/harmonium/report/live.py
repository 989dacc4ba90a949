"""The model as the page runs it: its structure as JSON, its numbers as one row of float32."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.models.deep.dbn import DBN
from harmonium.models.machine.machine import Machine
from harmonium.report.subject import ReportInput
from harmonium.units import Bernoulli, Categorical, Gaussian, Mixed, ReLU, Spin, Units

__all__ = ["NotPlayableError", "payload"]

PLAYED = (Bernoulli, Spin, Gaussian, ReLU, Categorical)  # what assets/units.js knows
MOST_FLOATS = 6_000_000  # 24 MB of numbers, 32 MB of page
SAMPLES, CASES = 24, 24  # chains begin there
MOST_START_FLOATS = 200_000  # of either
MOST_COLUMNS = 5_000  # of a table


class NotPlayableError(ValueError):
    """The model is one that the page does not run; the message says why."""


class _Floats:
    """Tensors end to end."""

    def __init__(self) -> None:
        self.parts: list[np.ndarray[Any, Any]] = []
        self.count = 0

    def add(self, tensor: Tensor) -> int:
        """Where the tensor begins."""
        start = self.count
        self.parts.append(tensor.detach().cpu().contiguous().reshape(-1).float().numpy().astype("<f4"))
        self.count += self.parts[-1].size
        return start

    def text(self) -> str:
        return base64.b64encode(b"".join(part.tobytes() for part in self.parts)).decode()


def payload(subject: ReportInput, reference: Tensor | None = None) -> str:
    """The two script elements from which the page makes the model.

    Args:
        subject: whose model it is.
        reference: free energies of the data, for a band beside those of the chain.

    Raises:
        NotPlayableError: for models without Gibbs sampling, for unit types that the page does not know, and for models
            that are too large for a page.
    """
    model, floats = subject.model, _Floats()
    if not isinstance(model, (Machine, DBN)):
        raise NotPlayableError(
            f"the playground is Gibbs sampling of machines; {type(model).__name__} is sampled from its roots; "
            "`harmonium sample` draws from it"
        )
    machines: list[Machine] = [*model.machines] if isinstance(model, DBN) else [model]
    untied = model.encoders if isinstance(model, DBN) and model.recognition is not None else []
    numbers = sum(parameter.numel() for parameter in model.parameters())
    if numbers > MOST_FLOATS:
        raise NotPlayableError(f"the model has {numbers:,} parameters, and a page holds at most {MOST_FLOATS:,}")
    if subject.image_shape is None and model.visible.columns > MOST_COLUMNS:
        raise NotPlayableError(
            f"a page shows at most {MOST_COLUMNS:,} columns, the model has {model.visible.columns:,}"
        )
    spec = {
        "machines": [_machine(machine, floats) for machine in machines],
        "encoders": [_machine(machine, floats) for machine in untied] or None,
        "samples": _starts(subject, subject.samples, SAMPLES, floats),
        "data": _starts(subject, _cases(subject), CASES, floats),
        "image": _image(subject),
        "columns": None if subject.image_shape else list(_columns(subject)),
        "reference": None if reference is None else _band(reference),
    }
    return (
        f'<script type="application/json" id="model">{_inert(spec)}</script>\n'
        f'<script type="text/plain" id="floats">{floats.text()}</script>'
    )


def _inert(content: Any) -> str:
    """JSON in which no name can end the element that holds it."""
    return json.dumps(content, allow_nan=False).replace("<", "\\u003c").replace("&", "\\u0026")


def _machine(machine: Machine, floats: _Floats) -> dict[str, Any]:
    return {
        "layers": [_layer(machine, layer, floats) for layer in range(len(machine.names))],
        "couplings": [
            {"a": a, "b": b, "weights": floats.add(machine.couplings[name])} for name, (a, b) in machine.edges.items()
        ],
        "colours": machine.colours,
    }


def _layer(machine: Machine, layer: int, floats: _Floats) -> dict[str, Any]:
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
    """Variables of a layer coupled to itself, in the order of a sweep."""
    if layer not in machine.lateral:
        return None
    drawn = machine.units(layer).variable_of_column()[torch.cat(machine.classes[layer])].tolist()
    return list(dict.fromkeys(drawn))


def _types(units: Units) -> list[Units]:
    return list(units.parts) if isinstance(units, Mixed) else [units]  # type: ignore[arg-type]


def _parts(units: Units) -> Iterator[dict[str, Any]]:
    start = 0
    for part in _types(units):
        kind = type(part).__name__
        if type(part) not in PLAYED:
            known = ", ".join(each.__name__ for each in PLAYED)
            raise NotPlayableError(f"the model has {kind} units, and the page runs {known} and mixtures of these")
        yield {"kind": kind, "start": start, "end": start + part.size, "states": part.size // part.columns}
        start += part.size


def _cases(subject: ReportInput) -> Tensor | None:
    return None if subject.judged is None else subject.rows_of(subject.judged[1], CASES)[0]


def _starts(subject: ReportInput, outside: Tensor | None, count: int, floats: _Floats) -> dict[str, int]:
    units = subject.model.visible
    count = max(1, min(count, MOST_START_FLOATS // units.size))
    inside = torch.zeros(0, units.size) if outside is None else units.encode(outside[:count].to(subject.model.dtype))
    return {"start": floats.add(inside), "count": len(inside)}


def _image(subject: ReportInput) -> dict[str, Any] | None:
    if subject.image_shape is None:
        return None
    low, high = _range(subject)
    return {"shape": list(subject.image_shape), "low": low, "high": high}


def _range(subject: ReportInput) -> tuple[float, float]:
    """Which values are drawn as paper and as ink."""
    units = subject.model.visible
    if units.finite:
        states = units.unit_states()
        return float(states.min()), float(states.max())
    cases = _cases(subject)
    values = (subject.samples if cases is None else cases).double().flatten()
    low, high = torch.quantile(values[:100_000], torch.tensor([0.01, 0.99], dtype=torch.float64)).tolist()
    return (low, high) if high > low else (low - 1.0, low + 1.0)


def _columns(subject: ReportInput) -> Iterator[dict[str, Any]]:
    """How each visible variable is shown and set."""
    values = subject.samples.double()
    cases = _cases(subject)
    if cases is not None:
        values = torch.cat((values, cases.double()))
    names, standard, column = subject.columns, subject.standard, 0
    for part in _types(subject.model.visible):
        states = part.unit_states().tolist() if isinstance(part, (Bernoulli, Spin)) else None
        codes = range(part.size // part.columns) if isinstance(part, Categorical) else states
        for j in range(column, column + part.columns):
            entry: dict[str, Any] = {"name": str(names[j]), "states": states}
            if codes is None:
                low, high = values[:, j].quantile(0.01).item(), values[:, j].quantile(0.99).item()
                room = 0.25 * (high - low) or 1.0
                mean, scale = (0.0, 1.0) if standard is None else (float(standard.mean[j]), float(standard.scale[j]))
                low = max(0.0, low - room) if isinstance(part, ReLU) else low - room
                entry |= {"low": low, "high": high + room, "mean": mean, "scale": scale}
            else:
                entry["labels"] = subject.labels(j) or [f"{code:g}".replace("-", "\N{MINUS SIGN}") for code in codes]
            yield entry
        column += part.columns


def _band(reference: Tensor) -> dict[str, Any]:
    low, high = torch.quantile(reference.double(), torch.tensor([0.05, 0.95], dtype=torch.float64)).tolist()
    return {"low": low, "high": high, "label": "nine in ten cases of the data"}
