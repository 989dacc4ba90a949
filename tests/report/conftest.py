"""Runs to report on, and a browser to look at the pages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harmonium as hm
from harmonium.report import inputs, judgement, write

CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

IMAGE = '<img src=x onerror="window.hacked=1">'
SCRIPT = "</script><script>window.hacked=1</script>"


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short training on images of 8 x 8 pixels, with validation."""
    out = tmp_path_factory.mktemp("digits") / "run"
    data = hm.data.load("digits")
    watch = [
        hm.training.Monitor(every=1),
        hm.training.LikelihoodMonitor(every=1),
        hm.training.EarlyStopping("log_likelihood_lower"),
    ]
    hm.fit(hm.RBM(hm.Bernoulli((8, 8)), 12), data.train, objective=hm.PCD(chains=50), epochs=3, learning_rate=0.05,
           validation=data.valid, callbacks=watch, out=out)  # fmt: skip
    return out


@pytest.fixture(scope="session")
def table_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of four columns, two of which have names that would like to be markup."""
    path = tmp_path_factory.mktemp("table") / "people.csv"
    rng = np.random.default_rng(0)
    well = rng.random(300) < 0.5
    columns = (
        well.astype(int), np.where(well, 0, rng.integers(0, 3, 300)), np.where(well, 1.0, -1.0) + rng.normal(size=300),
        (rng.random(300) < np.where(well, 0.9, 0.2)).astype(int),
    )  # fmt: skip
    names = ["well", '"' + IMAGE.replace('"', '""') + '"', "age", f'"{SCRIPT}"']
    rows = [",".join(f"{value:.6g}" for value in row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
    return path


@pytest.fixture(scope="session")
def table_run(table_file: Path) -> Path:
    """A short training on the table."""
    out = table_file.parent / "run"
    data = hm.data.load(str(table_file), valid=0.2, test=0.2)
    units = hm.Mixed([hm.Bernoulli(1), hm.Categorical(1, 3), hm.Gaussian(1), hm.Bernoulli(1)])
    hm.fit(hm.RBM(units, 5), data.train, objective=hm.PCD(chains=50), epochs=20, learning_rate=0.02, out=out)
    return out


@pytest.fixture(scope="session")
def messy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of whole numbers, mostly zero; of numbers with two decimals and gaps; of 60 categories; of two."""
    path = tmp_path_factory.mktemp("messy") / "census.csv"
    rng = np.random.default_rng(5)
    gains = np.where(rng.random(400) < 0.9, 0, rng.choice([2174, 3103, 7688, 15024], 400))
    towns = [f"Municipality of {a}{b}" for a in "ABCDEFGHIJ" for b in "uvwxyz"]
    town = np.concatenate([towns, rng.choice(towns, 340)])
    score = np.where(rng.random(400) < 0.05, "", np.char.mod("%.2f", 3 * rng.standard_normal(400)))
    rows = zip(gains, town, score, rng.choice(["yes", "no"], 400), strict=True)
    head = (
        "total capital gains declared in the last fiscal year,municipality_of_residence_at_the_interview,score,smokes"
    )
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


@pytest.fixture(scope="session")
def messy_run(messy_file: Path) -> Path:
    """A short training from Python on that table, with two units more than the page shows at once."""
    out = messy_file.parent / "run"
    data = hm.data.load(str(messy_file), table=True, valid=0.2, test=0.2)
    assert data.table is not None
    hm.fit(hm.RBM(data.table.units(), 50), data.train, objective=hm.PCD(chains=50), epochs=5, missing="draw", out=out)
    return out


@contextmanager
def quick() -> Iterator[None]:
    """Short chains, and no diagnosis: for pages of which something else is asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "affordable_sweeps", lambda model, chains: 3)
        patch.setattr(judgement, "diagnose", _refuse)
        yield


def _refuse(*arguments: Any, **options: Any) -> None:
    raise ValueError("not asked in this test")


@pytest.fixture(scope="session")
def digits_page(digits_run: Path) -> Path:
    return write(digits_run)


@pytest.fixture(scope="session")
def table_page(table_run: Path) -> Path:
    with quick():
        return write(table_run)


@pytest.fixture(scope="session")
def messy_page(messy_run: Path) -> Path:
    with quick():
        return write(messy_run)


@pytest.fixture(scope="session")
def page_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], Path]:
    """The page of a model of which nothing else is known."""

    def make(model: Any) -> Path:
        path = tmp_path_factory.mktemp("model") / "model.safetensors"
        hm.save(model, path)
        with quick():
            return write(path)

    return make


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser with a profile of its own; tests are skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="pages are tested with playwright: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("pages are tested in Debian's Chromium: apt-get install chromium")
    with api.sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=FLAGS, env={"HOME": profile, "TMPDIR": profile}, timeout=0
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def tab(chromium: Any) -> Any:
    """One page for all tests: to load another file costs less than half of what a fresh page costs."""
    return _opened(chromium)


def _opened(chromium: Any, **options: Any) -> Any:
    page = chromium.new_context(**({"viewport": {"width": 1280, "height": 900}} | options)).new_page()
    page.set_default_timeout(0)  # pytest's own limit ends what hangs; nothing else depends on the machine
    page.said = []
    page.on("console", lambda message: page.said.append(message.text) if message.type in _WRONG else None)
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else page.said.append(asked.url))
    return page


_WRONG = ("error", "warning")


@pytest.fixture
def look(chromium: Any, tab: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page from disk; in the end nothing may have gone wrong in it, and nothing asked of a network.

    Without options it is the same page every time, with another file in it.
    """
    pages = [tab]

    def load(path: Path, **options: Any) -> Any:
        if options:
            pages.append(_opened(chromium, **options))
        pages[-1].goto(path.absolute().as_uri())
        return pages[-1]

    yield load
    wrong = [text for page in pages for text in page.said]
    tab.said.clear()
    tab.emulate_media(media="null")
    for page in pages[1:]:
        page.context.close()
    assert not wrong
