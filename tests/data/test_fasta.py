from __future__ import annotations

import gzip
import warnings
from pathlib import Path

import numpy as np
import pytest

import harmonium as hm
from harmonium.data import load
from harmonium.data.fasta import AMINO_ACIDS
from harmonium.data.reading import ReadingNote


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


def test_every_letter_has_its_code_and_ambiguous_ones_are_missing(tmp_path: Path) -> None:
    assert len(AMINO_ACIDS) == 21 and len(set(AMINO_ACIDS)) == 21
    path = write(tmp_path / "x.a3m", f">all\n{AMINO_ACIDS}\n>unknown\n{'BJOUXZ' + 15 * '-'}\n")
    with pytest.warns(
        ReadingNote, match=r"B \(1\), .* are missing values \(alphabet='-ACD.*YBJOUXZ' gives them codes\)"
    ):
        data = load(path)
    found = np.asarray(data.train)
    assert found[0].tolist() == list(range(21)) and np.isnan(found[1, :6]).all() and (found[1, 6:] == 0).all()
    whole = load(path, alphabet=AMINO_ACIDS + "BJOUXZ")
    assert np.asarray(whole.train)[1].tolist() == [*range(21, 27), *[0] * 15] and whole.train.dtype == np.uint8


DIALECTS = {  # file name, text, the letters to be read, and what the note says
    "old Mac": ("x.fasta", ">a\rACDEFG\r>b\rAC-EFG\r", "ACDEFG AC-EFG", ""),
    "stops": ("x.fasta", ">a\nACDEFG*\n>b\nAC-EFG*\n", "ACDEFG AC-EFG", r"'\*' at the ends is left out"),
    "one stop": ("x.fasta", ">a\nACDEFG*\n>b\nAC-EFG\n", "ACDEFG AC-EFG", r"'\*' at the ends is left out"),
    "stop inside": ("x.fasta", ">a\nAC*EFG\n>b\nAC-EFG\n", "AC?EFG AC-EFG", r"\* \(1\) are missing"),
    "dots": ("x.fasta", ">a\nACDEFG\n>b\nAC.EFG\n", "ACDEFG AC-EFG", r"'\.' is a gap"),
    "a dot in each": ("x.fasta", ">a\nAC.EFGH\n>b\nACDE.GH\n", "AC-EFGH ACDE-GH", r"'\.' is a gap"),
    "lower": ("x.fasta", ">a\nacdefg\n>b\nac-efg\n", "ACDEFG AC-EFG", "read like capitals"),
    "lower, one": ("x.fasta", ">a\nACDEFG\n>b\nacdefg\n", "ACDEFG ACDEFG", "read like capitals"),
    "insertions": ("x.fasta", ">a\nACpqDEF\n>b\nAC-EF\n", "ACDEF AC-EF", "lower-case letters are insertions"),
    "a3m": ("x.a3m", "#A3M#\n>a\nACpqDEF\n>b\nAC-EF\n", "ACDEF AC-EF", ""),
    "a2m": ("x.a2m", ">a\nACpqDEF\n>b\nAC..-EF\n", "ACDEF AC-EF", ""),
    "comment": ("x.fasta", ";made by x\n>a\nACDEFG\n>b\nAC-EFG\n", "ACDEFG AC-EFG", ""),
    "header": ("x.fasta", ">a len>3 x\nACDEFG\n>b\nAC-EFG\n", "ACDEFG AC-EFG", ""),
    "tilde": ("x.fasta", ">a\n~CDEF~\n>b\nAC-EFG\n", "-CDEF- AC-EFG", ""),
    "pir": ("x.pir", ">P1;a\nA title\nACDEF*\n>P1;b\n\nAC-EF*\n", "ACDEF AC-EF", "stop codon"),
    "stockholm": (
        "x.sto", "# STOCKHOLM 1.0\n#=GF ID x\na/1-6 ACD\nb/1-6 AC-\n#=GC RF xxx\n\na/1-6 EFG\nb/1-6 EFG\n//\n",
        "ACDEFG AC-EFG", "",
    ),
    "clustal": (
        "x.aln", "CLUSTAL W (1.83)\n\na ACD 3\nb AC- 2\n  **\n\na EFG 6\nb EFG 5\n  ***\n", "ACDEFG AC-EFG", "",
    ),
    "bare": ("x.aln", "ACDEFG\nAC-EFG\n", "ACDEFG AC-EFG", ""),
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects_are_read_right_and_guesses_are_told(tmp_path: Path, dialect: str) -> None:
    name, text, letters, note = DIALECTS[dialect]
    path = write(tmp_path / name, text)
    with pytest.warns(ReadingNote, match=note) if note else warnings.catch_warnings():
        data = load(path)
    shown = [
        "".join("?" if np.isnan(code) else AMINO_ACIDS[int(code)] for code in row) for row in np.asarray(data.train)
    ]
    assert shown == letters.split() and data.alphabet == AMINO_ACIDS
    assert bool(data.reading.notes) == bool(note)


def test_byte_order_marks_and_compression(tmp_path: Path) -> None:
    text = ">a\nACDEFG\n>b\nAC-EFG\n"
    whole = np.asarray(load(write(tmp_path / "plain.fasta", text)).train)
    for name, content in {
        "bom.fasta": text.encode("utf-8-sig"),
        "wide.fasta": text.encode("utf-16"),
        "x.fasta.gz": gzip.compress(text.encode()),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert np.array_equal(np.asarray(load(tmp_path / name).train), whole), name


@pytest.mark.parametrize(
    ("text", "letters", "kind"),
    [
        (">a\nACGUAUGG\n>b\nAC-UNUGG\n", "-ACGU", "RNA"),
        (">a\nACGTATGG\n>b\nAC-TNTGG\n", "-ACGT", "DNA"),
        (">a\nACGUAUGG\n>b\nAC-TNUGG\n", "-ACGU", "RNA"),  # one T among U
    ],
)
def test_nucleotides_are_found_by_their_letters(tmp_path: Path, text: str, letters: str, kind: str) -> None:
    path = write(tmp_path / "x.fasta", text)
    with pytest.warns(ReadingNote, match=f"{kind}, codes of {letters} .alphabet='protein'.*N .1. are missing"):
        data = load(path)
    assert data.alphabet == letters and np.asarray(data.train)[0].tolist() == [1, 2, 3, 4, 1, 4, 3, 3]
    assert np.isnan(np.asarray(data.train)[1, 4])
    with pytest.warns(ReadingNote, match="missing"):  # told again, but nothing is guessed
        again = load(**data.source)
    assert again.alphabet == letters and again.source == data.source
    protein = [AMINO_ACIDS.index(letter) if letter != "U" else -1 for letter in text.split()[1]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadingNote)
        found = np.nan_to_num(np.asarray(load(path, alphabet="protein").train), nan=-1)[0].tolist()
    assert found == protein


def test_a_real_family_of_rna(tmp_path: Path) -> None:
    """No letter is lost: each code is as frequent as its letter in the text."""
    rng = np.random.default_rng(0)
    rows = ["".join(rng.choice(list("-ACGU"), 60)) for _ in range(50)]
    path = write(tmp_path / "x.fasta", "".join(f">{k}\n{row}\n" for k, row in enumerate(rows)))
    with pytest.warns(ReadingNote, match="RNA"):
        data = load(path)
    counts = np.bincount(np.asarray(data.train).astype(int).ravel(), minlength=5).tolist()
    assert counts == ["".join(rows).count(letter) for letter in "-ACGU"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.fasta", ">a\nACD\n>b long name\nAC\n", r"sequence 2 \(b long name\) .*2 .*3.*align"),
        ("x.fasta", ">a\nACD\n>b\n", r"sequence 2 \(b\) .*0 .*3.*align"),
        ("x.fasta", ">a\nACD\n>b\nAC5\n", r"sequence 2 \(b\) .*'5'.*letters"),
        ("x.fasta", ">a\nACD\n>b\nAC\xe9\n", r"sequence 2 \(b\) .*'\xe9'.*letters"),
        ("x.a3m", ">a\nacd\n", "sequence 1 .*no aligned sites.*capital letters"),
        ("x.fasta", ">a\n", "sequence 1 .*no aligned sites.*capital letters"),
        ("x.fasta", "ACD\nACD\n", '">".*FASTA'),
        ("x.fasta", "\n", '">".*FASTA'),
        ("x.fasta", ">a\nAcdE\n>b\nAcdE\n", "lower-case.*name it .a3m.*capitals"),
        ("x.fasta", ">a\nACGTSYKW\n>b\nACGTACGT\n>c\nACSSSYKW\n", "alphabet='dna' or alphabet='protein'"),
        ("x.sto", "# STOCKHOLM 1.0\na AC\n//\n# STOCKHOLM 1.0\na AC\n//\n", "several alignments"),
        ("x.sto", "# STOCKHOLM 1.0\n//\n", "no sequence"),
        ("x.sto", "# STOCKHOLM 1.0\na ACD\na ACE\n//\n", "two sequences named 'a'"),
        ("x.a3m", ">a\nacg-u\n>b\nacguu\n", "align the sequences first .lower-case letters are insertions"),
        ("x.aln", "CLUSTAL\n\na AC GT\n", "line 'a AC GT': expected a name and letters"),
        ("x.aln", "#NEXUS\nbegin data;\n", "NEXUS.*convert it to FASTA"),
        ("x.aln", "  5   42\nseq1 ACGT\n", "PHYLIP.*convert it to FASTA"),
        ("x.fasta", "<!DOCTYPE html><html>", "web page"),
    ],
)
def test_what_is_not_an_alignment_is_refused_by_place(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load(write(tmp_path / name, text))
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("alphabet", "message"),
    [
        ("ribo", "alphabet='ribo'|not in the alphabet"),
        ("A", "each once"),
        ("AA", "each once"),
        ("dna", "most of its letters"),
    ],
)
def test_an_alphabet_that_does_not_fit(tmp_path: Path, alphabet: str, message: str) -> None:
    path = write(tmp_path / "x.fasta", ">a\nEFIL\n>b\nEFIP\n")
    with pytest.raises(ValueError, match=message):
        load(path, alphabet=alphabet)
    with pytest.raises(ValueError, match=r"alphabet=\.\.\. is for alignments"):
        load(write(tmp_path / "x.csv", "a,b\n1,2\n"), alphabet="dna")


def test_a_machine_learns_from_an_alignment_with_unknown_letters(tmp_path: Path) -> None:
    path = write(tmp_path / "x.fasta", "".join(f">{k}\n{'ACGT'[k % 4]}C{'GN'[k % 9 == 0]}T\n" for k in range(40)))
    with pytest.warns(ReadingNote, match="N .5. are missing"):
        data = load(path, alphabet="dna")
    rbm = hm.RBM(hm.Categorical(4, len(data.alphabet or "")), 2)
    hm.fit(rbm, data.train, epochs=1, missing="draw")
    assert rbm.visible.columns == 4


def test_a_real_family(benchmark_data: Path) -> None:
    data = load(benchmark_data / "PF00014.fasta")
    assert data.train.shape == (13600, 53)
    letters = "".join(
        line.strip() for line in (benchmark_data / "PF00014.fasta").read_text().splitlines() if not line.startswith(">")
    )
    counts = np.bincount(np.asarray(data.train).astype(int).ravel(), minlength=21)
    assert counts.tolist() == [letters.count(letter) for letter in AMINO_ACIDS]
