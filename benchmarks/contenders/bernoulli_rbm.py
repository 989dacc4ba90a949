"""`BernoulliRBM.fit` of scikit-learn or of harmonium: the same class name, the same arguments."""

from __future__ import annotations

import importlib
from pathlib import Path

from protocol import Answer, Spec, answer, seconds


def fit(spec: Spec) -> Answer:
    """One whole fit after a short one; its seconds and parameters, to be judged elsewhere."""
    import numpy as np

    kind = importlib.import_module(spec["module"]).BernoulliRBM
    cases = np.load(spec["cases"]).astype(spec["dtype"])
    model = kind(
        n_components=spec["hidden"], learning_rate=spec["rate"], batch_size=spec["batch"], n_iter=spec["epochs"],
        random_state=spec["seed"],
    )  # fmt: skip
    kind(n_components=spec["hidden"], batch_size=spec["batch"], n_iter=1).fit(cases[:200])
    took = seconds(lambda: model.fit(cases))
    folder = Path(spec["cases"]).parent
    out = folder / f"{spec['module']}.npz"
    np.savez(out, W=model.components_.T, b=model.intercept_visible_, c=model.intercept_hidden_)
    return {"seconds": took, "model": str(out)}


if __name__ == "__main__":
    answer("sklearn", {"fit": fit}, distribution="scikit-learn")
