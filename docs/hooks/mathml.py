"""Formulas of the site as MathML, which browsers draw themselves: no script, no fonts, no network.

`pymdownx.arithmatex` finds formulas in the Markdown and marks them; here they are translated, once, when the site is
built.  A formula that cannot be translated breaks the build.
"""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

MARKED = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
# A named function and what it is applied to, where no bracket parts them: log p, not logp.
NAMED = re.compile(r"(<mi>(?:log|exp|ln|max|min|arg)</mi>)(<m(?!o\b))")


def on_page_content(content: str, **_: Any) -> str:
    """MkDocs calls this with the HTML of every page."""
    return MARKED.sub(_translated, content)


def _translated(found: re.Match[str]) -> str:
    display = "block" if found[1] == "div" else "inline"
    return NAMED.sub(r"\1<mspace width='0.167em'/>\2", convert(html.unescape(found[2]), display=display))
