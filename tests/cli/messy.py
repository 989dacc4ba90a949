"""A table as people have it: nothing in it is clean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def german(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def messy(path: Path, n: int = 600, seed: int = 0) -> Path:
    """Write a table with dates as text, ids, skewed amounts with zeros, codes, many categories, gaps and variants."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["private", "Private", "firm"], n, p=[0.6, 0.05, 0.35])
    firm = kind == "firm"
    amount = np.where(rng.random(n) < 0.3, 0.0, np.exp(rng.normal(4 + 2 * firm, 1, n)).round(2))
    days = pd.Timestamp("2021-01-04") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    town = np.array([f"Town {k:03d}" for k in range(200)])[np.minimum(rng.geometric(0.03, n), 200) - 1]
    frame = pd.DataFrame(
        {
            "id": [f"C-{k:06d}" for k in rng.permutation(n)],
            "opened": days.strftime("%d.%m.%Y"),
            "kind": kind,
            "branch": np.where(firm, rng.choice([101, 205, 310], n), rng.choice([101, 412, 733], n)),
            "amount": [german(x) for x in amount],
            "staff": np.where(firm, rng.poisson(8, n).astype(str), ""),
            "age": rng.normal(45, 12, n).clip(18, 90).astype(int),
            "town": town,
            "currency": "EUR",
            "score": [f"{x:.1f}".replace(".", ",") for x in rng.normal(60, 10, n)],
            "active": np.where(rng.random(n) < 0.7, "TRUE", "FALSE"),
        }
    )
    frame.loc[rng.random(n) < 0.08, "age"] = None
    frame["age"] = frame["age"].astype("Int64")
    frame.loc[rng.random(n) < 0.1, "opened"] = ""
    frame.loc[rng.random(n) < 0.03, "opened"] = "unknown"
    frame.loc[rng.random(n) < 0.05, "score"] = "n/a"
    frame.loc[rng.random(n) < 0.05, "kind"] = ""
    frame.to_csv(path, index=False, sep=";")
    return path
