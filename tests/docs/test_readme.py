"""The README is short, its numbers are those of the pages it links to, and its table can be typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import harmonium as hm

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_it_is_short() -> None:
    assert len(README.split()) <= 700


CLAIMS = re.findall(r"^\d\. (.*?\]\(([^)#]+)[^)]*\)\))", section("Five claims"), re.MULTILINE | re.DOTALL)


def test_there_are_five_claims() -> None:
    assert len(CLAIMS) == 5


@pytest.mark.parametrize(("claim", "page"), CLAIMS)
def test_numbers_of_a_claim_are_on_the_page_it_links_to(claim: str, page: str) -> None:
    measured = re.findall(r"-?\d+(?:\.\d+)?", (ROOT / page).read_text(encoding="utf-8"))
    claimed = re.findall(r"-?\d+\.\d+|\d+ of \d+", claim.partition("](")[0])
    assert claimed
    assert [number for each in claimed for number in each.split(" of ") if number not in measured] == []


@pytest.mark.parametrize("line", re.findall(r"\| `(hm\..*)` \|", section("Models")))
def test_every_line_of_the_table_makes_a_model(line: str) -> None:
    assert isinstance(eval(line, {"hm": hm, "pairs": [[0, 1], [1, 2]]}), (hm.models.Model, hm.TableModel))
