"""Training of a small binary RBM, as harmonium and scikit-learn do it by default: processor time of one update."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from protocol import Answer, Spec, answer


def harmonium(spec: Spec) -> Answer:
    """`hm.fit` with the default metric; with a run folder, a progress bar and weight decay if asked for."""
    import numpy as np

    import harmonium as hm

    cases = np.load(spec["cases"])
    with tempfile.TemporaryDirectory() as folder:
        options = {"objective": hm.PCD(k=1, chains=spec["batch"]), "batch_size": spec["batch"]}
        if spec["run"]:
            options |= {"progress": True, "penalties": [hm.training.WeightDecay(1e-4)]}

        def train(epochs: int, name: str) -> float:
            rbm = hm.RBM(cases.shape[1], spec["hidden"])
            out = {"out": Path(folder) / name} if spec["run"] else {}
            start = time.process_time()
            hm.fit(rbm, cases, epochs=epochs, **options, **out)
            return time.process_time() - start

        train(1, "warm")
        return {"seconds": train(spec["epochs"], "run") / (spec["epochs"] * -(-len(cases) // spec["batch"]))}


def sklearn(spec: Spec) -> Answer:
    """`BernoulliRBM.fit` on float32 cases."""
    import numpy as np
    from sklearn.neural_network import BernoulliRBM

    cases = np.load(spec["cases"]).astype(np.float32)
    settings = {"n_components": spec["hidden"], "batch_size": spec["batch"], "learning_rate": 0.05, "random_state": 0}
    BernoulliRBM(n_iter=1, **settings).fit(cases)
    model = BernoulliRBM(n_iter=spec["epochs"], **settings)
    start = time.process_time()
    model.fit(cases)
    seconds = time.process_time() - start
    return {"seconds": seconds / (spec["epochs"] * -(-len(cases) // spec["batch"]))}


if __name__ == "__main__":
    answer("sklearn", {"harmonium": harmonium, "sklearn": sklearn}, distribution="scikit-learn")
