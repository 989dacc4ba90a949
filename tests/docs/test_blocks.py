"""Every ```python block of the documentation runs: one namespace per page, from top to bottom, in an empty folder.

So does every line of a ```sh block, each of which is a `harmonium` command.  A block that cannot run here has the line
``<!-- not run: reason -->`` before it.  A ```text block is what the block before it prints, up to rounding.  A block
```python title="name.py" is a file of that name.  Other languages, and blocks whose fence carries other words, are
prose.
"""

from __future__ import annotations

import contextlib
import io
import linecache
import re
import shlex
import textwrap
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harmonium.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

FENCE = re.compile(r"(?P<indent> *)(?P<marks>`{3,}|~{3,}) *(?P<language>[^`]*)$")
FILE = re.compile(r'python title="(\w+\.py)"$')
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
NOT_RUN = re.compile(r"<!--\s*not run:\s*\S.*-->\s*$")


class Block(NamedTuple):
    """The source of a block, its language, and the line of the page, counted from 1, on which its first line stands."""

    line: int
    source: str
    language: str = "python"


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a page that are to be run.

    Raises:
        ValueError: where a fence is never closed.
    """
    lines = text.splitlines()
    before = ""  # the last line of prose that is not blank
    number = 0
    while number < len(lines):
        opening = FENCE.match(lines[number])
        if opening is None:
            before = lines[number].strip() or before
            number += 1
            continue
        closing = re.compile(rf" *{opening['marks'][0]}{{{len(opening['marks'])},}} *$")
        first = number + 1
        last = next((i for i in range(first, len(lines)) if closing.match(lines[i])), None)
        if last is None:
            raise ValueError(f"line {first}: this fence is never closed")
        language = opening["language"].strip()
        if (language in ("python", "sh", "text") or FILE.match(language)) and not NOT_RUN.match(before):
            yield Block(first + 1, textwrap.dedent("\n".join(lines[first:last])) + "\n", language)
        before = ""
        number = last + 1


def run(page: Path) -> None:
    """Run all blocks of a page, failing with the page and the line on which the error happened."""
    name = str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else page.name
    namespace: dict[str, Any] = {"__name__": "__main__"}
    text = page.read_text(encoding="utf-8")
    # Tracebacks and pytest find the failing line by the name of the page and its own line numbers.
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    printed = ""
    for block in blocks(text):
        if file := FILE.match(block.language):
            Path(file[1]).write_text(block.source, encoding="utf-8")
            continue
        if block.language == "text":
            if not alike(printed, block.source):
                pytest.fail(f"{name}:{block.line}: the block before it prints\n{printed}", pytrace=False)
            continue
        if block.language == "sh":
            where = block.line
            for line in re.split(r"(?<!\\)\n", block.source):  # a backslash goes on in the next line
                command(line.replace("\\\n", " "), f"{name}:{where}")
                where += line.count("\n") + 1
            continue
        try:
            with contextlib.redirect_stdout(io.StringIO()) as output:
                exec(compile("\n" * (block.line - 1) + block.source, name, "exec"), namespace)
            printed = output.getvalue()
        except Exception as error:
            frames = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
            line = error.lineno if isinstance(error, SyntaxError) and error.filename == name else None
            where = line or (frames[-1] if frames else block.line)
            source = linecache.getline(name, where).strip()
            message = f"{name}:{where}: (block at line {block.line}) {type(error).__name__}: {error}\n    {source}"
            pytest.fail(message, pytrace=False)


def alike(printed: str, shown: str) -> bool:
    """Whether two texts have the same words and about the same numbers; seconds may be any."""
    texts = [re.sub(r"seconds \S+", "seconds", text) for text in (printed, shown)]
    words, numbers = zip(*((NUMBER.sub("#", text).split(), NUMBER.findall(text)) for text in texts), strict=True)
    pairs = zip(map(float, numbers[0]), map(float, numbers[1]), strict=False)
    return words[0] == words[1] and all(abs(a - b) <= max(2.0, 0.1 * abs(b)) for a, b in pairs)


def command(line: str, where: str) -> None:
    """Run a line of a shell block in this process, failing with the page and the line where its exit code is not 0."""
    words = shlex.split(line, comments=True)
    if not words:
        return
    if words[0] != "harmonium":
        pytest.fail(f"{where}: only harmonium commands run here, found {words[0]!r}: indent the line", pytrace=False)
    with pytest.raises(SystemExit) as ended:
        main(words[1:])
    if ended.value.code:
        pytest.fail(f"{where}: exit code {ended.value.code}\n    {line}", pytrace=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # files of the page are modules
    run(page)


# The test of the test ----------------------------------------------------------------------------------------------


def page_of(tmp_path: Path, text: str) -> Path:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


def test_one_namespace_in_order(tmp_path: Path) -> None:
    run(page_of(tmp_path, "```python\na = 1\n```\n\nprose\n\n```python\nassert a == 1\n```\n"))


def test_a_failure_names_page_and_line(tmp_path: Path) -> None:
    page = page_of(tmp_path, "# Title\n\n```python\na = 1\nassert a == 2, 'no'\n```\n")
    with pytest.raises(pytest.fail.Exception, match=r"page\.md:5: \(block at line 4\) AssertionError: no\n    assert"):
        run(page)


def test_a_failure_inside_a_function_names_the_line_of_the_function(tmp_path: Path) -> None:
    page = page_of(tmp_path, "```python\ndef f():\n    1 / 0\n```\n\n```python\nf()\n```\n")
    with pytest.raises(pytest.fail.Exception, match=r"page\.md:3: \(block at line 7\) ZeroDivisionError"):
        run(page)


@pytest.mark.parametrize("shown", ["-18.6 nats in seconds 3", "-18.6  nats in\nseconds 3"])
def test_shown_output_is_compared_up_to_rounding(tmp_path: Path, shown: str) -> None:
    run(page_of(tmp_path, f"```python\nprint('-18.73 nats in seconds 99')\n```\nprints\n```text\n{shown}\n```\n"))


@pytest.mark.parametrize("shown", ["-28.6 nats", "-18.7 bits"])
def test_other_output_than_shown_fails(tmp_path: Path, shown: str) -> None:
    page = page_of(tmp_path, f"```python\nprint('-18.73 nats')\n```\n```text\n{shown}\n```\n")
    with pytest.raises(pytest.fail.Exception, match=r"page\.md:5: the block before it prints\n-18\.73 nats"):
        run(page)


def test_bad_syntax_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"page\.md:4: .*SyntaxError"):
        run(page_of(tmp_path, "\n```python\na = 1\nb = = 2\n```\n"))


@pytest.mark.parametrize(
    "text",
    [
        "<!-- not run: it takes a night -->\n```python\n1 / 0\n```\n",
        "<!-- not run: it takes a night -->\n\n```python\n1 / 0\n```\n",
        "```\n1 / 0\n```\n",
        "```console\n$ false\n```\n",
        "````markdown\n```python\n1 / 0\n```\n````\n",
    ],
)
def test_not_run(tmp_path: Path, text: str) -> None:
    run(page_of(tmp_path, text))


def test_commands_run_in_order_with_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (
        "```python\nimport pathlib\n\npathlib.Path('t.csv').write_text('a,b\\n0,1\\n1,0\\n')\n```\n"
        "```sh\n# what is in it?\nharmonium data describe t.csv\n```\n"
    )
    run(page_of(tmp_path, text))


@pytest.mark.parametrize(
    ("line", "message"),
    [("harmonium data describe none.csv", "page.md:3: exit code 2"), ("rm -r runs", "page.md:3: only harmonium")],
)
def test_a_command_that_fails_names_its_line(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=message):
        run(page_of(tmp_path, f"prose\n```sh\n{line}\n```\n"))


def test_a_file_of_the_page_is_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    text = '```python title="of_the_page.py"\nx = 1\n```\n```python\nfrom of_the_page import x\n\nassert x == 1\n```\n'
    run(page_of(tmp_path, text))


def test_only_the_next_block_is_left_out(tmp_path: Path) -> None:
    page = page_of(tmp_path, "<!-- not run: why -->\n```python\npass\n```\n```python\n1 / 0\n```\n")
    with pytest.raises(pytest.fail.Exception, match=r"page\.md:6"):
        run(page)


def test_a_fence_left_open_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 3: this fence is never closed"):
        run(page_of(tmp_path, "prose\n\n```python\npass\n"))
