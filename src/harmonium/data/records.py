"""Sequences in the text formats of alignments: FASTA and its kin, Stockholm, Clustal, bare lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["Record", "read_records"]

Record = tuple[str, bytes]
"""The name of a sequence and its letters."""

_CLUSTAL = re.compile(rb"(CLUSTAL|MUSCLE|PROBCONS|MSAPROBS|KALIGN)\b", re.IGNORECASE)
_PIR = re.compile(rb"(P1|F1|DL|DC|RL|RC|N1|N3|XX);")  # the line after such a name is a title
_OTHERS = (
    (re.compile(rb"#NEXUS\b", re.IGNORECASE), "NEXUS"),
    (re.compile(rb"(!!|PileUp|MSF:)"), "MSF"),
    (re.compile(rb"\s*\d+\s+\d+\s*$"), "PHYLIP"),
    (re.compile(rb"(LOCUS|ID) "), "GenBank or EMBL"),
    (re.compile(rb"@"), "FASTQ"),
)
_CONVERT = "convert it to FASTA (with Biopython: Bio.AlignIO.convert)"


def read_records(text: bytes, path: Path) -> list[Record]:
    """Read the sequences of a file, whose format is found by its first line; blanks are left out.

    Raises:
        ValueError: another format, or no sequence.
    """
    lines = [line.rstrip() for line in text.splitlines()]  # of Windows, Unix and old Mac
    while lines and not lines[0].strip():
        lines.pop(0)
    first = lines[0].lstrip() if lines else b""
    if first.startswith(b"# STOCKHOLM"):
        return _stockholm(lines, path)
    if _CLUSTAL.match(first):
        return _blocks(lines[1:], path)
    for pattern, name in _OTHERS:
        if pattern.match(first):
            raise ValueError(f"{path} seems to be {name}, which is not read: {_CONVERT}")
    start = next((number for number, line in enumerate(lines) if not _is_comment(line)), 0)
    if lines and lines[start].lstrip().startswith(b">"):
        return _fasta(lines[start:])
    bare = [line.strip() for line in lines if line.strip()]
    if path.name.lower().endswith((".aln", ".aln.gz")) and bare and all(b" " not in line for line in bare):
        return [(f"line {number}", line) for number, line in enumerate(bare, start=1)]
    raise ValueError(
        f'{path} does not start with ">", as a FASTA file does, nor as Stockholm or Clustal: give an alignment in FASTA'
    )


def _is_comment(line: bytes) -> bool:
    return not line.strip() or line.lstrip()[:1] in (b";", b"#")


def _fasta(lines: Sequence[bytes]) -> list[Record]:
    records: list[tuple[str, list[bytes]]] = []
    titled = False
    for line in lines:
        if line.lstrip().startswith(b">"):
            name = line.lstrip()[1:].strip()
            records.append((name.decode("utf-8", "replace"), []))
            titled = _PIR.match(name) is not None
        elif titled:
            titled = False
        elif not line.startswith(b";"):
            records[-1][1].append(line)
    return [(name, b"".join(b"".join(body).split())) for name, body in records]


def _stockholm(lines: Sequence[bytes], path: Path) -> list[Record]:
    ends = [number for number, line in enumerate(lines) if line.strip() == b"//"]
    if ends and any(line.strip() for line in lines[ends[0] + 1 :]):
        raise ValueError(
            f"{path} holds several alignments, each up to a line //: write the one to learn to its own file"
        )
    return _blocks([line for line in lines if not line.startswith((b"#", b"//"))], path)


def _blocks(lines: Sequence[bytes], path: Path) -> list[Record]:
    """Lines of a name, letters, and perhaps a count; a name in the next block continues its sequence."""
    found: dict[bytes, list[bytes]] = {}
    block: set[bytes] = set()
    for line in lines:
        if not line.strip() or line[:1].isspace():  # a line of conservation starts with blanks
            block.clear()
            continue
        words = line.split()
        if len(words) < 2 or (len(words) > 2 and not words[2].isdigit()):
            shown = line.decode("utf-8", "replace")
            raise ValueError(f"{path} has the line {shown[:60]!r}: expected a name and letters")
        if words[0] in block:
            shown = words[0].decode("utf-8", "replace")
            raise ValueError(f"{path} has two sequences named {shown!r}: give each a name of its own")
        block.add(words[0])
        found.setdefault(words[0], []).append(words[1])
    if not found:
        raise ValueError(f"{path} holds no sequence: expected lines of a name and letters")
    return [(name.decode("utf-8", "replace"), b"".join(parts)) for name, parts in found.items()]
