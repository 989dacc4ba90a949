"""Words of bits, such as 001000: one case each, not one number."""

from __future__ import annotations

import numpy as np

from harmonium.data.raw import Array, Frame

__all__ = ["bits_of_words"]


def bits_of_words(frame: Frame) -> tuple[Array, str] | None:
    """Return the bits of the words in the only column of a table, (cases, bits) uint8, and a note that says so.

    Returns:
        None if the table has more columns, or its cells are no words of 0 and 1 of one length.

    >>> import pandas as pd
    >>> bits_of_words(pd.DataFrame({"state": ["0010", "1100"]}))[0].tolist()
    [[0, 0, 1, 0], [1, 1, 0, 0]]
    """
    if len(frame.columns) != 1 or frame.iloc[:, 0].isna().any():
        return None
    words = frame.iloc[:, 0]
    if words.dtype.kind == "i":
        words = words.astype(str)
    if words.dtype.kind in "uifb" or not all(isinstance(word, str) for word in words):
        return None
    width = len(words.iloc[0])
    if width < 4 or not words.str.fullmatch(f"[01]{{{width}}}").all():
        return None
    bits = np.frombuffer("".join(words).encode("ascii"), np.uint8).reshape(len(words), width) - ord("0")
    first = words.iloc[0]
    return bits, f"words such as {first} are {width} columns of bits (table=True: each word is a category)"
