"""Alignments of proteins, RNA and DNA: FASTA, A2M, A3M, Stockholm and Clustal files, gzipped or not."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harmonium.data.alphabets import AMINO_ACIDS, alphabet_of, encode, find_alphabet
from harmonium.data.opening import open_bytes, plain_suffix, refuse_other_content
from harmonium.data.raw import Array, RawData
from harmonium.data.reading import Reading
from harmonium.data.records import Record, read_records

__all__ = ["AMINO_ACIDS", "is_fasta", "read_fasta"]

_INSERTING = (".a2m", ".a3m")
_SUFFIXES = (
    ".fasta", ".fa", ".faa", ".fna", ".ffn", ".frn", ".fas", ".fsa", ".afa", ".afasta", ".mfa", ".pir", *_INSERTING,
    ".sto", ".stk", ".stockholm", ".aln", ".clustal", ".clustalw",
)  # fmt: skip
_GAPS = b".~_"  # written for "-" by some programs
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-*?" + _GAPS)


def is_fasta(path: str | Path) -> bool:
    """Return whether the name of a file is that of an alignment.

    >>> is_fasta("family.a3m"), is_fasta("family.sto.gz"), is_fasta("family.csv")
    (True, True, False)
    """
    return plain_suffix(Path(path)) in _SUFFIXES


def read_fasta(path: Path, alphabet: str | None = None) -> RawData:
    """Read aligned sequences.

    Files are FASTA (also A2M, A3M and PIR), Stockholm, Clustal, and in .aln files bare lines.  Gaps are "-", "~" or
    "_", and "." where it is no insertion.  Lower-case letters are insertions in A2M and A3M files; they and "." are
    left out.  In other files they are insertions if that makes all sequences equally long, otherwise they are read
    like capitals.  Letters without a code, such as X, are missing values.

    Args:
        path: the file.
        alphabet: "protein", "rna", "dna", or the letters of the codes.  Default: found by the letters of the file.

    Returns:
        The training cases: codes (sequences, sites), uint8, or float32 with NaN for missing values; `AMINO_ACIDS` has
        the letters of proteins.

    Raises:
        ValueError: sequences of different length, no sequence, other characters, or letters of two likely meanings.
    """
    given = None if alphabet is None else alphabet_of(alphabet)
    records = read_records(_text(path), path)
    for number, (name, body) in enumerate(records, start=1):
        odd = next((chr(letter) for letter in body if letter not in _LETTERS), None)
        if odd is not None and (given is None or odd.upper() not in given):
            raise ValueError(f"{path}, sequence {number} ({name}) holds {odd!r}: write letters, and '-' for a gap")
    kept, notes = _without_stops(records)
    rows, more = _aligned(kept, path)
    letters = np.stack(rows)
    counts = Counter(dict(enumerate(np.bincount(letters.ravel(), minlength=256).tolist())))
    present = Counter({chr(byte): count for byte, count in counts.items() if count and chr(byte).isalpha()})
    found, guess = (given, "") if given is not None else find_alphabet(present, path.name)
    codes, missing = encode(letters, found)
    if 2 * sum(missing.values()) > letters.size:
        lost = ", ".join(letter for letter, _ in missing.most_common(5))
        raise ValueError(f"{path}: most of its letters ({lost}) are not in the alphabet {found}: name another alphabet")
    notes = [*([guess] if guess else []), *notes, *more]
    if missing:
        shown = ", ".join(f"{letter} ({count})" for letter, count in missing.most_common(5))
        extended = found + "".join(sorted(missing))
        notes.append(f"{shown} are missing values (alphabet='{extended}' gives them codes)")
    reading = Reading(tuple(notes), {"alphabet": found})
    return RawData({"train": codes}, alphabet=found, reading=reading)


def _text(path: Path) -> bytes:
    try:
        with open_bytes(path) as file:
            text = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged or cut short ({error}): copy it again") from error
    refuse_other_content(path, text[:64])
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = text.decode("utf-16", "replace").encode("utf-8")
    return text.removeprefix(b"\xef\xbb\xbf")


def _without_stops(records: Sequence[Record]) -> tuple[Sequence[Record], list[str]]:
    """Leave out a stop codon "*" at the end, where every sequence ends with one or they are equally long without."""
    if not any(body.endswith(b"*") for _, body in records):
        return records, []
    stripped = [(name, body.removesuffix(b"*")) for name, body in records]
    every = all(body.endswith(b"*") for _, body in records)
    if every or (len({len(body) for _, body in records}) > 1 and len({len(body) for _, body in stripped}) == 1):
        return stripped, ["'*' at the ends is left out (a stop codon)"]
    return records, []


def _aligned(records: Sequence[Record], path: Path) -> tuple[list[Array], list[str]]:
    """The sites of every sequence as capital letters and "-", all of one length, and what was guessed."""
    lower = bytes(range(ord("a"), ord("z") + 1))
    whole = [body for _, body in records]
    sites = [body.translate(None, lower + b".") for body in whole]
    lowered, dotted = (any(len(body) > len(body.translate(None, some)) for body in whole) for some in (lower, b"."))
    as_sites, as_whole = (len({len(body) for body in bodies}) == 1 for bodies in (sites, whole))
    as_sites = as_sites and len(sites[0]) > 0
    notes = []
    if plain_suffix(path) in _INSERTING:
        use, named = sites, "aligned sites (capital letters and '-')"
    elif lowered and as_sites:
        if as_whole and not dotted:
            raise ValueError(
                f"{path} has lower-case letters, and its sequences are equally long with and without them: name it "
                ".a3m if they are insertions, which are left out, or write them as capitals if they are sites"
            )
        use, named = sites, ""
        if not (dotted and any(b"-" in body for body in whole)):  # whose gaps are written in one way
            notes.append("lower-case letters are insertions and left out (written as capitals they are sites)")
    elif dotted and as_sites and not as_whole:
        use, named = sites, ""
        notes.append("'.' stands beside insertions and is left out (written as '-' it is a gap)")
    else:
        use, named = whole, "aligned sites"
        if as_whole and lowered:
            notes.append("lower-case letters are read like capitals (in a file named .a3m they are left out)")
        if as_whole and dotted:
            notes.append("'.' is a gap (in a file named .a3m it is left out)")
    for number, ((name, _), body) in enumerate(zip(records, use, strict=True), start=1):
        if len(body) != len(use[0]):
            inserting = plain_suffix(path) in _INSERTING
            hint = " (lower-case letters are insertions in files of this name)" if lowered and inserting else ""
            raise ValueError(
                f"{path}, sequence {number} ({name}) has {len(body)} {named}, the first has {len(use[0])}: align the "
                f"sequences first{hint}"
            )
    if not use[0]:
        raise ValueError(f"{path}, sequence 1 has no aligned sites: write them as capital letters and '-'")
    gaps = bytes.maketrans(_GAPS, b"-" * len(_GAPS))
    return [np.frombuffer(body.upper().translate(gaps), np.uint8) for body in use], notes
