"""Draw the pictures of the README and of the site's first pages into ``docs/pictures``.

    python docs/figures.py

The picture of a page is taken in Chromium, by Playwright.  Pictures of experiments are drawn by the scripts under
``reproduce/``.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

import harmonium as hm

PICTURES = Path(__file__).resolve().parent / "pictures"


def main() -> None:
    """Train the model of the first page and draw it."""
    data = hm.data.load("digits")
    rbm = hm.RBM(hm.Bernoulli(data.shape), 64)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        run = Path("runs/digits")
        hm.fit(rbm, data.train, validation=data.valid, out=run)
        print(hm.evaluate(rbm, data.test))
        hm.plots.write(hm.plots.filters(rbm), PICTURES / "digits-filters.png")
        new = hm.sample(rbm, 64, sweeps=2000, seed=1)
        hm.plots.write(
            hm.plots.samples(new, data.test, data.shape, data_name="digits"), PICTURES / "digits-samples.png"
        )
        hm.plots.write(completions(rbm, np.asarray(data.test)[:8]), PICTURES / "digits-completed.png")
        photograph(hm.report.write(run), PICTURES / "page.png")


def completions(rbm: hm.RBM, cases: np.ndarray, draws: int = 8) -> Figure:
    """Return a picture with a row per case: lower halves drawn given the upper half, beside the cases themselves."""
    held = np.arange(cases.shape[1]) < cases.shape[1] // 2
    drawn = [hm.sample(rbm, draws, sweeps=500, clamp=(held, case), seed=k) for k, case in enumerate(cases)]
    given = torch.from_numpy(np.repeat(cases, draws, axis=0))
    return hm.plots.samples(torch.cat(drawn), given, rbm.visible.shape, data_name="digits: eight, repeated")


def photograph(page: Path, target: Path, width: int = 1000, height: int = 1010) -> None:
    """Take a picture of the top of the page of a run."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or sys.exit("the picture of the page needs Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        opened.goto(page.absolute().as_uri())
        opened.get_by_role("button", name="Run", exact=True).click()
        opened.wait_for_timeout(8000)  # milliseconds, for chains that have left the data
        opened.screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    main()
