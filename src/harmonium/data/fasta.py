"""Protein alignments in FASTA, A2M and A3M files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harmonium.data.raw import Array, RawData

__all__ = ["AMINO_ACIDS", "is_fasta", "read_fasta"]

AMINO_ACIDS = "-ACDEFGHIKLMNPQRSTVWY"
"""The letters of the codes 0 ... 20; 0 is the gap."""

_UNKNOWN, _INSERTED, _REFUSED = 0, 254, 255


def is_fasta(path: str | Path) -> bool:
    """Return whether the name of a file is that of an alignment.

    >>> is_fasta("family.a3m"), is_fasta("family.csv")
    (True, False)
    """
    return Path(path).suffix.lower() in (".fasta", ".fa", ".a2m", ".a3m")


def _table() -> Array:
    """The code of every byte; letters that name no single amino acid (B, J, O, U, X, Z) have the code of a gap."""
    table = np.full(256, _REFUSED, np.uint8)
    table[ord("A") : ord("Z") + 1] = _UNKNOWN
    table[ord("a") : ord("z") + 1] = table[ord(".")] = _INSERTED
    for code, letter in enumerate(AMINO_ACIDS):
        table[ord(letter)] = code
    return table


def read_fasta(path: Path) -> RawData:
    """Read aligned sequences.

    Each sequence follows a line that starts with ">".  Capital letters and "-" are the columns of the alignment.  Lower
    case letters and "." are insertions, which are left out, so that A2M and A3M files give their match columns.
    Capital letters that name no single amino acid become gaps.

    Returns:
        The training cases: codes (sequences, sites), uint8 in 0 ... 20, see `AMINO_ACIDS`.

    Raises:
        ValueError: sequences of different length, no sequence, or other characters.
    """
    text = path.read_bytes()
    if not text.lstrip().startswith(b">"):
        raise ValueError(f'{path} does not start with ">", as a FASTA file does: give an alignment in FASTA')
    table = _table()
    rows: list[Array] = []
    for number, record in enumerate(text.lstrip()[1:].split(b"\n>"), start=1):
        header, _, body = record.partition(b"\n")
        letters = np.frombuffer(b"".join(body.split()), np.uint8)
        codes = table[letters]
        where = f"{path}, sequence {number} ({header.decode('utf-8', 'replace').strip()})"
        if (codes == _REFUSED).any():
            found = chr(letters[codes == _REFUSED][0])
            raise ValueError(f"{where} holds {found!r}: write letters, '-' for a gap, '.' beside an insertion")
        codes = codes[codes != _INSERTED]
        if rows and len(codes) != len(rows[0]):
            raise ValueError(
                f"{where} has {len(codes)} aligned sites, the first has {len(rows[0])}: align the sequences first"
            )
        rows.append(codes)
    if not len(rows[0]):
        raise ValueError(f"{path}, sequence 1 has no aligned sites: write them as capital letters and '-'")
    return RawData({"train": np.stack(rows)})
