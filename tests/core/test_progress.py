"""Progress bars, and who sees them."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

import harmonium as hm
from harmonium.core.progress import bar_delay, showing, steps

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


GAP = [[0.0, float("nan"), 1.0]]
CALLS: dict[str, tuple[Callable[..., torch.Tensor], str, str]] = {
    "machine": (lambda **progress: hm.sample(hm.RBM(16, 2), 3, sweeps=7, **progress), "7/7", "sweep"),
    "DBN": (lambda **progress: hm.sample(hm.DBN([16, 4, 2]), 3, sweeps=7, **progress), "7/7", "sweep"),
    "tempering": (
        lambda **progress: hm.sample(
            hm.RBM(16, 2), 3, sweeps=7, sampler=hm.sampling.Tempering(rungs=3, adapt=False), **progress
        ),
        "7/7",
        "round",
    ),
    "network": (lambda **progress: hm.sample(hm.OrderlessNADE(16, (4,)), 3, **progress), "16/16", "variable"),
    "masks": (lambda **progress: hm.sample(hm.MADE(16, (20,)), 3, **progress), "16/16", "variable"),
    "draws": (lambda **progress: hm.impute(hm.RBM(3, 2), GAP, sweeps=8, **progress), "8/8", "sweep"),
    "means": (lambda **progress: hm.impute(hm.RBM(3, 2), GAP, sweeps=8, mean=True, **progress), "4/4", "sweep"),
}


@pytest.mark.parametrize("name", CALLS)
def test_sampling_shows_a_bar_and_draws_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    call, count, unit = CALLS[name]
    plain = call(progress=False)
    assert terminal.getvalue() == ""
    assert torch.equal(call(progress=True), plain)
    assert count in terminal.getvalue()
    assert unit in terminal.getvalue()
    terminal.truncate(0)
    assert torch.equal(call(), plain)  # shorter than two seconds
    assert terminal.getvalue() == ""


def test_sampling_shows_a_bar_by_itself_once_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("harmonium.core.progress.PATIENCE", 1e-9)
    hm.sample(hm.RBM(16, 2), 3, sweeps=7)
    assert "7/7" in terminal.getvalue()


def test_loops_within_others_and_within_a_training_show_no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with showing(True):
        for _ in steps("ab", "outer"):
            assert list(steps("abc", "inner")) == list("abc")
        with showing(False):  # the outermost call decides
            assert list(steps("abcd", "next")) == list("abcd")
    for unit, shown in (("outer", True), ("inner", False), ("next", True)):
        assert (unit in terminal.getvalue()) == shown, unit
    hm.fit(hm.RBM(16, 2), BARS, objective=hm.PCD(k=3), epochs=1, progress=True)
    assert "update" in terminal.getvalue()
    assert "sweep" not in terminal.getvalue()


def test_an_error_in_a_loop_leaves_bars_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with showing(True):
        with pytest.raises(ZeroDivisionError):
            [1 // number for number in steps([1, 0, 1], "outer")]
        assert list(steps("abc", "next")) == list("abc")
    assert "next" in terminal.getvalue()
    terminal.truncate(0)
    assert list(steps("abc", "later")) == list("abc")
    assert terminal.getvalue() == ""
