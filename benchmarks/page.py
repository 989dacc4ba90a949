"""The page of a run in Chromium: its size, the time until it can be used, and how fast its chains run.

    python benchmarks/page.py MODEL --write

MODEL is a model file, such as `python reproduce/mnist_rbm.py` leaves.  The page is written, opened from disk in a fresh
browser, and its first button pressed; then the chains run for a while, all of them, with everything drawn in between.
playwright is needed, and Debian's chromium.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright
from report import duration, machine, quiet, replace_section, table

from harmonium.report import write

FLAGS = ["--no-sandbox", "--disable-gpu"]
RUN = """(milliseconds) => {
  const start = performance.now();
  let sweeps = 0;
  for (; performance.now() - start < milliseconds; sweeps++) { harmonium.sweep(); harmonium.draw(); }
  return (1000 * sweeps) / (performance.now() - start);
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks")
    options = parser.parse_args()
    warning = quiet()
    with tempfile.TemporaryDirectory() as folder:
        page = write(options.model, Path(folder) / "page.html")
        size = page.stat().st_size
        found = [measure(page) for _ in range(options.repeats)]
    seconds, rates, chains = zip(*found, strict=True)
    text = table(
        ["size of the page", "opened from disk until its first button worked", "sweeps a second, all chains"],
        [
            [
                f"{size / 1e6:.2f} MB",
                duration(statistics.median(seconds)),
                f"{statistics.median(rates):.0f} of {chains[0]} chains",
            ]
        ],
    )
    print(text)
    if options.write:
        measured = machine(1, {"torch": {torch.__version__}})
        replace_section(
            "page", f"{text}\n\nMedians of {options.repeats}. {measured}{f' Note: {warning}.' if warning else ''}"
        )


def measure(page: Path) -> tuple[float, float, int]:
    """(seconds until the first sweep, sweeps a second, chains), in a browser of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        begun = time.perf_counter()
        tab.goto(page.as_uri())
        tab.get_by_role("button", name="One sweep").click()
        assert tab.evaluate("harmonium.session.sweeps") == 1
        seconds = time.perf_counter() - begun
        rate, chains = tab.evaluate(RUN, 2000), tab.evaluate("harmonium.session.chains.length")
        browser.close()
    return seconds, rate, chains


if __name__ == "__main__":
    main()
