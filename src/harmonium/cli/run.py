"""RUN: the run folder or model file that a command is about."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from harmonium.runs.folder import Run, open_run

__all__ = ["open_model"]

_MODELS = (".safetensors",)


def open_model(name: str, *, unfinished: bool = False) -> Run:
    """Open RUN; data in its place are refused with the command that takes them.

    Raises:
        click.UsageError: if it names data.
        FileNotFoundError: if there is no such run, or it has no model yet.
        DamagedFileError: if ``config.json`` is damaged.
    """
    what = _kind_of_data(name)
    if what is None:
        return open_run(name, unfinished=unfinished)
    context = click.get_current_context()
    takes_data = any("--data" in parameter.opts for parameter in context.command.params)
    remedy = f"{context.command_path} RUN" + (f" --data {shlex.quote(name)}" if takes_data else "")
    raise click.UsageError(
        f"{name} is {what}, not a model: `{remedy}`, where RUN is what `harmonium train {shlex.quote(name)}` makes"
    )


def _kind_of_data(name: str) -> str | None:
    """What the data of this name are, in words; None: no data, as far as the name tells."""
    from harmonium.data import names
    from harmonium.data.fasta import is_fasta
    from harmonium.data.files import is_table
    from harmonium.data.formats import SVM
    from harmonium.data.opening import plain_suffix

    path = Path(name).expanduser()
    if not path.exists():
        return "a data set" if name in names() else None
    if path.is_dir() or path.suffix.lower() in _MODELS:
        return None
    if is_table(path):
        return "a table"
    suffix = plain_suffix(path)
    if is_fasta(path.name):
        return "an alignment"
    return "a file of data" if suffix in (".npz", ".npy", ".mat", *SVM) or suffix.startswith(".idx") else None
