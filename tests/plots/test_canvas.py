"""Figures for pages: drawn with the page's fonts and colours, and nothing of matplotlib's own."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from matplotlib.axes import Axes

from harmonium.plots.canvas import ACCENT, svg


def draw(axes: Axes) -> None:
    axes.plot([0, 1, 3], [5.125, 7.125, 11.125], color=ACCENT)
    axes.set(xlabel="<x> & y", title="not on a page")


def test_an_element_of_the_page() -> None:
    drawn = svg('"<t>', draw)
    assert drawn.startswith('<svg viewBox="0 0 ') and 'aria-label="&quot;&lt;t&gt;"' in drawn
    assert "&lt;x&gt; &amp; y" in drawn and "not on a page" not in drawn
    ElementTree.fromstring(drawn.replace("<svg ", '<svg xmlns:xlink="http://www.w3.org/1999/xlink" ', 1))


def test_fonts_and_colours_are_the_page_s() -> None:
    drawn = svg("title", draw)
    assert "var(--accent)" in drawn and ACCENT not in drawn
    assert "font-family" not in drawn and "<style" not in drawn and "<g id" not in drawn
    assert svg("title", draw) == drawn  # the same picture is the same text
    assert svg("other", draw) != drawn  # ids of two pictures of a page differ


def test_numbers_are_short_where_nobody_reads_them() -> None:
    drawn = svg("title", draw)
    paths = " ".join(re.findall(r' d="([^"]*)"', drawn))
    assert re.search(r"\d\.\d", paths) and not re.search(r"\d\.\d\d", paths)
    line = max(re.findall(r'<path d="([^"]*)"[^>]*stroke: var\(--accent\)', drawn), key=len)
    (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, point)) for point in re.findall(r"([\d.]+) ([\d.]+)", line)]
    assert abs((y1 - y0) / (x1 - x0) - (y2 - y1) / (x2 - x1)) < 0.02  # straight
