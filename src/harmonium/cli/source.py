"""The data of a command: its options, loading it, and choosing visible units."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.columns import load_columns
from harmonium.cli.options import BINARIZATIONS, DOWNLOAD, DROP, STANDARDIZE, choice, part, text
from harmonium.cli.shell import note

if TYPE_CHECKING:
    from harmonium.data import Dataset
    from harmonium.units import Units

__all__ = ["data_options", "is_grey", "load_data", "visible_units"]


def shape_of(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    sides = value.lower().split("x")
    if not all(side.isdecimal() and int(side) for side in sides):
        raise click.BadParameter(f"{value!r} is not a shape such as 28x28", ctx, param)
    return tuple(map(int, sides))


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how DATA is read and treated."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    choice(
        "--visible", ("auto", "bernoulli", "gaussian", "categorical", "mixed"),
        "Visible units; auto: bernoulli for binary data, categorical for alignments, gaussian for real "
        "values.  categorical: codes 0, 1, ...; mixed: every column by its values, 0 and 1, a few codes or texts, or "
        "real (auto does the same if a table has text or missing cells).", default="auto",
    ),
    text("--shape", "HxW", "Draw cases as images of this shape.  [default: that of DATA]", callback=shape_of),
    choice(
        "--binarize", BINARIZATIONS,
        "How grey levels in [0, 1] become binary: at 0.5; drawn once; drawn again in every epoch; not at all.",
    ),
    STANDARDIZE,
    part("--valid", "Training cases to set aside for validation."),
    part("--test", "Training cases to set aside for the test."),
    DROP,
    DOWNLOAD,
    click.option(
        "--data-seed", type=int, metavar="N", default=0, show_default=True, help="Seed of splits and binarisation."
    ),
)  # fmt: skip


def load_data(name: str, options: dict[str, Any]) -> Dataset:
    """Load DATA as the options say."""
    return load_columns(
        name, options["visible"], drop=options["drop"], binarize=options["binarize"],
        standardize=options["standardize"], seed=options["data_seed"], valid=options["valid"], test=options["test"],
        download=options["download"],
    )  # fmt: skip


def visible_units(data: Dataset, options: dict[str, Any]) -> Units:
    """Return the visible layer that --visible names, or that suits the values.

    Raises:
        ValueError: grey levels without an option that says what they mean, values that are not codes, another shape.
    """
    from harmonium.data.fasta import AMINO_ACIDS, is_fasta
    from harmonium.units import Bernoulli, Categorical, Gaussian

    kind, shape = options["visible"], options["shape"] or data.shape
    if data.table is not None:
        return data.table.units()
    if math.prod(shape) != data.train.shape[1]:
        raise ValueError(f"--shape {'x'.join(map(str, shape))} does not fit {data.train.shape[1]} columns")
    side = math.isqrt(math.prod(shape))
    if len(shape) == 1 and side >= 16 and side * side == shape[0]:
        note(f"if the {shape[0]} features are pixels, --shape {side}x{side} draws them as images")
    # Sequences are codes of all 21 states, even if a family lacks some of them.
    sequences = kind in ("auto", "categorical") and data.binarization is None and is_fasta(data.name)
    if kind in ("categorical", "mixed") or sequences:
        if options["standardize"]:
            codes = "amino acids" if kind == "auto" else f"--visible {kind}"
            raise click.UsageError(f"--standardize would change the codes of {codes}: leave it out")
        return Categorical(shape, len(AMINO_ACIDS)) if sequences else _coded(data, kind, shape)
    if kind == "bernoulli" or (kind == "auto" and data.binarization is not None):
        return Bernoulli(shape)
    if kind == "auto" and not options["standardize"] and options["binarize"] is None:
        summary = data.train.statistics()
        if summary.finite and summary.low >= 0 and is_grey(data, summary.high):
            raise ValueError(
                f"{data.name} has values between 0 and 1 (grey levels): say what they mean with --binarize threshold, "
                "fixed or dynamic, or learn them as real values with --visible gaussian --standardize"
            )
    return Gaussian(shape)


def _coded(data: Dataset, kind: str, shape: tuple[int, ...]) -> Units:
    """Categorical units for codes, or units for each column by its values: 0 and 1, a few codes, or real."""
    import torch

    from harmonium.data.summary import FEW_CODES
    from harmonium.data.table import Column, Table
    from harmonium.units import Categorical

    found = [cases.statistics() for cases in (data.train, data.valid, data.test) if cases is not None]
    high = torch.stack([summary.column_high for summary in found]).amax(0)
    codes = torch.stack([summary.whole & (summary.column_low >= 0) for summary in found]).all(0)
    codes &= (high >= 0) & (high < 1 << 16)
    if kind == "categorical":
        if not bool(codes.all()):
            column = int((~codes).nonzero()[0])
            raise ValueError(
                f"--visible categorical takes codes 0, 1, 2, ...: column {column} of {data.name} has other values"
            )
        return Categorical(shape, max(2, int(high.max()) + 1))
    few = (codes & (high < FEW_CODES)).tolist()
    counts = [max(2, int(top) + 1) if coded else 0 for top, coded in zip(high.tolist(), few, strict=True)]
    return Table(tuple(Column(j, None, tuple(range(count))) for j, count in enumerate(counts))).units()


def is_grey(data: Dataset, high: float) -> bool:
    """Return whether values from 0 to ``high`` are grey levels: shares, or bytes too large to be useful codes."""
    return high <= 1 or (data.train.dtype.name == "uint8" and high > 127)
