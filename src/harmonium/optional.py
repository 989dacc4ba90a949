"""Packages that only some users need."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["need"]


def need(package: str, extra: str, what: str) -> Any:
    """The module of a package that an extra installs.

    Args:
        package: the module's name.
        extra: of the extras of harmonium, the one that brings it.
        what: who needs it, as messages call it.

    Raises:
        ImportError: where it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(f"{what} needs {package.partition('.')[0]}: pip install 'harmonium[{extra}]'") from error
