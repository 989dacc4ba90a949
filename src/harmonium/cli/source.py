"""The data of a command: its options, loading it, and choosing visible units."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.columns import is_grey, load_columns
from harmonium.cli.options import BINARIZATIONS, DOWNLOAD, DROP, READING, STANDARDIZE, choice, part, reading_of, text
from harmonium.cli.shell import note

if TYPE_CHECKING:
    from harmonium.data import Dataset
    from harmonium.units import Units

__all__ = ["data_options", "load_data", "visible_units"]


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
    text(
        "--visible", "NAME", "Visible units.  auto: bernoulli for 0 and 1, spin for -1 and 1, categorical for codes "
        "and alignments, gaussian for real values; of a table every column by its values (mixed).  Or one type for "
        "all columns: bernoulli, spin, categorical, binomial, poisson, gaussian, relu, ...", default="auto",
        show_default=True,
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
    *READING,
    DOWNLOAD,
    click.option(
        "--data-seed", type=int, metavar="N", default=0, show_default=True, help="Seed of splits and binarisation."
    ),
)  # fmt: skip


def load_data(name: str, options: dict[str, Any]) -> Dataset:
    """Load DATA as the options say."""
    return load_columns(
        name, options["visible"], bool(options.get("units")), drop=options["drop"], binarize=options["binarize"],
        standardize=options["standardize"], seed=options["data_seed"], valid=options["valid"], test=options["test"],
        download=options["download"], **reading_of(options),
    )  # fmt: skip


def visible_units(data: Dataset, options: dict[str, Any]) -> Units:
    """Return the visible layer that --visible names, or that suits the values.

    Raises:
        ValueError: grey levels without an option that says what they mean, values that are not codes, another shape.
    """
    from harmonium.data.alphabets import name_of
    from harmonium.data.fitting import is_spin
    from harmonium.data.summary import FEW_CODES
    from harmonium.units import Bernoulli, Categorical, Gaussian, Spin

    kind, shape = options["visible"], options["shape"] or data.shape
    if data.table is not None:
        return data.table.units()
    if math.prod(shape) != data.train.shape[1]:
        raise ValueError(f"--shape {'x'.join(map(str, shape))} does not fit {data.train.shape[1]} columns")
    side = math.isqrt(math.prod(shape))
    if len(shape) == 1 and side >= 16 and side * side == shape[0]:
        note(f"if the {shape[0]} features are pixels, --shape {side}x{side} draws them as images")
    # Sequences are codes of all letters of the alphabet, even if a family lacks some of them.
    letters = data.alphabet if kind in ("auto", "categorical") else None
    if kind in ("categorical", "mixed") or letters is not None:
        if options["standardize"]:
            codes = name_of(letters) if kind == "auto" and letters is not None else f"--visible {kind}"
            raise click.UsageError(f"--standardize would change the codes of {codes}: leave it out")
        return Categorical(shape, len(letters)) if letters is not None else _coded(data, kind, shape)
    if kind != "auto":
        return _of_type(data, kind, shape)
    if data.binarization is not None:
        return Bernoulli(shape)
    if not options["standardize"] and options["binarize"] is None:
        summary = data.train.statistics()
        if is_spin(summary):
            note(f"{data.name} holds -1 and 1: spins (--visible spin)")
            return Spin(shape)
        if is_grey(data):
            bytes_ = summary.high > 1
            raise ValueError(
                f"{data.name} has values between 0 and {summary.high:g} ({'bytes, as those of ' if bytes_ else ''}grey "
                f"levels): say what they mean with {'--scale 255 ' if _must_scale(data) else ''}--binarize threshold, "
                "fixed or dynamic, or learn them as real values with --visible gaussian --standardize"
            )
        if bool(summary.whole.all()) and summary.finite and summary.low in (0, 1) and summary.high < FEW_CODES:
            note(
                f"{data.name} holds whole numbers {summary.low:g} ... {summary.high:g}: codes of categories (--visible "
                "categorical; --visible binomial: counts; --visible gaussian --standardize: real values)"
            )
            return _coded(data, "categorical", shape)
    return Gaussian(shape)


def _must_scale(data: Dataset) -> bool:
    """Whether bytes are stored as other numbers, so that only the user can say that they are bytes."""
    return data.train.statistics().high > 1 and data.train.dtype.name != "uint8"


def _of_type(data: Dataset, kind: str, shape: tuple[int, ...]) -> Units:
    """Units of the type that --visible names."""
    from harmonium.cli.own import class_of
    from harmonium.units import Binomial, Units

    own = class_of("--visible", kind, Units)  # type: ignore[type-abstract]
    if issubclass(own, Binomial):
        return own(shape, trials=max(1, int(max(cases.statistics().high for cases in data.splits.values()))))
    try:
        units: Units = own(shape[0] if len(shape) == 1 else shape)
    except TypeError as error:
        raise click.UsageError(f"--visible {kind} is built of more than the shape: {error}") from error
    return units


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
