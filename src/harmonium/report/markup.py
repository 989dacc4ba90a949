"""HTML from Python, with every string escaped."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harmonium.core.numbers import fixed

__all__ = [
    "Section",
    "breakable",
    "data_uri",
    "escape",
    "figure",
    "number",
    "pair",
    "paragraph",
    "pre",
    "signed",
    "table",
    "tiles",
    "typeset",
]


_SIGN = re.compile(r"(?<![\w.)])-(?=[\d.])")
_NUMBER = re.compile(r"\N{MINUS SIGN}?[\d,.]+")


class Section(NamedTuple):
    """A part of the page: ``key`` is its anchor, ``body`` is markup."""

    key: str
    title: str
    body: str

    def __str__(self) -> str:
        return f'<section id="{self.key}">\n<h2>{escape(self.title)}</h2>\n{self.body}\n</section>'


def escape(text: object) -> str:
    """Escape text, so that it is shown as it is."""
    return html.escape(str(text), quote=True)


def breakable(name: object) -> str:
    """Escape the name of a column or a label, which may then break at its underscores, dots, slashes and hyphens."""
    return re.sub(r"(?<=[_./-])(?=\w)", "<wbr>", escape(name))


def typeset(number: str) -> str:
    """Give a number that is written with the keyboard a true minus sign, and a word for infinity."""
    words = {"inf": "unbounded", "-inf": "unbounded", "nan": "undefined"}
    return words.get(number, number.replace("-", "\N{MINUS SIGN}"))


def signed(text: str) -> str:
    """Give the numbers in a sentence true signs; hyphens in words stay."""
    return _SIGN.sub("\N{MINUS SIGN}", text.replace("+-", "\N{PLUS-MINUS SIGN}"))


def number(value: float, digits: int = 2) -> str:
    """Format a number, with a true minus sign, and a word for infinity."""
    return typeset(fixed(value, digits))


def paragraph(text: object, kind: str = "") -> str:
    """Write a paragraph of text."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def pre(text: str) -> str:
    """Write text to be copied, such as a command."""
    return f"<pre><code>{escape(text)}</code></pre>"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table of text; without a head if all titles are empty."""
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    top = f"<thead><tr>{titles}</tr></thead>" if any(head) else ""
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="scroll"><table>{top}<tbody>{body}</tbody></table></div>'


def _cell(content: object) -> str:
    kind = ' class="number"' if _NUMBER.fullmatch(str(content)) else ""
    return f"<td{kind}>{escape(content)}</td>"


def tiles(facts: Iterable[tuple[str, str, str]]) -> str:
    """Write the tiles of a list of facts: a name, a value and a remark each."""
    return "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(remark)}</small></dd></div>"
        for name, value, remark in facts
    )


def figure(content: str, caption: str, kind: str = "") -> str:
    """Put markup and a caption together."""
    opening = f'<figure class="{kind}">' if kind else "<figure>"
    return f"{opening}{content}<figcaption>{escape(caption)}</figcaption></figure>"


def pair(*figures: str) -> str:
    """Put figures side by side if there is room."""
    return f'<div class="pair">{"".join(figures)}</div>'


def data_uri(png: bytes) -> str:
    """Write a PNG as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
