"""Results of a comparison: one row for every model, as text, Markdown and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harmonium.core import notebook
from harmonium.core.checks import finite_or_none
from harmonium.core.numbers import fixed, nats
from harmonium.likelihood.evaluate import Evaluation

__all__ = ["Comparison", "Entry"]


@dataclass(frozen=True)
class Entry:
    """One model of a comparison.  Likelihoods are in nats per case.

    Attributes:
        name: its name, also that of its folder.
        title: its name in tables and pictures.
        family: "baseline", "machine", "autoregressive" or "latent".
        kind: kind of the number: "exact", "bracketed" (an estimate with bounds on both sides) or "bound" (from below).
        mean: mean over the test cases.
        stderr: its standard error over the cases.
        lower: lower bound of the mean; None if there is none.
        upper: upper bound of the mean; None if there is none.
        reliable: whether log Z is reliable, where it is estimated; this says nothing about the quality of the model.
        why: the reasons.
        valid: validation log-likelihood that the model was chosen by, as measured in training; None if nothing was
            chosen.
        seconds: processor time of training.
        judging: processor time of the evaluation, in seconds.
        parameters: number of parameters.
        how: a note on the training.
        gained: the mean above that of independent columns; None in results of earlier versions.
        judged_by: what the evaluation took of temperatures, samples, orderings and test cases.
    """

    name: str
    title: str
    family: str
    kind: str
    mean: float
    stderr: float
    lower: float | None
    upper: float | None
    reliable: bool
    why: str
    valid: float | None
    seconds: float
    judging: float
    parameters: int
    how: str
    gained: float | None = None
    judged_by: str = ""

    @classmethod
    def of(cls, found: Evaluation, **about: Any) -> Entry:
        """Make the row of an evaluation."""
        bounded = found.kind != "bound"
        bracketed = found.kind == "exact" or found.log_partition is not None
        return cls(
            kind=found.kind, mean=found.mean, stderr=found.stderr, reliable=found.reliable, why=found.why,
            gained=found.gained,
            lower=finite_or_none(found.lower) if bracketed else None,
            upper=finite_or_none(found.upper) if bounded else None, **about,
        )  # fmt: skip

    @classmethod
    def read(cls, stored: dict[str, Any]) -> Entry:
        """Make the row of a result on disk, in which "reliable" may have its former name, "trusted"."""
        return cls(**{"reliable" if name == "trusted" else name: value for name, value in stored.items()})

    @property
    def score(self) -> float:
        """The number by which it is ranked: the mean, or the lower bound where log Z is not reliable."""
        return self.mean if self.reliable else -math.inf if self.lower is None else self.lower

    def __str__(self) -> str:
        gained = "" if self.gained is None else f", {self.gained_text} more than independent columns"
        return f"{self.number} nats per case, {self.kind}{gained}"

    def _text(self, value: float) -> str:
        """A number of this row in nats: all of them have the same decimals."""
        return nats(value, self.stderr)

    @property
    def gained_text(self) -> str:
        """What was gained, as text; empty if it is unknown."""
        return "" if self.gained is None else self._text(self.gained)

    @property
    def number(self) -> str:
        """The number with its kind and its error bar."""
        sign = "≥ " if self.kind == "bound" else ""
        return f"{sign}{self._text(self.mean)} ± {self._text(self.stderr)}"

    @property
    def bracket(self) -> str:
        """The bounds of the log-likelihood, as text."""
        if self.kind == "exact" or (self.lower is None and self.upper is None):
            return ""
        low, high = ("?" if end is None else self._text(end) for end in (self.lower, self.upper))
        return f"[{low}, {high}]"


@dataclass(frozen=True)
class Comparison:
    """Models trained on the same data within the same time, judged on the same test cases.

    Attributes:
        data: name of the data, with their binarisation.
        shape: shape of one case.
        cases: number of test cases.
        seconds: processor time of each, for training and judging.
        entries: the rows, in the order asked for.
        folder: folder of the results; each model has a folder of its name.
    """

    data: str
    shape: tuple[int, ...]
    cases: int
    seconds: float
    entries: Sequence[Entry]
    folder: Path

    @property
    def ranked(self) -> list[Entry]:
        """The rows, best first; those whose log Z is not reliable by their lower bound, or last if there is none."""
        return sorted(self.entries, key=lambda entry: -entry.score)

    def _rows(self) -> list[list[str]]:
        return [
            [
                entry.title,
                entry.number,
                entry.gained_text,
                entry.kind,
                entry.bracket,
                "yes" if entry.reliable else "NO",
                "" if entry.valid is None else fixed(entry.valid),
                f"{entry.seconds:.1f}",
                f"{entry.parameters:,}",
            ]
            for entry in self.ranked
        ]

    def __str__(self) -> str:
        table = [list(_HEAD), *self._rows()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        line = "  ".join(f"{{:{side}{width}}}" for side, width in zip(_SIDES, widths, strict=True))
        text = [line.format(*row).rstrip() for row in table]
        text.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([*text, "", *self.notes()])

    def __repr__(self) -> str:
        best = f", best: {self.ranked[0].title}" if self.entries else ""
        return f"Comparison({len(self.entries)} models on {self.data}{best})"

    def _repr_html_(self) -> str:
        """Show the table with its notes."""
        return notebook.table(_HEAD, self._rows(), notes=self.notes())

    def notes(self) -> list[str]:
        """Explain the columns that need it."""
        kinds = {entry.kind for entry in self.entries}
        notes = [
            f"{self.data}: {self.cases:,} test cases, nats per case ± standard error over cases; about "
            f"{self.seconds:g} s of processor time each.",
            "gained: what is above independent columns with the means of the training data.",
        ]
        notes += [text for kind, text in _KINDS.items() if kind in kinds]
        notes += [f"{entry.title}: log Z is not reliable, {entry.why}." for entry in self.ranked if not entry.reliable]
        return notes

    def markdown(self) -> str:
        """Write the table as Markdown, with its notes."""
        lines = [_HEAD, ["---" if side == "<" else "---:" for side in _SIDES], *self._rows()]
        table = "\n".join("| " + " | ".join(row) + " |" for row in lines)
        return f"{table}\n\n" + "  \n".join(self.notes()) + "\n"

    def csv(self) -> str:
        """Write all numbers as CSV, one row per model, in the order asked for."""
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(Entry.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(entry) for entry in self.entries)
        return buffer.getvalue()


_HEAD = ("model", "test", "gained", "kind", "bracket", "log Z reliable", "validation", "seconds", "parameters")
_SIDES = "<>><<<>>>"  # of the cells on which text stands
_KINDS = {
    "exact": "exact: the sum over everything hidden and the normalisation are computed in full.",
    "bracketed": "bracketed: log Z is estimated; if that is reliable, the log-likelihood lies within the bracket.",
    "bound": "bound: a lower bound, estimated by importance sampling; a bracket is that of log Z, and the upper end "
    "is unknown.",
}
