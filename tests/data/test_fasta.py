from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harmonium.data import load
from harmonium.data.fasta import AMINO_ACIDS


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("latin-1"))
    return path


@pytest.mark.parametrize(
    "text",
    [
        ">a\nAC-Y\n>b\nWVTS\n",
        "\n>a first\r\nAC\r\n-Y\r\n\r\n>b\r\nWVTS",  # wrapped, as Windows writes it
        ">a\nAgc.C-.Y\n>b\nWVT..rrS\n",  # insertions
    ],
)
def test_aligned_sites_become_codes(tmp_path: Path, text: str) -> None:
    data = load(write(tmp_path / "x.fasta", text))
    assert np.asarray(data.train).tolist() == [[1, 2, 0, 20], [19, 18, 17, 16]]
    assert data.train.dtype == np.uint8


def test_every_letter_has_its_code_and_ambiguous_ones_are_gaps(tmp_path: Path) -> None:
    assert len(AMINO_ACIDS) == 21 and len(set(AMINO_ACIDS)) == 21
    data = load(write(tmp_path / "x.a3m", f">all\n{AMINO_ACIDS}\n>unknown\n{'BJOUXZ' + 15 * '-'}\n"))
    assert np.asarray(data.train).tolist() == [list(range(21)), [0] * 21]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (">a\nACD\n>b long name\nAC\n", r"sequence 2 \(b long name\) .*2 .*3.*align"),
        (">a\nACD\n>b\n", r"sequence 2 \(b\) .*0 .*3.*align"),
        (">a\nACD\n>b\nAC*\n", r"sequence 2 \(b\) .*'\*'.*letters"),
        (">a\nACD\n>b\nAC\xe9\n", r"sequence 2 \(b\) .*'\xe9'.*letters"),
        (">a\nacd\n", "sequence 1 .*no aligned sites.*capital letters"),
        (">a\n", "sequence 1 .*no aligned sites.*capital letters"),
        ("ACD\nACD\n", '">".*FASTA'),
        ("\n", '">".*FASTA'),
    ],
)
def test_what_is_not_an_alignment_is_refused_by_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load(write(tmp_path / "x.fasta", text))
    assert "x.fasta" in str(caught.value)


def test_a_real_family(benchmark_data: Path) -> None:
    data = load(benchmark_data / "PF00014.fasta")
    assert data.train.shape == (13600, 53)
    letters = "".join(
        line.strip() for line in (benchmark_data / "PF00014.fasta").read_text().splitlines() if not line.startswith(">")
    )
    counts = np.bincount(np.asarray(data.train).astype(int).ravel(), minlength=21)
    assert counts.tolist() == [letters.count(letter) for letter in AMINO_ACIDS]
