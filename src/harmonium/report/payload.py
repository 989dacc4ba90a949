"""What a page's script reads: JSON in which no name can end its element, and numbers as text."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
from torch import Tensor

__all__ = ["Floats", "element"]


class Floats:
    """Numbers of a page, concatenated: float32, or float16 where they are many.

    Args:
        half: whether they are float16, which takes half the room and keeps three digits.
    """

    def __init__(self, half: bool = False) -> None:
        self.parts: list[np.ndarray[Any, Any]] = []
        self.count, self.half = 0, half

    def add(self, tensor: Tensor) -> int:
        """Append a tensor; return where it begins."""
        start = self.count
        values = tensor.detach().cpu().contiguous().reshape(-1).float().numpy()
        self.parts.append(values.astype("<f2" if self.half else "<f4"))
        self.count += self.parts[-1].size
        return start

    def element(self) -> str:
        """Write the element from which `assets/floats.js` reads them."""
        text = base64.b64encode(b"".join(part.tobytes() for part in self.parts)).decode()
        return f'<script type="text/plain" id="floats" data-bits="{16 if self.half else 32}">{text}</script>'


def element(name: str, content: Any) -> str:
    """Write an element of JSON; ``name`` is its id."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    inert = text.replace("<", "\\u003c").replace("&", "\\u0026")
    inert = inert.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f'<script type="application/json" id="{name}">{inert}</script>'
