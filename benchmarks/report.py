"""Markdown tables, a description of the machine, and marked sections of a page."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harmonium.core.files import write_atomically

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "benchmarks"
_TARGETS = ("must reach", "go for", "met")  # columns for those who run a script: the site shows measurements only


def replace_section(name: str, text: str, page: Path | None = None) -> Path:
    """Put ``text`` between ``<!-- name:begin -->`` and ``<!-- name:end -->`` of a page, atomically.

    Columns of targets are left out: a script prints them, the site does not show them.

    Args:
        name: The section.
        text: Its new content.
        page: The page; by default the one under ``docs/benchmarks`` that has the section.

    Returns:
        The page that was written.

    Raises:
        ValueError: If no page has the section, or its markers are damaged (one is missing, twice there or misplaced).
    """
    page = page or page_of(name)
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    old = page.read_text(encoding="utf-8") if page.exists() else f"{begin}\n{end}\n"
    if (old.count(begin), old.count(end)) != (1, 1) or old.index(begin) > old.index(end):
        raise ValueError(f"{page}: expected one {begin} before one {end}; repair the page by hand")
    body = f"{begin}\n{without_targets(text).strip()}\n{end}"
    new = old[: old.index(begin)] + body + old[old.index(end) + len(end) :]
    write_atomically(page, new.encode())
    return page


def page_of(name: str) -> Path:
    """Return the page under ``docs/benchmarks`` that has a section.

    Raises:
        ValueError: If none has it.
    """
    for page in sorted(PAGES.glob("*.md")):
        if f"<!-- {name}:begin -->" in page.read_text(encoding="utf-8"):
            return page
    raise ValueError(f"no page in {PAGES} has the section {name!r}: write its two markers where the table belongs")


def without_targets(text: str) -> str:
    """Return Markdown whose tables have lost the columns of targets."""
    lines: list[str] = []
    left_out: list[bool] = []  # one entry per column, while in a table
    for line in text.splitlines():
        if not line.startswith("|"):
            left_out = []
        else:
            left_out = left_out or [cell in _TARGETS for cell in _cells(line)]
            if any(left_out):
                line = _line([cell for cell, out in zip(_cells(line), left_out, strict=True) if not out])
        lines.append(line)
    return "\n".join(lines)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(map(_line, [header, ["---"] * len(header), *rows]))


def rows_of(name: str) -> list[list[str]]:
    """Return the cells of the tables in a section, row by row, without headers."""
    return [list(row.values()) for row in records(name)]


def records(name: str) -> list[dict[str, str]]:
    """Return the rows of all tables in a section as {header: cell}."""
    _, _, section = page_of(name).read_text(encoding="utf-8").partition(f"<!-- {name}:begin -->")
    found: list[dict[str, str]] = []
    header: list[str] = []
    for line in section.partition(f"<!-- {name}:end -->")[0].splitlines():
        if not line.startswith("|"):
            header = []
        elif not header:
            header = _cells(line)
        elif set(line) - set("|-: "):
            found.append(dict(zip(header, _cells(line), strict=True)))
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def measured() -> str:
    """Date and commit, for a row of a table whose rows were measured at different times."""
    return f"{datetime.datetime.now(datetime.UTC).date().isoformat()}, {_commit()}"


def machine(threads: int, versions: dict[str, set[str]]) -> str:
    """One paragraph: processor, cores, threads, versions, date and commit."""
    known = ", ".join(f"{name} {' and '.join(sorted(found))}" for name, found in versions.items())
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return (
        f"Measured on {today} ({_commit()}): {_processor()}, {_cores()} cores, {threads} threads, "
        f"{', '.join(filter(None, (f'{platform.system()} {platform.machine()}', known)))}."
    )


def quiet() -> str:
    """A warning where other work was running on the machine lately, else the empty string."""
    if not hasattr(os, "getloadavg"):
        return ""
    load = os.getloadavg()[0]
    return f"the load average was {load:.1f} at the start" if load > 0.7 else ""


def gigabytes(count: float) -> str:
    """Bytes as text in GB (10^9)."""
    return f"{count / 1e9:.2f} GB"


def duration(seconds: float) -> str:
    """Seconds as text: ms below one second."""
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        pairs = (line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in pairs}
        name = fields.get("model name")
        if name:
            wide = " (AVX-512)" if "avx512f" in fields.get("flags", "") else ""
            return f"{name}, family {fields.get('cpu family')} model {fields.get('model')}{wide}"
    return platform.processor() or platform.machine()


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        dirty = " with changes" if git("status", "--porcelain", "--untracked-files=no", "--", "src") else ""
        return f"commit {git('rev-parse', '--short', 'HEAD')}{dirty}"
    except (OSError, subprocess.CalledProcessError):
        return "no commit known"
