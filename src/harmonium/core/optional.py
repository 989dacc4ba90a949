"""Packages that only some users need."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["MissingPackageError", "need"]


class MissingPackageError(ImportError):
    """A package is not installed that an extra of harmonium brings."""


def need(package: str, extra: str, what: str) -> Any:
    """The module of a package that an extra installs.

    Args:
        package: the module's name.
        extra: of the extras of harmonium, the one that brings it.
        what: who needs it, as messages call it.

    Raises:
        MissingPackageError: where it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        raise MissingPackageError(f"{what} needs {name}: pip install 'harmonium[{extra}]'") from error
