"""Pictures of couplings between sites, and of mutations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from harmonium.core.checks import check_int
from harmonium.models.arrays import Array, as_matrix
from harmonium.plots.canvas import MARK, blank
from harmonium.plots.images import signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["contact_map", "mutation_map"]

_NAMED = 60  # sites whose letters can be read


def contact_map(scores: Array, contacts: Array | None = None, *, top: int | None = None, separation: int = 1) -> Figure:
    """Draw the scores of pairs of sites, with the best ones marked.

    Args:
        scores: (sites, sites), such as `harmonium.couplings.contact_scores` returns; those below 0 are white.
        contacts: known contacts, true where two sites touch, (sites, sites).  They are drawn below the diagonal, the
            scores above it.
        top: how many pairs of the highest scores to mark; None for half the number of sites.
        separation: least distance along the chain of the pairs that are marked.

    Raises:
        ValueError: for another shape.

    >>> contact_map(np.eye(6)[::-1]).axes[0].get_title()
    'Scores of pairs of sites, 3 best marked'
    """
    table = as_matrix(scores, "scores", torch.float64).numpy()
    if table.ndim != 2 or len(table) != table.shape[1] or len(table) < 2:
        raise ValueError(f"scores have shape {table.shape}; expected (sites, sites)")
    sites = len(table)
    top = max(1, sites // 2) if top is None else check_int("top", top, least=0)
    first, second = np.triu_indices(sites, check_int("separation", separation, least=1))
    best = np.argsort(-table[first, second], kind="stable")[:top]
    marked = first[best], second[best]
    shown, kind = table.clip(0), "" if contacts is None else ", known contacts below the diagonal"
    if contacts is not None:
        known = as_matrix(contacts, "contacts", torch.float64).numpy() != 0
        if known.shape != table.shape:
            raise ValueError(f"contacts have shape {known.shape}; expected that of the scores, {table.shape}")
        shown = np.triu(shown)
    figure, (axes,) = blank(7.4, 6.4)
    image = axes.imshow(shown, cmap="Blues", vmin=0, vmax=max(float(shown.max()), 1e-12), interpolation="nearest")
    size = 220 / sites  # points across a site
    axes.scatter(marked[1], marked[0], s=max(9.0, 0.5 * size**2), facecolors="none", edgecolors=MARK, linewidths=1.3)
    if contacts is not None:
        below = np.nonzero(np.tril(known, -1))
        axes.scatter(below[1], below[0], s=max(4.0, 0.3 * size**2), marker="s", color="0.35", linewidths=0)
    axes.set(xlabel="site", ylabel="site", title=f"Scores of pairs of sites, {len(best)} best marked{kind}")
    figure.colorbar(image, ax=axes, label="score", fraction=0.046, pad=0.03)
    return figure


def mutation_map(changes: Array, sequence: Sequence[int] | Array | None = None, letters: str | None = None) -> Figure:
    """Draw the change of log p for every substitution: sites across, states down, the states of the sequence as dots.

    Args:
        changes: (sites, states), as `harmonium.couplings.mutation_scan` returns.
        sequence: the codes of the sequence, (sites,).
        letters: one for each state, such as ``data.alphabet``.

    Raises:
        ValueError: for another shape, or another number of letters or codes.

    >>> mutation_map(np.zeros((4, 3)), [0, 2, 1, 1], "ABC").axes[0].get_xlabel()
    'site and its state'
    """
    table = as_matrix(changes, "changes", torch.float64).numpy()
    if table.ndim != 2:
        raise ValueError(f"changes have shape {table.shape}; expected (sites, states)")
    sites, states = table.shape
    if letters is not None and len(letters) != states:
        raise ValueError(f"letters has {len(letters)} letters; expected one for each of {states} states")
    figure, (axes,) = blank(min(14.0, max(5.0, 2.2 + 0.22 * sites)), min(9.0, max(2.8, 1.4 + 0.19 * states)))
    limit = max(float(np.quantile(np.abs(table), 0.99)), 1e-12)
    image = axes.imshow(table.T, aspect="auto", interpolation="nearest", **signed(limit))
    if letters is not None:
        axes.set_yticks(range(states), list(letters), fontsize="small")
    axes.set(xlabel="site", ylabel="state", title="Change of log p by one substitution")
    if sequence is not None:
        codes = as_matrix(sequence, "sequence", torch.float64).numpy().astype(int)
        if codes.shape != (sites,) or codes.min() < 0 or codes.max() >= states:
            raise ValueError(f"sequence must hold a code 0 ... {states - 1} for each of {sites} sites")
        axes.plot(range(sites), codes, "o", color="0.25", markersize=3.2)
        if letters is not None:
            _name_sites(axes, "".join(letters[code] for code in codes))
    extend = "both" if np.abs(table).max() > limit else "neither"
    figure.colorbar(image, ax=axes, label="nats", extend=extend, fraction=0.046, pad=0.02)
    return figure


def _name_sites(axes: Axes, letters: str) -> None:
    if len(letters) <= _NAMED:
        names = [f"{letter}\n{site}" if site % 5 == 0 else letter for site, letter in enumerate(letters)]
        axes.set_xticks(range(len(letters)), names, fontsize="small")
        axes.set_xlabel("site and its state")
