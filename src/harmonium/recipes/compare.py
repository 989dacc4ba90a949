"""One protocol for every model: the same data, the same time, the same test cases."""

from __future__ import annotations

import difflib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from harmonium.core.checks import check_positive
from harmonium.core.errors import DamagedFileError
from harmonium.core.files import read_tensors, write_atomically, write_tensors
from harmonium.core.random import Stream
from harmonium.data import Dataset
from harmonium.likelihood.evaluate import evaluate
from harmonium.models.io import load, save
from harmonium.models.model import Model
from harmonium.recipes.comparison import Comparison, Entry
from harmonium.recipes.contenders import CONTENDERS, Contender, Scale
from harmonium.recipes.procedures import Task
from harmonium.runs.names import MODEL
from harmonium.sampling.sample import sample
from harmonium.units import Bernoulli, Gaussian, Units

__all__ = ["compare", "samples_of"]

PLAN, TRAINED, RESULT, SAMPLES = "compare.json", "trained.json", "result.json", "samples.safetensors"
DRAWN = 36  # samples of every model, for pictures


def compare(
    data: Dataset,
    models: Sequence[str] | None = None,
    *,
    seconds: float = 60.0,
    out: str | Path,
    visible: Units | None = None,
    seed: int = 0,
    progress: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Train models on the same data, each with its recipe and within the same time, and judge them on the test cases.

    Each model is chosen by its validation likelihood and judged by `harmonium.evaluate`: exactly where it can be, by an
    estimate with its bracket or a bound from below elsewhere, and the kind stands beside the number.

    Args:
        data: with validation and test cases (`harmonium.data.load`).
        models: names, of "independent", "mixture", "tree", "rbm", "dbn", "dbm", "nade", "eonade", "made", "vae",
            "iwae".  Default: all that can model these visible units.
        seconds: of training for each model; judging is not counted.
        out: a folder: each model is a run in ``out/NAME``.  Given again, with more models too, it goes on where it was.
        visible: the visible units.  Default: Bernoulli for binary data, else Gaussian, in the shape of the data.
        seed: of everything random.
        progress: show a bar for each model.
        say: told what happens, a line at a time.

    Raises:
        ValueError: for unknown names, data without validation or test cases, models that cannot have these units, an
            ``out`` that holds a comparison of other data, units, time or seed.

    >>> import harmonium as hm, tempfile
    >>> data = hm.data.load("digits")
    >>> found = hm.compare(data, ["independent", "tree"], seconds=1, out=tempfile.mkdtemp())
    >>> [(entry.name, entry.kind) for entry in found.ranked]
    [('tree', 'exact'), ('independent', 'exact')]
    """
    for split in ("valid", "test"):
        if getattr(data, split) is None:
            raise ValueError(
                f"{data.name} has no {split} cases, which a comparison {'chooses' if split == 'valid' else 'judges'} "
                f"by: set some aside, hm.data.load(..., {split}=0.1)"
            )
    seconds = check_positive("seconds", seconds)
    visible = visible or (Gaussian if data.binarization is None else Bernoulli)(data.shape)
    scale = Scale(visible, len(data.train))
    names = _chosen(models, scale, say)
    _check_data(data, visible)
    folder = Path(out)
    _claim(folder, data, visible, float(seconds), seed)
    entries = []
    for name in names:
        say(f"{name}: {CONTENDERS[name].title}")
        entries.append(_entry(name, data, scale, seconds, Stream(seed, "compare", name), folder / name, progress))
        say(f"  {entries[-1].number} nats per case, {entries[-1].kind}; {entries[-1].how}")
    assert data.test is not None
    found = Comparison(_describe(data), visible.shape, len(data.test), float(seconds), entries, folder)
    write_atomically(folder / "comparison.csv", found.csv().encode())
    write_atomically(folder / "comparison.md", found.markdown().encode())
    return found


def samples_of(found: Comparison) -> dict[str, torch.Tensor]:
    """Samples of every model, (36, n_visible), by name, as `compare` left them."""
    return {entry.name: read_tensors(found.folder / entry.name / SAMPLES)[0]["samples"] for entry in found.entries}


def _entry(name: str, data: Dataset, scale: Scale, seconds: float, seed: Stream, folder: Path, progress: bool) -> Entry:
    """Train, judge and draw from one model, as far as that has not been done."""
    if (folder / RESULT).exists():
        return Entry(**_read(folder / RESULT))
    contender = CONTENDERS[name]
    assert data.valid is not None and data.test is not None
    model, told = _trained(contender, Task(data.train, data.valid, seconds, seed, folder, progress), scale)
    judged = contender.judged(model)
    began = time.perf_counter()
    result = evaluate(judged, data.test, seed=seed.child("judge"), **contender.judge(scale, len(data.test)))
    entry = Entry.of(
        result, name=name, title=contender.title, family=contender.family, judging=time.perf_counter() - began,
        parameters=sum(parameter.numel() for parameter in model.parameters()), **told,
    )  # fmt: skip
    drawn = sample(judged, DRAWN, seed=seed.child("draw"))
    write_tensors(folder / SAMPLES, {"samples": drawn}, {"format": 1})
    _write(folder / RESULT, asdict(entry))  # last: it says that all is done
    return entry


def _trained(contender: Contender, task: Task, scale: Scale) -> tuple[Model, dict[str, Any]]:
    """The model, and what the table says of its training."""
    folder = task.folder
    if (folder / TRAINED).exists():
        return load(folder / MODEL), _read(folder / TRAINED)
    found = contender.train(contender.build(scale), task, contender.options(scale))
    folder.mkdir(parents=True, exist_ok=True)
    save(found.model, folder / MODEL)
    told = {"valid": found.valid, "seconds": round(found.seconds, 2), "how": found.how}
    _write(folder / TRAINED, told)
    return found.model, told


def _chosen(models: Sequence[str] | None, scale: Scale, say: Callable[[str], None]) -> list[str]:
    """The names, each of a model that can be built."""
    unknown = [name for name in models or () if name not in CONTENDERS]
    if unknown:
        near = difflib.get_close_matches(unknown[0], CONTENDERS, n=1)
        guess = f"did you mean {near[0]}? There are" if near else "choose from"
        raise ValueError(f"there is no model {unknown[0]!r}: {guess} {', '.join(CONTENDERS)}")
    names = []
    for name in CONTENDERS if models is None else dict.fromkeys(models):
        try:
            CONTENDERS[name].build(scale)
        except ValueError as error:
            if models is not None:
                raise ValueError(f"{name} cannot model these data: {error}") from error
            say(f"{name} is left out: {error}")
            continue
        names.append(name)
    if not names:
        raise ValueError(f"name a model at least: choose from {', '.join(CONTENDERS)}")
    return names


def _check_data(data: Dataset, visible: Units) -> None:
    """Before anything is trained: the test cases too must lie within the domain of the units."""
    for split in ("train", "valid", "test"):
        for start, v in getattr(data, split).chunks(1024, dtype=torch.float32):
            where = f"{split} (rows from {start})"
            visible.check(visible.encode(v, where), where)


def _claim(folder: Path, data: Dataset, visible: Units, seconds: float, seed: int) -> None:
    """The folder, where it is new or holds a comparison on the same terms."""
    splits = ("train", "valid", "test")
    terms = {
        "data": {split: getattr(data, split).fingerprint() for split in splits},
        "visible": visible.config(),
        "seconds": seconds,
        "seed": seed,
    }
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / PLAN).exists():
        _write(folder / PLAN, {"format": 1, "load": data.source, **terms})
        return
    before = _read(folder / PLAN)
    odd = [term for term, value in terms.items() if before.get(term) != value]
    if odd:
        was, now = (f" ({source[odd[0]]!r})" if odd[0] in ("seconds", "seed") else "" for source in (before, terms))
        raise ValueError(
            f"{folder} holds a comparison with other {odd[0]}{was}, not this{now}: choose another folder, or ask for "
            "the same to go on with it"
        )


def _describe(data: Dataset) -> str:
    kind = {"threshold": "binary by threshold", "fixed": "binarised once", "dynamic": "binarised in every epoch"}
    words = kind.get(data.binarization or "", "")
    return f"{data.name}, {words}" if words else data.name


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DamagedFileError(f"{path} is damaged ({error}): take its folder away, and it is made again") from None
    return content


def _write(path: Path, content: dict[str, Any]) -> None:
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())
