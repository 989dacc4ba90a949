"""The section of columns: each one's real values beside sampled ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from harmonium.data.codecs.categories import Categories
from harmonium.data.codecs.codec import Array
from harmonium.report.markup import Section, escape, paragraph, signed
from harmonium.tables.page.gathered import PageInput
from harmonium.tables.page.views import View, label_text

__all__ = ["columns", "heading", "key", "percent"]

WIDTH, HEIGHT = 300, 72  # of a histogram, in its own units
MOST_SEARCHED = 3000  # labels of a column that can be searched for


def columns(page: PageInput) -> Section:
    """Draw each column: bars of labels, histograms of numbers, shares of empty cells."""
    cards = [
        _card(place, view, page.shown.iloc[:, place], page.drawn.iloc[:, place])
        for place, view in enumerate(page.views)
    ]
    lead = paragraph(
        f"{len(page.shown):,} real rows beside as many rows that the model drew. Shares are of the cells that are not "
        "empty."
    )  # fmt: skip
    return Section("columns", "Columns", f'{lead}{key()}<div class="cards flowing">{"".join(cards)}</div>')


def key() -> str:
    """What the colours mean."""
    return '<p class="key"><i class="swatch"></i> real &emsp;<i class="swatch second"></i> sampled</p>'


def heading(name: str) -> str:
    """The name of a column as the title of a card: whole, on as many lines as it needs."""
    return f'<h3 title="{escape(name)}">{escape(label_text(name))}</h3>'


def percent(share: float) -> str:
    """A share as text: whole per cent, or what can be told from 0 and from 100.

    >>> [" ".join(percent(share).split()) for share in (0.254, 0.002, 0.9996)]
    ['25 %', '0.2 %', '>99.9 %']
    """
    space = "\N{NO-BREAK SPACE}%"
    if share <= 0 or share >= 1:
        return f"{100 * share:.0f}{space}"
    if share < 0.0005 or share > 0.9995:
        return (f"<0.1{space}") if share < 0.5 else f">99.9{space}"
    return f"{100 * share:.1f}{space}" if share < 0.0095 or share > 0.9905 else f"{100 * share:.0f}{space}"


def _card(place: int, view: View, real: Any, drawn: Any) -> str:
    body = f'<p class="note">{escape(_taken_for(view))}</p>'
    if not view.size:
        return f'<article class="card">{heading(view.name)}{body}</article>'
    shares = [_shares(view, values) for values in (real, drawn)]
    if view.bars:
        most = max(float(share[: len(view.bars)].max()) for share in shares) or 1.0
        rows = (_bar(text, shares[0][k], shares[1][k], most) for k, text in enumerate(view.bars))
        body += f'<div class="twins">{"".join(rows)}</div>'
    if view.edges is not None:
        body += _histogram(view, *(share[len(view.bars) :] for share in shares))
    if isinstance(view.codec, Categories) and len(view.codec.labels) > len(view.bars):
        body += f'<div class="search" data-column="{place}"></div>'
    empty = [float(values.isna().mean()) for values in (real, drawn)]
    if max(empty) > 0:
        body += f'<p class="note">Empty: {percent(empty[0])} of real cells, {percent(empty[1])} of sampled ones.</p>'
    return f'<article class="card">{heading(view.name)}{body}</article>'


def _shares(view: View, values: Any) -> Array:
    place = view.place(values)
    count = np.bincount(place[place >= 0], minlength=view.size).astype(np.float64)
    return np.asarray(count / max(1.0, count.sum()))


def _bar(text: str, real: float, drawn: float, most: float) -> str:
    tracks = "".join(
        f'<i{kind} style="width:{100 * share / most:.1f}%"></i>'
        for kind, share in (("", real), (' class="second"', drawn))
    )
    numbers = f"<b>{percent(real)}</b><b>{percent(drawn)}</b>"
    return (
        f'<div class="twin"><span title="{escape(text)}">{escape(text)}</span><div class="tracks">{tracks}</div>'
        f"<output>{numbers}</output></div>"
    )


def _histogram(view: View, real: Array, drawn: Array) -> str:
    """Real values as a filled outline, sampled ones as a line over it."""
    assert view.edges is not None
    most = max(float(real.max()), float(drawn.max())) or 1.0
    step = WIDTH / len(real)

    def outline(share: Array) -> str:
        height = HEIGHT * (1 - share / most)
        return "".join(f"V{y:.1f}H{step * (k + 1):.1f}" for k, y in enumerate(height))

    label = f"Histogram of {view.name}, real and sampled" + (", on a logarithmic scale" if view.log else "")
    inside = (
        f'<path class="area" d="M0 {HEIGHT}{outline(real)}V{HEIGHT}Z"/>'
        f'<path class="outline" d="M0 {HEIGHT}{outline(drawn)}V{HEIGHT}"/>'
    )
    marks = [view.ends[0], view.text(float(view.edges[len(view.edges) // 2])), view.ends[1]]
    others = ""
    if view.bars:
        total = [float(real.sum()), float(drawn.sum())]
        others = f'<p class="note">All others, {percent(total[0])} of real and {percent(total[1])} of sampled:</p>'
    scale = '<p class="note">Logarithmic scale.</p>' if view.log else ""
    return (
        f'{others}<svg class="hist" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{inside}</svg>'
        f'<div class="marks">{"".join(f"<span>{escape(mark)}</span>" for mark in marks)}</div>{scale}'
    )


def _taken_for(view: View) -> str:
    """What the column was taken for; its labels are seen below."""
    if isinstance(view.codec, Categories):
        rare = len(view.codec.labels) - view.codec.own
        count = len(view.codec.labels)
        return f"{count} label{'s' if count != 1 else ''}" + (
            f", of which {rare} rare ones share a state" if rare else ""
        )
    return signed(view.codec.summary)
