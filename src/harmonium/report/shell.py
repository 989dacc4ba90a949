"""What every page has: one file with its styles, numbers and script, and a policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from string import Template

from harmonium.core.version import __version__
from harmonium.report.markup import Section, escape

__all__ = ["bundle", "page"]


def page(
    title: str,
    *,
    kind: str,
    lead: str,
    facts: str,
    sections: Sequence[Section],
    payload: str,
    modules: Sequence[str],
    notice: str = "",
    styles: Sequence[str] = ("style.css",),
) -> str:
    """Write a whole page as HTML.

    Args:
        title: of the page, text.
        kind: what is written above it, text.
        lead: a sentence under it, text.
        facts: tiles, markup (see `markup.tiles`).
        sections: in their order.
        payload: script elements without code, from which the script reads its numbers.
        modules: names of scripts, each after those that it imports.
        notice: what must be seen first, markup.
        styles: names of style sheets.
    """
    script = bundle(modules)
    return Template(_asset("page.html")).substitute(
        version=escape(__version__),
        policy=f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'",
        style="\n".join(map(_asset, styles)),
        title=escape(title),
        kind=escape(kind),
        lead=escape(lead),
        notice=notice,
        facts=facts,
        contents="".join(f'<a href="#{section.key}">{escape(section.title)}</a>' for section in sections),
        sections="\n".join(map(str, sections)),
        payload=payload,
        script=script,
    )


def bundle(modules: Sequence[str]) -> str:
    """Join modules into one: a page opened from disk cannot import others."""
    texts = []
    for name in modules:
        text = re.sub(r"^import .*;\n", "", _asset(f"{name}.js"), flags=re.MULTILINE)
        texts.append(re.sub(r"^export ", "", text, flags=re.MULTILINE))
    return "\n" + "\n".join(texts)


def _asset(name: str) -> str:
    return (files("harmonium.report") / "assets" / name).read_text(encoding="utf-8")
