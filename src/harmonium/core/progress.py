"""Whether there is somebody to show a progress bar to."""

from __future__ import annotations

import sys
from typing import Literal

__all__ = ["Progress", "bar_delay"]

Progress = bool | Literal["auto"]

PATIENCE = 2.0  # seconds before a bar appears that nobody asked for


def bar_delay(progress: Progress) -> float | None:
    """Return the seconds after which a progress bar appears; None: never.

    Args:
        progress: True: at once; False: never; "auto": after two seconds, where standard error is a terminal or the
            output goes into a notebook.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(progress, bool):
        return 0.0 if progress else None
    if progress != "auto":
        raise ValueError(f'progress must be True, False or "auto", found {progress!r}')
    return PATIENCE if _watched() else None


def _watched() -> bool:
    kernel = sys.modules.get("ipykernel.kernelapp")  # only if this process is the kernel of a notebook
    return sys.stderr.isatty() or (kernel is not None and kernel.IPKernelApp.initialized())
