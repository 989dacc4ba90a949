"""The pictures of the site's first pages: ``python docs/figures.py`` draws them into ``docs/pictures``.

Pictures of experiments are drawn by the scripts under ``reproduce/``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

import harmonium as hm

PICTURES = Path(__file__).resolve().parent / "pictures"


def main() -> None:
    """Train the machine of the first page, and draw it."""
    data = hm.data.load("digits")
    rbm = hm.RBM(hm.Bernoulli(data.shape), 64)
    hm.fit(rbm, data.train, epochs=30, batch_size=10, learning_rate=hm.schedules.Linear(0.1), metric="plain", seed=0)
    print(hm.evaluate(rbm, data.test))
    hm.plots.write(hm.plots.filters(rbm), PICTURES / "digits-filters.png")
    new = hm.sample(rbm, 64, sweeps=2000, seed=1)
    hm.plots.write(hm.plots.samples(new, data.test, data.shape, data_name="digits"), PICTURES / "digits-samples.png")
    hm.plots.write(completions(rbm, np.asarray(data.test)[:8]), PICTURES / "digits-completed.png")


def completions(rbm: hm.RBM, cases: np.ndarray, draws: int = 8) -> object:
    """A row per case: lower halves drawn given the upper half, beside the cases themselves."""
    held = np.arange(cases.shape[1]) < cases.shape[1] // 2
    drawn = [hm.sample(rbm, draws, sweeps=500, clamp=(held, case), seed=k) for k, case in enumerate(cases)]
    given = torch.from_numpy(np.repeat(cases, draws, axis=0))
    return hm.plots.samples(torch.cat(drawn), given, rbm.visible.shape, data_name="digits: eight, repeated")


if __name__ == "__main__":
    main()
