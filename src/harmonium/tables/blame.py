"""Odd rows, and the cells to blame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from harmonium.core.random import Stream
from harmonium.data.raw import Frame
from harmonium.data.written import PLAINLY, Written

if TYPE_CHECKING:
    from harmonium.tables.model import TableModel

__all__ = ["scored"]

BLAMED = 2  # cells of a row
LEAST = 1.0  # nats of surprise of a cell that is blamed


def scored(
    table: TableModel, frame: Frame, styles: Mapping[str, Written] | None = None, seed: int | Stream = 0
) -> Frame:
    """How odd rows are, and why.

    Args:
        table: a fitted model.
        frame: rows with the columns of the training rows.
        styles: how numbers are written, by column.
        seed: of chains, for models that need them.

    Returns:
        a DataFrame with the index of ``frame`` and the columns "log_prob" (nats), "rank" (1 is the least probable row)
        and "blame": the one or two cells that are most surprising given the rest of the row, as in
        "age = 17 (9.3), job = Priest (4.1)"; empty where no cell is surprising by more than a nat.
    """
    log_prob = table.log_prob(frame).round(3)
    surprise = table.explain(frame, seed=seed)
    names = list(surprise.columns)
    values = np.nan_to_num(surprise.to_numpy(dtype=np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    order = np.argsort(-values, axis=1, kind="stable")[:, :BLAMED]
    styles = {} if styles is None else styles
    blame = [
        ", ".join(
            f"{names[place]} = {_shown(frame[names[place]].iloc[row], styles.get(str(names[place]), PLAINLY))} "
            f"({values[row, place]:.1f})"
            for place in places
            if values[row, place] > LEAST
        )
        for row, places in enumerate(order)
    ]
    rank = log_prob.rank(method="first").astype("int64")
    return pd.DataFrame({"log_prob": log_prob, "rank": rank, "blame": blame}, index=log_prob.index)


def _shown(value: Any, style: Written) -> str:
    return "(empty)" if pd.isna(value) else style.text(value)
