"""What all tests share.  HARMONIUM_TEST_DEVICE names the device of the tests that run on any."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harmonium.models import RBM

CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def device() -> torch.device:
    return torch.device(os.environ.get("HARMONIUM_TEST_DEVICE", "cpu"))


@pytest.fixture
def make_rbm() -> Callable[..., RBM]:
    """A binary machine with normal weights and biases."""

    def make(visible: int, hidden: int, scale: float = 1.0, seed: int = 0, dtype: type = np.float64) -> RBM:
        rng = np.random.default_rng(seed)
        shapes = ((visible, hidden), (visible,), (hidden,))
        return RBM.from_arrays(*[(scale * rng.standard_normal(shape)).astype(dtype) for shape in shapes])

    return make


@pytest.fixture(autouse=True)
def no_global_seed() -> Iterator[None]:
    """Nothing in the library draws from, or sets, a global generator."""
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    yield
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)


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
