"""Tables whose dependence is known."""

from __future__ import annotations

import numpy as np
import pandas as pd


def people(rows: int, seed: int) -> pd.DataFrame:
    """Mixed columns that depend on each other, with gaps; every row is drawn independently."""
    rng = np.random.default_rng(seed)
    age = rng.gamma(9, 4.5, rows)
    town = rng.choice(["Ulm", "Bonn", "Köln", "Aalen"], rows, p=[0.4, 0.3, 0.2, 0.1])
    skill = 0.08 * (age - 40) + (town == "Ulm") + rng.normal(size=rows)
    income = np.exp(7 + 0.5 * skill + 0.2 * rng.normal(size=rows))
    since = pd.Timestamp("1990-01-01") + pd.to_timedelta((age * 100 + rng.normal(0, 90, rows)).astype(int), unit="D")
    table = pd.DataFrame(
        {
            "age": age.round().astype(int),
            "town": town,
            "income": np.where(rng.random(rows) < 0.1, np.nan, income.round(2)),
            "since": since,
            "member": rng.random(rows) < 1 / (1 + np.exp(-2 * skill)),
        }
    )
    table.loc[rng.random(rows) < 0.05, "town"] = None
    return table


def independent(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The same columns, each in an order of its own."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: table[name].to_numpy()[rng.permutation(len(table))] for name in table})
