"""The options of `harmonium train`, by groups."""

from __future__ import annotations

from harmonium.cli import main
from harmonium.cli.train import GROUPS

from .calls import call


def test_every_option_is_in_one_group() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    options = [parameter.opts[-1] for parameter in main.commands["train"].params if parameter.opts[-1].startswith("-")]
    assert sorted(grouped) == sorted(options)


def test_the_help_has_the_groups_in_their_order() -> None:
    text = call("train", "--help").stdout
    places = [text.index(f"\n{title}:\n") for title in GROUPS]
    assert places == sorted(places) and text.index("Examples:") > places[-1]
    for title, following in zip(GROUPS, [*list(GROUPS)[1:], "Help"], strict=True):
        part = text[text.index(f"\n{title}:\n") : text.index(f"\n{following}:\n")]
        for name in GROUPS[title]:
            assert name in part
    assert "-h, --help" in text[text.index("\nHelp:\n") :]
