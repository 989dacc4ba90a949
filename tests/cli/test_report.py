"""``harmonium report`` and ``harmonium play``: what they write and say, and how they refuse."""

from __future__ import annotations

import json
import os
import webbrowser
from pathlib import Path

import pytest
import torch

import harmonium as hm

from .calls import call


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "bars"
    hm.fit(hm.RBM(16, 4), hm.data.load("bars-and-stripes").train, epochs=2, learning_rate=0.01, out=out)
    return out


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short chains, no diagnosis: what a page says is tested elsewhere."""
    from harmonium.report import inputs, judgement

    monkeypatch.setattr(inputs, "affordable_sweeps", lambda model, chains: 3)
    monkeypatch.setattr(judgement.importlib.util, "find_spec", lambda name: None)


def test_writes_one_page(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = call("report", run, "--out", page)
    assert result.exit_code == 0 and result.stdout.startswith(f"report: {page} ("), result.output
    assert page.read_text().startswith("<!doctype html>") and not (run / "report.html").exists()


def test_plays_what_is_there_or_writes_it(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: bool(opened.append(address)))
    page = run / "report.html"
    assert call("play", run, "--no-open").stdout == f"page: {page}\n" and opened == []
    content = page.read_bytes()
    page.write_text("mine")
    result = call("play", run)  # newer than the model: shown as it is
    assert opened == [page.as_uri()] and page.read_text() == "mine"
    assert "no browser was found" in result.stderr
    os.utime(page, (0, 0))
    call("play", run, "--no-open")
    assert page.read_bytes() == content  # the same run and seed: the same page
    call("play", run, "--no-open", "--seed", 1)
    assert page.read_bytes() != content  # another seed is another page, however fresh this one is


def test_runs_are_judged_with_the_threads_that_trained_them(run: Path, tmp_path: Path) -> None:
    """Threads that share products too small for it wait for each other, minutes on a busy machine."""
    settings = json.loads((run / "run.json").read_text())
    before = torch.get_num_threads()
    try:
        for threads in (3, 1):
            (run / "run.json").write_text(json.dumps(settings | {"threads": threads}))
            for command in (("report", run, "--out", tmp_path / "page.html"), ("evaluate", run, "--split", "train"),
                            ("sample", run, "-n", 2)):  # fmt: skip
                torch.set_num_threads(2)
                assert call(*command).exit_code == 0 and torch.get_num_threads() == threads, command
    finally:
        torch.set_num_threads(before)
        (run / "run.json").write_text(json.dumps(settings))


def test_refuses(run: Path, tmp_path: Path) -> None:
    for arguments, words in (
        (("report", tmp_path / "nothing"), "there is no run folder"),
        (("report", run, "--binarize", "threshold"), "--binarize is for --data"),
        (("play", run, "--data", "digits"), "has 64 columns"),
        (("report", run, "--out", tmp_path / "no" / "page.html"), "cannot write"),
    ):
        result = call(*arguments)
        assert result.exit_code == 2 and words in result.stderr and "Traceback" not in result.output, result.output
