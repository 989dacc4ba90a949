"""miceforest with its default options: a table with gaps in, several filled ones out."""

from __future__ import annotations

import time
import warnings

from protocol import Answer, Spec, answer

ITERATIONS = 5


def impute(spec: Spec) -> Answer:
    """Fill a CSV file several times, and write the filled tables one after the other.

    The task names ``holes`` and ``filled`` (files), the columns of ``labels``, ``draws``, ``seed`` and ``threads``.
    """
    import miceforest
    import pandas as pd

    warnings.simplefilter("ignore")
    holes = pd.read_csv(spec["holes"], dtype=dict.fromkeys(spec["labels"], str), keep_default_na=False, na_values=[""])
    names = list(holes)
    holes.columns = [f"c{k}" for k in range(len(names))]  # LightGBM refuses some characters
    labels = [f"c{names.index(name)}" for name in spec["labels"]]
    holes = holes.astype(dict.fromkeys(labels, "category"))
    began = time.process_time()
    kernel = miceforest.ImputationKernel(holes, num_datasets=spec["draws"], random_state=spec["seed"])
    kernel.mice(ITERATIONS, num_threads=spec["threads"])
    filled = pd.concat([kernel.complete_data(draw) for draw in range(spec["draws"])])
    seconds = time.process_time() - began
    filled.set_axis(names, axis=1).to_csv(spec["filled"], index=False)
    return {"seconds": round(seconds, 1)}


if __name__ == "__main__":
    answer("miceforest", {"impute": impute})
