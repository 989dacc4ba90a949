"""One line for whoever waits while machine code is made for the first time."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from harmonium.core.progress import somebody_looks

__all__ = ["Announcement"]

LATE = 1.0  # seconds of compiling, all loops of a process together, that nobody wonders about


class Announcement:
    """Writes a line to standard error, once, as soon as compiling has taken a second, if somebody looks there."""

    def __init__(self) -> None:
        self._spent = self._began = 0.0
        self._timer: threading.Timer | None = None
        self._said = False

    def begin(self, folder: Path) -> None:
        """A loop is compiled from now on, and will be kept in this folder."""
        self.end()
        if self._said or not somebody_looks():
            return
        # By a timer: a single loop can take ten seconds, and nothing else is called meanwhile.
        self._timer = threading.Timer(max(0.0, LATE - self._spent), self._say, [folder])
        self._timer.daemon = True
        self._began = time.perf_counter()
        self._timer.start()

    def end(self) -> None:
        """The loop is compiled."""
        if self._timer is not None:
            self._timer.cancel()
            self._spent += time.perf_counter() - self._began
            self._timer = None

    def _say(self, folder: Path) -> None:
        from tqdm import tqdm  # writes above a progress bar, not into it

        self._said = True
        tqdm.write(f"compiling for this processor: once, some seconds; kept in {folder}", file=sys.stderr)
