"""Lines of a text file that are no cases: comments, titles, units below the names, totals at the end."""

from __future__ import annotations

import io
import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from harmonium.data.header import MISSING_WORDS, guess_header
from harmonium.data.number_words import looks_like_number
from harmonium.data.opening import open_bytes

__all__ = ["Row", "footers", "is_comment", "names_of_comment", "title_lines", "units_line"]

_TOTALS = frozenset(["total", "totals", "total:", "grand total", "sum", "sum:", "mean", "average", "gesamt", "summe"])
_TAIL_BYTES = 2**16


@dataclass(frozen=True)
class Row:
    """The cells of one line, the number of its (last) line, and how many lines come before it."""

    cells: list[str]
    line: int
    before: int


def is_comment(line: str) -> bool:
    """Return whether a line starts with the mark of a comment, as ``numpy.savetxt`` writes its header."""
    return line.lstrip("\ufeff \t").startswith(("#", "%", "//"))


def names_of_comment(
    comments: list[tuple[int, str]], rows: list[Row], width: int, delimiter: str
) -> tuple[int, list[str]] | None:
    """Return the number and the names of the last comment if it has as many cells as the table, which has no header."""
    if not comments or guess_header(rows[0].cells, [row.cells for row in rows[1:]]).holds:
        return None
    number, line = comments[-1]
    text = re.sub(r"^(#|%|//)+\s*", "", line.strip("\ufeff \t\r\n"))
    cells = [cell.strip().strip('"') for cell in (text.split() if delimiter == " " else text.split(delimiter))]
    names = len(cells) == width and width > 1 and not any(map(looks_like_number, cells))
    return (number, cells) if names else None


def title_lines(rows: list[Row], width: int, path: Path) -> list[Row]:
    """Return the lines above the names that hold one text alone.

    Raises:
        ValueError: there are such lines, and no header below them, so that they may be cases with gaps.
    """
    if width < 2:
        return []
    titles: list[Row] = []
    for row in rows:
        filled = [cell for cell in row.cells if cell.strip()]
        if len(filled) != 1 or not row.cells[0].strip() or looks_like_number(filled[0]) or len(titles) == 20:
            break
        titles.append(row)
    rest = rows[len(titles) :]
    if not titles or not rest:
        return []
    named = all(cell.strip() for cell in rest[0].cells) and len(rest[0].cells) == width
    if named and guess_header(rest[0].cells, [row.cells for row in rest[1:]]).holds:
        return titles
    if len(titles[0].cells) > 1 and any(sum(bool(cell.strip()) for cell in row.cells) == 1 for row in rest):
        return []  # lines with one value are usual in this file
    raise ValueError(
        f"{path}, line {titles[0].line} holds {next(cell for cell in titles[0].cells if cell.strip())!r} alone: skip "
        f"it with skip_rows={titles[-1].line} if it is a title, or say header=True or header=False if it belongs to "
        "the table"
    )


def units_line(rows: list[Row]) -> Row | None:
    """Return the first line below the names if it holds text above columns of numbers, as units of measurement are."""
    if len(rows) < 4:
        return None
    first, rest = rows[0].cells, [row.cells for row in rows[1:]]
    texts = 0
    for j, cell in enumerate(first):
        below = [cells[j].strip() for cells in rest if j < len(cells)]
        below = [other for other in below if other.lower() not in MISSING_WORDS]
        cell = cell.strip()
        if not below or cell in ("", "-"):
            continue
        if all(map(looks_like_number, below)):
            if looks_like_number(cell) or cell.lower() in MISSING_WORDS:
                return None
            texts += 1
        elif cell in below or cell.lower() in MISSING_WORDS:
            return None
    return rows[0] if texts and texts >= sum(bool(cell.strip(" -")) for cell in first) / 2 else None


def footers(
    path: Path, encoding: str, delimiter: str, rows: list[Row], whole: bool
) -> tuple[frozenset[int], list[str]]:
    """Find comments and a total at the end of a file.

    Returns:
        The numbers of these lines, counted from 1, and what was left out, in words.
    """
    last = _last_lines(path, encoding)
    several = bool(rows) and len(rows[0].cells) > 1
    known = {row.cells[0].strip().lower() for row in rows[: None if not whole else -1] if row.cells}
    back: list[int] = []
    notes = []
    for place, line in enumerate(reversed(last)):
        text = line.strip()
        if not text:
            continue
        cell = re.split(re.escape(delimiter), text, maxsplit=1)[0].strip().strip('"').lower()
        comment = is_comment(line) and "#" not in {name[:1] for name in known}
        total = cell in _TOTALS and cell not in known and text.lower() != cell
        footnote = several and _is_footnote(text, delimiter)
        if not comment and not total and not footnote:
            break
        back.append(place)
        what = "a comment" if comment else "a total" if total else "a footnote"
        notes.append(f"the last line ({text[:40]}) is left out as {what} (skip_rows=0: no line is skipped)")
        if total:
            break
    if not back:
        return frozenset(), []
    count = _count_lines(path, encoding)
    return frozenset(count - place for place in back), notes


def _is_footnote(text: str, delimiter: str) -> bool:
    """Whether a line is a sentence and not a row: one cell of several words, or one that names a source."""
    one = delimiter not in text if delimiter != " " else text.endswith((":", ".")) or ": " in text
    return one and (" " in text or ":" in text) and not looks_like_number(text) and any(c.isalpha() for c in text)


def _last_lines(path: Path, encoding: str) -> list[str]:
    with open_bytes(path) as raw:
        if not isinstance(raw, io.BufferedReader) or encoding == "utf-16":  # no way to the end but through the file
            with io.TextIOWrapper(raw, newline="", encoding=encoding, errors="replace") as file:
                return list(deque(file, 20))
        size = raw.seek(0, 2)
        raw.seek(max(0, size - _TAIL_BYTES))
        text = raw.read().decode("utf-8", "replace")
    return list(io.StringIO(text, newline=""))[-20:]


def _count_lines(path: Path, encoding: str) -> int:
    with open_bytes(path) as raw, io.TextIOWrapper(raw, newline="", encoding=encoding, errors="replace") as file:
        return sum(1 for _ in file)
