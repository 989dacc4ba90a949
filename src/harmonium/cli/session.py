"""Threads, devices, progress bars and notes that commands share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.shell import note
from harmonium.core.progress import showing

if TYPE_CHECKING:
    from harmonium.models.model import Model

__all__ = ["annealing", "count", "device", "progress", "quiet", "refuse", "set_threads", "threads_for"]

WORTH_SHARING = 1 << 23  # multiplications of a product below which a second thread costs more than it gives


def threads_for(rows: int, largest: int) -> int | None:
    """Choose one thread if products of ``rows`` rows with ``largest`` weights are small, else None."""
    return 1 if rows * largest < WORTH_SHARING else None


def count(number: int, what: str) -> str:
    """Spell a number of things, such as "1 epoch" or "20 epochs"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def progress(options: dict[str, Any]) -> bool:
    """Whether to show a progress bar: as the options say, else on a terminal.

    Until the command ends, other lines about what takes long follow the answer.
    """
    asked, on_terminal = options["progress"], sys.stderr.isatty() and not options.get("quiet")
    answer = on_terminal if asked is None else bool(asked)
    click.get_current_context().with_resource(showing(answer, bars=False))
    return answer


def set_threads(threads: int | None) -> None:
    """Set the number of threads of matrix products; None: what torch chooses."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def device(name: str | None) -> str | None:
    """Try a device: torch's own messages about missing ones are pages long.

    Raises:
        ValueError: if there is no such device.
    """
    if name is None:
        return None
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"--device {name}: {str(error).splitlines()[0]}: this machine has none, try cpu") from None
    return name


def quiet(text: str) -> None:
    """Say nothing."""


def annealing(model: Model) -> dict[str, Any]:
    """Choose options that keep the evaluation of a wide model short, and print a note about them."""
    from harmonium.likelihood.evaluate import affordable

    few = affordable(model)
    for name, count in few.items():
        more = ": `harmonium evaluate --temperatures N` takes more" if name == "temperatures" else ""
        note(f"the model is wide, so it is evaluated with {count} {name} instead of 1,000{more}")
    return few


def refuse(model: Model, given: set[str], why: str) -> None:
    """Raise a usage error for options that do nothing with this model."""
    if given:
        raise click.UsageError(f"--{min(given)} does nothing here: a {type(model).__name__} {why}. Leave it out")
