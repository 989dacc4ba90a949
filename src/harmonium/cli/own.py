"""Classes by their words on the command line, and those of the user's own modules as MODULE:CLASS."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["class_of", "import_modules"]

T = TypeVar("T")


def import_modules(modules: tuple[str, ...]) -> None:
    """Import modules of the user, those in the current folder included.

    Raises:
        click.UsageError: if one cannot be imported.
    """
    _search_current_folder()
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise click.UsageError(f"--import {module}: {error}{_hint(module)}") from error


def class_of(option: str, name: str, base: type[T]) -> type[T]:
    """Look up the class that an option names: by a word, or as MODULE:CLASS, which imports the module.

    Args:
        option: such as ``--model``.
        name: what was typed.
        base: the class that it has to be below.

    Raises:
        click.UsageError: if there is no such class.
    """
    from harmonium.core.registry import by_word, load_class

    if ":" in name:
        _search_current_folder()
        try:
            kind: Any = load_class(name)
        except ValueError as error:
            raise click.UsageError(f"{option} {error}{_hint(name.partition(':')[0])}") from error
        if not issubclass(kind, base):
            raise click.UsageError(f"{option} {name}: {kind.__name__} is not a subclass of harmonium's {base.__name__}")
        return kind  # type: ignore[no-any-return]
    known = by_word(base)
    if name.lower() not in known:
        near = difflib.get_close_matches(name.lower(), known, n=1)
        guess = f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}"
        raise click.UsageError(f"{option} {name}: {guess} (a class of your own is MODULE:CLASS)")
    return known[name.lower()]


def _hint(module: str) -> str:
    """What to type instead of the name of a file."""
    return f": modules are named without .py, as in {Path(module).stem}" if module.endswith(".py") else ""


def _search_current_folder() -> None:
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
