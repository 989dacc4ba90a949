"""Examples of docstrings as code: in Markdown, a line that begins with ``>>>`` would be a quotation."""

from __future__ import annotations

import re
from typing import Any

import griffe

# A line with a prompt, and what follows up to an empty line.
EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


class Doctests(griffe.Extension):
    """Puts a fence around every example."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for every object that was read."""
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(docstring: str) -> str:
    """A docstring whose examples are fenced blocks."""
    return EXAMPLE.sub(lambda found: f"```pycon\n{found[0]}\n```", docstring)
