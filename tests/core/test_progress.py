"""Progress bars, and who sees them."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

import harmonium as hm
from harmonium.core.progress import bar_delay

BARS = hm.data.load("bars-and-stripes").train


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_shown_where_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert (bar_delay(True), bar_delay(False), bar_delay("auto")) == (0.0, None, None)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert (bar_delay(True), bar_delay(False), bar_delay("auto")) == (0.0, None, 2.0)


@pytest.mark.parametrize("running", [True, False])
def test_notebooks_show_bars(running: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Kernel:
        class IPKernelApp:
            @staticmethod
            def initialized() -> bool:
                return running

    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", Kernel)  # type: ignore[arg-type]
    assert bar_delay("auto") == (2.0 if running else None)


def test_other_words_are_refused() -> None:
    with pytest.raises(ValueError, match="progress must be True, False or \"auto\", found 'yes'"):
        hm.fit(hm.RBM(16, 2), BARS, epochs=1, progress="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize(("progress", "shown"), [("auto", False), (True, True), (False, False)])
def test_a_short_training_shows_a_bar_only_on_request(
    progress: Any, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    hm.fit(hm.RBM(16, 2), BARS, epochs=2, progress=progress)
    assert ("update" in terminal.getvalue()) == shown
