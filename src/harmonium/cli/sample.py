"""``harmonium sample``."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.options import SEED, SHARDS, integer
from harmonium.cli.run import open_model
from harmonium.cli.session import refuse, set_threads
from harmonium.cli.shell import CONTEXT, say, typed
from harmonium.core.processes import processes

if TYPE_CHECKING:
    from harmonium.data import Summary

__all__ = ["sample"]

SHOWN = 400  # samples in a picture


@click.command(
    context_settings=CONTEXT,
    short_help="Draw samples from a model.",
    epilog="""\b
Examples:
  harmonium sample runs/digits-rbm-1 -n 64 --out samples.png
  harmonium sample runs/digits-rbm-1 -n 10000 --out samples.npy
  harmonium sample runs/digits-rbm-1 -n 5 --seed 1""",
)
@click.argument("run")
@integer("-n", "count", default=100, help="Number of samples.")
@integer("--sweeps", least=0, default=1000, help="Gibbs sweeps of a chain.")
@SEED
@SHARDS
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    help="A .npy, .csv or .png file, or .fasta of an alignment.  [default: CSV on the screen, FASTA of an alignment]",
)
@click.pass_context
def sample(
    ctx: click.Context, /, run: str, count: int, sweeps: int, seed: int, shards: int | None, out: str | None
) -> None:
    """Draw samples from the model of RUN; those of a Boltzmann machine are the ends of independent chains.

    RUN is a run folder or a model file.  Samples are in the units of the data, also if training standardised them.
    """
    path = None if out in (None, "-") else Path(str(out)).expanduser()
    place = open_model(run)
    letters = (place.source or {}).get("alphabet")
    known = [".npy", ".csv", ".png", *([] if letters is None else [".fasta"])]
    if path is not None and path.suffix.lower() not in known:
        raise ValueError(f"--out {out}: name a {', '.join(known[:-1])} or {known[-1]} file")
    import numpy as np

    import harmonium as hm

    set_threads(place.threads)
    model = place.load()
    if model.energy_part is None:
        refuse(model, {"sweeps"} & typed(ctx), "is sampled from its roots, without chains")
    drawn = table = hm.sample(model, count, sweeps=sweeps, seed=seed, shards=shards).cpu().numpy()
    if not processes().first:
        return
    if letters is not None and (path is None or path.suffix.lower() in (".csv", ".fasta")):
        text = _sequences(table, letters, fasta=path is None or path.suffix.lower() == ".fasta")
        _deliver(text.encode(), path, f"{count} sequences of {table.shape[1]} sites")
        return
    columns = place.table()
    standard = place.standard() if columns is None else columns.standard
    if columns is not None and (path is None or path.suffix.lower() == ".csv"):
        text = columns.to_frame(table).to_csv(index=False, float_format="%.15g")  # 1, where gaps made pandas say 1.0
        _deliver(text.encode(), path, f"{count} samples of {table.shape[1]} columns")
        return
    if columns is not None and path is not None and path.suffix.lower() == ".npy":
        table = _values(columns.to_frame(table), str(out))
    elif standard is not None:  # back to the units of the data
        table = table * standard.scale + standard.mean
    if columns is None and standard is not None:
        table = _within(table, place.data().train.derive(standard=None, source=None).statistics())
    if path is not None and path.suffix.lower() == ".png":
        from harmonium import plots

        if columns is not None:
            plots.write(plots.table_samples(columns.to_frame(drawn)), path)
            say(f"{count} samples, column by column: {path}")
            return
        shown = min(count, SHOWN)
        plots.write(plots.samples(table, None, model.visible.shape, count=shown), path)
        say(f"{shown} samples: {path}")
        return
    buffer = io.BytesIO()
    if path is not None and path.suffix.lower() == ".npy":
        np.save(buffer, table)
    else:
        np.savetxt(buffer, table, fmt="%d" if model.visible.finite else "%.7g", delimiter=",")
    _deliver(buffer.getvalue(), path, f"{count} samples of {table.shape[1]} values")


def _deliver(content: bytes, path: Path | None, what: str) -> None:
    """Write to the file and say what is in it, or on the screen."""
    if path is None:
        sys.stdout.write(content.decode())
        return
    from harmonium.core.files import write_atomically

    write_atomically(path, content)
    say(f"{what}: {path}")


def _sequences(codes: Any, letters: str, fasta: bool) -> str:
    """Sequences of an alignment in letters: FASTA, or a line each with commas between the sites."""
    rows = [[letters[int(code)] for code in row] for row in codes]
    if fasta:
        return "".join(f">sample{number}\n{''.join(row)}\n" for number, row in enumerate(rows, 1))
    return "".join(f"{','.join(row)}\n" for row in rows)


def _values(frame: Any, out: str) -> Any:
    """The values of a table of numbers as an array; a table with text is refused, since an array would hold codes."""
    import numpy as np

    texts = [name for name in frame.columns if frame[name].dtype.kind not in "biuf" and _is_text(frame[name])]
    if texts:
        raise ValueError(f"--out {out}: column {texts[0]!r} holds text, which an array cannot hold: name a .csv file")
    return frame.to_numpy(dtype=np.float64)


def _is_text(values: Any) -> bool:
    return any(not isinstance(value, (int, float)) for value in values)


def _within(table: Any, found: Summary) -> Any:
    """Draws of columns of numbers within the range that was observed, whole where all numbers are."""
    import numpy as np

    drawn = np.clip(table, found.column_low.numpy(), found.column_high.numpy())
    return np.where(found.whole.numpy(), np.round(drawn) + 0.0, drawn)  # never -0
