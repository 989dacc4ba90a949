"""scikit-learn's BernoulliRBM, kept in float32."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from protocol import Answer, Spec, answer, repeat


def gibbs(spec: Spec) -> Answer:
    """`BernoulliRBM.gibbs`, fed with its own output as users would."""
    import numpy as np
    from sklearn.neural_network import BernoulliRBM

    with np.load(Path(spec["folder"]) / "model.npz") as arrays:
        W, b, c, chains = (arrays[name].astype(np.float32) for name in ("W", "b", "c", "chains"))
    model = BernoulliRBM(n_components=spec["hidden"], random_state=0)
    model.components_ = np.asfortranarray(W.T)  # the layout that its own fit makes
    model.intercept_visible_, model.intercept_hidden_ = b, c

    def sweeps(as_float: bool) -> None:
        v = chains
        for _ in range(spec["sweeps"]):
            v = model.gibbs(v)
            if as_float:
                v = v.astype(np.float32)

    sample = model.gibbs(chains)
    assert model._mean_hiddens(chains).dtype == model._mean_hiddens(sample).dtype == np.float32
    # Its samples are bools, which its next product converts; converting them beforehand may be faster.
    ways = {
        name: repeat(partial(sweeps, as_float), spec["blocks"], warmup=3, per=spec["sweeps"])
        for name, as_float in (("bool", False), ("float32", True))
    }
    best = min(ways, key=ways.__getitem__)
    return {"seconds": ways[best], "note": f"samples passed on as {best}"}


def pcd(spec: Spec) -> Answer:
    """`BernoulliRBM.fit` (persistent chains, as many as the batch is large), less its preparation."""
    import numpy as np
    from sklearn.neural_network import BernoulliRBM

    cases = np.load(Path(spec["folder"]) / "cases.npy").astype(np.float32)
    updates = -(-len(cases) // spec["batch"])

    def fit(epochs: int) -> BernoulliRBM:
        model = BernoulliRBM(spec["hidden"], batch_size=spec["batch"], n_iter=epochs, random_state=0)
        return model.fit(cases)

    assert fit(1).components_.dtype == np.float32
    setup = repeat(lambda: fit(0), 3, warmup=0)
    whole = repeat(lambda: fit(spec["epochs"]), 1, warmup=0)
    return {"seconds": (whole - setup) / (updates * spec["epochs"])}


def racing(spec: Spec) -> Answer:
    """`BernoulliRBM.partial_fit` of shuffled batches, with the rate and batch size that it is given."""
    import numpy as np
    from racing import race
    from sklearn.neural_network import BernoulliRBM

    cases, random = np.load(spec["cases"]).astype(np.float32), np.random.default_rng(0)
    model = BernoulliRBM(spec["hidden"], learning_rate=spec["rate"], batch_size=spec["batch"], random_state=0)

    def some() -> None:
        order = random.permutation(len(cases))[: 50 * spec["batch"]]
        for batch in np.split(order, 50):
            model.partial_fit(cases[batch])

    return race(spec, lambda: (model.components_.T, model.intercept_visible_, model.intercept_hidden_), some)


if __name__ == "__main__":
    answer("sklearn", {"gibbs": gibbs, "pcd": pcd, "race": racing}, distribution="scikit-learn")
