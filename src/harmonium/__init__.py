"""Restricted Boltzmann machines and the models around them, trained in one loop and judged under one protocol."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import lazy_loader

from harmonium.core.version import __version__ as __version__

# `__init__.pyi` lists the public names for type checkers and editors; at run time each is imported when first used,
# so that `harmonium --help` need not wait for torch.
_get, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    try:
        return _get(name)
    except AttributeError:
        raise AttributeError(f"module 'harmonium' has no attribute {name!r}{_hint(name)}") from None


def _hint(name: str) -> str:
    """Where a name is found that is not at top level."""
    if name.startswith("_") or importlib.util.find_spec(f"harmonium.{name}") is not None:
        return ""  # a module that is being imported
    homes = [home for home in __all__ if home.islower() and isinstance(_get(home), ModuleType)]
    found = [home for home in homes if name in getattr(_get(home), "__all__", ())]
    return f": it is harmonium.{found[0]}.{name}" if found else ""
