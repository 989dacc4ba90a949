"""The site builds strictly, without a network, and its reference knows every public name."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import pkgutil
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

import harmonium as hm

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
NAMESPACES = [
    "harmonium",
    *(f"harmonium.{name}" for name in hm.__all__ if isinstance(getattr(hm, name), ModuleType)),
]


class Fetched(HTMLParser):
    """What a browser would fetch to show a page; links that readers follow are not fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload", "preconnect"):
            self.addresses.append(found.get("href") or "")
        elif tag in ("script", "img", "iframe", "source"):
            self.addresses.append(found.get("src") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: any warning, such as a broken link or a name that is not found, is an error."""
    for module in ("material", "mkdocs", "mkdocstrings", "latex2mathml"):
        pytest.importorskip(module, reason="the site is built with the extra docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    pages = {page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")}
    built = {page.with_name("index.html") if page.name == "README.md" else page.with_suffix(".html") for page in pages}
    built |= {Path("contributing.html"), Path("changelog.html")}
    assert sorted(str(page) for page in built if not (site / page).is_file()) == []


def test_nothing_is_fetched_from_the_network(site: Path) -> None:
    found = set()
    for page in site.rglob("*.html"):
        parser = Fetched()
        parser.feed(page.read_text(encoding="utf-8"))
        found |= {address for address in parser.addresses if "//" in address}
    for sheet in site.rglob("*.css"):
        found |= set(re.findall(r"url\(\s*[\"']?((?:https?:)?//[^)\"']+)", sheet.read_text(encoding="utf-8")))
    assert found == set()


def test_formulas_are_drawn(site: Path) -> None:
    theory = [page.read_text(encoding="utf-8") for page in (site / "theory").glob("*.html")]
    assert sum(page.count("<math") for page in theory) > 300
    left = [page.name for page in site.rglob("*.html") if "arithmatex" in page.read_text(encoding="utf-8")]
    assert left == []


def test_examples_are_code_and_no_quotation(site: Path) -> None:
    models = (site / "reference" / "models.html").read_text(encoding="utf-8")
    assert models.count('<span class="gp">&gt;&gt;&gt; </span>') > 20 and "<blockquote>" not in models


def described() -> list[str]:
    """What the reference asks for, as written."""
    pages = [page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md")]
    return re.findall(r"^::: (\S+)$", "\n".join(pages), re.MULTILINE)


def resolve(name: str) -> object:
    """Return the object with a dotted name such as ``harmonium.training.Monitor``."""
    name = re.sub(r"\.(\w+)\.\1$", r".\1", name)  # a function in a module of its name: data.load.load is data.load
    try:
        return functools.reduce(getattr, name.split(".")[1:], importlib.import_module("harmonium"))
    except AttributeError:  # in a module that nobody has imported yet
        return pkgutil.resolve_name(name)


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_the_reference_has_every_public_name(namespace: str) -> None:
    known = {id(resolve(name)) for name in described()}
    public = {f"{namespace}.{name}" for name in resolve(namespace).__all__}
    missing = {name for name in public if id(resolve(name)) not in known}
    assert sorted(name for name in missing if not isinstance(resolve(name), ModuleType)) == []


@pytest.mark.parametrize("name", described())
def test_the_reference_describes_objects(name: str) -> None:
    # A function in a module of its name is asked for as module.name: otherwise the module would be described.
    try:
        is_module = importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        is_module = False
    assert is_module == (name == "harmonium.data.table")
