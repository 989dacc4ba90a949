"""Imports respect the floors: none goes to a higher floor, not even inside a function, and no files form a circle.

Imports for type checkers alone are not counted.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / "src" / "harmonium"
FLOORS = (
    ("core",),
    ("kernels",),
    ("units",),
    ("data",),
    ("models",),
    ("sampling",),
    ("couplings", "diagnostics"),
    ("likelihood",),
    ("objectives",),
    ("training",),
    ("runs",),
    ("recipes",),
    ("cli", "exchange", "plots", "report", "sklearn", "tables", "testing"),
)
HEIGHT = {package: height for height, floor in enumerate(FLOORS) for package in floor}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in ROOT.rglob("*.py")}


def imports(path: Path, files: dict[str, Path] = FILES) -> Iterator[str]:
    """Modules of the library that a file imports, anywhere in it but under ``if TYPE_CHECKING``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import: the library writes absolute ones"
            whole = {f"{node.module}.{alias.name}" for alias in node.names} & files.keys()
            yield from whole or ({node.module} & files.keys())  # type: ignore[operator]


def package(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_every_package_stands_on_a_floor() -> None:
    packages = {package(module) for module in FILES} - {"", "__main__"}
    assert packages == set(HEIGHT)


def test_no_import_from_a_higher_floor() -> None:
    upward = [
        f"{module} imports {target}"
        for module, path in FILES.items()
        for target in imports(path)
        if package(module) in HEIGHT
        and HEIGHT[package(module)] < HEIGHT["cli"]
        and HEIGHT.get(package(target), 99) > HEIGHT[package(module)]
    ]
    assert upward == []


def test_no_circle_of_files() -> None:
    graph = {module: set(imports(path)) - {module} for module, path in FILES.items()}
    assert circles(graph) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules each of which reaches all others of its group."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        stack = list(graph[start])
        while stack:
            module = stack.pop()
            if module not in seen:
                seen.add(module)
                stack += graph.get(module, ())
        reach[start] = seen
    groups = {
        tuple(sorted(other for other in reach[module] if module in reach.get(other, ())))
        for module in graph
        if module in reach[module]
    }
    return sorted(map(list, groups))
