"""SDV's generators of tables with their default options: a table in, a drawn table out."""

from __future__ import annotations

import time
import warnings
from functools import partial

from protocol import Answer, Spec, answer


def draw(kind: str, spec: Spec) -> Answer:
    """Fit a generator to the rows of a CSV file and write rows that it draws into another.

    The task names ``train`` and ``drawn`` (files), ``rows``, ``seed`` and ``threads``.
    """
    import numpy as np
    import pandas as pd
    import sdv.single_table
    import torch
    from sdv.metadata import Metadata

    warnings.simplefilter("ignore")
    torch.set_num_threads(spec["threads"])
    np.random.seed(spec["seed"])  # the generators take no seed
    torch.manual_seed(spec["seed"])
    tables = {"table": pd.read_csv(spec["train"])}
    began = time.process_time()
    metadata = Metadata.detect_from_dataframes(tables, infer_keys=None)
    generator = getattr(sdv.single_table, f"{kind}Synthesizer")(metadata)
    generator.fit(tables)
    drawn = generator.sample(spec["rows"])["table"]
    seconds = time.process_time() - began
    drawn.to_csv(spec["drawn"], index=False)
    return {"seconds": round(seconds, 1)}


if __name__ == "__main__":
    answer("sdv", {kind: partial(draw, kind) for kind in ("GaussianCopula", "TVAE", "CTGAN")})
