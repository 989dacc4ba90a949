"""The library's own generator of tables: a table in, a drawn table out."""

from __future__ import annotations

import time

from protocol import Answer, Spec, answer, peak_bytes


def draw(spec: Spec) -> Answer:
    """Fit a table model to the rows of a CSV file and write rows that it draws into another.

    The task names ``train`` and ``drawn`` (files), ``rows``, ``seed``, ``threads`` and ``options`` of the model.
    """
    import pandas as pd
    import torch

    import harmonium as hm

    torch.set_num_threads(spec["threads"])
    train = pd.read_csv(spec["train"])
    began = time.process_time()
    table = hm.TableModel(**spec["options"], seed=spec["seed"])
    table.fit(train)
    drawn = table.sample(spec["rows"], seed=spec["seed"])
    seconds = time.process_time() - began
    drawn.to_csv(spec["drawn"], index=False)
    return {"seconds": round(seconds, 1), "memory": peak_bytes()}


if __name__ == "__main__":
    answer("harmonium", {"draw": draw})
