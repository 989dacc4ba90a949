"""What a drawn table is judged by: `hm.quality`, the same for all generators."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import harmonium as hm

__all__ = ["HEADER", "HIGHER_IS_BETTER", "MEASURES", "SCORER", "behind", "medians", "row", "score"]

HIGHER_IS_BETTER = ("C2ST", "pair trends", "TSTR")
MEASURES = (*HIGHER_IS_BETTER, "nearer to training rows")
SECONDS = "seconds"
HEADER = ["generator", *MEASURES, "seconds of one core"]
SCORER = sorted((Path(hm.__file__).parent / "tables" / "quality").glob("*.py"))
"""Files of the library that scores depend on."""

Scores = Mapping[str, float]
"""Numbers by the name of the measure."""


def score(
    train: pd.DataFrame, holdout: pd.DataFrame, target: str, drawn: pd.DataFrame, seed: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Scores of a drawn table, and of fresh real rows in its place."""
    found = hm.quality(train, drawn, holdout, target=target, seed=seed)
    assert found.fresh is not None
    return _numbers(found), _numbers(found.fresh)


def _numbers(found: Any) -> dict[str, float]:
    return dict(zip(MEASURES, (found.c2st, found.trend, found.tstr, found.nearer), strict=True))


def medians(scored: Sequence[Scores]) -> dict[str, float]:
    """Medians over seeds."""
    return {name: statistics.median(scores[name] for scores in scored) for name in scored[0]}


def row(name: str, scores: Scores) -> list[str]:
    """A row of the table with `HEADER`."""
    cells = [f"{scores[measure]:.3f}" if measure in scores else "" for measure in MEASURES]
    return [name, *cells, f"{scores[SECONDS]:.0f}" if SECONDS in scores else ""]


def behind(ours: Scores, others: Sequence[Scores]) -> float:
    """How far the best of the others is ahead where it is furthest ahead; below 0 where it is nowhere."""
    return max(max(other[measure] for other in others) - ours[measure] for measure in HIGHER_IS_BETTER)
