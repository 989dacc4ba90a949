"""Every relative link and picture of the documentation leads to a file that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
FENCED = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2", re.MULTILINE | re.DOTALL)


def targets(page: Path) -> list[str]:
    """Files that a page links to, as written; code and addresses on the network apart."""
    found = [match["target"] for match in LINK.finditer(FENCED.sub("", page.read_text(encoding="utf-8")))]
    local = (target.partition("#")[0] for target in found if "://" not in target)
    return [target for target in local if target]


def broken(page: Path) -> list[str]:
    return [target for target in targets(page) if not (page.parent / target).is_file()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    assert broken(page) == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.is_file():
            reached.add(page)
            waiting += [(page.parent / target).resolve() for target in targets(page) if target.endswith(".md")]
    assert [str(page.relative_to(ROOT)) for page in PAGES if page not in reached] == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md) [b](there.md#part) [c](https://example.org/no.md) [d](#part) ![e](missing.png)\n"
        "```python\nx = [f](gone.md)\n```\n"
    )
    assert broken(page) == ["missing.png"]
