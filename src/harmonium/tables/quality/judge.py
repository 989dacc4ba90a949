"""`quality`: judge a synthetic table, each score beside what fresh real rows score."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from harmonium.core.checks import check_int
from harmonium.core.random import Stream, stream_of
from harmonium.tables.quality.encoding import Encoded, encode
from harmonium.tables.quality.fidelity import Fidelity, fidelity
from harmonium.tables.quality.frames import match_columns, real_frame
from harmonium.tables.quality.privacy import Privacy, copies, distinct, privacy
from harmonium.tables.quality.result import Quality, Scores
from harmonium.tables.quality.utility import choose_target, named_target

__all__ = ["quality"]

_REPEATED = 0.02  # share of fresh rows that equal a training row or each other, beyond which a note says so
_UNKNOWN = Privacy(math.nan, math.nan, math.nan)
_FEW = 500  # rows, below which scores are mostly noise


def quality(
    real: Any,
    synthetic: Any,
    holdout: Any = None,
    *,
    target: Any = None,
    seed: int | Stream = 0,
    rows: int = 25_000,
) -> Quality:
    """Judge a synthetic table: fidelity, usefulness and privacy, each beside what fresh real rows score.

    With a holdout, the synthetic rows are compared with it, so that repeating the training rows earns nothing but
    what real rows earn: those score, in the place of the synthetic ones, what is the best that can be expected. Only
    the scores of privacy look for the training rows among the synthetic ones. Without a holdout the comparison is
    with the training rows, memorised rows score well, and neither the best to be expected nor the privacy (but for
    copies) is known.

    The tables may hold numbers, text, categories, booleans, dates and gaps. Columns are matched by name, and a
    missing value counts as a value. Tables of equal size are compared, drawn at random from larger ones.

    Args:
        real: DataFrame of the rows that the generator was trained on, the more the better: at least 1,000.
        synthetic: DataFrame of rows that it drew; best as many as ``real``. Columns that ``real`` lacks are ignored.
        holdout: DataFrame of real rows that the generator has not seen; best as many as ``real``.
        target: name of the column to predict for ``tstr``. By default the last category of 2 to 20 classes, else the
            last column.
        seed: of the choice of rows, the folds and the classifiers.
        rows: largest number of rows of each table. Scores depend on it: a classifier with fewer rows finds less.

    Returns:
        the scores, with ``print``, ``to_frame`` and a face for notebooks.

    Raises:
        TypeError: a table that is no DataFrame.
        ValueError: fewer than two rows; columns that are missing, ambiguous or of another type, or without any value in
            ``real``; a target that cannot be predicted.

    >>> import numpy as np, pandas as pd, harmonium as hm
    >>> rng = np.random.default_rng(0)
    >>> def draw(n):
    ...     x = rng.normal(size=n)
    ...     return pd.DataFrame({"x": x.round(1), "sign": np.where(x + 0.3 * rng.normal(size=n) > 0, "plus", "minus")})
    >>> train, test = draw(400), draw(400)
    >>> shuffled = train.assign(sign=train["sign"].sample(frac=1, random_state=1).to_numpy())
    >>> found = hm.quality(train, shuffled, test)
    >>> found.columns > 0.9, found.c2st < 0.7, found.fresh.c2st > 0.8
    (True, True, True)
    """
    most = check_int("rows", rows, least=2)
    stream = stream_of(seed, "quality")
    train, drawn, fresh, notes = _tables(real, synthetic, holdout)
    chosen = choose_target(train) if target is None else named_target(train, target)
    if chosen is None:
        notes.append("there is no column to predict, so tstr is not known")
    reference = train if fresh is None else fresh
    compared = min(most, len(train), len(drawn), len(reference))
    trained = min(most, len(train), len(drawn))
    if compared < _FEW:
        notes.append(f"{compared} rows of each table are compared: with less than {_FEW}, scores are mostly noise")
    score = partial(fidelity, reference, target=chosen, compared=compared, trained=trained, stream=stream)
    found, near, best = score(drawn), _UNKNOWN, None
    by_column = found.by_column.to_frame("synthetic")
    if fresh is not None:
        ceiling, repeated = score(train), copies(fresh, train)
        near, near_fresh = privacy(train, drawn, fresh, most, stream)
        best = Scores(**_scores(ceiling, near_fresh, repeated))
        by_column["real"] = ceiling.by_column
        if repeated > _REPEATED:
            notes.append(
                f"{100 * repeated:.0f} % of the rows of holdout equal a row of real: either such rows are common, or "
                "the holdout is not fresh, and real rows score too well"
            )
        again = [1 - len(distinct(table)) / len(table) for table in (fresh, train)]
        if again[0] - again[1] > _REPEATED:
            notes.append(
                f"{100 * again[0]:.0f} % of the rows of holdout are repetitions, of real {100 * again[1]:.0f} %: "
                "aats_fresh and privacy_loss are too high"
            )
    return Quality(
        **_scores(found, near, copies(drawn, train)),
        fresh=best,
        target=None if chosen is None else chosen.name,
        measure="AUC" if chosen is None else chosen.measure,
        by_column=by_column,
        by_pair=found.by_pair,
        compared=compared,
        notes=tuple(notes),
    )


def _tables(real: Any, synthetic: Any, holdout: Any) -> tuple[Encoded, Encoded, Encoded | None, list[str]]:
    """The tables as matrices (training, synthetic and fresh rows), and notes on them."""
    frames, names, notes = [real_frame(real)], ["real"], []
    for name, frame in (("synthetic", synthetic), ("holdout", holdout)):
        if frame is None and name == "holdout":
            notes.append(
                "without a holdout the comparison is with the training rows, so repeating them scores well, and the "
                "best scores to be expected are not known"
            )
            continue
        matched, other = match_columns(frame, frames[0], name)
        if other:
            notes.append(f"columns of {name} that real lacks were ignored: {', '.join(map(str, other))}")
        frames.append(matched)
        names.append(name)
    train, drawn, *fresh = encode(frames, names)
    return train, drawn, fresh[0] if fresh else None, notes


def _scores(found: Fidelity, near: Privacy, repeated: float) -> dict[str, float]:
    return {
        "c2st": found.c2st, "trend": found.trend, "columns": found.columns, "tstr": found.tstr, "nearer": near.nearer,
        "copies": repeated, "aats": near.aats, "aats_fresh": near.aats_fresh, "privacy_loss": near.loss,
    }  # fmt: skip
