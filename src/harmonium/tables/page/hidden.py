"""The section of hidden units: what each of them does to the columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from harmonium.data.codecs.categories import Categories
from harmonium.data.codecs.codec import Array
from harmonium.models.machine.machine import Machine
from harmonium.report.markup import Section, paragraph
from harmonium.tables.page.columns import percent
from harmonium.tables.page.gathered import PageInput
from harmonium.tables.page.views import View, label_text

__all__ = ["Effect", "effects", "hidden_units"]

LEAST = 0.03  # change of the distribution of a column (total variation) that is worth a word
MOST_EFFECTS, FIRST_UNITS, MOST_UNITS = 5, 12, 60
ROWS = 2000


@dataclass(frozen=True)
class Effect:
    """What a hidden unit does to a column.

    Attributes:
        column: the place of the column.
        change: total variation between its distributions with the unit on and off.
        raises: whether its values, or the probability of `label`, go up.
        label: of a column of labels, the one whose probability changes most; "" of numbers and dates.
    """

    column: int
    change: float
    raises: bool
    label: str = ""


def hidden_units(page: PageInput) -> Section | None:
    """Describe the hidden units of a machine by the columns that they move; None for other models."""
    model = page.table.model
    if not isinstance(model, Machine) or len(model.names) != 2:
        return None
    found, active = effects(model, page)
    order = np.argsort([-sum(effect.change for effect in unit) for unit in found], kind="stable")
    cards = [_card(int(j), found[j], float(active[j]), page.views) for j in order[:MOST_UNITS] if found[j]]
    silent = sum(not unit for unit in found)
    lead = (
        f"What each of the {len(found)} hidden units does when it is on, all others being as active as they are on "
        "average over real rows. The units with the largest effects come first."
    )  # fmt: skip
    more = len(found) - silent - len(cards)
    rest = (f" {more} more units have smaller effects." if more > 0 else "") + (
        f" {silent} units hardly change any column." if silent else ""
    )
    body = paragraph(lead + rest) + _grid(cards[:FIRST_UNITS])
    if len(cards) > FIRST_UNITS:
        others = len(cards) - FIRST_UNITS
        body += f"<details><summary>{others} more units</summary>{_grid(cards[FIRST_UNITS:])}</details>"
    return Section("hidden", "Hidden units", body)


def _grid(cards: list[str]) -> str:
    return f'<div class="cards">{"".join(cards)}</div>'


@torch.no_grad()
def effects(model: Machine, page: PageInput) -> tuple[list[list[Effect]], Array]:
    """The columns that each hidden unit moves, most first, and how often each unit is on over real rows."""
    codec = page.table.codec
    states = codec.encode(page.shown.iloc[:ROWS])
    states = states[~np.isnan(states).any(1)]
    units = model.visible
    if len(states):
        v = units.encode(torch.from_numpy(states).to(model.dtype))
    else:  # a gap in every row: as many cases as make the shares of the columns
        v = torch.from_numpy(np.concatenate(codec.shares())).to(model.dtype).unsqueeze(0)
    mean = model.infer(v).means[1].mean(0).double()
    (weights,) = model.couplings.values()
    field = units.natural()[0].double() + mean @ weights.double().mT
    weights = weights.double()
    off = field - mean.unsqueeze(1) * weights.mT  # (hidden, visible)
    pairs = [(_softmax(codec.states, off + on * weights.mT)) for on in (0.0, 1.0)]
    found: list[list[Effect]] = []
    for j in range(len(mean)):
        own = [
            _effect(place, view, *(each[codec.variables[place].start][j].numpy() for each in pairs))
            for place, view in enumerate(page.views)
            if view.size
        ]
        own = sorted((effect for effect in own if effect.change >= LEAST), key=lambda effect: -effect.change)
        found.append(own[:MOST_EFFECTS])
    return found, mean.numpy()


def _softmax(states: list[int], x: Tensor) -> list[Tensor]:
    return [torch.softmax(part, 1) for part in torch.split(x, states, 1)]


def _effect(place: int, view: View, off: Array, on: Array) -> Effect:
    change = on - off
    size = float(np.abs(change).sum() / 2)
    count = len(change) - view.codec.missing
    if isinstance(view.codec, Categories):
        k = int(np.argmax(np.abs(change)))
        names = view.codec.names()
        return Effect(place, size, bool(change[k] > 0), label_text(names[k]) if names[k] else "missing")
    if view.codec.missing and abs(change[-1]) > size / 2:
        return Effect(place, size, bool(change[-1] > 0), "empty")
    ranks = np.arange(count)
    means = [float(ranks @ p[:count] / p[:count].sum()) for p in (off, on)]
    return Effect(place, size, means[1] > means[0])


def words(found: list[Effect], views: list[View]) -> list[str]:
    """What a unit does, as text: what it raises, and what it lowers."""

    def name(effect: Effect) -> str:
        column = label_text(views[effect.column].name)
        return f"{column} = {effect.label}" if effect.label else column

    return [
        f"{verb} {', '.join(name(effect) for effect in found if effect.raises is raises)}"
        for verb, raises in (("raises", True), ("lowers", False))
        if any(effect.raises is raises for effect in found)
    ]


def _card(unit: int, found: list[Effect], active: float, views: list[View]) -> str:
    lines = "".join(paragraph(line) for line in words(found, views))
    note = paragraph(f"on in {percent(active)} of cases", "note")
    return f'<article class="card"><h3>Unit {unit}</h3>{lines}{note}</article>'
