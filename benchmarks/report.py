"""Markdown tables, a description of the machine, and marked sections of a page."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
_HEAD = "# Benchmarks\n\nEvery number on this page is printed by a script under `benchmarks/` or `reproduce/`.\n"


def replace_section(name: str, text: str, page: Path = PAGE) -> None:
    """Put ``text`` between ``<!-- name:begin -->`` and ``<!-- name:end -->`` of a page, atomically.

    The page and its markers are made where they are missing (a new section goes to the end).

    Raises:
        ValueError: where the markers are damaged (one of the two missing, twice there, or in the wrong order).
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    old = page.read_text(encoding="utf-8") if page.exists() else _HEAD
    body = f"{begin}\n{text.strip()}\n{end}"
    counts = (old.count(begin), old.count(end))
    if counts == (0, 0):
        new = f"{old.rstrip()}\n\n{body}\n"
    elif counts == (1, 1) and old.index(begin) < old.index(end):
        new = old[: old.index(begin)] + body + old[old.index(end) + len(end) :]
    else:
        raise ValueError(f"{page}: expected one {begin} before one {end}; repair the page by hand")
    page.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=page.parent, prefix=f".{page.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, page.stat().st_mode & 0o777 if page.exists() else 0o644)
        os.replace(temporary, page)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def rows_of(name: str, page: Path = PAGE) -> list[list[str]]:
    """Cells of the table in a section, row by row, without its header; none where there is no such section."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    _, _, section = text.partition(f"<!-- {name}:begin -->")
    lines = section.partition(f"<!-- {name}:end -->")[0].splitlines()
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("|")][2:]


def measured() -> str:
    """Date and commit, for a row of a table whose rows were measured at different times."""
    return f"{datetime.datetime.now(datetime.UTC).date().isoformat()}, {_commit()}"


def machine(threads: int, versions: dict[str, set[str]]) -> str:
    """One paragraph: processor, cores, threads, versions, date and commit."""
    known = ", ".join(f"{name} {' and '.join(sorted(found))}" for name, found in versions.items())
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return (
        f"Measured on {today} ({_commit()}): {_processor()}, {_cores()} cores, {threads} threads, "
        f"{platform.system()} {platform.machine()}, {known}."
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
