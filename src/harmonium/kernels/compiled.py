"""How the loops are compiled, and how they are named."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harmonium.kernels import cache

__all__ = ["INLINE", "OPTIONS", "Scalar", "compiled", "named_after"]

OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}

INLINE: dict[str, Any] = OPTIONS | {"forceinline": True}
"""For pieces of loops that are so short that passing their arguments would take as long."""

Scalar = Callable[..., Any]

compiled = cache.compiled(**OPTIONS)  # whole loops only, never the pieces that they inline: see `named_after`

_PACKAGE = hashlib.blake2b(b"".join(cache.SOURCES), digest_size=7)


def named_after(*functions: Scalar) -> Callable[[Scalar], Scalar]:
    """Make a decorator that names a loop after the scalar functions that it inlines, their sources and this package's.

    Numba's cache checks only the file of the loop itself, and must not return machine code of an older formula.  And it
    names machine code by the function's name, its argument types and a number that counts the functions of one process:
    code cached by processes that compiled in another order can have the same name, and the linker takes the first for
    both.
    """
    digest = _PACKAGE.copy()
    for function in functions:
        digest.update(f"{function.__module__}.{function.__qualname__}".encode())
        digest.update(Path(function.__code__.co_filename).read_bytes())

    def rename(function: Scalar) -> Scalar:
        function.__qualname__ += f"_{digest.hexdigest()}"
        return function

    return rename
