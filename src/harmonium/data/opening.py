"""Opening files of text, compressed or not, and refusing by name what is no text."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

__all__ = ["COMPRESSED", "open_bytes", "plain_suffix", "refuse_other_content"]

COMPRESSED = (".gz", ".bz2", ".xz")

_OPENERS: tuple[tuple[bytes, Any], ...] = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open))
_OTHERS = (
    (b"PK\x03\x04", "is a zip file or a workbook (.xlsx), not text: unpack it, or give it its own suffix"),
    (b"\xd0\xcf\x11\xe0", "is a workbook of old Excel (.xls), not text: save it as .xlsx or .csv"),
    (b"PAR1", "is a Parquet file, not text: name it .parquet"),
    (b"ARROW1", "is an Arrow file, not text: name it .feather"),
    (b"SQLite format 3", "is a database, not text: export the table as .csv or .parquet"),
    (b"%PDF", "is a PDF, not text: save the table as .csv"),
    (b"version https://git-lfs", "is a pointer of Git LFS, not the file itself: fetch it with `git lfs pull`"),
)
_PAGES = (b"<!doctype html", b"<html", b"<?xml")


def plain_suffix(path: Path) -> str:
    """Return the suffix of a file in lower case, without that of its compression.

    >>> plain_suffix(Path("Table.CSV.gz"))
    '.csv'
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading; gzip, bzip2 and xz are recognised by their first bytes and unpacked.

    Raises:
        ValueError: on reading a compressed file that is damaged or cut short.
    """
    with path.open("rb") as file:
        start = file.read(8)
    opener = next((opener for magic, opener in _OPENERS if start.startswith(magic)), None)
    if opener is None:
        with path.open("rb") as file:
            yield file
        return
    try:
        with opener(path, "rb") as packed:
            yield packed
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise ValueError(f"{path} is damaged or cut short ({error}): write or fetch it again") from None


def refuse_other_content(path: Path, start: bytes) -> None:
    """Raise `ValueError` if the first bytes of a text file are those of something else, which the message names."""
    for magic, what in _OTHERS:
        if start.startswith(magic):
            raise ValueError(f"{path} {what}")
    if start.lstrip(b"\xef\xbb\xbf \t\r\n")[:16].lower().startswith(_PAGES):
        raise ValueError(f"{path} is a web page or XML, not a table: fetch the file itself")
