"""The pages of benchmarks: every section has one place, and the first page agrees with the tables it quotes."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> object:
    """Import a module of ``benchmarks``, which is a folder of scripts."""

    def imported(name: str) -> ModuleType:
        monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
        for module in ("report", "headline"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        return importlib.import_module(name)

    return imported


def test_the_headline_quotes_the_tables(load) -> None:
    written = (PAGES / "index.md").read_text(encoding="utf-8")
    assert load("headline").headline() in written


def test_scripts_write_sections_that_exist_once() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES.glob("*.md"))
    begun, ended = (re.findall(rf"<!-- ([\w-]+):{end} -->", pages) for end in ("begin", "end"))
    scripts = "\n".join(p.read_text() for folder in ("benchmarks", "reproduce") for p in (ROOT / folder).glob("*.py"))
    named = set(re.findall(r'(?:replace_section|publish)\(\s*["\']([\w-]+)["\']', scripts))
    assert sorted(begun) == sorted(ended) == sorted(set(begun))
    assert named - set(begun) == set()


def test_columns_of_targets_are_left_out(load, tmp_path: Path) -> None:
    report = load("report")
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- x:begin -->\nold\n<!-- x:end -->\nafter\n")
    report.replace_section("x", report.table(("what", "must reach", "time", "met"), [("a", "<= 1", "2", "no")]), page)
    assert page.read_text() == (
        "before\n<!-- x:begin -->\n| what | time |\n| --- | --- |\n| a | 2 |\n<!-- x:end -->\nafter\n"
    )


def test_damaged_markers_are_refused(load, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- x:begin -->\n")
    with pytest.raises(ValueError, match="repair the page by hand"):
        load("report").replace_section("x", "text", page)
    assert page.read_text() == "<!-- x:begin -->\n"


def test_a_section_without_a_page_is_refused(load) -> None:
    with pytest.raises(ValueError, match="'nowhere'"):
        load("report").replace_section("nowhere", "text")
