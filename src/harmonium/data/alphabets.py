"""Letters of sequences and their codes."""

from __future__ import annotations

from collections import Counter

import numpy as np

from harmonium.data.raw import Array

__all__ = ["ALPHABETS", "AMINO_ACIDS", "alphabet_of", "encode", "find_alphabet", "name_of"]

AMINO_ACIDS = "-ACDEFGHIKLMNPQRSTVWY"
"""The letters of the codes 0 ... 20 of proteins; 0 is the gap."""

ALPHABETS = {"protein": AMINO_ACIDS, "rna": "-ACGU", "dna": "-ACGT"}
"""The letters of the codes, by the names of the alphabets."""

_NUCLEOTIDES = frozenset("ACGTURYSWKMBDHVN")  # IUPAC: four bases, and letters for several of them
_BASES = frozenset("ACGTUN")
_SURE, _UNLIKELY = 0.8, 0.5  # shares of bases above which letters are nucleotides, and below which they are not
_SAME = {"-ACGU": ("T", "U"), "-ACGT": ("U", "T")}  # one base, written in two ways


def alphabet_of(given: str) -> str:
    """Return the letters of an alphabet, given by its name or as the letters themselves.

    Raises:
        ValueError: it is neither.

    >>> alphabet_of("rna"), alphabet_of("-01")
    ('-ACGU', '-01')
    """
    if not isinstance(given, str):
        raise TypeError(
            f"alphabet={given!r}: give 'protein', 'rna', 'dna', or the letters of the codes, such as '-ACGU'"
        )
    letters = ALPHABETS.get(given.lower(), given.upper())
    if len(letters) < 2 or len(set(letters)) < len(letters) or not letters.isascii() or not letters.isprintable():
        raise ValueError(
            f"alphabet={given!r}: give 'protein', 'rna', 'dna', or the letters of the codes, each once, such as '-ACGU'"
        )
    return letters


def name_of(letters: str) -> str:
    """Return what the letters of an alphabet stand for.

    >>> name_of("-ACGU"), name_of("-01")
    ('RNA', 'letters -01')
    """
    known = {ALPHABETS["protein"]: "amino acids", ALPHABETS["rna"]: "RNA", ALPHABETS["dna"]: "DNA"}
    return known.get(letters, f"letters {letters}")


def find_alphabet(counts: Counter[str], name: str) -> tuple[str, str]:
    """Find the alphabet of a file by its letters.

    Args:
        counts: how often each capital letter occurs.
        name: the name of the file.

    Returns:
        the letters of the alphabet, and a note if they were guessed, otherwise "".

    Raises:
        ValueError: both proteins and nucleotides are likely.
    """
    letters, total = set(counts), sum(counts.values())
    bases = sum(counts[letter] for letter in _BASES) / max(1, total)
    if letters - _NUCLEOTIDES or not letters or bases <= _UNLIKELY:
        return AMINO_ACIDS, ""
    kind = "rna" if counts["U"] > counts["T"] else "dna"
    if bases < _SURE:
        raise ValueError(
            f"{name} may hold {kind.upper()} or proteins ({100 * bases:.0f} % of its letters are bases): say which, "
            f"alphabet='{kind}' or alphabet='protein'"
        )
    return ALPHABETS[kind], f"{kind.upper()}, codes of {ALPHABETS[kind]} (alphabet='protein': amino acids)"


def encode(letters: Array, alphabet: str) -> tuple[Array, Counter[str]]:
    """Replace letters by their codes.

    Args:
        letters: capital letters and gaps "-", ASCII, (sequences, sites) uint8.
        alphabet: the letters of the codes.

    Returns:
        the codes, uint8, or float32 with NaN where a letter has no code; and how often each such letter occurs.
    """
    lacking = len(alphabet)
    table = np.full(256, lacking, np.uint8)
    for code, letter in enumerate(alphabet):
        table[ord(letter)] = code
    other, same = _SAME.get(alphabet, ("", ""))
    if other:
        table[ord(other)] = table[ord(same)]
    codes: Array = table[letters]
    unknown = codes == lacking
    if not unknown.any():
        return codes, Counter()
    found, times = np.unique(letters[unknown], return_counts=True)
    missing = Counter({chr(letter): int(count) for letter, count in zip(found, times, strict=True)})
    return np.where(unknown, np.float32(np.nan), codes.astype(np.float32)), missing
