"""Optional packages, installed by extras."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["MissingPackageError", "need"]


class MissingPackageError(ImportError):
    """An optional package is missing; an extra of harmonium installs it."""


def need(package: str, extra: str, what: str) -> Any:
    """Import a module that an extra of harmonium installs.

    Args:
        package: the module's name.
        extra: the extra that installs it.
        what: the feature that needs it, for the message.

    Returns:
        the module.

    Raises:
        MissingPackageError: if it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        raise MissingPackageError(f"{what} needs {name}: pip install 'harmonium[{extra}]'") from error
